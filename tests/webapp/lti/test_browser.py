"""From a course of a platform into its register, in a real browser, and the pages of administrators on any screen."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import (
    Account,
    ExternalIdentity,
    ExternalKind,
    LtiCourse,
    LtiDeployment,
    LtiPlatform,
    Role,
    utc_now,
)
from tests.factories import enrol, make_course, make_lecturer, make_session, make_student
from tests.webapp.conftest import Dashboard
from tests.webapp.lti.platform import Platform, running_platform
from tests.webapp.running import environ_for, running_dashboard
from tests.webapp.screens import NARROW, WIDE
from tests.webapp.visiting import make_settings


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with running_platform() as made:
        yield made


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Dashboard]:
    """A running dashboard that may call loopback."""
    folder = tmp_path_factory.mktemp("dashboard") / "data"
    settings = make_settings(folder, migrated_file)
    engine = create_database_engine(settings.database_url)
    environ = environ_for(settings, ATTENDANCE_WEB_PRIVATE_ADDRESSES="127.0.0.0/8")
    with running_dashboard(environ, folder.parent / "log") as address:
        yield Dashboard(address, settings, session_factory(engine, settings.attendance))
    engine.dispose()


@pytest.fixture(scope="module")
def people(dashboard: Dashboard, platform: Platform) -> dict[str, Account]:
    """A lecturer whom the platform knows, an administrator, and a course of the platform that is linked."""
    platform.tool = dashboard.address
    with dashboard.sessions() as db:
        ada = make_lecturer(db, name="Ada Lovelace")
        root = make_lecturer(db, role=Role.ADMIN)
        course = make_course(db, "MAT101", "Linear algebra", lecturers=(ada,))
        enrol(db, course, *(make_student(db) for _ in range(3)))
        make_session(db, course, starts_at=utc_now() - timedelta(minutes=5))
        row = LtiPlatform(name="Moodle of the faculty of mathematics", frame_origins="", **platform.registration())
        row.deployments = [LtiDeployment(external_id=platform.deployment)]
        db.add(row)
        db.flush()
        linked = LtiCourse(deployment_id=row.deployments[0].id, external_id="c1", label="MAT101", title="Algebra")
        linked.course_id, linked.problem = course.id, "Moodle answered with 503."
        other = LtiCourse(deployment_id=row.deployments[0].id, external_id="c2", label="PHY200", title="Mechanics")
        identity = ExternalIdentity(system=f"lti:{row.id}", kind=ExternalKind.ACCOUNT, external_id="u1")
        identity.account_id = ada.id
        db.add_all([linked, other, identity])
        db.commit()
        return {"ada": ada, "root": root}


def test_from_a_frame_in_the_platform_into_the_register(
    open_page: Callable[..., Page], dashboard: Dashboard, platform: Platform, people: dict[str, Account]
) -> None:
    page = open_page(None, f"{platform.address}/course")
    with page.expect_popup() as opened:
        page.frame_locator("iframe").get_by_role("link", name="Open in a new window").click()
    register = opened.value
    register.wait_for_url(f"{dashboard.address}/sessions/*")
    expect(register.get_by_role("heading", name="Linear algebra")).to_be_visible()
    expect(register.get_by_text("Ada Lovelace").first).to_be_attached()
    # Without a frame it goes there at once; and the register itself is in nobody's frame.
    page.goto(f"{dashboard.address}{platform.initiation()}")
    page.wait_for_url(f"{dashboard.address}/sessions/*")


def test_a_platform_registers_itself_in_a_frame(
    open_page: Callable[..., Page], dashboard: Dashboard, platform: Platform, people: dict[str, Account],
    assert_accessible: Callable[[Page], None],
) -> None:  # fmt: skip
    page = open_page(people["root"], "/admin/lti", size=NARROW)
    page.get_by_role("button", name="Make an address").click()
    address = page.locator("#lti-registration").inner_text()
    assert_accessible(page)
    page.goto("/admin/lti")
    expect(page.get_by_text("works until")).to_be_visible()
    with dashboard.sessions.begin() as db:
        db.execute(sa.update(LtiPlatform).values(issuer="https://moodle.example.edu"))
    there = open_page(None, platform.registering(address))
    assert_accessible(there)
    there.goto(f"{platform.address}/add?{urlencode({'url': address})}")
    there.frame_locator("iframe").get_by_role("button", name="Register this tool").click()
    expect(there.get_by_role("heading", name="Added")).to_be_visible()
    assert platform.registered[0]["client_name"] == "Attendance"
    page.goto("/admin/lti")
    page.get_by_role("link", name="Moodle 127.0.0.1").click()
    assert_accessible(page)
    page.get_by_role("link", name="Look at it and confirm").click()
    assert_accessible(page)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("is saved")).to_be_visible()
    with dashboard.sessions.begin() as db:
        db.execute(sa.delete(LtiPlatform).where(LtiPlatform.name == "Moodle 127.0.0.1"))
        db.execute(sa.update(LtiPlatform).values(issuer=platform.address))


def test_a_lecturer_chooses_in_a_frame_what_a_link_opens(
    open_page: Callable[..., Page], dashboard: Dashboard, platform: Platform, people: dict[str, Account],
    assert_accessible: Callable[[Page], None],
) -> None:  # fmt: skip
    admin = open_page(people["root"], "/admin/lti")
    admin.get_by_role("button", name="Make an address").click()  # and a key with it
    platform.tool_keys = admin.request.get("/lti/keys").json()
    whole = open_page(None, f"{dashboard.address}{platform.choosing()}")
    expect(whole.get_by_role("heading", name="What is the link to open?")).to_be_visible()
    assert_accessible(whole)
    for scripts in (True, False):
        platform.links.clear()
        frame = open_page(None, f"{platform.address}/insert", java_script_enabled=scripts).frame_locator("iframe")
        if not scripts:  # the platform's own page sends its form by a script, too
            frame.get_by_role("button", name="Go on").click()
        frame.get_by_label("The report").check()
        frame.get_by_role("button", name="Insert the link").click()
        if not scripts:
            frame.get_by_role("button", name="Go back to").click()
        expect(frame.get_by_role("heading", name="1 inserted")).to_be_visible()
        assert platform.links[0]["custom"] == {"opens": "report"}


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide", "narrow, dark"])
def test_every_page_of_administrators(
    open_page: Callable[..., Page], people: dict[str, Account], assert_accessible: Callable[[Page], None],
    size: object, scheme: str,
) -> None:  # fmt: skip
    page = open_page(people["root"], "/admin/lti", size=size, color_scheme=scheme)
    assert_accessible(page)
    for path in (
        "/admin/lti/new",
        "/admin/lti/1",
        "/admin/lti/courses/1",
        "/admin/oneroster",
        "/lti/connections",
        "/courses/1/moodle",
    ):
        page.goto(path)
        assert_accessible(page)
    page.goto("/admin/lti/new")
    page.get_by_role("button", name="Add the platform").click()
    expect(page.get_by_text("Some fields need a correction")).to_be_visible()
    assert_accessible(page)
