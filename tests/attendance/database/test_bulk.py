"""Many entries changed at once and undone, on SQLite and on MariaDB."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.bulk import correct_many, undo
from attendance.database.corrections import CorrectionError, correct
from attendance.database.entries import history_of
from attendance.database.models import Attendance, AttendanceChange, Source, Status
from attendance.database.register import Sighting, close_ended_sessions, record_sighting
from tests.factories import NINE, enrol, make_course, make_lecturer, make_session, make_student, watch_whole

END = NINE + timedelta(minutes=90)


@pytest.fixture
def room(db):
    """A session, four students (seen, absent or unseen, a person's, elsewhere), and a lecturer."""
    course = make_course(db)
    students = [make_student(db, f"s{n}") for n in range(4)]
    enrol(db, course, *students[:3])
    session, lecturer = make_session(db, course), make_lecturer(db)
    watch_whole(db, session)
    assert record_sighting(db, Sighting(session.id, "s0", NINE, NINE, 0.9, None))
    db.commit()
    correct(
        db, session_id=session.id, student_id=students[2].id, status=Status.LATE, reason="bus", account_id=lecturer.id
    )
    return session.id, [student.id for student in students], lecturer.id


def state(db):
    db.rollback()
    db.expire_all()
    rows = db.scalars(sa.select(Attendance).order_by(Attendance.student_id))
    return [(row.student_id, row.status, row.source) for row in rows]


def excuse_all(db, room, versions=(1, 0, 1, 0), **words):
    session, students, lecturer = room
    given = dict(zip(students, versions, strict=False))
    words = {"status": Status.EXCUSED, "reason": "the tram stood still", "account_id": lecturer} | words
    return correct_many(db, session_id=session, versions=given, **words)


@pytest.mark.parametrize("closed", [True, False])
def test_all_are_set_and_undone_exactly(db, sessions, room, closed):
    session, students, lecturer = room
    if closed:
        close_ended_sessions(sessions, END)
    before = state(db)
    done = excuse_all(db, room, (1, int(closed), 1, 0))
    assert (done.changed, done.left) == (tuple(students[:3]), (students[3],))  # the fourth is not on the roster
    assert [(status, source) for _, status, source in state(db)] == [(Status.EXCUSED, Source.PERSON)] * 3
    undone = undo(db, session_id=session, batch=done.batch, account_id=lecturer)
    assert (undone.changed, undone.left) == (done.changed, ())
    assert state(db) == before
    history = db.scalars(history_of(session, students[1])).all()
    assert [change.reason for change in history] == ["A change of several entries was undone.", "the tram stood still"]
    again = undo(db, session_id=session, batch=done.batch, account_id=lecturer)
    assert again.changed == ()
    assert state(db) == before


def test_what_somebody_changed_meanwhile_is_left_alone_and_named(db, room):
    session, students, lecturer = room
    done = excuse_all(db, room, (0, 0, 1))  # the first had no entry when the page was opened
    assert (done.changed, done.left) == (tuple(students[1:3]), (students[0],))
    other = make_lecturer(db)
    db.commit()
    correct(db, session_id=session, student_id=students[1], status=Status.LATE, reason="saw her", account_id=other.id)
    undone = undo(db, session_id=session, batch=done.batch, account_id=lecturer)
    assert (undone.changed, undone.left) == ((students[2],), (students[1],))
    assert [status for _, status, _ in state(db)] == [Status.PRESENT, Status.LATE, Status.LATE]


def test_sent_twice_it_is_one_change_that_can_be_undone(db, room):
    first, second = excuse_all(db, room), excuse_all(db, room)
    assert second == first
    assert db.scalar(sa.select(sa.func.count()).select_from(AttendanceChange)) == 4  # with the correction before


def test_nobody_undoes_what_another_did_or_another_sessions(db, room):
    session, _, lecturer = room
    done = excuse_all(db, room)
    other = make_lecturer(db)
    elsewhere = make_session(db, make_course(db))
    db.commit()
    assert undo(db, session_id=session, batch=done.batch, account_id=other.id).changed == ()
    assert undo(db, session_id=elsewhere.id, batch=done.batch, account_id=lecturer).changed == ()
    assert undo(db, session_id=session, batch="no such", account_id=lecturer).changed == ()


def test_who_is_seen_meanwhile_is_present_after_the_undoing(db, room):
    session, _, lecturer = room
    done = excuse_all(db, room)
    assert record_sighting(db, Sighting(session, "s1", NINE, NINE, 0.9, None))
    db.commit()
    undo(db, session_id=session, batch=done.batch, account_id=lecturer)
    assert [status for _, status, _ in state(db)] == [Status.PRESENT, Status.PRESENT, Status.LATE]


def test_without_a_reason_nothing_is_changed(db, room):
    before = state(db)
    with pytest.raises(CorrectionError, match="needs a reason"):
        excuse_all(db, room, reason=" ")
    assert state(db) == before


def test_five_hundred_at_once_and_back(db):
    course, lecturer = make_course(db), make_lecturer(db)
    students = [make_student(db) for _ in range(500)]
    enrol(db, course, *students)
    session = make_session(db, course)
    db.commit()
    versions = {student.id: 0 for student in students}
    done = correct_many(
        db, session_id=session.id, account_id=lecturer.id, versions=versions, status=Status.PRESENT, reason="all here"
    )
    assert done.batch is not None
    undone = undo(db, session_id=session.id, account_id=lecturer.id, batch=done.batch)
    assert len(done.changed) == len(undone.changed) == 500
    assert state(db) == []
