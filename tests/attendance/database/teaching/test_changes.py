"""Moving, cancelling, restoring and deleting sessions, and deleting courses, on both databases."""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.audiences import audiences_of, courses_of, rooms_of
from attendance.database.excuses import NewExcuse, give_excuse
from attendance.database.models import (
    Attendance,
    ClassSession,
    Course,
    CourseGroup,
    DroppedOccurrence,
    SeriesOrigin,
    SessionAudience,
    SessionSeries,
    SessionState,
    Status,
)
from attendance.database.register import Sighting, close_ended_sessions, record_sighting
from attendance.database.teaching.changes import Placement, cancel, move, restore
from attendance.database.teaching.courses import delete_course
from attendance.database.teaching.series import delete_sessions, new_series
from tests.factories import NINE, enrol, make_course, make_group, make_lecturer, make_room, make_session, make_student

LATER = NINE + timedelta(hours=6)


def test_moving_leaves_the_plan_and_says_who(db: Session) -> None:
    session, ada = make_session(db, make_course(db)), make_lecturer(db)
    session.planned_at = NINE
    first, second = make_room(db), make_room(db)
    move(db, session, Placement(LATER, LATER + timedelta(hours=1), [first.id, second.id]), account_id=ada.id, now=NINE)
    db.commit()
    db.expire_all()
    assert (session.starts_at, session.planned_at, session.changed_at) == (LATER, NINE, NINE)
    assert (rooms_of(session), session.changed_by_id) == ((first.id, second.id), ada.id)


def test_a_cancelled_session_takes_no_sightings_and_is_closed_without_rows(
    db: Session, sessions: sessionmaker[Session]
) -> None:
    course, ada = make_course(db), make_lecturer(db)
    enrol(db, course, make_student(db, "s1"), make_student(db, "s2"))
    session = make_session(db, course)
    seen = Sighting(session.id, "s1", NINE, NINE, 0.9, None)
    assert record_sighting(db, seen) is not None
    cancel(db, session, reason="ill", account_id=ada.id, now=NINE)
    assert record_sighting(db, Sighting(session.id, "s2", NINE, NINE, 0.9, None)) is None
    db.commit()
    assert close_ended_sessions(sessions, LATER) == 1
    db.expire_all()
    assert len(db.scalars(sa.select(Attendance)).all()) == 1
    restore(db, session, account_id=ada.id, now=LATER)
    db.commit()
    assert (session.state, session.cancelled_reason, session.closed_at) == (SessionState.SCHEDULED, None, None)
    assert close_ended_sessions(sessions, LATER) == 1
    db.expire_all()
    assert len(db.scalars(sa.select(Attendance)).all()) == 2


def test_a_session_that_was_closed_before_it_was_cancelled_is_as_it_was(
    db: Session, sessions: sessionmaker[Session]
) -> None:
    course, ada = make_course(db), make_lecturer(db)
    enrol(db, course, make_student(db))
    session = make_session(db, course)
    db.commit()
    assert close_ended_sessions(sessions, LATER) == 1
    db.expire_all()
    cancel(db, session, reason="", account_id=ada.id, now=LATER + timedelta(hours=1))
    cancel(db, session, reason="it rained", account_id=ada.id, now=LATER + timedelta(hours=2))
    restore(db, session, account_id=ada.id, now=LATER + timedelta(hours=3))
    restore(db, session, account_id=ada.id, now=LATER + timedelta(hours=4))
    db.commit()
    assert session.closed_at == LATER
    assert session.changed_at == LATER + timedelta(hours=3)


def test_a_student_of_two_audiences_has_one_entry(db: Session, sessions: sessionmaker[Session]) -> None:
    first, second = make_course(db), make_course(db)
    both, other = make_student(db, "s1"), make_student(db, "s2")
    enrol(db, first, both)
    enrol(db, second, both, other)
    session = make_session(db, first, also_for=(second,), also_in=(make_room(db),))
    assert record_sighting(db, Sighting(session.id, "s2", NINE, NINE, 0.9, None)) is not None
    db.commit()
    assert close_ended_sessions(sessions, LATER) == 1
    db.expire_all()
    assert sorted(db.scalars(sa.select(Attendance.student_id))) == [both.id, other.id]


def test_an_excuse_of_a_further_course_covers_a_joint_session(db: Session, sessions: sessionmaker[Session]) -> None:
    first, second, third = make_course(db), make_course(db), make_course(db)
    student, ada = make_student(db), make_lecturer(db)
    enrol(db, second, student)
    session = make_session(db, first, also_for=(second,))
    db.commit()
    assert close_ended_sessions(sessions, LATER) == 1
    span = (NINE - timedelta(hours=9), NINE + timedelta(hours=15))
    give_excuse(db, NewExcuse(student.id, [third.id], *span, "ill"), account_id=ada.id)
    row = db.scalars(sa.select(Attendance).where(Attendance.session_id == session.id)).one()
    assert row.status is not Status.EXCUSED
    give_excuse(db, NewExcuse(student.id, [second.id], *span, "ill"), account_id=ada.id)
    db.expire_all()
    assert row.status is Status.EXCUSED


def test_deleted_sessions_of_a_series_are_remembered_once(db: Session) -> None:
    course = make_course(db)
    series = new_series(db, SeriesOrigin.FILE, audiences_of(make_session(db, course))[0], uid="u")
    for _ in range(2):
        session = make_session(db, course)
        session.series_id, session.planned_at = series.id, NINE
        db.flush()
        delete_sessions(db, [session])
    db.commit()
    assert db.execute(sa.select(DroppedOccurrence.series_id, DroppedOccurrence.planned_at)).all() == [(series.id, NINE)]


def test_deleting_a_course_leaves_joint_sessions_to_the_others(db: Session) -> None:
    gone, stays = make_course(db), make_course(db)
    group, kept_group = make_group(db, gone), make_group(db, stays)
    only, both, theirs = make_student(db), make_student(db), make_student(db)
    enrol(db, gone, only, both)
    enrol(db, stays, both, theirs)
    alone = make_session(db, gone, group=group, starts_at=LATER)
    led = make_session(db, gone, group=group, also_for=(kept_group,))
    joined = make_session(db, stays, also_for=(group,))
    series = new_series(db, SeriesOrigin.FILE, audiences_of(led)[0])
    led.series_id = series.id
    for session in (led, joined):
        for student in (only, both, theirs):
            db.add(Attendance(session_id=session.id, student_id=student.id, status=Status.PRESENT))
    db.commit()
    number = alone.id
    delete_course(db, gone.id)
    db.commit()
    db.expire_all()
    assert db.get(ClassSession, number) is None
    assert (courses_of(led), courses_of(joined)) == ((stays.id,), (stays.id,))
    assert led.group_id == kept_group.id
    assert db.scalars(sa.select(Course.id)).all() == [stays.id]
    assert db.scalars(sa.select(CourseGroup.id)).all() == [kept_group.id]
    assert db.scalars(sa.select(SessionAudience)).all() == []
    assert db.scalars(sa.select(SessionSeries.course_id)).all() == [stays.id]
    assert sorted(db.scalars(sa.select(Attendance.student_id))) == sorted([both.id, theirs.id] * 2)
