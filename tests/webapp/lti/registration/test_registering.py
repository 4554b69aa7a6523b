"""Platforms that register themselves, and what pretends to."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import (
    AccountRole,
    AuditEntry,
    LtiDeployment,
    LtiKey,
    LtiPlatform,
    LtiRegistrationAddress,
    utc_now,
)
from tests.webapp.lti.conftest import launch
from tests.webapp.lti.platform import AGS, NRPS, PLATFORM, REGISTRATION_TOKEN, TOOL, Platform
from tests.webapp.outside.receiving import Answer, receiving
from tests.webapp.visiting import Site, Visitor, plain


@pytest.fixture
def address(admin: Visitor) -> str:
    """An address that an administrator made, as it is typed in the platform."""
    made = make_address(admin)
    assert "offer=" not in admin.text("/admin/lti"), "it is shown once"
    return made


def make_address(admin: Visitor) -> str:
    page = admin.post("/admin/lti/registration").text
    found = re.search(r">(http://localhost/lti/register\?offer=[\w-]+)<", page)
    assert found, page
    return found[1]


def fields(visitor: Visitor, address: str) -> dict[str, str]:
    """What the form holds that is shown at an address."""
    page = visitor.get(address.removeprefix("http://localhost"))
    assert page.status_code == 200, plain(page.text)
    found = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    return {name: value.replace("&amp;", "&") for name, value in found.items()}


def register(site: Site, platform: Platform, address: str, **other: str) -> tuple[int, str]:
    """Press the button in a browser that is signed in nowhere: the status, and what is said."""
    visitor = site.visitor()
    answer = visitor.client.post("/lti/register", data=fields(visitor, platform.registering(address)) | other)
    return answer.status_code, plain(answer.text)


def test_a_platform_registers_itself_and_opens_nothing_before_it_is_confirmed(
    site: Site, site_db: Session, platform: Platform, admin: Visitor, address: str
) -> None:
    page = site.visitor().get(platform.registering(address).removeprefix("http://localhost"))
    assert "Register at 127.0.0.1?" in plain(page.text)
    assert platform.requests == []
    status, said = register(site, platform, address)
    assert (status, "Moodle 127.0.0.1 is registered" in said) == (200, True)
    sent = platform.registered[0]
    assert sent["scope"].split() == [f"{NRPS}/scope/contextmembership.readonly", f"{AGS}/scope/lineitem",
                                     f"{AGS}/scope/score"]  # fmt: skip
    kinds = {one["type"]: one for one in sent[TOOL]["messages"]}
    assert kinds["LtiDeepLinkingRequest"]["placements"] == ["ContentArea"]
    assert kinds["LtiDeepLinkingRequest"]["target_link_uri"] == "http://localhost/lti/deep-link"
    assert "placements" not in kinds["LtiResourceLinkRequest"]
    logo = site.visitor().get("/lti/logo.svg")
    assert (logo.mimetype, b"<svg" in logo.data) == ("image/svg+xml", True)
    assert site_db.scalars(sa.select(LtiKey)).one(), "the platform fetches the tool's keys from now on"
    row = site_db.scalars(sa.select(LtiPlatform)).one()
    assert {name: getattr(row, name) for name in platform.registration()} == platform.registration()
    assert (row.waiting, row.active, [one.external_id for one in row.deployments]) == (True, False, ["7"])
    site_db.commit()
    begun = site.visitor().get(platform.initiation())
    assert (begun.status_code, "No learning platform is registered" in plain(begun.text)) == (400, True)
    for path in ("/admin/lti", f"/admin/lti/{row.id}"):
        assert "Waits for you" in admin.text(path)
    assert "What to type in the platform" not in admin.text(f"/admin/lti/{row.id}/change"), "it knows all of it"
    form = {"name": "Moodle", "matching": "connect", "active": "y", "deployments": "7", "frame_origins": ""}
    done = admin.post(f"/admin/lti/{row.id}/change", form | platform.registration())
    assert done.status_code == 302
    assert "Waits for you" not in admin.text("/admin/lti")
    assert launch(site, platform).headers["Location"].startswith("/lti/connect")
    noted = site_db.scalars(sa.select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [(one.action, one.actor, one.subject) for one in noted] == [
        ("lti.registration_offered", noted[0].actor, None),
        ("lti.platform_registered", noted[0].actor, "Moodle 127.0.0.1"),
        ("lti.platform_confirmed", noted[0].actor, "Moodle"),
    ]


def test_a_platform_that_says_no_deployment_is_confirmed_with_one(
    site: Site, site_db: Session, platform: Platform, admin: Visitor, address: str
) -> None:
    platform.answers_with = {TOOL: None}
    platform.configuration = {"scopes_supported": None, PLATFORM: None}
    status, said = register(site, platform, address)
    assert (status, "has not said its deployment ID" in said) == (200, True)
    row = site_db.scalars(sa.select(LtiPlatform)).one()
    site_db.commit()
    assert (row.name, row.deployments) == ("127.0.0.1", [])
    form = {"name": "Other", "matching": "connect", "active": "y", "deployments": ""} | platform.registration()
    assert admin.post(f"/admin/lti/{row.id}/change", form).status_code == 422
    assert admin.post(f"/admin/lti/{row.id}/change", {**form, "deployments": "7"}).status_code == 302
    site_db.rollback()
    assert site_db.scalars(sa.select(LtiDeployment.external_id)).all() == ["7"]


def _lies(**said: Any) -> Callable[[Platform], None]:
    return lambda platform: platform.configuration.update(said)


def _answers(**said: Any) -> Callable[[Platform], None]:
    return lambda platform: platform.answers_with.update(said)


HOSTILE: dict[str, tuple[Callable[[Platform], None], str]] = {
    "another host's issuer": (_lies(issuer="https://moodle.example.edu"), "which is another host"),
    "a host that only begins alike": (_lies(issuer="http://127.0.0.1.example.edu"), "which is another host"),
    "no issuer": (_lies(issuer=None), "does not name itself"),
    "an issuer that is none": (_lies(issuer="javascript:alert(1)"), "does not name itself"),
    "an issuer of two lines": (_lies(issuer="http://127.0.0.1/\nx"), "does not name itself"),
    "keys at a machine's metadata": (_lies(jwks_uri="http://169.254.169.254/latest"), "may not be called"),
    "tokens of an inner machine": (_lies(token_endpoint="http://10.1.2.3/token"), "no public address"),
    "a sign-in of no address": (_lies(authorization_endpoint="javascript:alert(1)"), "is no address"),
    "no registration": (_lies(registration_endpoint=None), "registration_endpoint"),
    "registering elsewhere": (_lies(registration_endpoint="http://192.168.1.1/"), "no public address"),
    "weak signatures": (_lies(id_token_signing_alg_values_supported=["HS256"]), "RS256"),
    "shared secrets": (_lies(token_endpoint_auth_methods_supported=["client_secret_basic"]), "private_key_jwt"),
    "down": (lambda p: p.refuses.add("/openid-configuration"), "does not say what it is"),
    "huge": (_lies(x="x" * 200_000), "too long"),
    "does not register": (lambda p: p.refuses.add("/register"), "answered with 503"),
    "another client's name": (_answers(client_name="Grades of all"), "another tool (client_name)"),
    "another's addresses": (_answers(redirect_uris=["https://elsewhere.example/"]), "another tool (redirect_uris)"),
    "another's keys": (_answers(jwks_uri="https://elsewhere.example/keys"), "another tool (jwks_uri)"),
    "no client": (_answers(client_id=None), "client_id"),
    "a client of numbers": (_answers(client_id=7), "client_id"),
    "a client too long": (_answers(client_id="x" * 256), "client_id"),
    "a huge answer": (_answers(x="x" * 300_000), "too long"),
}


def test_what_is_no_platforms_word_registers_nothing(
    site: Site, site_db: Session, platform: Platform, admin: Visitor
) -> None:
    for hostile, (lie, words) in HOSTILE.items():
        lie(platform)
        status, said = register(site, platform, make_address(admin))
        assert (status, words in said) == (400, True), (hostile, said)
        assert site_db.scalars(sa.select(LtiPlatform)).all() == [], hostile
        site_db.rollback()
        for told in (platform.configuration, platform.answers_with, platform.refuses, platform.registered):
            told.clear()


def test_an_address_works_once(site: Site, site_db: Session, platform: Platform, address: str) -> None:
    visitor = site.visitor()
    form = fields(visitor, platform.registering(address))
    assert visitor.client.post("/lti/register", data=form).status_code == 200
    site_db.execute(sa.delete(LtiPlatform))
    site_db.commit()
    platform.registered.clear()
    again = visitor.client.post("/lti/register", data=form)
    assert (again.status_code, "does not work any more" in plain(again.text)) == (400, True)
    assert visitor.get(platform.registering(address)).status_code == 400
    assert platform.registered == []


def test_an_address_that_was_used_up_while_the_platform_was_asked(
    site: Site, site_db: Session, platform: Platform, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = site.visitor()
    form = fields(visitor, platform.registering(address))
    answer = platform._configuration

    def meanwhile(headers: Any) -> Any:
        site_db.execute(sa.delete(LtiRegistrationAddress))
        site_db.commit()
        return answer(headers)

    monkeypatch.setattr(platform, "_configuration", meanwhile)
    assert visitor.client.post("/lti/register", data=form).status_code == 400
    assert platform.registered == []


@pytest.mark.parametrize("why", ["expired", "withdrawn", "made anew", "its maker administers no more", "unknown"])
def test_an_address_that_does_not_work_any_more(
    site_db: Session, platform: Platform, admin: Visitor, address: str, why: str
) -> None:
    visitor = Visitor(admin.client.application)
    if why == "expired":
        site_db.execute(sa.update(LtiRegistrationAddress).values(expires_at=utc_now() - timedelta(seconds=1)))
    elif why == "withdrawn":
        site_db.commit()
        assert "works until" in admin.text("/admin/lti")
        admin.post("/admin/lti/registration/withdraw")
        assert "works until" not in admin.text("/admin/lti")
        admin.post("/admin/lti/registration/withdraw")
        assert "There was no address any more." in admin.text("/admin/lti")
    elif why == "made anew":
        site_db.commit()
        admin.post("/admin/lti/registration")
    elif why == "unknown":
        address += "x"
    else:
        site_db.execute(sa.delete(AccountRole))
    site_db.commit()
    opened = visitor.get(platform.registering(address))
    assert (opened.status_code, "does not work any more" in plain(opened.text)) == (400, True)
    given = {"offer": address.partition("offer=")[2], "registration_token": REGISTRATION_TOKEN}
    given["openid_configuration"] = f"{platform.address}/openid-configuration"
    assert visitor.client.post("/lti/register", data=given).status_code == 400
    assert platform.requests == []


def test_an_issuer_that_is_registered_already(
    site: Site, platform: Platform, registered: LtiPlatform, address: str
) -> None:
    status, said = register(site, platform, address)
    assert (status, f"{platform.address} is registered here already, as Moodle" in said) == (400, True)
    assert platform.registered == []
    # The address is not used up by that.
    assert site.visitor().get(platform.registering(address)).status_code == 200


def test_a_configuration_that_leads_to_a_private_address(
    site: Site, site_db: Session, platform: Platform, address: str
) -> None:
    elsewhere = f"{platform.address.replace('127.0.0.1', 'localhost')}/openid-configuration"
    with receiving() as trap:
        for there in ("http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", elsewhere):
            trap.answering = lambda _asked, there=there: Answer(302, {"Location": there})  # type: ignore[misc]
            status, said = register(site, platform, address, openid_configuration=f"{trap.address}/c")
            assert (status, "may not be called" in said or "no public" in said or "leads elsewhere" in said) == (
                400,
                True,
            )
    assert platform.requests == []


def test_what_a_platform_names_that_cannot_be_used(
    site: Site, site_db: Session, platform: Platform, address: str
) -> None:
    for name, value, words in (
        ("openid_configuration", "", "is for learning platforms"),
        ("openid_configuration", "file:///etc/passwd", "is for learning platforms"),
        ("openid_configuration", "http://10.1.2.3/c", "no public address"),
        ("registration_token", "a\r\nHost: elsewhere", "token"),
        ("registration_token", "x" * 9_000, "token"),
        ("registration_token", "", "does not say what it is"),  # which this platform wants to see
    ):
        status, said = register(site, platform, address, **{name: value})
        assert (status, words in said) == (400, True), said
    assert site_db.scalars(sa.select(LtiPlatform)).all() == []


def test_pages_of_a_registration_may_stand_in_any_frame_and_reach_their_opener(
    site: Site, platform: Platform, address: str
) -> None:
    visitor = site.visitor()
    opened = visitor.get(platform.registering(address))
    done = visitor.client.post("/lti/register", data=fields(visitor, platform.registering(address)))
    refused = visitor.get("/lti/register")
    for answer in (opened, done, refused):
        policy = answer.headers["Content-Security-Policy"]
        assert "frame-ancestors *" in policy
        assert "script-src 'self'" in policy
        assert answer.headers["Cross-Origin-Opener-Policy"] == "unsafe-none"
        assert "X-Frame-Options" not in answer.headers
    assert "js/lti-close.js" in done.text
    assert "js/lti-close.js" not in refused.text
