"""The rows of the outbox's file, and what they say."""

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from attendance.database.evidence import MOST_ROWS, Evidence, FrameEvidence
from attendance.database.models import HeldReason, Origin
from attendance.database.register import Sighting
from attendance.database.watching.health import HealthHour
from attendance.database.watching.observation import Observed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# AUTOINCREMENT never gives an id twice, and a row that takes in a later sighting gets a new one: whoever discards the
# id that was read before does not discard what came after.
_SIGHTING_COLUMNS = """(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id INTEGER NOT NULL,
    index_number TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    confidence REAL NOT NULL,
    camera_id INTEGER,
    queued_at INTEGER NOT NULL,
    origin TEXT NOT NULL DEFAULT 'live',
    held TEXT NOT NULL DEFAULT ''
)
"""
SIGHTING_TABLE = f"CREATE TABLE IF NOT EXISTS sighting {_SIGHTING_COLUMNS}"
_OF_HELD = "CASE WHEN held = '' THEN 0 ELSE ifnull(camera_id, 0) END"
"""Of those that are held, each camera's wait apart."""
SIGHTING_INDEX = (
    "CREATE UNIQUE INDEX IF NOT EXISTS sighting_of "
    f"ON sighting (session_id, index_number, origin, held <> '', {_OF_HELD})"
)
OBSERVATION_TABLE = """
CREATE TABLE IF NOT EXISTS observation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    camera_id INTEGER NOT NULL,
    room_id INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    watched INTEGER NOT NULL,
    watched_live INTEGER NOT NULL,
    blind INTEGER NOT NULL,
    counts BLOB NOT NULL,
    recorded INTEGER NOT NULL DEFAULT 0,
    UNIQUE (camera_id, room_id, hour)
)
"""
HEALTH_TABLE = """
CREATE TABLE IF NOT EXISTS health (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    camera_id INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    minutes BLOB NOT NULL,
    UNIQUE (camera_id, hour)
)
"""
"""Versions before it leave it alone, so the file's version is the same."""
EVIDENCE_TABLE = """
CREATE TABLE IF NOT EXISTS evidence (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    session_id INTEGER NOT NULL,
    index_number TEXT NOT NULL,
    content TEXT NOT NULL
)
"""
EVIDENCE_INDEX = "CREATE INDEX IF NOT EXISTS evidence_of ON evidence (session_id, index_number)"
INSERT_EVIDENCE = """
INSERT OR IGNORE INTO evidence (uid, session_id, index_number, content) SELECT :uid, :session, :student, :content
WHERE (SELECT count(*) FROM evidence WHERE session_id = :session AND index_number = :student) < :most
"""
"""No more than the database would keep: cameras that reconnect while it is away do not fill the disk."""
DELETE_ORPHANS = """
DELETE FROM evidence WHERE NOT EXISTS (
    SELECT 1 FROM sighting
    WHERE sighting.session_id = evidence.session_id AND sighting.index_number = evidence.index_number
)
"""
"""Evidence is put and removed with its sighting. Erasures of former versions left it behind; nobody commits it then."""
ERASED_TABLE = """
CREATE TABLE IF NOT EXISTS erased (
    salt BLOB NOT NULL,
    digest BLOB NOT NULL,
    until INTEGER NOT NULL
)
"""
"""Who was erased of late, by a digest: a service that has seen the student may still put what it remembers."""
_REFUSED_US = 2 * 60 * 1_000_000
"""So long after an erasure nothing of the student is taken: by then the service has the roster and the index of now."""
_REMEMBERED_US = 24 * 3600 * 1_000_000
"""So long what was seen before is refused: longer than a service remembers a class session."""
SELECT = "SELECT id, session_id, index_number, first_seen, last_seen, confidence, camera_id, origin, held"
SELECT_HEALTH = "SELECT id, camera_id, hour, minutes"
SELECT_OBSERVED = "SELECT id, camera_id, room_id, hour, watched, watched_live, blind, counts, recorded"


