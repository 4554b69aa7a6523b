"""The outbox: a local SQLite file that holds what was seen until the shared database has it.

A sighting is in the file, synced to disk, before `Outbox.put` returns: from then on a killed process, a machine without
power or a database that is away for an hour loses nothing. Sightings of one student in one session are kept as one row
(earliest first, latest last, best confidence), so the file grows with the students seen and not with the time.

The file holds index numbers and times, never encodings or photos. It is readable by its owner only.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from database.register import Sighting

_APPLICATION_ID = 0x41545442  # "ATTB" in SQLite's header: another program's file is refused, not written into
_SCHEMA_VERSION = 1
_BUSY_S = 10.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# AUTOINCREMENT never gives an id twice, and a row that takes in a later sighting gets a new one: whoever discards the
# id that was read before does not discard what came after.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sighting (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id INTEGER NOT NULL,
    index_number TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    confidence REAL NOT NULL,
    camera_id INTEGER,
    queued_at INTEGER NOT NULL,
    UNIQUE (session_id, index_number)
)
"""
_SELECT = "SELECT id, session_id, index_number, first_seen, last_seen, confidence, camera_id"


class OutboxError(Exception):
    """The outbox cannot be opened, read or written; the message names the file and the reason, for people."""


class Outbox:
    """Sightings on their way to the database. Every method may be called from any thread."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it and its folder if need be.

        Raises:
            OutboxError: the file cannot be made or written, is damaged, or belongs to something else.
        """
        self.path = path
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._connection: sqlite3.Connection | None = None
        try:
            _make_private_file(path)
            self._connection = _open(path)
            self._identity = _file_identity(path)
        except OSError as error:
            raise OutboxError(f"outbox {path}: cannot be opened: {error.strerror or error}") from None
        except sqlite3.Error as error:
            raise OutboxError(
                f"outbox {path}: cannot be used: {error}. If the file is damaged, move it away and start again: "
                "what it held that the database had not yet is then missing from the register"
            ) from None

    def call_after_put(self, listener: Callable[[], None]) -> None:
        """Have `listener` called after every `put`, in the thread that put; it must return at once."""
        self._listeners.append(listener)

    def put(self, sightings: Sequence[Sighting]) -> None:
        """Store sightings; they are on disk when this returns, all of them or none.

        Putting the same sighting again changes nothing but its id.

        Raises:
            OutboxError: they could not be stored (disk full, file gone, closed); nothing may be acknowledged.
        """
        if not sightings:
            return
        now = _to_microseconds(datetime.now(UTC))
        with self._transaction("cannot store sightings", writing=True) as connection:
            for sighting in sightings:
                _merge(connection, sighting, now)
        for listener in self._listeners:
            listener()

    def pending(self, limit: int, *, excluding: Collection[int] = ()) -> list[tuple[int, Sighting]]:
        """The sightings that have waited longest, with their ids.

        Args:
            limit: most rows returned.
            excluding: ids to leave out.

        Raises:
            OutboxError: the file cannot be read.
        """
        chosen: list[tuple[int, Sighting]] = []
        with self._transaction("cannot be read") as connection:
            for row in connection.execute(f"{_SELECT} FROM sighting ORDER BY id"):
                if len(chosen) >= limit:
                    break
                if row[0] not in excluding:
                    chosen.append((row[0], _to_sighting(row)))
        return chosen

    def discard(self, ids: Collection[int]) -> None:
        """Remove sightings that the database has; ids that are gone, or were renewed by a later `put`, are passed over.

        Raises:
            OutboxError: the file cannot be written.
        """
        if not ids:
            return
        with self._transaction("cannot remove committed sightings", writing=True) as connection:
            connection.executemany("DELETE FROM sighting WHERE id = ?", [(row_id,) for row_id in ids])

    def depth(self) -> int:
        """How many sightings wait.

        Raises:
            OutboxError: the file cannot be read.
        """
        with self._transaction("cannot be read") as connection:
            return int(connection.execute("SELECT count(*) FROM sighting").fetchone()[0])

    def oldest_age(self, now: datetime) -> timedelta:
        """How long the longest-waiting sighting has waited at `now`; zero when none waits.

        Raises:
            OutboxError: the file cannot be read.
        """
        with self._transaction("cannot be read") as connection:
            oldest = connection.execute("SELECT min(queued_at) FROM sighting").fetchone()[0]
        return timedelta(0) if oldest is None else max(now - _from_microseconds(oldest), timedelta(0))

    def check_writable(self) -> None:
        """Write and sync an empty change, as a readiness check.

        Raises:
            OutboxError: the file cannot be written.
        """
        with self._transaction("cannot be written", writing=True) as connection:
            connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")

    def close(self) -> None:
        """Close the file; calling it again does nothing, calling anything else afterwards raises OutboxError."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _transaction(self, failing: str, *, writing: bool = False) -> Iterator[sqlite3.Connection]:
        with self._lock:
            connection = self._connection
            if connection is None:
                raise OutboxError(f"outbox {self.path}: {failing}: it is closed")
            # SQLite would go on writing into a file that has no name any more, which no later start would find.
            if writing and _file_identity(self.path) != self._identity:
                raise OutboxError(
                    f"outbox {self.path}: {failing}: the file was removed or replaced; restart the service"
                )
            try:
                connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
                yield connection
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise OutboxError(f"outbox {self.path}: {failing}: {error}") from None
            finally:
                _roll_back(connection)


def _make_private_file(path: Path) -> None:
    """Make the file (SQLite gives its -wal and -shm files the same permissions) and its folder entry durable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(descriptor).st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _file_identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Check that the file is a whole outbox, or an empty file to become one, and set how it is written."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != _APPLICATION_ID and (application or tables):
        raise sqlite3.DatabaseError("it is a database of something else")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > _SCHEMA_VERSION:
        raise sqlite3.DatabaseError("it was written by a newer version of this program")
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(f"it is damaged ({found})")
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise sqlite3.OperationalError("write-ahead logging does not work there (a network file system?)")
    connection.execute("PRAGMA synchronous = FULL")  # in WAL mode: every commit is synced before it returns
    connection.execute("PRAGMA secure_delete = ON")  # who was seen where does not linger in free pages
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(_SCHEMA)
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _merge(connection: sqlite3.Connection, sighting: Sighting, now: int) -> None:
    first, last = _to_microseconds(sighting.first_seen), _to_microseconds(sighting.last_seen)
    confidence, camera, queued = sighting.confidence, sighting.camera_id, now
    key = (sighting.session_id, sighting.index_number)
    waiting = connection.execute(
        "SELECT id, first_seen, last_seen, confidence, camera_id, queued_at FROM sighting "
        "WHERE session_id = ? AND index_number = ?",
        key,
    ).fetchone()
    if waiting is not None:
        old_id, old_first, old_last, old_confidence, old_camera, old_queued = waiting
        connection.execute("DELETE FROM sighting WHERE id = ?", (old_id,))
        camera = old_camera if old_first <= first else camera  # the camera of the first sighting
        first, last = min(first, old_first), max(last, old_last)
        confidence, queued = max(confidence, old_confidence), min(queued, old_queued)
    connection.execute(
        "INSERT INTO sighting (session_id, index_number, first_seen, last_seen, confidence, camera_id, queued_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*key, first, last, confidence, camera, queued),
    )


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        with suppress(sqlite3.Error):
            connection.rollback()


def _to_sighting(row: tuple[int, int, str, int, int, float, int | None]) -> Sighting:
    _, session_id, index_number, first, last, confidence, camera_id = row
    return Sighting(
        session_id=session_id,
        index_number=index_number,
        first_seen=_from_microseconds(first),
        last_seen=_from_microseconds(last),
        confidence=confidence,
        camera_id=camera_id,
    )


def _to_microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _from_microseconds(value: int) -> datetime:
    return _EPOCH + value * _MICROSECOND
