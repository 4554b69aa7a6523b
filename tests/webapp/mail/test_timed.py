"""Work at its hour, in the institution's zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from attendance.database.models import Attendance, QueuedMail, Status, TimedWork
from tests.factories import enrol, make_course, make_lecturer, make_session, make_student
from webapp.work.timed import Clockwork

WARSAW = ZoneInfo("Europe/Warsaw")


def at(day, hour, minute=0):
    """A moment of November 2026 there; the 23rd and the 30th are Mondays."""
    return datetime(2026, 11, day, hour, minute, tzinfo=WARSAW).astimezone(UTC)


@pytest.fixture
def look(site, site_db):
    """`look(moment)`: what a look queued, as (kind, recipient)."""
    seen: set[int] = set()

    def look_(moment):
        with site.app.app_context():
            Clockwork(site.sessions, site.settings).look(moment)
        site_db.rollback()
        new = [mail for mail in site_db.scalars(sa.select(QueuedMail)) if mail.id not in seen]
        seen.update(mail.id for mail in new)
        return sorted((mail.kind, mail.recipient) for mail in new)

    return look_


@pytest.fixture
def taught(site_db):
    """A course whose student was never there, until the 27th, a Friday."""
    ada = make_lecturer(site_db, email="ada@example.edu")
    course = make_course(site_db, "CS101", lecturers=(ada,))
    alan = make_student(site_db)
    enrol(site_db, course, alan)
    for day in (23, 25, 27):
        session = make_session(site_db, course, starts_at=at(day, 9), closed_at=at(day, 12))
        site_db.add(Attendance(session_id=session.id, student_id=alan.id, status=Status.ABSENT))
    site_db.commit()


@pytest.mark.usefixtures("taught")
def test_each_at_its_hour_and_once(look):
    assert look(at(27, 20)) == [], "the first look waits for the next hour"
    assert look(at(28, 6, 59)) == []
    assert look(at(28, 7)) == [("low_attendance", "ada@example.edu")]
    assert look(at(28, 7, 1)) == []
    assert look(at(29, 7)) == []
    assert look(at(30, 6, 59)) == []
    assert look(at(30, 7)) == [("weekly_summary", "ada@example.edu")]
    assert look(at(30, 7, 1)) == []


@pytest.mark.usefixtures("taught")
def test_what_was_due_while_no_worker_ran_is_done_late(look):
    look(at(27, 20))
    due = [("low_attendance", "ada@example.edu"), ("weekly_summary", "ada@example.edu")]
    assert look(at(30, 15)) == due
    assert look(at(30, 16)) == []


@pytest.mark.usefixtures("taught")
def test_the_week_is_the_one_before_its_monday(look, site_db):
    look(at(27, 20))
    look(at(30, 7))
    (mail,) = site_db.scalars(sa.select(QueuedMail).where(QueuedMail.kind == "weekly_summary"))
    begin, end = (datetime.fromisoformat(mail.data[name]) for name in ("begin", "end"))
    assert (begin, end) == (at(23, 0), at(30, 0))


def test_two_workers_look_at_once(look, taught, site, site_db):
    look(at(27, 20))
    site_db.execute(sa.update(TimedWork).values(done_for=at(27, 7)))
    site_db.commit()
    look(at(28, 7))
    site_db.execute(sa.update(TimedWork).values(done_for=at(27, 7)))  # as the other one found it
    site_db.commit()
    assert look(at(28, 7)) == []


def test_the_hour_of_a_night_that_has_25(site, site_db):
    """Clocks went back on 25 October 2026 there."""
    clockwork = Clockwork(site.sessions, site.settings)
    before = datetime(2026, 10, 25, 5, 59, tzinfo=UTC)
    with site.app.app_context():
        clockwork.look(before)
    first = site_db.scalar(sa.select(TimedWork.done_for).where(TimedWork.name == "low_attendance"))
    assert first == datetime(2026, 10, 24, 5, 0, tzinfo=UTC)
    with site.app.app_context():
        clockwork.look(before + timedelta(minutes=1))
    site_db.rollback()
    second = site_db.scalar(sa.select(TimedWork.done_for).where(TimedWork.name == "low_attendance"))
    assert second == datetime(2026, 10, 25, 6, 0, tzinfo=UTC)
