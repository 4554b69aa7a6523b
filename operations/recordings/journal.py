"""The journal of runs: which sittings are done, synced to disk. It holds paths, times and numbers, and nobody's name.

A sitting is noted after all that came of it is in the outbox. A run that is killed between the two does the sitting
once more: the same sightings, evidence and minutes are the same rows. So the journal spares work; that nothing is
entered twice does not hang on it.
"""

import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from attendance.errors import AttendanceError
from attendance.gallery.files import locked_if_free
from attendance.private_files import make_private_file, make_private_folder
from operations.recordings.stretches import VideoPlan

FILE = "journal.db"
"""In the folder of what runs note."""
_APPLICATION_ID = 0x4154524A  # "ATRJ" in SQLite's header
_VERSION = 1
_BUSY_S = 10.0
_TABLES = """
CREATE TABLE IF NOT EXISTS sitting (
    key TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    begins_at TEXT NOT NULL,
    ends_at TEXT NOT NULL,
    pictures INTEGER NOT NULL,
    missing TEXT NOT NULL,
    index_version TEXT NOT NULL,
    done_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS stretch (
    key TEXT NOT NULL,
    number INTEGER NOT NULL,
    pictures INTEGER NOT NULL,
    PRIMARY KEY (key, number)
);
CREATE TABLE IF NOT EXISTS damaged (
    key TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    changed_ns INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS video (
    digest TEXT PRIMARY KEY,
    length_s REAL NOT NULL,
    lost_from_s REAL,
    lost_to_s REAL
);
"""


class JournalError(AttendanceError):
    """The journal of runs over recordings cannot be used, or another run uses it."""


@dataclass(frozen=True, slots=True)
class DoneSitting:
    """A sitting that is done."""

    pictures: int
    """Looked at."""
    missing: tuple[tuple[float, float], ...]
    """Without a picture that could be used, seconds of the video."""
    file: tuple[int, int] | None = None
    """Of which damaged file that is, as `looking.fingerprint`; None: of one without damage, or it was not noted."""


class Journal:
    """What is done. Used by one thread."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it and its folder if need be.

        Raises:
            JournalError: it cannot be made, is damaged, or is something else.
        """
        self.path = path
        try:
            make_private_folder(path.parent)
            make_private_file(path)
            self._connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise JournalError(f"the journal {path} cannot be opened: {error}") from None
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._connection.close()
            if isinstance(error, sqlite3.OperationalError):  # of the disk, or of who may write there: no fault of it
                raise JournalError(f"the journal {path} cannot be used: {error}") from None
            raise JournalError(
                f"the journal {path} cannot be used: {error}. Moved away, a new one is begun, and recordings are "
                "looked at again: nothing is entered twice"
            ) from None

    def _prepare(self) -> None:
        connection = self._connection
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if application != _APPLICATION_ID and (application or tables):
            raise sqlite3.DatabaseError("it is a database of something else")
        if connection.execute("PRAGMA user_version").fetchone()[0] > _VERSION:
            raise sqlite3.DatabaseError("it was written by a newer version of this program")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(_TABLES)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")

    def done(self, key: str) -> DoneSitting | None:
        """What is noted of a sitting; None: it is not done.

        Raises:
            JournalError: the file cannot be read.
        """
        with self._told("read"):
            row = self._connection.execute(
                "SELECT pictures, missing, size, changed_ns FROM sitting LEFT JOIN damaged USING (key) WHERE key = ?",
                (key,),
            ).fetchone()
        if row is None:
            return None
        return DoneSitting(row[0], tuple(map(tuple, json.loads(row[1]))), None if row[2] is None else (row[2], row[3]))

    def length(self, digest: str) -> VideoPlan | None:
        """What is noted of a video's length, and of what its header promises beyond; None: its packets were not read.

        Args:
            digest: of the file.

        Raises:
            JournalError: the file cannot be read.
        """
        with self._told("read"):
            row = self._connection.execute(
                "SELECT length_s, lost_from_s, lost_to_s FROM video WHERE digest = ?", (digest,)
            ).fetchone()
        return None if row is None else VideoPlan(row[0], (), None if row[1] is None else (row[1], row[2]))

    def note_length(self, digest: str, found: VideoPlan) -> None:
        """Note what a video's packets said, so that they need not be read again when all of it is done.

        Raises:
            JournalError: the disk refuses.
        """
        lost = found.lost_end or (None, None)
        with self._told("written"):
            row = digest, found.length_s, *lost
            self._connection.execute("INSERT OR REPLACE INTO video VALUES (?, ?, ?, ?)", row)

    def begun(self, key: str) -> int:
        """How many stretches of a sitting that is not done were followed by a run that was stopped.

        Raises:
            JournalError: the file cannot be read.
        """
        with self._told("read"):
            row = self._connection.execute("SELECT count(*) FROM stretch WHERE key = ?", (key,)).fetchone()
        return int(row[0])

    def note_stretch(self, key: str, number: int, pictures: int) -> None:
        """Note a stretch that was followed.

        Raises:
            JournalError: the disk refuses.
        """
        with self._told("written"):
            self._connection.execute("INSERT OR REPLACE INTO stretch VALUES (?, ?, ?)", (key, number, pictures))

    def note_sitting(
        self, key: str, path: Path, during: tuple[datetime, datetime], done: DoneSitting, index: str
    ) -> None:
        """Note a sitting that is in the outbox, in place of its stretches.

        Raises:
            JournalError: the disk refuses.
        """
        row = (
            key,
            str(path),
            *(time.isoformat() for time in during),
            done.pictures,
            json.dumps(done.missing),
            index,
            datetime.now(UTC).isoformat(),
        )
        with self._told("written"):
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("INSERT OR REPLACE INTO sitting VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            self._connection.execute("DELETE FROM stretch WHERE key = ?", (key,))
            self._connection.execute("DELETE FROM damaged WHERE key = ?", (key,))
            if done.missing and done.file is not None:
                self._connection.execute("INSERT INTO damaged VALUES (?, ?, ?)", (key, *done.file))
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.rollback()
            raise JournalError(f"the journal {self.path} cannot be {what}: {error}") from None


@contextmanager
def alone(folder: Path, what: Path) -> Iterator[None]:
    """Be the one run of this installation while the block lasts: two would look at the same videos.

    Args:
        folder: of what runs note.
        what: the run takes, for whoever is refused meanwhile.

    Raises:
        JournalError: another run is under way; the message names it.
    """
    note = folder / "running.json"
    with ExitStack() as held:
        try:
            make_private_folder(folder)
            if not held.enter_context(locked_if_free(folder / ".running.lock")):
                raise JournalError(f"another run is under way{_who(note)}: let it end, or stop it")
            make_private_file(note)
            held.callback(note.unlink, missing_ok=True)
            begun = {"process": os.getpid(), "machine": socket.gethostname(), "takes": str(what.absolute())}
            note.write_text(json.dumps(begun | {"since": datetime.now(UTC).isoformat(timespec="seconds")}))
        except OSError as error:  # of a full disk it names no file
            raise JournalError(f"{folder} cannot be used: {error.strerror}") from None
        yield


def _who(note: Path) -> str:
    try:
        said = json.loads(note.read_text())
        return f" (process {said['process']} on {said['machine']}, over {said['takes']}, since {said['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
