"""Who takes a platform's course: fetched, shown, and imported."""

import math
import re
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Enrolment, ExternalIdentity, LtiCourse, LtiKey, Student
from tests.factories import enrol, make_student
from tests.webapp.lti.conftest import course_of
from tests.webapp.lti.platform import MEMBERSHIP, Platform
from tests.webapp.visiting import Site, Visitor, plain
from webapp.lti.services.calling import PlatformService
from webapp.lti.services.keys import make_key

LEARNER, TEACHER = [f"{MEMBERSHIP}#Learner"], [f"{MEMBERSHIP}#Instructor"]


@pytest.fixture(autouse=True)
def _tool_keys(site: Site, admin: Visitor, platform: Platform) -> None:
    """The platform takes the tool's keys from where the tool publishes them."""
    admin.post("/admin/lti/keys")
    platform.tool_keys = admin.get("/lti/keys").get_json()


def learner(number: int, **other: Any) -> dict[str, Any]:
    named = {"name": f"Student {number}", "lis_person_sourcedid": f"70{number:04d}"}
    return {"user_id": f"s{number}", "roles": LEARNER, "status": "Active", **named, **other}


def numbers_in(db: Session, linked: LtiCourse) -> set[str]:
    db.rollback()
    taking = sa.select(Student.index_number).join(Enrolment, Enrolment.student_id == Student.id)
    return set(db.scalars(taking.where(Enrolment.course_id == linked.course_id)))


def fetch(admin: Visitor, linked: LtiCourse) -> tuple[str, str]:
    """Ask for the roster: the address of the report and what it says."""
    answer = admin.post(f"/admin/lti/courses/{linked.id}/roster")
    address = answer.headers["Location"]
    return address, admin.text(address)


def test_a_roster_in_pages_becomes_enrolments_once_it_is_confirmed(
    site: Site, site_db: Session, admin: Visitor, platform: Platform, linked: LtiCourse
) -> None:
    course = course_of(site_db, linked)
    stays, leaves, known = make_student(site_db, "700001"), make_student(site_db, "799999"), make_student(site_db, "x1")
    known.email = "known@example.edu"
    enrol(site_db, course, stays, leaves)
    site_db.commit()
    platform.page_size = 2
    platform.members = [
        *(learner(number) for number in range(1, 5)),
        learner(5, status="Inactive"),
        {"user_id": "u1", "roles": TEACHER, "name": "Ada"},
        learner(6, lis_person_sourcedid="", email="Known@example.edu"),
        learner(7, lis_person_sourcedid="", name="Without Number"),
    ]
    address, page = fetch(admin, linked)
    assert platform.requests.count("GET /members") == 4
    assert platform.requests.count("POST /token") == 1
    assert numbers_in(site_db, linked) == {"700001", "799999"}
    report = page + admin.text(site_report(admin, address))
    assert "799999" in report
    assert "Without Number" in report
    done = admin.post(address, {"checked": "y"})
    assert done.status_code == 302
    assert numbers_in(site_db, linked) == {"700001", "700002", "700003", "700004", "x1"}
    bound = site_db.execute(sa.select(ExternalIdentity.external_id, Student.index_number).join(Student)).all()
    assert sorted(map(tuple, bound)) == [(f"s{n}", f"70000{n}") for n in range(1, 5)] + [("s6", "x1")]
    # Doing it twice changes nothing.
    _, again = fetch(admin, linked)
    assert "Everything in the files is there already" in again or "Open a file above to see what is wrong" in again


def test_an_address_of_another_makes_nobody_that_student(
    site_db: Session, admin: Visitor, platform: Platform, linked: LtiCourse
) -> None:
    bound, numbered, twice = (make_student(site_db, number) for number in ("700001", "700002", "700003"))
    for student, name in ((bound, "bound"), (numbered, "numbered"), (twice, "twice")):
        student.email = f"{name}@example.edu"
    enrol(site_db, course_of(site_db, linked), bound, numbered, twice)
    site_db.commit()
    nobody: dict[str, Any] = {"lis_person_sourcedid": ""}
    platform.members = [learner(1), learner(3)]
    address, _ = fetch(admin, linked)
    admin.post(address, {"checked": "y"})
    site_db.execute(sa.delete(ExternalIdentity).where(ExternalIdentity.external_id == "s3"))
    site_db.commit()
    platform.members = [
        learner(1),
        learner(2),
        learner(11, email="bound@example.edu", **nobody),
        learner(12, email="numbered@example.edu", **nobody),
        learner(13, email="twice@example.edu", **nobody),
        learner(14, email="twice@example.edu", **nobody),
    ]
    address, _ = fetch(admin, linked)
    assert "says no index number of Student 11" in admin.text(site_report(admin, address))
    admin.post(address, {"checked": "y"})
    known = site_db.execute(sa.select(ExternalIdentity.external_id, Student.index_number).join(Student)).all()
    assert sorted(map(tuple, known)) == [("s1", "700001"), ("s2", "700002")]


def site_report(admin: Visitor, address: str) -> str:
    """The report of the first file of several."""
    return re.findall(r'href="(/admin/import/runs/[^"]+)"', admin.get(address).text)[0]


def test_a_roster_that_takes_half_away_is_asked_about(
    site: Site, site_db: Session, admin: Visitor, platform: Platform, linked: LtiCourse
) -> None:
    students = [make_student(site_db, f"70{number:04d}", name=f"Student {number}") for number in range(1, 7)]
    enrol(site_db, course_of(site_db, linked), *students)
    site_db.commit()
    platform.members = [learner(number) for number in range(1, 4)]
    address, page = fetch(admin, linked)
    assert "1 line needs your word" in page
    assert "takes 3 of the 6 students off MAT101" in admin.text(site_report(admin, address))
    refused = admin.post(address)
    assert refused.status_code == 422
    assert len(numbers_in(site_db, linked)) == 6
    assert admin.post(address, {"checked": "y"}).status_code == 302
    assert numbers_in(site_db, linked) == {"700001", "700002", "700003"}


