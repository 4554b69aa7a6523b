"""What a link opens, chosen by who inserts it into a course of the platform."""

import re
import time
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from attendance.database.models import Account, AuditEntry, LtiCourse, LtiPlatform, Role, utc_now
from tests.factories import enrol, make_course, make_lecturer, make_session, make_student
from tests.webapp.lti.conftest import Begun, begin, course_of, launch
from tests.webapp.lti.platform import LTI, MEMBERSHIP, Platform
from tests.webapp.lti.test_launching import ASSISTANT, LEARNER, ROLES, bind
from tests.webapp.visiting import Site, Visitor, plain
from webapp.lti.frames import form_target

FRAMED = {"Sec-Fetch-Dest": "iframe"}


@pytest.fixture
def ada(site_db: Session, linked: LtiCourse, registered: LtiPlatform) -> Account:
    """A lecturer of the course, whom the platform knows as u1."""
    ada = make_lecturer(site_db, email="ada@example.edu", role=Role.LECTURER, of=course_of(site_db, linked))
    bind(site_db, registered, "u1", account=ada)
    return ada


@pytest.fixture
def tool_keys(admin: Visitor, platform: Platform) -> None:
    """The tool has a key, which the platform knows."""
    admin.post("/admin/lti/keys")
    platform.tool_keys = admin.get("/lti/keys").get_json()


def ask(site: Site, platform: Platform, user: str = "u1", *, settings: Any = None, **other: Any) -> TestResponse:
    """Let the platform ask, in a frame: the page that the lecturer sees."""
    visitor = site.visitor()
    begun = begin(site, platform, user, visitor)
    return begun.finish(platform.sign(platform.asking(begun.asked["nonce"], user, settings=settings, **other)))


def offer_of(page: TestResponse) -> str:
    found = re.search(r'name="offer" value="([^"]+)"', page.text)
    assert found, plain(page.text)
    return found[1]


def send(platform: Platform, page: TestResponse) -> tuple[int, Any]:
    """Send the form of a page to the platform, as a browser does."""
    found = re.search(
        r'<form method="post" action="([^"]+)" data-return>\s*<input [^>]*name="JWT" value="([^"]+)"', page.text
    )
    assert found, plain(page.text)
    assert found[1] == f"{platform.address}/return?course=c1"
    status, said, _ = platform._take_links({"course": "c1"}, {"JWT": found[2]})
    return status, said


@pytest.mark.usefixtures("ada", "tool_keys")
def test_the_choice_goes_back_signed_and_only_to_the_platform(site: Site, site_db: Session, platform: Platform) -> None:
    page = ask(site, platform)
    assert "Linear algebra of Moodle" in plain(page.text)
    assert f"frame-ancestors {platform.address}" in page.headers["Content-Security-Policy"]
    for opens, title in (("register", "The register"), ("own", "My attendance"), ("report", "The report")):
        platform.links.clear()
        # Another browser than the one that asked, without any cookie: a frame keeps none.
        done = site.visitor().client.post("/lti/deep-link", data={"offer": offer_of(page), "opens": opens})
        assert done.status_code == 200
        policy = done.headers["Content-Security-Policy"]
        assert f"form-action {platform.address}/return;" in policy
        assert "form-action 'self'" not in policy
        assert f"frame-ancestors {platform.address}" in policy
        assert done.headers["Cross-Origin-Opener-Policy"] == "unsafe-none"
        assert send(platform, done) == (200, "<h1>1 inserted</h1>")
        assert platform.links == [
            {
                "type": "ltiResourceLink",
                "title": title,
                "url": "http://localhost/lti/launch",
                "custom": {"opens": opens},
                "window": {"targetName": "_blank"},
            }
        ]
    assert site_db.scalars(sa.select(AuditEntry.action).where(AuditEntry.action.startswith("sign_in"))).all() == []
    offer = offer_of(page)
    for form in ({"opens": "register", "nothing": "1"}, {"opens": "everything"}, {}):
        done = site.visitor().client.post("/lti/deep-link", data={"offer": offer, **form})
        assert send(platform, done) == (200, "<h1>0 inserted</h1>")