def bring_sightings_up_to_date(connection: sqlite3.Connection) -> None:
    """Bring the table of sightings of a file of a former version up to date, in a transaction that writes.

    Those versions told of live frames only, or held nothing. A program of theirs that has the file open goes on with
    it: what it puts has the columns' defaults.
    """
    columns = [row[1] for row in connection.execute("PRAGMA table_info(sighting)")]
    if "held" in columns:
        return
    former = ", ".join(columns)
    connection.execute("ALTER TABLE sighting RENAME TO former_sighting")
    connection.execute(f"CREATE TABLE sighting {_SIGHTING_COLUMNS}")
    # Ids go on where they were, as none is given twice.
    connection.execute(
        "INSERT INTO sqlite_sequence (name, seq) SELECT 'sighting', seq FROM sqlite_sequence "
        "WHERE name = 'former_sighting'"
    )
    connection.execute(f"INSERT INTO sighting ({former}) SELECT {former} FROM former_sighting")  # noqa: S608 - our names
    connection.execute("DROP TABLE former_sighting")


def bring_observation_up_to_date(connection: sqlite3.Connection) -> None:
    """Let the table of what was watched, of a file of a former version, say what an operator's recording watched."""
    if "recorded" not in {row[1] for row in connection.execute("PRAGMA table_info(observation)")}:
        connection.execute("ALTER TABLE observation ADD COLUMN recorded INTEGER NOT NULL DEFAULT 0")


def merge(connection: sqlite3.Connection, sighting: Sighting, now: int) -> None:
    """Enter a sighting that was put at `now`, in microseconds, joining it with one that waits."""
    first, last = to_microseconds(sighting.first_seen), to_microseconds(sighting.last_seen)
    confidence, camera, queued, held = sighting.confidence, sighting.camera_id, now, frozenset(sighting.held)
    key = (sighting.session_id, sighting.index_number, sighting.origin.value)
    waiting = connection.execute(
        "SELECT id, first_seen, last_seen, confidence, camera_id, queued_at, held FROM sighting "  # noqa: S608 - ours
        f"WHERE session_id = ? AND index_number = ? AND origin = ? AND held <> '' = ? AND {_OF_HELD} = ?",
        (*key, bool(held), (camera or 0) if held else 0),
    ).fetchone()
    if waiting is not None:
        old_id, old_first, old_last, old_confidence, old_camera, old_queued, old_held = waiting
        connection.execute("DELETE FROM sighting WHERE id = ?", (old_id,))
        camera = old_camera if old_first <= first else camera  # the camera of the first sighting
        first, last = min(first, old_first), max(last, old_last)
        confidence, queued = max(confidence, old_confidence), min(queued, old_queued)
        held |= frozenset(_reasons(old_held))
    connection.execute(
        "INSERT INTO sighting "
        "(session_id, index_number, origin, first_seen, last_seen, confidence, camera_id, queued_at, held) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*key, first, last, confidence, camera, queued, ",".join(reason for reason in HeldReason if reason in held)),
    )


def merge_observed(connection: sqlite3.Connection, observed: Observed) -> None:
    """Enter what was observed, joining it with what waits of the camera, room and hour."""
    key = (observed.camera_id, observed.room_id, to_microseconds(observed.hour))
    waiting = connection.execute(
        f"{SELECT_OBSERVED} FROM observation WHERE camera_id = ? AND room_id = ? AND hour = ?", key
    ).fetchone()
    if waiting is not None:
        connection.execute("DELETE FROM observation WHERE id = ?", (waiting[0],))
        observed = to_observed(waiting).merged(observed)
    connection.execute(
        "INSERT INTO observation (camera_id, room_id, hour, watched, watched_live, blind, counts, recorded) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*key, observed.watched, observed.watched_live, observed.blind, observed.counts, observed.recorded),
    )


def merge_health(connection: sqlite3.Connection, reported: HealthHour) -> None:
    """Enter what reached the service of a camera, joining it with what waits of the hour."""
    key = (reported.camera_id, to_microseconds(reported.hour))
    waiting = connection.execute(f"{SELECT_HEALTH} FROM health WHERE camera_id = ? AND hour = ?", key).fetchone()
    if waiting is not None:
        connection.execute("DELETE FROM health WHERE id = ?", (waiting[0],))
        reported = to_health(waiting).merged(reported)
    connection.execute("INSERT INTO health (camera_id, hour, minutes) VALUES (?, ?, ?)", (*key, reported.minutes))


def to_health(row: tuple[int, int, int, bytes]) -> HealthHour:
    """From a row of `SELECT_HEALTH`."""
    _, camera_id, hour, minutes = row
    return HealthHour(camera_id, from_microseconds(hour), minutes)


