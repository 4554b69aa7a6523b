"""What lecturers undid is a false match; what stood is a genuine one."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session, sessionmaker

from accuracy.calibration.corrections import FEWEST_SESSIONS, read_corrections
from attendance.database.corrections import correct_status
from attendance.database.models import AttendanceEvidence, ClassSession, Status, Student
from attendance.database.register import Sighting, record_sighting
from tests.factories import NINE, enrol, make_course, make_lecturer, make_room, make_session, make_student


def seen(db: Session, session: ClassSession, student: Student, distance: float) -> None:
    record_sighting(db, Sighting(session.id, student.index_number, NINE, NINE, 0.9, None))
    evidence = AttendanceEvidence(
        uid=f"{session.id}-{student.id}-{distance}",
        session_id=session.id,
        student_id=student.id,
        threshold=0.55,
        distance=distance,
        margin=0.1,
        confidence=0.9,
        frames=3,
        first_frame_at=NINE,
        last_frame_at=NINE + timedelta(seconds=2),
        details=[],
    )
    db.add(evidence)
    db.flush()


def undo(db: Session, session: ClassSession, student: Student, account_id: int, status: Status) -> None:
    correct_status(
        db, session_id=session.id, student_id=student.id, status=status, reason="checked", account_id=account_id
    )


def test_entries_are_sorted_into_right_wrong_and_missed(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as db:
        lecturer, room = make_lecturer(db), make_room(db)
        course = make_course(db, lecturers=(lecturer,))
        students = [make_student(db) for _ in range(4)]
        enrol(db, course, *students)
        session = make_session(db, course, room, closed_at=NINE + timedelta(hours=2))
        running = make_session(db, course, room, starts_at=NINE + timedelta(hours=5))
        right, wrong, excused, missed = students
        seen(db, session, right, 0.41)
        seen(db, session, right, 0.43)
        seen(db, session, wrong, 0.53)
        undo(db, session, wrong, lecturer.id, Status.ABSENT)
        seen(db, session, excused, 0.44)
        undo(db, session, excused, lecturer.id, Status.EXCUSED)
        undo(db, session, missed, lecturer.id, Status.ABSENT)
        undo(db, session, missed, lecturer.id, Status.PRESENT)
        seen(db, running, right, 0.2)
    with sessions() as db:
        found = read_corrections(db)
    assert sorted(found.genuine.tolist()) == [0.41, 0.43]
    assert found.false.tolist() == [0.53]
    assert (found.sessions, found.sessions_with_false, found.missed) == (1, 1, 1)
    assert not found.enough


def test_without_any_evidence_there_is_no_rate(sessions: sessionmaker[Session]) -> None:
    with sessions() as db:
        found = read_corrections(db)
    assert (found.sessions, found.missed, len(found.genuine), len(found.false)) == (0, 0, 0, 0)
    assert not found.enough


def test_enough_sessions_give_a_rate(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as db:
        lecturer, room = make_lecturer(db), make_room(db)
        course = make_course(db, lecturers=(lecturer,))
        student = make_student(db)
        enrol(db, course, student)
        for day in range(FEWEST_SESSIONS):
            session = make_session(db, course, room, closed_at=NINE + timedelta(days=day))
            seen(db, session, student, 0.4)
            if day == 0:
                undo(db, session, student, lecturer.id, Status.ABSENT)
    with sessions() as db:
        found = read_corrections(db)
    assert found.enough
    assert found.false_entries.rate == pytest.approx(1 / FEWEST_SESSIONS)
    assert found.false_entries.high == pytest.approx(0.1722, abs=1e-3)
