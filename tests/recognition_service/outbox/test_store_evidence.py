import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.evidence import MOST_ROWS, FrameEvidence
from attendance.database.models import Attendance, AttendanceEvidence, Student
from attendance.database.register import Sighting
from recognition_service.outbox.store import Outbox, OutboxError, erase_from_outbox
from tests.factories import NINE, enrol, make_camera, make_course, make_session, make_student
from tests.recognition_service.evidences import make_evidence
from tests.recognition_service.outbox.committing import commit

SEEN = Sighting(1, "s1", NINE, NINE + timedelta(seconds=10), 0.9, 7)
LAYOUT_1 = """
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
PRAGMA application_id = 1096045634;
PRAGMA user_version = 1;
"""
"""As the version before evidence made it."""


@pytest.fixture
def class_session(sessions: sessionmaker[Session]) -> int:
    """A session whose roster is s1 and s2."""
    with sessions.begin() as db:
        course = make_course(db)
        enrol(db, course, make_student(db, "s1"), make_student(db, "s2"))
        return make_session(db, course).id


def uids(sessions: sessionmaker[Session]) -> list[str]:
    with sessions() as db:
        return sorted(db.scalars(sa.select(AttendanceEvidence.uid)))


def files(path: Path) -> bytes:
    """All pages of a database and its write-ahead log, without what is drawn at random in the log's headers.

    The log's format is SQLite's: a header of 32 bytes with the size of pages, then pages, each after 24 bytes.
    """
    log = path.with_name(f"{path.name}-wal")
    kept = log.read_bytes() if log.exists() else b""
    step = 24 + int.from_bytes(kept[8:12], "big")
    return path.read_bytes() + b"".join(kept[place + 24 : place + step] for place in range(32, len(kept), step))


def test_keeps_evidence_beside_its_sighting(outbox: Outbox) -> None:
    one, two = make_evidence(camera_id=7), make_evidence(student="s2")
    outbox.put([SEEN, replace(SEEN, index_number="s2")], [one, two])
    outbox.put([SEEN], [one])  # again
    outbox.close()
    again = Outbox(outbox.path)
    ((evidence_id, found),) = again.evidence_of([SEEN])
    assert found == one
    again.discard([], [evidence_id])
    assert again.evidence_of([SEEN]) == []
    assert [kept for _, kept in again.evidence_of([replace(SEEN, index_number="s2")])] == [two]
    assert again.depth() == 2
    again.close()


def test_cameras_that_reconnect_do_not_fill_it(outbox: Outbox) -> None:
    for _ in range(MOST_ROWS + 5):
        outbox.put([SEEN], [make_evidence()])
    assert len(outbox.evidence_of([SEEN])) == MOST_ROWS


def test_commits_evidence_with_its_sighting(
    outbox: Outbox, sessions: sessionmaker[Session], class_session: int
) -> None:
    seen = replace(SEEN, session_id=class_session, camera_id=None)
    first, second = make_evidence(class_session), make_evidence(class_session)
    outbox.put([seen], [first])
    commit(outbox, sessions)
    outbox.put([seen], [first, second])  # a process killed before it discarded, and another camera
    commit(outbox, sessions)
    outbox.put([replace(seen, last_seen=NINE + timedelta(minutes=5))])  # seen again: no further evidence
    commit(outbox, sessions)
    assert uids(sessions) == [first.uid, second.uid]
    assert outbox.evidence_of([seen]) == []


def test_sightings_of_an_outbox_of_the_version_before_are_committed(
    tmp_path: Path, sessions: sessionmaker[Session], class_session: int
) -> None:
    path = tmp_path / "outbox.db"
    connection = sqlite3.connect(path)
    connection.executescript(LAYOUT_1)
    at = int(NINE.timestamp() * 1_000_000)
    connection.execute("INSERT INTO sighting VALUES (5, ?, 's1', ?, ?, 0.9, NULL, ?)", (class_session, at, at, at))
    connection.commit()
    connection.close()
    outbox = Outbox(path)
    seen = Sighting(class_session, "s1", NINE, NINE, 0.9, None)
    assert outbox.pending(9) == [(5, seen)]
    also = replace(seen, index_number="s2")
    outbox.put([also], [make_evidence(class_session, "s2")])
    commit(outbox, sessions)
    with sessions() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(Attendance)) == 2
    assert len(uids(sessions)) == 1
    outbox.close()


@pytest.mark.parametrize("gone", [False, True], ids=["consent withdrawn", "unknown"])
def test_who_is_not_to_be_kept_is_dropped_without_remains(
    outbox: Outbox, sessions: sessionmaker[Session], class_session: int, gone: bool
) -> None:
    with sessions.begin() as db:
        change = sa.delete(Student) if gone else sa.update(Student).values(consent_withdrawn_at=NINE)
        db.execute(change.where(Student.index_number == "s1"))
    uid = "11111111-1111-4111-8111-111111111111"
    evidence = [make_evidence(class_session, "s1", uid=uid), make_evidence(class_session, "s2")]
    outbox.put([replace(SEEN, session_id=class_session, index_number=student) for student in ("s1", "s2")], evidence)
    assert uid.encode() in files(outbox.path)
    commit(outbox, sessions)
    assert uids(sessions) == [evidence[1].uid]
    assert uid.encode() not in files(outbox.path)
    assert b"s1" not in files(outbox.path)


