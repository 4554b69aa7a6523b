"""The attendance rate as a column of grades of a platform."""

import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import (
    Attendance,
    AuditEntry,
    ClassSession,
    ExternalIdentity,
    ExternalKind,
    LtiCourse,
    Source,
    Status,
    Student,
    utc_now,
)
from tests.factories import enrol, make_session, make_student
from tests.webapp.lti.conftest import course_of
from tests.webapp.lti.platform import Platform
from tests.webapp.visiting import Site, Visitor
from webapp.lti.errors import PlatformError
from webapp.lti.services.rates import RatesWork, send_next_rates, send_rates


@dataclass(frozen=True)
class Taught:
    """A platform, its course that is linked, and students of that."""

    platform: Platform
    linked: LtiCourse
    students: list[Student]


@pytest.fixture
def taught(site_db: Session, admin: Visitor, platform: Platform, linked: LtiCourse) -> Taught:
    """Three students: the first two known to the platform, as s0 and s1."""
    admin.post("/admin/lti/keys")
    platform.tool_keys = admin.get("/lti/keys").get_json()
    made = [make_student(site_db) for _ in range(3)]
    enrol(site_db, course_of(site_db, linked), *made)
    system = f"lti:{linked.deployment.platform_id}"
    for number, student in enumerate(made[:2]):
        row = ExternalIdentity(system=system, kind=ExternalKind.STUDENT, external_id=f"s{number}")
        row.student_id = student.id
        site_db.add(row)
    linked.sends_rates = True
    site_db.commit()
    return Taught(platform, linked, made)


def attend(db: Session, linked: LtiCourse, *statuses: tuple[Student, Status]) -> ClassSession:
    starts = utc_now() - timedelta(days=1, minutes=len(db.scalars(sa.select(ClassSession)).all()) * 120)
    session = make_session(db, course_of(db, linked), starts_at=starts)
    db.add_all(
        Attendance(session_id=session.id, student_id=student.id, status=status, source=Source.PERSON)
        for student, status in statuses
    )
    db.commit()
    return session


def work(site: Site) -> int:
    """What `attendance web work` does of it, at a time when every course's turn has come."""
    with site.sessions() as db:
        db.execute(sa.update(LtiCourse).values(leased_until=None))
        db.commit()
    working, stopping, looked = RatesWork(site.app), threading.Event(), 0
    while working.step(stopping):
        looked += 1
    return looked


def given(platform: Platform) -> list[tuple[str, Any]]:
    return [(score["userId"], score.get("scoreGiven")) for _, score in platform.scores]


def test_rates_go_when_they_change_and_the_column_is_made_once(site: Site, site_db: Session, taught: Taught) -> None:
    platform, linked, students = taught.platform, taught.linked, taught.students
    first, second, third = students
    session = attend(site_db, linked, (first, Status.PRESENT), (second, Status.ABSENT), (third, Status.PRESENT))
    assert work(site) == 1
    assert given(platform) == [("s0", 100), ("s1", 0)]
    (item,) = platform.line_items.values()
    assert (item["label"], item["scoreMaximum"], item["tag"]) == ("Attendance (%)", 100, "attendance")
    assert all(score["gradingProgress"] == "FullyGraded" for _, score in platform.scores)
    work(site)
    assert len(platform.scores) == 2
    attend(site_db, linked, (first, Status.ABSENT), (second, Status.ABSENT))
    attend(site_db, linked, (first, Status.LATE), (second, Status.EXCUSED))
    work(site)
    assert given(platform)[2:] == [("s0", 66)]  # rounded down, as pages show it; the other's is 0 still
    # Forgotten here, it is found there; cleared, when nothing is recorded any more.
    linked.line_item_url = None
    for one in site_db.scalars(sa.select(Attendance).where(Attendance.student_id == first.id)):
        site_db.delete(one)
    site_db.delete(site_db.get_one(ClassSession, session.id))
    site_db.commit()
    work(site)
    assert len(platform.line_items) == 1
    assert given(platform)[3:] == [("s0", None)]
    assert platform.scores[-1][1]["gradingProgress"] == "NotReady"
    times = [score["timestamp"] for _, score in platform.scores]
    assert times == sorted(set(times))


def test_one_worker_looks_at_a_course_at_a_time(site: Site, site_db: Session, taught: Taught) -> None:
    linked, students = taught.linked, taught.students
    attend(site_db, linked, (students[0], Status.PRESENT))
    assert work(site) == 1
    with site.app.app_context():
        assert not send_next_rates(utc_now())
        assert send_next_rates(utc_now() + timedelta(hours=1))
    linked.sends_rates = False
    site_db.commit()
    assert work(site) == 0


def test_a_platform_that_is_down_is_said_on_the_page_and_tried_again(
    site: Site, site_db: Session, admin: Visitor, taught: Taught
) -> None:
    platform, linked, students = taught.platform, taught.linked, taught.students
    attend(site_db, linked, (students[0], Status.PRESENT), (students[1], Status.PRESENT))
    platform.refuses.add("/lineitems")
    assert work(site) == 1
    assert "Moodle answered with 503." in admin.text(f"/admin/lti/courses/{linked.id}")
    platform.refuses.clear()
    work(site)
    assert len(platform.scores) == 2
    assert "503" not in admin.text(f"/admin/lti/courses/{linked.id}")


def test_looking_for_the_column_takes_of_the_same_time_as_the_rates(
    site: Site, site_db: Session, taught: Taught, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, linked, students = taught.platform, taught.linked, taught.students
    attend(site_db, linked, (students[0], Status.PRESENT), (students[1], Status.PRESENT))
    at_once = platform._token

    def slowly(form: dict[str, str]) -> tuple[int, Any, Any]:
        time.sleep(0.6)
        return at_once(form)

    monkeypatch.setattr(platform, "_token", slowly)
    with site.app.test_request_context(), site.sessions() as db, pytest.raises(PlatformError):
        send_rates(db, linked.id, patience_s=1.0)
    assert platform.scores == []
    monkeypatch.undo()
    assert work(site) == 1
    assert len(platform.scores) == 2


def test_who_left_the_course_there_keeps_nobody_from_the_rate(
    site: Site, site_db: Session, admin: Visitor, taught: Taught
) -> None:
    platform, linked, students = taught.platform, taught.linked, taught.students
    attend(site_db, linked, (students[0], Status.PRESENT), (students[1], Status.PRESENT))
    platform.unknown_users.add("s0")
    work(site)
    assert given(platform) == [("s1", 100)]
    assert "1 rates were not taken" in admin.text(f"/admin/lti/courses/{linked.id}")
    platform.unknown_users.clear()
    work(site)
    assert given(platform) == [("s1", 100), ("s0", 100)]


def test_by_button_it_is_noted_who_sent(site: Site, site_db: Session, admin: Visitor, taught: Taught) -> None:
    linked, students = taught.linked, taught.students
    attend(site_db, linked, (students[0], Status.PRESENT), (students[2], Status.PRESENT))
    answer = admin.post(f"/admin/lti/courses/{linked.id}/rates")
    page = admin.text(answer.headers["Location"])
    assert "1 rate is sent to Moodle." in page
    assert "Of 1 student it is not known who that is there." in page
    entry = site_db.scalars(sa.select(AuditEntry).where(AuditEntry.action == "lti.rates_sent")).one()
    assert (entry.subject, entry.details) == ("MAT101", {"platform": "Moodle", "lines": 1})
