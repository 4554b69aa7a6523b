"""What is to be held, on its way through the outbox, and taken in by the database."""

import sqlite3
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import Attendance, AttendanceEvidence, Guest, HeldReason, HeldSighting, Origin, Status
from attendance.database.register import Sighting, close_ended_sessions
from attendance.settings.attendance import LateFrames
from recognition_service.outbox.store import Outbox
from tests.factories import NINE, enrol, make_camera, make_course, make_group, make_room, make_session, make_student
from tests.recognition_service.evidences import make_evidence
from tests.recognition_service.outbox.committing import commit

LAYOUT_3 = """
CREATE TABLE sighting (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id INTEGER NOT NULL,
    index_number TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    confidence REAL NOT NULL,
    camera_id INTEGER,
    queued_at INTEGER NOT NULL,
    origin TEXT NOT NULL DEFAULT 'live',
    UNIQUE (session_id, index_number, origin)
);
INSERT INTO sighting (session_id, index_number, first_seen, last_seen, confidence, camera_id, queued_at, origin)
VALUES (1, 's1', 1, 2, 0.5, 7, 3, 'kept');
PRAGMA application_id = 1096045634;
PRAGMA user_version = 3;
"""
"""As the version before held sightings made it."""
SEEN = Sighting(1, "s1", NINE, NINE + timedelta(minutes=5), 0.9, 7)
PHOTO = replace(SEEN, held=(HeldReason.COPY_OF_PHOTO,))


@pytest.fixture
def place(sessions: sessionmaker[Session]) -> tuple[int, int]:
    """A session whose roster is s1, with s2 of another group of its course; and a camera."""
    with sessions.begin() as db:
        room, course = make_room(db), make_course(db)
        mine, other = make_student(db, "s1"), make_student(db, "s2")
        enrol(db, course, mine, other)
        session = make_session(db, course, room, group=make_group(db, course, members=(mine,)))
        return session.id, make_camera(db, room=room).id


def held_of(sessions: sessionmaker[Session]) -> list[HeldSighting]:
    with sessions() as db:
        return list(db.scalars(sa.select(HeldSighting).order_by(HeldSighting.id)))


def test_what_is_held_waits_apart_from_what_is_not(outbox: Outbox) -> None:
    longer = replace(PHOTO, last_seen=NINE + timedelta(minutes=9), held=(HeldReason.PLANE,))
    outbox.put([SEEN])
    outbox.put([PHOTO, replace(PHOTO, camera_id=8)])
    outbox.put([longer, SEEN])
    outbox.close()
    again = Outbox(outbox.path)
    united = replace(longer, held=(HeldReason.COPY_OF_PHOTO, HeldReason.PLANE))
    assert {sighting for _, sighting in again.pending(9)} == {SEEN, united, replace(PHOTO, camera_id=8)}
    assert again.depth() == 3
    assert again.erase("s1") == 3
    again.close()


def test_a_file_of_the_version_before_holds_nothing(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "outbox.db", isolation_level=None)
    old.executescript(LAYOUT_3)
    old.close()
    outbox = Outbox(tmp_path / "outbox.db")
    ((_, waiting),) = outbox.pending(9)
    assert (waiting.origin, waiting.held, waiting.camera_id) == (Origin.KEPT, (), 7)
    outbox.put([replace(waiting, held=(HeldReason.SCREEN,))])
    assert outbox.depth() == 2
    outbox.close()


def test_evidence_of_the_version_before_is_not_held(outbox: Outbox) -> None:
    outbox.put([PHOTO], [make_evidence(held=True)])
    assert [evidence.held for _, evidence in outbox.evidence_of([PHOTO])] == [True]
    raw = sqlite3.connect(outbox.path, isolation_level=None)
    raw.execute("UPDATE evidence SET content = json_remove(content, '$.held')")
    raw.close()
    assert [evidence.held for _, evidence in outbox.evidence_of([PHOTO])] == [False]


def test_a_held_sighting_changes_no_entry_however_often_it_comes(
    outbox: Outbox, sessions: sessionmaker[Session], place: tuple[int, int]
) -> None:
    session, camera = place
    photo = replace(PHOTO, session_id=session, camera_id=camera)
    later = replace(photo, last_seen=NINE + timedelta(minutes=9), held=(HeldReason.SCREEN,), confidence=0.95)
    for turn, order in enumerate(permutations([photo, later, photo])):
        for one in order:
            outbox.put([one], [make_evidence(session, camera_id=camera, held=True)] if turn == 0 else [])
            commit(outbox, sessions)
    (row,) = held_of(sessions)
    assert row.reasons == ["copy_of_photo", "screen"]
    assert (row.first_seen, row.last_seen, row.confidence) == (NINE, later.last_seen, 0.95)
    assert (row.accepted, row.late, row.camera_id, row.origin) == (None, False, camera, Origin.LIVE)
    with sessions() as db:
        assert db.scalar(sa.select(Attendance)) is None
        assert set(db.scalars(sa.select(AttendanceEvidence.held))) == {True}


def test_who_is_confirmed_afterwards_counts_and_what_was_held_stays(
    outbox: Outbox, sessions: sessionmaker[Session], place: tuple[int, int]
) -> None:
    session, camera = place
    photo = replace(PHOTO, session_id=session, camera_id=camera)
    outbox.put([photo], [make_evidence(session, camera_id=camera, held=True)])
    commit(outbox, sessions)
    outbox.put([replace(photo, held=())], [make_evidence(session, camera_id=camera)])
    commit(outbox, sessions)
    with sessions() as db:
        assert db.scalars(sa.select(Attendance.status)).one() is Status.PRESENT
        assert db.scalars(sa.select(AttendanceEvidence.held).order_by(AttendanceEvidence.id)).all() == [True, False]
    assert len(held_of(sessions)) == 1


def test_of_a_photo_of_somebody_else_nothing_is_kept(
    outbox: Outbox, sessions: sessionmaker[Session], place: tuple[int, int]
) -> None:
    session, camera = place
    outbox.put([replace(PHOTO, session_id=session, camera_id=camera, index_number=who) for who in ("s2", "nobody")])
    commit(outbox, sessions)
    assert len(held_of(sessions)) == 1  # a guest's, who is not noted as one before somebody has looked
    with sessions() as db:
        assert db.scalar(sa.select(Guest)) is None


def test_a_photo_marked_as_kept_changes_nothing_in_last_weeks_register(
    outbox: Outbox, sessions: sessionmaker[Session], place: tuple[int, int]
) -> None:
    session, camera = place
    close_ended_sessions(sessions, NINE + timedelta(days=1))
    photo = replace(PHOTO, session_id=session, camera_id=camera, origin=Origin.KEPT)
    before = _entries(sessions)
    outbox.put([photo], [make_evidence(session, camera_id=camera, origin=Origin.KEPT)])
    commit(outbox, sessions, late_frames=LateFrames.PROPOSE)
    (row,) = held_of(sessions)
    assert (row.late, row.reasons) == (True, ["copy_of_photo", "late"])
    assert row.arrived_at > row.first_seen == NINE
    assert _entries(sessions) == before
    with sessions() as db:
        assert db.scalars(sa.select(AttendanceEvidence.held)).all() == [True]


def _entries(sessions: sessionmaker[Session]) -> list[tuple[Any, ...]]:
    with sessions() as db:
        found = db.execute(sa.select(Attendance.status, Attendance.unrecorded_reason, Attendance.version))
        return [tuple(row) for row in found]
