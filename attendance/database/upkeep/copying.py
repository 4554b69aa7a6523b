"""Copying every row of one database into another, empty one, of either kind."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from attendance.database.engine import DatabaseError, require_current_schema, upgrade
from attendance.database.models import Base

_ROWS = 500
"""Rows read and written at a time: pictures are up to 16 MB each, all else is small."""


def copy_database(
    source: sa.Engine, target: sa.Engine, *, tell: Callable[[str, int], None] = lambda _table, _rows: None
) -> dict[str, int]:
    """Copy all rows, keys included, and compare both sides; the target gets all of them or none.

    Args:
        source: has the current schema; read as it is at one moment, while others go on.
        target: has no rows; its tables are made when there are none.
        tell: called with each table's name and its rows copied so far.

    Returns:
        For each table how many rows were copied.

    Raises:
        DatabaseError: both are one database, the source has another schema, the target holds rows, a row does not fit,
            or what was written is not what was read.
    """
    if source.url.render_as_string(hide_password=False) == target.url.render_as_string(hide_password=False):
        raise DatabaseError("the source and the target are the same database")
    require_current_schema(source)
    upgrade(target)
    with _snapshot(source) as reading, target.connect() as writing, writing.begin():
        _require_empty(writing)
        copied = {table.name: _copy(table, reading, writing, tell) for table in Base.metadata.sorted_tables}
        for table in Base.metadata.sorted_tables:
            if _digest(table, reading) != _digest(table, writing):
                raise DatabaseError(f"the table {table.name} was not the same after copying; nothing was kept")
    return copied


@contextmanager
def _snapshot(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection that sees the database as it is now, whatever others write meanwhile."""
    # Pictures must not pile up in memory: rows are fetched as they are read.
    with engine.connect().execution_options(yield_per=_ROWS) as connection:
        if engine.dialect.name == "sqlite":
            # SQLite's transaction takes its snapshot with the first read.
            connection.execute(sa.text("SELECT count(*) FROM alembic_version"))
        else:
            connection.execution_options(isolation_level="REPEATABLE READ")
            connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        yield connection


def _require_empty(connection: sa.Connection) -> None:
    for table in Base.metadata.sorted_tables:
        if connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None:
            raise DatabaseError(f"the target already holds rows (in the table {table.name}): copy into an empty one")


def _copy(table: sa.Table, reading: sa.Connection, writing: sa.Connection, tell: Callable[[str, int], None]) -> int:
    rows = 0
    for part in _parts(table, reading):
        try:
            writing.execute(sa.insert(table), part)
        except sa.exc.DBAPIError as error:
            raise DatabaseError(f"a row of the table {table.name} does not fit the target: {error.orig}") from None
        rows += len(part)
        tell(table.name, rows)
    return rows


def _parts(table: sa.Table, connection: sa.Connection) -> Iterator[Sequence[dict[str, Any]]]:
    for part in connection.execute(_all_rows(table)).mappings().partitions(_ROWS):
        yield [dict(row) for row in part]


def _all_rows(table: sa.Table) -> sa.Select[Any]:
    return sa.select(table).order_by(*table.primary_key.columns)


def _digest(table: sa.Table, connection: sa.Connection) -> str:
    """SHA-256 of a table's rows in the order of their keys, as the models read them on any database."""
    digest = hashlib.sha256()
    for part in _parts(table, connection):
        for row in part:
            digest.update(repr(list(row.values())).encode())
    return digest.hexdigest()