@pytest.mark.usefixtures("ada")
def test_what_was_chosen_decides_what_the_link_opens(
    site: Site, site_db: Session, platform: Platform, linked: LtiCourse, registered: LtiPlatform
) -> None:
    course = course_of(site_db, linked)
    grace = make_lecturer(site_db, role=Role.ASSISTANT, of=course)
    alan, kurt = make_student(site_db), make_student(site_db)
    enrol(site_db, course, alan)
    session = make_session(site_db, course, starts_at=utc_now() - timedelta(minutes=5))
    bind(site_db, registered, "g", account=grace)
    for subject, student in (("s1", alan), ("s2", kurt)):
        bind(site_db, registered, subject, student=student)
    here = f"/courses/{course.id}"
    register, own = f"/sessions/{session.id}", f"/me?course={course.id}"
    wanted: list[tuple[str, Any, str]] = [
        ("u1", "register", register), ("u1", None, register), ("u1", "own", here), ("u1", "report", f"{here}/report"),
        ("u1", ["report"], register), ("g", "report", here),  # who assists sees no reports
        ("s1", "register", "/me"), ("s1", "own", own), ("s1", "report", "/me"),
        ("s2", "own", "/me"),  # who is not on the roster here has nothing in this course
    ]  # fmt: skip
    for user, opens, target in wanted:
        roles = {"u1": None, "g": ASSISTANT}.get(user, LEARNER)
        said = {LTI + "custom": None if opens is None else {"opens": opens}} | ({ROLES: roles} if roles else {})
        visitor = site.visitor()
        answer = launch(site, platform, user, visitor, claims=said)
        assert answer.headers["Location"] == target, (user, opens)
        assert visitor.get(target).status_code == 200, (user, opens)


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "to another host": ({"deep_link_return_url": "https://elsewhere.example/return"}, "not registered here"),
    "to another port": ({"deep_link_return_url": "http://127.0.0.1:1/return"}, "not registered here"),
    "to a host that begins alike": ({"deep_link_return_url": "http://127.0.0.1.example/"}, "not registered here"),
    "to a script": ({"deep_link_return_url": "javascript:alert(1)"}, "not registered here"),
    "to a user's host": ({"deep_link_return_url": "http://127.0.0.1@elsewhere.example/"}, "not registered here"),
    "to nowhere": ({"deep_link_return_url": None}, "deep_link_return_url"),
    "to a long way": ({"deep_link_return_url": "http://127.0.0.1/" + "x" * 2_000}, "deep_link_return_url"),
    "of two lines": ({"deep_link_return_url": "http://127.0.0.1/\r\nx"}, "deep_link_return_url"),
    "no link of a tool": ({"accept_types": ["file"]}, "takes no link of a tool"),
    "types that are none": ({"accept_types": "ltiResourceLink"}, "takes no link of a tool"),
    "data that is none": ({"data": ["x"]}, "data"),
    "too much data": ({"data": "x" * 20_001}, "data"),
}


def test_what_is_no_request_of_the_platforms(site: Site, platform: Platform, ada: Account) -> None:
    for hostile, (settings, words) in HOSTILE.items():
        answer = ask(site, platform, settings=settings)
        assert (answer.status_code, words in plain(answer.text)) == (403, True), (hostile, plain(answer.text))


def test_a_request_is_checked_as_a_launch_is(site: Site, platform: Platform, ada: Account) -> None:
    wrong: dict[str, dict[str, Any]] = {
        "another deployment": {LTI + "deployment_id": "8"}, "another audience": {"aud": "client-2"},
        "no settings": {"https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings": None},
        "of no course": {LTI + "context": None}, "a student": {ROLES: LEARNER},
        "nobody of the course": {ROLES: [f"{MEMBERSHIP}#Administrator"]},
    }  # fmt: skip
    for name, other in wrong.items():
        begun = begin(site, platform)
        claims = {k: v for k, v in (platform.asking(begun.asked["nonce"]) | other).items() if v is not None}
        assert begun.finish(platform.sign(claims)).status_code == 403, name


