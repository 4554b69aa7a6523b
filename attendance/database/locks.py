"""Work that must be done by one at a time, whichever process or machine asks."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from attendance.database.engine import BEGIN_MODE, DatabaseError

_WAIT_S = 10
_BRIEFLY_S = 0.05


@contextmanager
def exclusive(engine: sa.Engine, name: str) -> Iterator[sa.Connection]:
    """A transaction beside which no other of the same name runs on this database; committed when the block ends well.

    For counting and then writing, where there is no row to lock. On SQLite it holds the database's one write lock.
    MySQL and MariaDB have locks by name; they are the server's, so the database's name is part of it.

    Args:
        engine: the database.
        name: up to 30 characters.

    Raises:
        DatabaseError: others held the lock for ten seconds.
    """
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            with connection.execution_options(**{BEGIN_MODE: "IMMEDIATE"}).begin():
                yield connection
            return
        # MySQL takes up to 64 characters; a hash keeps within them, whatever the database is called.
        key = sa.func.concat(name, ":", sa.func.md5(sa.func.database()))
        if connection.scalar(sa.select(sa.func.get_lock(key, _WAIT_S))) != 1:
            raise DatabaseError(f"others held the lock {name} for {_WAIT_S} seconds")
        connection.commit()
        try:
            with connection.begin():
                yield connection
        finally:
            # Not before the commit: whoever comes next must see what was written.
            connection.execute(sa.select(sa.func.release_lock(key)))
            connection.commit()


def in_passing(engine: sa.Engine, statement: sa.Executable) -> bool:
    """Execute one statement in a transaction of its own, unless it would have to wait: nobody depends on it.

    Args:
        engine: the database.
        statement: one that writes.

    Returns:
        Whether it was executed.
    """
    try:
        with engine.connect() as connection, impatient(connection, _BRIEFLY_S), connection.begin():
            connection.execute(statement)
    except sa.exc.SQLAlchemyError:
        return False
    return True


@contextmanager
def impatient(connection: sa.Connection, longest_s: float) -> Iterator[None]:
    """Wait for locks no longer than for some seconds, on a server at least for one; afterwards as long as before.

    https://www.sqlite.org/pragma.html#pragma_busy_timeout, in milliseconds;
    https://mariadb.com/kb/en/innodb-system-variables/#innodb_lock_wait_timeout, in seconds.
    """
    if connection.dialect.name == "sqlite":
        read, write, brief = "PRAGMA busy_timeout", "PRAGMA busy_timeout = {}", round(longest_s * 1000)
    else:
        read, write = "SELECT @@innodb_lock_wait_timeout", "SET innodb_lock_wait_timeout = {}"
        brief = max(1, round(longest_s))
    before = connection.exec_driver_sql(read).scalar()
    connection.exec_driver_sql(write.format(brief))
    connection.rollback()
    try:
        yield
    finally:
        connection.exec_driver_sql(write.format(before))
        connection.rollback()
