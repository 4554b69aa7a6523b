"""The outbox: a local SQLite file that holds what was seen, and what was watched, until the shared database has it.

A sighting is in the file, synced to disk, before `Outbox.put` returns: from then on a killed process, a machine without
power or a database that is away for an hour loses nothing. Sightings of one student in one session by frames of one
origin are kept as one row (earliest first, latest last, best confidence), so the file grows with the students seen and
not with the time; those that are to be held wait apart, one row a camera. What one camera watched in one hour is one
row, too.

What confirmed a student waits beside the sighting, put in the same transaction and gone in the same.

Who is erased leaves nothing in the file nor in its log, and what a running service still remembers of the student is
refused.

The file holds index numbers, times and distances, never encodings or photos. It is readable by its owner only.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from attendance.database.evidence import Evidence
from attendance.database.register import Sighting
from attendance.database.watching.health import HealthHour
from attendance.database.watching.observation import Observed
from attendance.errors import AttendanceError
from recognition_service.outbox.file import (
    BUSY_S,
    SCHEMA_VERSION,
    empty_log,
    file_identity,
    make_durable_file,
    open_file,
    roll_back,
)
from recognition_service.outbox.rows import (
    INSERT_EVIDENCE,
    SELECT,
    SELECT_HEALTH,
    SELECT_OBSERVED,
    erase,
    erased_of,
    evidence_row,
    from_microseconds,
    merge,
    merge_health,
    merge_observed,
    to_evidence,
    to_health,
    to_microseconds,
    to_observed,
    to_sighting,
)

_PAUSE_S = 0.05


class OutboxError(AttendanceError):
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
        self._remains = True  # a process that was killed may have left some
        try:
            make_durable_file(path)
            self._connection = open_file(path)
            self._identity = file_identity(path)
        except OSError as error:
            raise OutboxError(f"outbox {path}: cannot be opened: {error.strerror or error}") from None
        except sqlite3.Error as error:
            # An error of `_prepare` has no code of SQLite's; the lowest byte is the kind.
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                busy = f"outbox {path}: another program has been using it for {BUSY_S:.0f} s; try again"
                raise OutboxError(busy) from None
            raise OutboxError(
                f"outbox {path}: cannot be used: {error}. If the file is damaged, move it away and start again: "
                "what it held that the database had not yet is then missing from the register"
            ) from None

    def call_after_put(self, listener: Callable[[], None]) -> None:
        """Have `listener` called after every `put`, in the thread that put; it must return at once."""
        self._listeners.append(listener)

    def put(self, sightings: Sequence[Sighting], evidence: Sequence[Evidence] = ()) -> frozenset[str]:
        """Store sightings, and what confirmed them; they are on disk when this returns, all of them or none.

        Putting the same sighting again changes nothing but its id; the same evidence again changes nothing.

        Args:
            sightings: of students confirmed.
            evidence: of some of these sightings.

        Returns:
            The students of whom nothing was stored, because they were erased of late. Forget them, too.

        Raises:
            OutboxError: they could not be stored (disk full, file gone, closed); nothing may be acknowledged.
        """
        if not sightings:
            return frozenset()
        now = to_microseconds(datetime.now(UTC))
        with self._transaction("cannot store sightings", writing=True) as connection:
            erased = erased_of(connection, sightings, now)
            for sighting in sightings:
                if sighting.index_number not in erased:
                    merge(connection, sighting, now)
            rows = [evidence_row(one) for one in evidence if one.index_number not in erased]
            connection.executemany(INSERT_EVIDENCE, rows)
        for listener in self._listeners:
            listener()
        return erased

    def put_observed(self, observed: Sequence[Observed]) -> None:
        """Store what was watched; it is on disk when this returns, all of it or nothing. Again changes nothing.

        Raises:
            OutboxError: it could not be stored.
        """
        if not observed:
            return
        with self._transaction("cannot store what was watched", writing=True) as connection:
            for one in observed:
                merge_observed(connection, one)
        for listener in self._listeners:
            listener()

    def pending_observed(self, limit: int, *, excluding: Collection[int] = ()) -> list[tuple[int, Observed]]:
        """What was watched and has waited longest, with its ids; as `pending`.

        Raises:
            OutboxError: the file cannot be read.
        """
        chosen: list[tuple[int, Observed]] = []
        with self._transaction("cannot be read") as connection:
            for row in connection.execute(f"{SELECT_OBSERVED} FROM observation ORDER BY id"):
                if len(chosen) >= limit:
                    break
                if row[0] not in excluding:
                    chosen.append((row[0], to_observed(row)))
        return chosen

    def discard_observed(self, ids: Collection[int]) -> None:
        """Remove what the database has of what was watched; as `discard`.

        Raises:
            OutboxError: the file cannot be written.
        """
        if not ids:
            return
        with self._transaction("cannot remove what was committed", writing=True) as connection:
            connection.executemany("DELETE FROM observation WHERE id = ?", [(row_id,) for row_id in ids])

    def put_health(self, hours: Sequence[HealthHour]) -> None:
        """Store what reached the service of cameras; as `put_observed`, but nobody is told: it is in no hurry.

        Raises:
            OutboxError: it could not be stored.
        """
        if hours:
            with self._transaction("cannot store the health of cameras", writing=True) as connection:
                for hour in hours:
                    merge_health(connection, hour)

    def pending_health(self, limit: int) -> list[tuple[int, HealthHour]]:
        """What reached the service of cameras and has waited longest, with its ids.

        Raises:
            OutboxError: the file cannot be read.
        """
        with self._transaction("cannot be read") as connection:
            rows = connection.execute(f"{SELECT_HEALTH} FROM health ORDER BY id LIMIT ?", (limit,))
            return [(row[0], to_health(row)) for row in rows]

    def discard_health(self, ids: Collection[int]) -> None:
        """Remove what the database has of cameras' health; as `discard`.

        Raises:
            OutboxError: the file cannot be written.
        """
        if ids:
            with self._transaction("cannot remove what was committed", writing=True) as connection:
                connection.executemany("DELETE FROM health WHERE id = ?", [(row_id,) for row_id in ids])

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
            for row in connection.execute(f"{SELECT} FROM sighting ORDER BY id"):
                if len(chosen) >= limit:
                    break
                if row[0] not in excluding:
                    chosen.append((row[0], to_sighting(row)))
        return chosen

    def evidence_of(self, sightings: Sequence[Sighting]) -> list[tuple[int, Evidence]]:
        """What waits that confirmed these students in these sessions, with ids of its own, in the order it was put.

        Raises:
            OutboxError: the file cannot be read.
        """
        found: list[tuple[int, Evidence]] = []
        with self._transaction("cannot be read") as connection:
            for sighting in sightings:
                rows = connection.execute(
                    "SELECT id, uid, session_id, index_number, content FROM evidence "
                    "WHERE session_id = ? AND index_number = ? ORDER BY id",
                    (sighting.session_id, sighting.index_number),
                )
                found.extend((row[0], to_evidence(*row[1:])) for row in rows)
        return found

    def discard(self, ids: Collection[int], evidence_ids: Collection[int] = (), *, traceless: bool = False) -> None:
        """Remove what the database has; ids that are gone, or were renewed by a later `put`, are passed over.

        Args:
            ids: of sightings.
            evidence_ids: of evidence.
            traceless: leave no remains in the file's log either: among them are students who are not to be kept.

        Raises:
            OutboxError: the file cannot be written.
        """
        if not ids and not evidence_ids:
            return
        with self._transaction("cannot remove committed sightings", writing=True) as connection:
            connection.executemany("DELETE FROM sighting WHERE id = ?", [(row_id,) for row_id in ids])
            connection.executemany("DELETE FROM evidence WHERE id = ?", [(row_id,) for row_id in evidence_ids])
        self._remains = self._remains or traceless
        self.leave_no_remains()

    def erase(self, index_number: str) -> int:
        """Remove all that waits of a student; see `erase_from_outbox`.

        Raises:
            OutboxError: the file cannot be written, or others read it without a pause.
        """
        with self._transaction("cannot be erased from", writing=True) as connection:
            removed = erase(connection, index_number, to_microseconds(datetime.now(UTC)))
        self._remains = True
        deadline = time.monotonic() + BUSY_S
        while not self.leave_no_remains():
            if time.monotonic() >= deadline:
                raise OutboxError(
                    f"outbox {self.path}: what was erased can still be read in its log, which others have been reading "
                    f"for {BUSY_S:.0f} s; try again"
                )
            time.sleep(_PAUSE_S)
        return removed

    def students(self) -> frozenset[str]:
        """Of whom something waits.

        Raises:
            OutboxError: the file cannot be read.
        """
        with self._transaction("cannot be read") as connection:
            rows = connection.execute("SELECT index_number FROM sighting UNION SELECT index_number FROM evidence")
            return frozenset(number for (number,) in rows)

    def leave_no_remains(self) -> bool:
        """Whether nothing is left in the file's log of what was to be discarded traceless; clears it if it can be.

        Raises:
            OutboxError: the file cannot be written.
        """
        if self._remains:
            with self._usable("its log cannot be emptied") as connection:
                self._remains = not empty_log(connection)
        return not self._remains

    def depth(self) -> int:
        """How many sightings wait.

        Raises:
            OutboxError: the file cannot be read.
        """
        return self._count("sighting")

    def depth_observed(self) -> int:
        """How many hours of cameras wait.

        Raises:
            OutboxError: the file cannot be read.
        """
        return self._count("observation")

    def oldest_age(self, now: datetime) -> timedelta:
        """How long the longest-waiting sighting has waited at `now`; zero when none waits.

        Raises:
            OutboxError: the file cannot be read.
        """
        with self._transaction("cannot be read") as connection:
            oldest = connection.execute("SELECT min(queued_at) FROM sighting").fetchone()[0]
        return timedelta(0) if oldest is None else max(now - from_microseconds(oldest), timedelta(0))

    def check_writable(self) -> None:
        """Write and sync an empty change, as a readiness check.

        Raises:
            OutboxError: the file cannot be written.
        """
        with self._transaction("cannot be written", writing=True) as connection:
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def close(self) -> None:
        """Close the file; calling it again does nothing, calling anything else afterwards raises OutboxError."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _count(self, table: str) -> int:
        with self._transaction("cannot be read") as connection:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - our own names

    @contextmanager
    def _transaction(self, failing: str, *, writing: bool = False) -> Iterator[sqlite3.Connection]:
        with self._usable(failing, writing=writing) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
                yield connection
                connection.execute("COMMIT")
            finally:
                roll_back(connection)

    @contextmanager
    def _usable(self, failing: str, *, writing: bool = False) -> Iterator[sqlite3.Connection]:
        with self._lock:
            connection = self._connection
            if connection is None:
                raise OutboxError(f"outbox {self.path}: {failing}: it is closed")
            # SQLite would go on writing into a file that has no name any more, which no later start would find.
            if writing and file_identity(self.path) != self._identity:
                raise OutboxError(
                    f"outbox {self.path}: {failing}: the file was removed or replaced; restart the service"
                )
            try:
                yield connection
            except sqlite3.Error as error:
                raise OutboxError(f"outbox {self.path}: {failing}: {error}") from None


def erase_from_outbox(path: Path, index_number: str) -> int:
    """Remove all that waits of a student from an outbox and its log, whether or not a service has it open.

    Such a service cannot put again what it remembers of the student. What it sees of the student later is dropped by
    its committer, since the database says that consent was withdrawn, or the student is gone. So say it there first.

    Returns:
        How many sightings and pieces of evidence were removed; 0 when there is no such file.

    Raises:
        OutboxError: the file cannot be used.
    """
    if not path.exists():
        return 0
    outbox = Outbox(path)
    try:
        return outbox.erase(index_number)
    finally:
        outbox.close()