@pytest.mark.usefixtures("ada")
def test_an_offer_of_another_or_too_old_or_of_a_platform_that_is_off(
    site: Site, site_db: Session, platform: Platform, registered: LtiPlatform, monkeypatch: Any
) -> None:
    offer = offer_of(ask(site, platform))
    client = site.visitor().client
    for forged in ("", "x", offer[:-3], offer[3:]):
        answer = client.post("/lti/deep-link", data={"offer": forged, "opens": "own"})
        assert (answer.status_code, "took too long" in plain(answer.text)) == (400, True)
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    registered.active = False
    site_db.commit()
    assert client.post("/lti/deep-link", data={"offer": offer, "opens": "own"}).status_code == 400
    registered.active, registered.issuer = True, "https://moved.example"
    registered.authorisation_url = "https://moved.example/auth"
    site_db.commit()
    answer = client.post("/lti/deep-link", data={"offer": offer, "opens": "own"})
    assert (answer.status_code, "not registered here" in plain(answer.text)) == (403, True)
    later = time.time() + 3_700
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: later)
    assert client.post("/lti/deep-link", data={"offer": offer, "opens": "own"}).status_code == 400


def test_who_is_not_known_connects_first(site: Site, platform: Platform, linked: LtiCourse) -> None:
    assert ask(site, platform).headers["Location"].startswith("/lti/connect?offer=")
    visitor = site.visitor()
    begun = visitor.get(platform.choosing(), headers=FRAMED)
    assert begun.status_code == 302, "in the frame: the choice goes back through it"
    state, nonce = (re.search(rf"[?&]{name}=([^&]+)", begun.headers["Location"]) for name in ("state", "nonce"))
    assert state
    assert nonce
    form = {"state": state[1], "id_token": platform.sign(platform.asking(nonce[1]))}
    page = visitor.client.post("/lti/launch", data=form, headers=FRAMED)
    assert (page.status_code, "Connect your account first" in plain(page.text)) == (200, True)
    window = re.search(r'href="(/lti/login[^"]+)" target="_blank"', page.text)
    assert window
    again = begin_at(site, window[1].replace("&amp;", "&"))
    answer = again.finish(platform.sign(platform.asking(again.asked["nonce"])))
    assert answer.headers["Location"].startswith("/lti/connect?offer=")


def begin_at(site: Site, path: str) -> Begun:
    visitor = site.visitor()
    location = visitor.get(path).headers["Location"]
    return Begun(visitor, dict(re.findall(r"(state|nonce)=([^&]+)", location)))


def test_a_course_that_is_not_linked_or_not_ones_own(
    site: Site, site_db: Session, platform: Platform, ada: Account, linked: LtiCourse
) -> None:
    linked.course_id = make_course(site_db, "PHY200").id
    site_db.commit()
    refused = ask(site, platform)
    assert (refused.status_code, "no role in this course" in plain(refused.text)) == (403, True)
    assert f"frame-ancestors {platform.address}" in refused.headers["Content-Security-Policy"]
    linked.gives_roles = True
    site_db.commit()
    assert "What is the link to open?" in plain(ask(site, platform).text), "with the role that this gave"
    linked.course_id = None
    site_db.commit()
    assert "has not linked this course yet" in plain(ask(site, platform).text)
    ada.active = False
    site_db.commit()
    assert "may not sign in" in plain(ask(site, platform).text)


def test_cookies_of_a_frame_are_the_platforms_pages_own(
    site: Site, platform: Platform, registered: LtiPlatform
) -> None:
    site.app.config["SESSION_COOKIE_SECURE"] = True
    for headers, kept in ((FRAMED, True), ({}, False)):
        cookies = site.visitor().get(platform.choosing(), headers=headers).headers.getlist("Set-Cookie")
        ours = [one for one in cookies if one.startswith("attendance_lti_")]
        assert len(ours) == (2 if kept else 1)
        assert all(
            ("Partitioned" in one, "SameSite=None" in one, "Secure" in one) == (kept, True, True) for one in ours
        )


def test_a_policy_names_one_address() -> None:
    assert form_target("https://moodle.example.edu/mod/lti/contentitem_return.php?course=2&id=7") == (
        "https://moodle.example.edu/mod/lti/contentitem_return.php"
    )
    assert form_target("https://school.example:8443/a;script-src *,b/ü") == (
        "https://school.example:8443/a%3Bscript-src%20*%2Cb/%C3%BC"
    )
    assert form_target("https://school.example") == "https://school.example/"
