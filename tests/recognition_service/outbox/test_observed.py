"""What was watched, on its way through the outbox; and files of versions before."""

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import Attendance, AttendanceEvidence, Observation, Origin, Status
from attendance.database.register import Sighting, close_ended_sessions
from attendance.database.watching.observation import MinuteCounts, MinuteOfCamera, Observed, counts_of, observed_hours
from attendance.settings.attendance import LateFrames
from recognition_service.outbox.committer import Committer
from recognition_service.outbox.store import Outbox
from tests.factories import NINE, enrol, make_camera, make_course, make_room, make_session, make_student
from tests.recognition_service.evidences import make_evidence
from tests.recognition_service.outbox.committing import commit

LAYOUT_2 = """
CREATE TABLE sighting (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id INTEGER NOT NULL,
    index_number TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    confidence REAL NOT NULL,
    camera_id INTEGER,
    queued_at INTEGER NOT NULL,
    UNIQUE (session_id, index_number)
);
CREATE TABLE evidence (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    session_id INTEGER NOT NULL,
    index_number TEXT NOT NULL,
    content TEXT NOT NULL
);
CREATE INDEX evidence_of ON evidence (session_id, index_number);
CREATE TABLE erased (salt BLOB NOT NULL, digest BLOB NOT NULL, until INTEGER NOT NULL);
PRAGMA application_id = 1096045634;
PRAGMA user_version = 2;
"""
"""As the version before observation made it."""
INSERT_2 = (
    "INSERT INTO sighting (session_id, index_number, first_seen, last_seen, confidence, camera_id, queued_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
AT = int(NINE.timestamp() * 1_000_000)


@pytest.fixture
def place(sessions: sessionmaker[Session]) -> tuple[int, int, int]:
    """A camera, its room, and a session there whose roster is s1 and s2."""
    with sessions.begin() as db:
        room = make_room(db)
        course = make_course(db)
        enrol(db, course, make_student(db, "s1"), make_student(db, "s2"))
        return make_camera(db, room=room).id, room.id, make_session(db, course, room).id


def hour(place: tuple[int, int, int], *minutes: int, seen: int = 0, live: bool = True) -> Observed:
    reports = [
        MinuteOfCamera(NINE + timedelta(minutes=minute), True, live, False, MinuteCounts(seen, 0, 0, 0, 0))
        for minute in minutes
    ]
    (observed,) = observed_hours(place[0], place[1], reports)
    return observed


def stored(sessions: sessionmaker[Session]) -> list[tuple[int, int, int]]:
    with sessions() as db:
        rows = db.scalars(sa.select(Observation).order_by(Observation.hour)).all()
        return [(row.watched, row.watched_live, counts_of(row.counts, 1).seen) for row in rows]


def test_an_hour_of_a_camera_is_one_row_that_outlives_the_process(outbox: Outbox) -> None:
    one, two = hour((7, 3, 0), 0, 1, seen=4), hour((7, 3, 0), 1, 2, seen=2, live=False)
    outbox.put_observed([one])
    ((first, _),) = outbox.pending_observed(9)
    outbox.put_observed([two, replace(one, room_id=4)])
    outbox.discard_observed([first])  # committed meanwhile, and renewed: what came after stays
    outbox.close()
    again = Outbox(outbox.path)
    found = {observed.room_id: observed for _, observed in again.pending_observed(9)}
    assert found[3] == one.merged(two)
    assert found[4] == replace(one, room_id=4)
    assert again.depth_observed() == 2
    assert [row.room_id for _, row in again.pending_observed(1, excluding=[again.pending_observed(1)[0][0]])] == [4]
    again.close()


def test_what_was_watched_is_committed_however_often(
    outbox: Outbox, sessions: sessionmaker[Session], place: tuple[int, int, int]
) -> None:
    outbox.put_observed([hour(place, 0, 1, seen=4)])
    commit(outbox, sessions)
    outbox.put_observed([hour(place, 1, seen=2)])  # a process killed before it discarded
    outbox.put_observed([hour(place, 2, live=False)])
    commit(outbox, sessions)
    assert stored(sessions) == [(0b111, 0b11, 4)]


def test_two_services_share_one_outbox(
    outbox: Outbox, sessions: sessionmaker[Session], place: tuple[int, int, int]
) -> None:
    other = Outbox(outbox.path)
    committers = [Committer(box, sessions, poll_s=0.01, base_s=0.01, cap_s=0.05) for box in (outbox, other)]
    for committer in committers:
        committer.start()
    for minute in range(60):
        (outbox if minute % 2 else other).put_observed([hour(place, minute, seen=minute)])
    assert all(committer.stop(timeout=30) for committer in committers)
    assert outbox.depth_observed() == 0
    assert [row[:2] for row in stored(sessions)] == [((1 << 60) - 1, (1 << 60) - 1)]
    other.close()


def test_an_hour_that_is_refused_is_in_nobodys_way(
    outbox: Outbox, sessions: sessionmaker[Session], place: tuple[int, int, int]
) -> None:
    outbox.put_observed([hour(place, 0), replace(hour(place, 1), hour=NINE + timedelta(hours=1))])

    sa.event.listen(sessions, "before_flush", _refuse_nine)
    try:
        commit(outbox, sessions, empties=False)
    finally:
        sa.event.remove(sessions, "before_flush", _refuse_nine)
    assert len(stored(sessions)) == 1
    assert outbox.depth_observed() == 1
    commit(outbox, sessions)
    assert len(stored(sessions)) == 2


def _refuse_nine(db: Session, *_: object) -> None:
    if any(isinstance(row, Observation) and row.hour == NINE for row in db.new):
        raise sa.exc.DataError("", {}, Exception("out of range"))


def test_live_and_kept_sightings_wait_apart_and_become_one_entry(
    outbox: Outbox, sessions: sessionmaker[Session], place: tuple[int, int, int]
) -> None:
    live = Sighting(place[2], "s1", NINE + timedelta(minutes=9), NINE + timedelta(minutes=20), 0.9, place[0])
    kept = replace(live, first_seen=NINE, last_seen=NINE + timedelta(minutes=5), origin=Origin.KEPT)
    outbox.put([live], [make_evidence(place[2])])
    outbox.put([kept], [replace(make_evidence(place[2]), origin=Origin.KEPT)])
    assert outbox.depth() == 2
    assert {sighting for _, sighting in outbox.pending(9)} == {live, kept}
    commit(outbox, sessions)
    with sessions() as db:
        row = db.scalars(sa.select(Attendance)).one()
        assert (row.first_seen, row.last_seen, row.origin) == (kept.first_seen, live.last_seen, Origin.KEPT)
        assert sorted(db.scalars(sa.select(AttendanceEvidence.origin))) == [Origin.KEPT, Origin.LIVE]


@pytest.mark.parametrize("rule", list(LateFrames))
@pytest.mark.parametrize("origin", list(Origin))
def test_what_late_frames_do_to_a_closed_session(
    outbox: Outbox, sessions: sessionmaker[Session], place: tuple[int, int, int], rule: LateFrames, origin: Origin
) -> None:
    close_ended_sessions(sessions, NINE + timedelta(days=1))
    seen = Sighting(place[2], "s1", NINE, NINE + timedelta(minutes=5), 0.9, place[0], origin)
    outbox.put([seen], [replace(make_evidence(place[2]), origin=origin)])
    commit(outbox, sessions, late_frames=rule)
    with sessions() as db:
        entries = db.scalars(sa.select(Attendance).order_by(Attendance.student_id)).all()
        applied = rule is LateFrames.APPLY or origin is not Origin.KEPT  # recordings an operator has played
        assert (entries[0].status is Status.PRESENT) == applied
        assert (entries[0].first_seen == NINE) == applied
        assert db.scalars(sa.select(AttendanceEvidence.origin)).one() is origin  # noted either way


@pytest.mark.parametrize("origin", [Origin.KEPT, Origin.RECORDING])
def test_late_frames_of_an_open_session_count(
    outbox: Outbox, sessions: sessionmaker[Session], place: tuple[int, int, int], origin: Origin
) -> None:
    outbox.put([Sighting(place[2], "s1", NINE, NINE, 0.9, place[0], origin)])
    commit(outbox, sessions, late_frames=LateFrames.PROPOSE)
    with sessions() as db:
        assert db.scalars(sa.select(Attendance.status)).one() is Status.PRESENT


def test_a_file_of_the_version_before_is_read_and_brought_up_to_date(
    tmp_path: Path, sessions: sessionmaker[Session], place: tuple[int, int, int]
) -> None:
    path = tmp_path / "outbox.db"
    old = sqlite3.connect(path, isolation_level=None)
    old.executescript(LAYOUT_2)
    for student in ("gone", "s1"):
        old.execute(INSERT_2, (place[2], student, AT, AT, 0.9, place[0], AT))
    old.execute("DELETE FROM sighting WHERE index_number = 'gone'")  # its id is not given again
    evidence = make_evidence(place[2])
    outbox = Outbox(path)  # while a program of that version has it open
    seen = Sighting(place[2], "s1", NINE, NINE, 0.9, place[0])
    assert outbox.pending(9) == [(2, seen)]
    old.execute(INSERT_2, (place[2], "s2", AT, AT, 0.8, place[0], AT))
    old.execute("PRAGMA user_version = 2")  # as its check of readiness does
    outbox.close()
    outbox = Outbox(path)
    assert [row_id for row_id, _ in outbox.pending(9)] == [2, 3]
    assert {sighting.origin for _, sighting in outbox.pending(9)} == {Origin.LIVE}
    outbox.put([seen], [evidence])
    outbox.put_observed([hour(place, 5)])
    commit(outbox, sessions)
    with sessions() as db:
        assert set(db.scalars(sa.select(Attendance.origin))) == {Origin.LIVE}
        assert db.scalars(sa.select(AttendanceEvidence.uid)).all() == [evidence.uid]
    assert [row[0] for row in stored(sessions)] == [1 << 5]
    old.close()
    outbox.close()


def test_evidence_of_the_version_before_was_live(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = Outbox(path)
    seen = Sighting(1, "s1", NINE, NINE, 0.9, 7)
    outbox.put([seen], [make_evidence()])
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("UPDATE evidence SET content = json_remove(content, '$.origin')")
    assert [evidence.origin for _, evidence in outbox.evidence_of([seen])] == [Origin.LIVE]
    raw.close()
    outbox.close()
