"""The outbox's file: made for its owner alone, checked, and brought up to date before it is used."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from attendance.private_files import make_private_file
from recognition_service.outbox.rows import (
    DELETE_ORPHANS,
    ERASED_TABLE,
    EVIDENCE_INDEX,
    EVIDENCE_TABLE,
    HEALTH_TABLE,
    OBSERVATION_TABLE,
    SIGHTING_INDEX,
    SIGHTING_TABLE,
    bring_observation_up_to_date,
    bring_sightings_up_to_date,
)

_APPLICATION_ID = 0x41545442  # "ATTB" in SQLite's header: another program's file is refused, not written into
SCHEMA_VERSION = 4
"""1 kept sightings only, 2 evidence beside them, 3 observation, and how frames came, 4 which sightings are held. A file
of an older one is brought up to date; a program of then refuses one of now, but goes on with one that it has open."""
BUSY_S = 10.0
"""How long others who use the file are waited for, seconds."""


def make_durable_file(path: Path) -> None:
    """Make the file, for its owner alone, and its folder entry durable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    make_private_file(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def file_identity(path: Path) -> tuple[int, int] | None:
    """What tells the file from another of its name; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def open_file(path: Path) -> sqlite3.Connection:
    """Open an outbox's file, which is there, and bring it up to date.

    Raises:
        sqlite3.Error: it is damaged, of something else or of a newer version, or others use it without a pause.
    """
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
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
    if version > SCHEMA_VERSION:
        raise sqlite3.DatabaseError("it was written by a newer version of this program")
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(f"it is damaged ({found})")
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise sqlite3.OperationalError("write-ahead logging does not work there (a network file system?)")
    connection.execute("PRAGMA synchronous = FULL")  # in WAL mode: every commit is synced before it returns
    connection.execute("PRAGMA secure_delete = ON")  # who was seen where does not linger in free pages
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(SIGHTING_TABLE)
    bring_sightings_up_to_date(connection)
    connection.execute(SIGHTING_INDEX)
    connection.execute(OBSERVATION_TABLE)
    bring_observation_up_to_date(connection)
    connection.execute(HEALTH_TABLE)
    connection.execute(EVIDENCE_TABLE)
    connection.execute(EVIDENCE_INDEX)
    connection.execute(ERASED_TABLE)
    connection.execute(DELETE_ORPHANS)
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def empty_log(connection: sqlite3.Connection) -> bool:
    """Move the write-ahead log into the file, where `secure_delete` has overwritten what was deleted, and cut it off.

    Returns:
        Whether it was done; not while others read or write. They are not waited for: sightings must not wait either.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError:  # others are emptying it
        return False
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000:.0f}")


def roll_back(connection: sqlite3.Connection) -> None:
    """End a transaction that is open without its changes."""
    if connection.in_transaction:
        with suppress(sqlite3.Error):
            connection.rollback()
