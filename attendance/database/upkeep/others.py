"""Who else has the database open: work that replaces all of it must be alone."""

import sqlite3
from contextlib import closing

import sqlalchemy as sa

from attendance.database.engine import DatabaseError, sqlite_file

_PATIENCE_S = 0.5


def require_alone(engine: sa.Engine) -> None:
    """Check that nobody but this process has the database open; the engine's own connections are closed first.

    MariaDB and MySQL list the connections of one's own account, which is that of every program of an installation, on
    whatever machine it runs.

    Raises:
        DatabaseError: somebody has, and is named as far as the database knows; or it cannot be reached.
    """
    engine.dispose()
    others = _open_file(engine) if engine.dialect.name == "sqlite" else _connections(engine)
    if others:
        raise DatabaseError(
            f"the system is running: the database is open to {', '.join(others)}. Stop every program first "
            "(systemctl stop attendance.target), on every machine; nothing was changed"
        )


def _connections(engine: sa.Engine) -> list[str]:
    try:
        with engine.connect() as connection:
            own = connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one()
            rows = connection.exec_driver_sql("SHOW FULL PROCESSLIST").mappings().all()
    except sa.exc.DBAPIError as error:
        raise DatabaseError(f"the database cannot be used: {error.orig}") from None
    found = [row for row in rows if row["Id"] != own and row["db"] == engine.url.database]
    return [f"connection {row['Id']} from {row['Host']}, {row['Time']} s at {row['Command']}" for row in found]


def _open_file(engine: sa.Engine) -> list[str]:
    """SQLite leaves its log (WAL) for an ordinary journal only while nobody else has the file open."""
    file = sqlite_file(engine)
    if file is None or not file.exists():
        return []
    uri = f"{file.absolute().as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE_S)) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if mode == "wal":
                connection.execute("PRAGMA journal_mode=DELETE")
                connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            return ["another program"]
        raise DatabaseError(f"the database {file} cannot be used: {error}") from None
    except sqlite3.DatabaseError:
        return []  # no database any more; which is what a backup is put in the place of
    return []
