"""Guests are noted with their times, have no attendance, and are listed for the courses that they take."""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import Audience, set_audiences
from attendance.database.consent import BY_COMMAND
from attendance.database.guests import guests_of, record_guest
from attendance.database.models import Attendance, CourseGroupMember, Guest, SessionState
from attendance.database.register import Sighting, record_sighting
from attendance.database.upkeep.erasure import withdraw_within
from tests.factories import NINE, enrol, make_course, make_group, make_session, make_student


def _seen(session_id: int, student: str, minute: int) -> Sighting:
    at = NINE + timedelta(minutes=minute)
    return Sighting(session_id, student, at, at + timedelta(minutes=1), minute / 100, None)


def test_a_guest_has_times_and_no_entry(db: Session) -> None:
    course, joined = make_course(db), make_course(db)
    enrol(db, course, make_student(db, "in"), make_student(db, "guest"))
    enrol(db, joined, make_student(db, "joint"))
    group = make_group(db, course)
    session = make_session(db, course, group=group, also_for=(joined,))
    for minute in (20, 5, 30, 5):
        assert record_guest(db, _seen(session.id, "guest", minute)) is not None
    assert record_guest(db, _seen(session.id, "joint", 5)) is None  # expected
    assert record_guest(db, _seen(session.id, "stranger", 5)) is None
    assert record_guest(db, _seen(session.id, "guest", 500)) is None
    assert record_guest(db, _seen(424_242, "guest", 5)) is None
    (guest,) = guests_of(db, session, [course.id])
    assert (guest.student.index_number, guest.first_seen, guest.last_seen, guest.confidence) == (
        "guest", NINE + timedelta(minutes=5), NINE + timedelta(minutes=31), 0.3,
    )  # fmt: skip
    assert guests_of(db, session, [joined.id]) == []
    assert db.scalars(sa.select(Attendance)).all() == []


def test_whoever_joins_the_group_is_no_guest_any_more(db: Session) -> None:
    course = make_course(db)
    student = make_student(db, "s")
    enrol(db, course, student)
    group = make_group(db, course)
    session = make_session(db, course, group=group)
    assert record_guest(db, _seen(session.id, "s", 5)) is not None
    db.add(CourseGroupMember(group_id=group.id, student_id=student.id))
    db.flush()
    assert record_sighting(db, _seen(session.id, "s", 8)) is not None
    assert guests_of(db, session, [course.id]) == []


def test_there_are_no_guests_of_a_cancelled_session_nor_of_a_whole_course(db: Session) -> None:
    course = make_course(db)
    enrol(db, course, make_student(db, "s"))
    group = make_group(db, course)
    session = make_session(db, course, group=group)
    session.state = SessionState.CANCELLED
    db.flush()
    assert record_guest(db, _seen(session.id, "s", 5)) is None
    session.state = SessionState.SCHEDULED
    set_audiences(session, [Audience(course.id)])
    db.flush()
    assert record_guest(db, _seen(session.id, "s", 5)) is None


def test_withdrawing_consent_forgets_where_somebody_was_a_guest(db: Session) -> None:
    course = make_course(db)
    enrol(db, course, make_student(db, "s"))
    session = make_session(db, course, group=make_group(db, course))
    assert record_guest(db, _seen(session.id, "s", 5)) is not None
    withdraw_within(db, "s", now=NINE, recorder=BY_COMMAND)
    assert db.scalars(sa.select(Guest)).all() == []
    assert record_guest(db, _seen(session.id, "s", 6)) is None
