"""A site that a small platform on loopback is registered at."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from attendance.database.models import Course, LtiCourse, LtiDeployment, LtiPlatform
from attendance.settings import Settings
from tests.factories import make_course
from tests.webapp.lti.platform import Platform, running_platform
from tests.webapp.visiting import Site, Visitor, make_settings


@pytest.fixture(autouse=True)
def _keys_that_are_made_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tool's own keys are as short as platforms take them."""
    monkeypatch.setattr("webapp.lti.services.keys._BITS", 2048)


@pytest.fixture
def platform() -> Iterator[Platform]:
    with running_platform() as made:
        made.tool = "http://localhost"
        yield made


@pytest.fixture
def site_settings(tmp_path: Path, migrated_file: Path) -> Settings:
    """Of a site that may call loopback."""
    return make_settings(tmp_path / "site", migrated_file, web={"private_addresses": "127.0.0.0/8"})


@pytest.fixture
def registered(site_db: Session, platform: Platform) -> LtiPlatform:
    row = LtiPlatform(name="Moodle", frame_origins="", **platform.registration())
    row.deployments = [LtiDeployment(external_id=platform.deployment)]
    site_db.add(row)
    site_db.commit()
    return row


@pytest.fixture
def linked(site_db: Session, registered: LtiPlatform, platform: Platform) -> LtiCourse:
    """The platform's course, linked with one here."""
    course = make_course(site_db, "MAT101", "Linear algebra")
    row = LtiCourse(deployment_id=registered.deployments[0].id, external_id="c1", label="MAT101", course_id=course.id)
    row.memberships_url, row.line_items_url = (
        f"{platform.address}/members?c=c1",
        f"{platform.address}/lineitems?type_id=3",
    )
    site_db.add(row)
    site_db.commit()
    return row


def course_of(db: Session, linked: LtiCourse) -> Course:
    return db.get_one(Course, linked.course_id)


@dataclass(frozen=True)
class Begun:
    """A sign-in that a browser began at the tool: what the platform was asked."""

    visitor: Visitor
    asked: dict[str, str]

    def finish(self, token: str, state: str | None = None) -> TestResponse:
        """Send the platform's answer from this browser."""
        form = {"id_token": token, "state": self.asked["state"] if state is None else state}
        return self.visitor.client.post("/lti/launch", data=form)


def begin(site: Site, platform: Platform, user: str = "u1", visitor: Visitor | None = None) -> Begun:
    """Let a browser begin a sign-in."""
    visitor = visitor or site.visitor()
    answer = visitor.get(platform.initiation(user))
    assert answer.status_code == 302, answer.text
    parts = urlsplit(answer.headers["Location"])
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{platform.address}/auth"
    return Begun(visitor, {name: values[0] for name, values in parse_qs(parts.query).items()})


def launch(
    site: Site,
    platform: Platform,
    user: str = "u1",
    visitor: Visitor | None = None,
    *,
    claims: Mapping[str, Any] | None = None,
    **other: Any,
) -> TestResponse:
    """A whole launch, as it should be but for these claims."""
    begun = begin(site, platform, user, visitor)
    return begun.finish(platform.sign(platform.claims(begun.asked["nonce"], user, **(claims or {}), **other)))
