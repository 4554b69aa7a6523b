import json
import math
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.engine import begin_writing
from attendance.database.evidence import (
    MOST_ROWS,
    Evidence,
    FrameEvidence,
    evidence_of,
    frames_of,
    record_evidence,
)
from attendance.database.models import AttendanceEvidence, Camera, ClassSession, Enrolment, Student
from attendance.database.register import Sighting, record_sighting
from tests.factories import NINE, enrol, make_camera, make_course, make_session, make_student

FRAME = FrameEvidence(NINE, 0.41237, 0.62, 1.0, 84.0, 120.25)


@pytest.fixture
def evidence(sessions: sessionmaker[Session]) -> Evidence:
    """What confirmed one student of a class."""
    with sessions.begin() as db:
        course, camera = make_course(db), make_camera(db, name="Aula")
        enrol(db, course, make_student(db, "s1"), make_student(db, "s2"))
        session_id, camera_id = make_session(db, course).id, camera.id
    frames = tuple(replace(FRAME, captured_at=NINE + timedelta(seconds=number)) for number in range(3))
    return Evidence(
        "b1946ac9-2492-4d23-9dc5-000000000001", session_id, "s1", camera_id, "v7", 0.55, 0.41, 0.2, 0.9, 3,
        NINE, NINE + timedelta(seconds=2), frames,
    )  # fmt: skip


def keep(sessions: sessionmaker[Session], evidence: Evidence) -> bool:
    with sessions.begin() as db:
        begin_writing(db)
        return record_evidence(db, evidence) is not None


def count(sessions: sessionmaker[Session]) -> int:
    with sessions() as db:
        return db.scalar(sa.select(sa.func.count()).select_from(AttendanceEvidence)) or 0


def test_keeps_what_confirmed_a_student(sessions: sessionmaker[Session], evidence: Evidence) -> None:
    assert keep(sessions, evidence)
    with sessions() as db:
        student = db.scalars(sa.select(Student).where(Student.index_number == "s1")).one()
        (row,) = evidence_of(db, evidence.session_id, student.id)
        assert (row.frames, row.threshold, row.distance, row.margin, row.index_version) == (3, 0.55, 0.41, 0.2, "v7")
        assert (row.first_frame_at, row.last_frame_at) == (NINE, NINE + timedelta(seconds=2))
        assert row.camera is not None
        assert row.camera.name == "Aula"
        assert frames_of(row)[0] == replace(FRAME, distance=0.4124)
        assert evidence_of(db, evidence.session_id, student.id + 1) == []


def test_the_same_evidence_again_is_one_row(sessions: sessionmaker[Session], evidence: Evidence) -> None:
    assert all(keep(sessions, evidence) for _ in range(3))
    assert count(sessions) == 1
    assert keep(sessions, replace(evidence, uid="another"))
    assert count(sessions) == 2


def test_processes_that_commit_the_same_evidence_at_once_make_one_row(
    sessions: sessionmaker[Session], evidence: Evidence
) -> None:
    together, failures = threading.Barrier(4), []

    def work() -> None:
        together.wait()
        try:
            keep(sessions, evidence)
        except sa.exc.OperationalError:  # a deadlock, which the committer runs again
            pass
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert keep(sessions, evidence)
    assert count(sessions) == 1


def _withdraw(db: Session) -> None:
    db.execute(sa.update(Student).values(consent_withdrawn_at=NINE))


@pytest.mark.parametrize(
    "end",
    [
        lambda db: db.execute(sa.delete(Student)),
        lambda db: db.execute(sa.delete(ClassSession)),
        lambda db: db.execute(sa.delete(Enrolment)),
        _withdraw,
    ],
    ids=["student", "session", "enrolment", "consent"],
)
def test_nothing_is_kept_or_marked_for_who_or_what_is_gone(
    sessions: sessionmaker[Session], evidence: Evidence, end: Callable[[Session], object]
) -> None:
    with sessions.begin() as db:
        end(db)
    with sessions.begin() as db:
        begin_writing(db)
        sighting = Sighting(evidence.session_id, "s1", NINE, NINE, 0.9, evidence.camera_id)
        assert record_sighting(db, sighting) is None
        assert record_evidence(db, evidence) is None
    assert count(sessions) == 0


def test_evidence_outlives_its_camera(sessions: sessionmaker[Session], evidence: Evidence) -> None:
    with sessions.begin() as db:
        db.execute(sa.delete(Camera))
    assert keep(sessions, evidence)


def test_a_camera_that_reconnects_all_day_adds_a_bounded_number(
    sessions: sessionmaker[Session], evidence: Evidence
) -> None:
    with sessions.begin() as db:
        begin_writing(db)
        kept = [record_evidence(db, replace(evidence, uid=f"{number}")) for number in range(MOST_ROWS + 2)]
    assert [row is not None for row in kept] == [True] * MOST_ROWS + [False] * 2
    assert keep(sessions, replace(evidence, uid="0"))  # what is there is there


def test_a_frame_without_a_rival_is_json() -> None:
    lone = replace(FRAME, runner_up=None, distance=0.25)
    for frame in (lone, replace(lone, runner_up=math.inf)):
        data = json.loads(json.dumps(frame.to_json(), allow_nan=False))
        assert FrameEvidence.from_json(data) == lone


@pytest.mark.parametrize("data", [{}, {"captured_at": "yesterday"}, {**FRAME.to_json(), "distance": None}, None])
def test_what_is_no_frame_is_left_out(data: dict[str, object]) -> None:
    row = AttendanceEvidence(details=[data, FRAME.to_json()])
    assert [frame.captured_at for frame in frames_of(row)] == [datetime(2026, 11, 23, 9, tzinfo=UTC)]