TROUBLES = {
    "no token": "does not let this tool do that",  # first: one that was given is kept
    "down": "answered with 503",
    "nobody": "no student takes this course",
    "elsewhere": "lead elsewhere",
    "no address": "lead elsewhere",
    "for ever": "do not end",
    "no json": "does not answer as LTI says",
    "not allowed": "Allow Names and Role Provisioning",
}


def test_a_platform_that_does_not_say_changes_nothing(
    site_db: Session, admin: Visitor, platform: Platform, linked: LtiCourse
) -> None:
    enrol(site_db, course_of(site_db, linked), make_student(site_db, "700001"), make_student(site_db, "700002"))
    site_db.commit()
    members = linked.memberships_url
    for trouble, words in TROUBLES.items():
        platform.members = [{"user_id": "u1", "roles": TEACHER}] if trouble == "nobody" else [learner(1)]
        platform.refuses = {"down": {"/members"}, "no token": {"/token"}}.get(trouble, set())
        link = {"elsewhere": "http://127.0.0.1:1/", "no address": "http://[", "for ever": members}.get(trouble)
        platform.next_page = link and f'<{link}>; rel="next"'
        platform.no_json = trouble == "no json"
        if trouble == "not allowed":
            linked.memberships_url = None
            site_db.commit()
        answer = admin.post(f"/admin/lti/courses/{linked.id}/roster")
        assert answer.headers["Location"] == f"/admin/lti/courses/{linked.id}", trouble
        assert words in admin.text(answer.headers["Location"]), trouble
        assert numbers_in(site_db, linked) == {"700001", "700002"}, trouble


def test_a_platform_that_answers_for_ever_is_left(
    site: Site, admin: Visitor, platform: Platform, linked: LtiCourse, monkeypatch: Any
) -> None:
    platform.page_size = 1
    platform.members = [learner(number) for number in range(1, 9)]
    monkeypatch.setattr("webapp.lti.services.roster.PlatformService", partial(PlatformService, patience_s=0.0))
    _, page = fetch(admin, linked)
    assert "Moodle takes too long. What it took counts." in page


def test_an_access_token_that_ended_early_is_asked_for_anew(
    admin: Visitor, platform: Platform, linked: LtiCourse
) -> None:
    platform.members = [learner(1)]
    fetch(admin, linked)
    platform.forget_tokens()
    fetch(admin, linked)
    assert platform.requests.count("POST /token") == 2


@pytest.mark.parametrize(
    "lasts", [10**400, -(10**400), math.nan, 59, None, "long", True],
    ids=["huge", "below nothing", "no number", "shorter than is spared", "nothing", "a word", "a truth"],
)  # fmt: skip
def test_an_access_token_that_says_oddly_how_long_it_lasts_is_asked_for_each_time_or_kept_an_hour(
    admin: Visitor, platform: Platform, linked: LtiCourse, lasts: Any
) -> None:
    platform.members, platform.token_lasts = [learner(1)], lasts
    assert fetch(admin, linked)[0].startswith("/admin/import/")
    fetch(admin, linked)
    assert platform.requests.count("POST /token") == (1 if lasts == 10**400 else 2)


def test_an_access_token_is_for_the_registration_that_it_was_given_to(
    site_db: Session, admin: Visitor, platform: Platform, linked: LtiCourse
) -> None:
    platform.members = [learner(1)]
    fetch(admin, linked)
    fetch(admin, linked)
    assert platform.requests.count("POST /token") == 1
    linked.deployment.platform.client_id = platform.client_id = "client-2"
    site_db.commit()
    fetch(admin, linked)
    assert platform.requests.count("POST /token") == 2


def test_keys_are_renewed_withdrawn_and_unreadable_in_a_copy_of_the_database(
    site: Site, site_db: Session, admin: Visitor, platform: Platform, linked: LtiCourse
) -> None:
    platform.members = [learner(1)]
    before = admin.get("/lti/keys").get_json()["keys"]
    for path in ("/admin/lti", "/admin/lti/new"):
        assert [f"/lti/{name}" in admin.text(path) for name in ("launch", "login", "keys")] == [True] * 3
    assert [set(key) for key in before] == [{"kty", "n", "e", "kid", "use", "alg"}]
    admin.post("/admin/lti/keys")
    published = admin.get("/lti/keys").get_json()
    assert len(published["keys"]) == 2
    fetch(admin, linked)  # signed with the first still, which the platform knows
    platform.tool_keys = published
    admin.post("/admin/lti/keys/withdraw", {"kid": before[0]["kid"]})
    assert before[0]["kid"] not in {key["kid"] for key in admin.get("/lti/keys").get_json()["keys"]}
    platform.forget_tokens()
    fetch(admin, linked)
    site_db.rollback()
    kept = site_db.scalars(sa.select(LtiKey)).one()
    assert "private" not in kept.sealed
    assert '"d"' not in kept.sealed
    site_db.delete(kept)
    other = make_key(site_db, "another web secret, of which nobody knows", now=kept.made_at)
    site_db.commit()
    platform.tool_keys = {"keys": [other.public]}
    platform.forget_tokens()
    site.app.extensions.pop("attendance_lti_tokens")
    answer = admin.post(f"/admin/lti/courses/{linked.id}/roster")
    assert "the web secret is another" in plain(admin.get(answer.headers["Location"]).text)
