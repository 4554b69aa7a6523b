"""What confirmed a student reaches the database with the sighting, or neither does."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.engine import begin_writing
from attendance.database.evidence import record_evidence
from attendance.database.models import Attendance, AttendanceEvidence, Student
from attendance.database.register import Sighting, record_sighting
from recognition_service.outbox.store import Outbox
from tests.factories import NINE, enrol, make_course, make_session, make_student
from tests.recognition_service.evidences import make_evidence
from tests.recognition_service.outbox.committing import commit


@pytest.fixture
def seen(sessions: sessionmaker[Session]) -> Sighting:
    """Student s1 of a class of two, seen."""
    with sessions.begin() as db:
        course = make_course(db)
        enrol(db, course, make_student(db, "s1"), make_student(db, "s2"))
        return Sighting(make_session(db, course).id, "s1", NINE, NINE + timedelta(minutes=1), 0.9, None)


def kept(sessions: sessionmaker[Session]) -> tuple[list[str], int]:
    """The uids that the database keeps, and how many rows its register has."""
    with sessions() as db:
        uids = db.scalars(sa.select(AttendanceEvidence.uid).order_by(AttendanceEvidence.uid)).all()
        return list(uids), db.scalar(sa.select(sa.func.count()).select_from(Attendance)) or 0


def test_commits_both(outbox: Outbox, sessions: sessionmaker[Session], seen: Sighting) -> None:
    evidence = make_evidence(seen.session_id)
    outbox.put([seen], [evidence])
    commit(outbox, sessions)
    assert kept(sessions) == ([evidence.uid], 1)
    assert outbox.evidence_of([seen]) == []


def test_killed_between_commit_and_discard_leaves_no_double(
    outbox: Outbox, sessions: sessionmaker[Session], seen: Sighting
) -> None:
    evidence = make_evidence(seen.session_id)
    outbox.put([seen], [evidence])
    with sessions.begin() as db:  # what the killed process had committed
        begin_writing(db)
        record_sighting(db, seen)
        record_evidence(db, evidence)
    commit(outbox, sessions)
    assert kept(sessions) == ([evidence.uid], 1)


@pytest.mark.parametrize("gone", ["withdrawn", "deleted", "unknown"])
def test_writes_neither_for_who_is_gone(
    outbox: Outbox, sessions: sessionmaker[Session], seen: Sighting, gone: str
) -> None:
    student = "s9" if gone == "unknown" else "s1"
    other = replace(seen, index_number="s2")
    right = make_evidence(seen.session_id, "s2")
    outbox.put([replace(seen, index_number=student), other], [make_evidence(seen.session_id, student), right])
    with sessions.begin() as db:
        row = db.scalars(sa.select(Student).where(Student.index_number == "s1")).one()
        if gone == "withdrawn":
            row.consent_withdrawn_at = NINE
        elif gone == "deleted":
            db.delete(row)
    commit(outbox, sessions)
    assert kept(sessions) == ([right.uid], 1)
    assert outbox.evidence_of([replace(seen, index_number=student)]) == []