def to_observed(row: tuple[int, int, int, int, int, int, int, bytes, int]) -> Observed:
    """From a row of `SELECT_OBSERVED`."""
    _, camera_id, room_id, hour, watched, watched_live, blind, counts, recorded = row
    return Observed(camera_id, room_id, from_microseconds(hour), watched, watched_live, blind, counts, recorded)


def to_sighting(row: tuple[int, int, str, int, int, float, int | None, str, str]) -> Sighting:
    """From a row of `SELECT`."""
    _, session_id, index_number, first, last, confidence, camera_id, origin, held = row
    return Sighting(
        session_id=session_id,
        index_number=index_number,
        first_seen=from_microseconds(first),
        last_seen=from_microseconds(last),
        confidence=confidence,
        camera_id=camera_id,
        origin=Origin(origin),
        held=_reasons(held),
    )


def _reasons(held: str) -> tuple[HeldReason, ...]:
    return tuple(HeldReason(reason) for reason in held.split(",") if reason)


def erase(connection: sqlite3.Connection, index_number: str, now: int) -> int:
    """Delete what waits of a student, and remember for a while to take nothing more; how many rows were deleted.

    Args:
        connection: in a transaction that writes.
        index_number: the student's.
        now: in microseconds.
    """
    deleted = 0
    for statement in ("DELETE FROM sighting WHERE index_number = ?", "DELETE FROM evidence WHERE index_number = ?"):
        deleted += connection.execute(statement, (index_number,)).rowcount
    salt = secrets.token_bytes(16)
    connection.execute(
        "INSERT INTO erased (salt, digest, until) VALUES (?, ?, ?)",
        (salt, _digest(salt, index_number), now + _REFUSED_US),
    )
    return deleted


def erased_of(connection: sqlite3.Connection, sightings: Iterable[Sighting], now: int) -> frozenset[str]:
    """The students of these sightings who were erased of late, so that nothing of them may be put.

    Args:
        connection: in a transaction that writes.
        sightings: about to be put.
        now: in microseconds.
    """
    connection.execute("DELETE FROM erased WHERE until < ?", (now - _REMEMBERED_US,))
    erased = connection.execute("SELECT salt, digest, until FROM erased").fetchall()
    return frozenset(
        sighting.index_number
        for sighting in sightings
        for salt, digest, until in erased
        if (now <= until or to_microseconds(sighting.first_seen) <= until)
        and _digest(salt, sighting.index_number) == digest
    )


def _digest(salt: bytes, index_number: str) -> bytes:
    return hashlib.blake2b(index_number.encode(), salt=salt, digest_size=32).digest()


def to_microseconds(time: datetime) -> int:
    """An aware time as whole microseconds since 1970."""
    return (time - _EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> datetime:
    """What `to_microseconds` made, in UTC."""
    return _EPOCH + value * _MICROSECOND


def evidence_row(evidence: Evidence) -> dict[str, Any]:
    """The values of `INSERT_EVIDENCE`."""
    content = {
        "camera_id": evidence.camera_id,
        "index_version": evidence.index_version,
        "threshold": evidence.threshold,
        "distance": evidence.distance,
        "margin": evidence.margin,
        "confidence": evidence.confidence,
        "frames": evidence.frames,
        "first_frame_at": to_microseconds(evidence.first_frame_at),
        "last_frame_at": to_microseconds(evidence.last_frame_at),
        "details": [frame.to_json() for frame in evidence.details],
        "origin": evidence.origin.value,
        "held": evidence.held,
    }
    return {
        "uid": evidence.uid,
        "session": evidence.session_id,
        "student": evidence.index_number,
        "content": json.dumps(content),
        "most": MOST_ROWS,
    }


def to_evidence(uid: str, session_id: int, index_number: str, content: str) -> Evidence:
    """From the columns of a row; `content` is what `evidence_row` made."""
    values: dict[str, Any] = json.loads(content)
    for moment in ("first_frame_at", "last_frame_at"):
        values[moment] = from_microseconds(values[moment])
    values["origin"] = Origin(values.get("origin", Origin.LIVE))  # a version before did not say
    values["held"] = values.get("held", False)  # nor knew that a sighting may be held
    values["details"] = tuple(FrameEvidence.from_json(frame) for frame in values["details"])
    return Evidence(uid=uid, session_id=session_id, index_number=index_number, **values)
