"""Leaving nothing of deleted rows in the files of a database."""

import sqlite3
import time

import sqlalchemy as sa

from attendance.database.engine import DatabaseError
from attendance.database.locks import impatient
from attendance.database.models import (
    AuditEntry,
    Base,
    Erasure,
    GalleryJob,
    GalleryJobPhoto,
    ImportedFile,
    ImportedFilePart,
    QueuedMail,
    Student,
)

PATIENCE_S = 30.0
"""How long an erasure waits for those who read a state of the database from before it, seconds."""
_TRY_S, _PAUSE_S = 0.2, 0.1
"""One try at emptying the log, during which others cannot write, and the pause in which they can, seconds."""
_LOCK_S = 1
"""How long a table is waited for at a time on a server, while others wait behind, seconds."""
_BY_NUMBER = (AuditEntry, Erasure, GalleryJob, GalleryJobPhoto, ImportedFile, ImportedFilePart, QueuedMail)
"""What tells of students without referring to their rows."""


def forget_deleted_rows(engine: sa.Engine, *, patience_s: float = PATIENCE_S) -> None:
    """Let nothing of deleted rows stay in the files of an SQLite database.

    SQLite overwrites what is deleted (`secure_delete`), but in its write-ahead log first. The file itself is
    overwritten when the log is copied into it, and the log is cut off when nobody reads an older state any more:
    https://www.sqlite.org/pragma.html#pragma_wal_checkpoint. So this is tried again until readers let go.

    MariaDB and MySQL are left alone: they purge deleted rows by themselves, later; see `rebuild_tables`.

    Args:
        engine: the database; the deletion is committed.
        patience_s: how long it is tried.

    Raises:
        DatabaseError: somebody read on for so long. Until it succeeds, what was deleted can be read in the files.
    """
    if engine.dialect.name != "sqlite":
        return
    deadline = time.monotonic() + patience_s
    while not _empty_log(engine):
        if time.monotonic() >= deadline:
            raise DatabaseError(
                f"what was deleted can still be read in the files of the database {engine.url.database}, because "
                "another program has been reading a state from before, without a pause"
            )
        time.sleep(_PAUSE_S)


def rebuild_tables(engine: sa.Engine, *, patience_s: float = PATIENCE_S) -> None:
    """Write the tables that tell of students anew on MariaDB and MySQL, so that no page holds what was deleted.

    InnoDB only marks deleted rows, and leaves them in free space. `OPTIMIZE TABLE` makes a new file of each table from
    what is there, while others read and write it (https://mariadb.com/kb/en/optimize-table/). It takes time and disk
    space by the size of the tables. It begins and ends with a moment in which nobody else may be at the table; since
    others queue behind it then, it waits for that a second at a time. SQLite needs none of it, and is left alone.

    Args:
        engine: the database; the deletion is committed.
        patience_s: how long those who are at a table are waited for in all, seconds.

    Raises:
        DatabaseError: somebody was at a table for so long, or the server refuses, for want of a right or of space; the
            message says which table.
    """
    if engine.dialect.name == "sqlite":
        return
    deadline = time.monotonic() + patience_s
    for table in tables_of_students():
        while (refused := _rebuild(engine, table)) is not None:
            if time.monotonic() >= deadline:
                raise DatabaseError(
                    f"the database server has not written the table {table} anew, whose free space may hold what was "
                    f"deleted: {refused}"
                )
            time.sleep(_PAUSE_S)


def _rebuild(engine: sa.Engine, table: str) -> str | None:
    """Write a table anew; why it could not be, or None."""
    quoted = engine.dialect.identifier_preparer.quote(table)
    with engine.connect() as connection:
        try:
            connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {_LOCK_S}")
            rows = connection.exec_driver_sql(f"OPTIMIZE TABLE {quoted}").all()
        except sa.exc.SQLAlchemyError as error:
            return str(getattr(error, "orig", error))
        finally:
            connection.invalidate()  # its timeout is nobody else's
    return next((str(text) for *_, kind, text in rows if str(kind).lower() == "error"), None)


def tables_of_students() -> list[str]:
    """The names of the tables that refer to students, by way of others too, and of those that know their numbers."""
    told = {Student.__tablename__, *(model.__tablename__ for model in _BY_NUMBER)}
    # A table comes after those that it refers to.
    for table in Base.metadata.sorted_tables:
        if any(key.column.table.name in told for key in table.foreign_keys):
            told.add(table.name)
    return [table.name for table in Base.metadata.sorted_tables if table.name in told]


def _empty_log(engine: sa.Engine) -> bool:
    """Copy the write-ahead log into the database's file and cut it off; whether all of it could be."""
    with engine.connect() as connection, impatient(connection, _TRY_S):
        # Past SQLAlchemy's transaction, in which a checkpoint would do nothing.
        cursor = connection.connection.cursor()
        try:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            busy = (cursor.fetchone() or (1,))[0]
        except sqlite3.OperationalError:  # somebody else is at it
            busy = 1
        finally:
            cursor.close()
    return not busy