def test_a_broken_piece_of_evidence_does_not_cost_the_student_the_attendance(
    outbox: Outbox, sessions: sessionmaker[Session], class_session: int
) -> None:
    with sessions.begin() as db:
        camera = make_camera(db).id
    good = make_evidence(class_session, "s2", camera_id=camera)
    seen = [replace(SEEN, session_id=class_session, index_number=student) for student in ("s1", "s2")]
    outbox.put(seen, [good])
    connection = sqlite3.connect(outbox.path)  # as no version writes it
    connection.execute(
        "INSERT INTO evidence (uid, session_id, index_number, content) "
        "SELECT 'x', session_id, 's1', replace(content, ?, ?) FROM evidence",
        ('"margin": 0.2', '"margin": null'),
    )
    connection.commit()
    connection.close()
    commit(outbox, sessions)
    assert uids(sessions) == [good.uid]
    with sessions() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(Attendance)) == 2


def test_erasing_a_student_leaves_nothing_in_the_file(outbox: Outbox) -> None:
    others = [replace(SEEN, index_number=f"other-{number}") for number in range(50)]
    outbox.put([replace(SEEN, index_number="erase-me"), *others], [make_evidence(student="erase-me")])
    outbox.put([replace(SEEN, index_number="erase-me", session_id=2)])
    assert b"erase-me" in files(outbox.path)
    assert erase_from_outbox(outbox.path, "erase-me") == 3  # while the service has it open
    assert b"erase-me" not in files(outbox.path)
    outbox.put([SEEN])  # goes on
    assert outbox.depth() == 51
    outbox.close()
    assert erase_from_outbox(outbox.path, "s1") == 1  # and while it is stopped
    assert erase_from_outbox(outbox.path, "s1") == 0
    assert b"s1" not in files(outbox.path)


def test_what_is_remembered_of_an_erased_student_is_refused(outbox: Outbox) -> None:
    now = datetime.now(UTC)
    seen = replace(SEEN, first_seen=now, last_seen=now)
    erase_from_outbox(outbox.path, "s1")
    evidence = [make_evidence(), make_evidence(student="s2")]
    assert outbox.put([seen, replace(seen, index_number="s2")], evidence) == {"s1"}
    assert [found.index_number for _, found in outbox.pending(9)] == ["s2"]
    assert outbox.evidence_of([seen]) == []
    assert b"s1" not in files(outbox.path)


def test_after_a_while_only_what_was_seen_before_is_refused(outbox: Outbox) -> None:
    erase_from_outbox(outbox.path, "s1")
    age(outbox, minutes=10)
    now = datetime.now(UTC)
    before, since = (
        replace(SEEN, session_id=n, first_seen=now - timedelta(minutes=ago)) for n, ago in ((2, 30), (3, 5))
    )
    assert outbox.put([before]) == {"s1"}
    assert outbox.put([since]) == frozenset()
    age(outbox, minutes=24 * 60)
    assert outbox.put([before]) == frozenset(), "no service remembers for so long"
    assert {found.session_id for _, found in outbox.pending(9)} == {2, 3}


def age(outbox: Outbox, *, minutes: int) -> None:
    """As if erasures had been so long ago."""
    connection = sqlite3.connect(outbox.path)
    connection.execute("UPDATE erased SET until = until - ?", (minutes * 60_000_000,))
    connection.commit()
    connection.close()


def test_evidence_that_an_earlier_version_left_behind_goes(outbox: Outbox) -> None:
    outbox.put([SEEN, replace(SEEN, index_number="s2")], [make_evidence(), make_evidence(student="s2")])
    outbox.close()
    connection = sqlite3.connect(outbox.path)
    connection.execute("DROP TABLE erased")
    connection.execute("DELETE FROM sighting WHERE index_number = 's1'")
    connection.commit()
    connection.close()
    again = Outbox(outbox.path)
    assert again.leave_no_remains()
    assert b"s1" not in files(outbox.path)
    assert len(again.evidence_of([replace(SEEN, index_number="s2")])) == 1
    again.close()


def test_remains_of_a_process_that_was_killed_go(outbox: Outbox) -> None:
    outbox.put([SEEN], [make_evidence()])
    outbox.discard([row_id for row_id, _ in outbox.pending(9)], [1])  # it would have emptied the log later
    outbox.close()
    again = Outbox(outbox.path)
    assert again.leave_no_remains()
    assert b"s1" not in files(outbox.path)
    again.close()


def test_erasing_from_no_outbox_makes_none(tmp_path: Path) -> None:
    assert erase_from_outbox(tmp_path / "none.db", "s1") == 0
    assert not (tmp_path / "none.db").exists()


def test_erasing_from_something_else_says_so(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(OutboxError, match=r"outbox\.db"):
        erase_from_outbox(path, "s1")


def test_erasing_beside_a_reader_that_stays_says_to_try_again(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recognition_service.outbox.store.BUSY_S", 0.1)
    outbox.put([SEEN])
    reader = sqlite3.connect(outbox.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM sighting").fetchall()
    with pytest.raises(OutboxError, match="try again"):
        erase_from_outbox(outbox.path, "s1")
    reader.close()
    assert outbox.depth() == 0
    assert erase_from_outbox(outbox.path, "s1") == 0
    assert b"s1" not in files(outbox.path)


def test_erasing_beside_a_writer_that_stays_says_to_try_again(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("file", "store"):
        monkeypatch.setattr(f"recognition_service.outbox.{module}.BUSY_S", 0.1)
    outbox.put([SEEN])
    writer = sqlite3.connect(outbox.path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(OutboxError, match="another program has been using it") as refused:
        erase_from_outbox(outbox.path, "s1")
    assert "move it away" not in str(refused.value), "what waits there is not damaged"
    writer.execute("ROLLBACK")
    writer.close()
    assert erase_from_outbox(outbox.path, "s1") == 1


def test_frames_survive_the_way(outbox: Outbox) -> None:
    frame = FrameEvidence(NINE, 0.4, 0.62, 0.5, 41.0, 3.25)
    outbox.put([SEEN], [make_evidence(details=(frame,))])
    ((_, found),) = outbox.evidence_of([SEEN])
    assert found.details == (frame,)
