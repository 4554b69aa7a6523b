"""Databases of MariaDB for tests, with every table and no rows: lent to one test after another, emptied in between.

Making sixty tables and dropping them takes a third of a second, and there are hundreds of such tests. A database that
is not as it was made, but for rows, is dropped and made anew.
"""

# ruff: noqa: S608 - every name in a statement is our own

import contextlib
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymysql

from attendance.database.engine import create_database_engine, upgrade
from tests.mariadb import MariaDb

_COUNTER = re.compile(r" AUTO_INCREMENT=\d+")
_VERSION = "alembic_version"
_PATIENCE_S = 10
"""For what a test that is over still holds."""

Rows = list[tuple[Any, ...]]
Tables = dict[str, str]
"""The statement that makes each table, with the counter of its rows where that has begun."""


class Lender:
    """Lends databases of a server to tests."""

    def __init__(self, server: MariaDb) -> None:
        self._server = server
        self._returned: list[str] = []
        self._statements: list[str] = []
        self._shape: list[Any] = []

    @contextmanager
    def lend(self) -> Iterator[str]:
        """The name of a database with every table and no rows."""
        name = self._emptied() or self._made()
        try:
            yield name
        finally:
            # It is emptied when it is needed again: a server that a test kills may forget what it just did.
            self._returned.append(name)

    def _emptied(self) -> str | None:
        while self._returned:
            name = self._returned.pop()
            with self._server.connect() as connection:
                if _empty(connection, name, self._shape):
                    return name
                _ask(connection, f"DROP DATABASE IF EXISTS `{name}`")
        return None

    def _made(self) -> str:
        with self._server.connect() as connection:
            if not self._statements:
                self._statements = self._migrated(connection)
            name = _new_database(connection)
            for statement in [f"USE `{name}`", *self._statements]:
                _ask(connection, statement)
            connection.commit()
            self._shape = self._shape or _shape(connection, name, _tables(connection, name))
        return name

    def _migrated(self, connection: Any) -> list[str]:
        """What makes the tables as the migrations leave them, in a fifth of their time."""
        name = _new_database(connection)
        engine = create_database_engine(self._server.url(name))
        upgrade(engine)
        engine.dispose()
        ((version,),) = _ask(connection, f"SELECT version_num FROM `{name}`.{_VERSION}")
        made = _tables(connection, name).values()
        _ask(connection, f"DROP DATABASE `{name}`")
        return ["SET foreign_key_checks = 0", *made, f"INSERT INTO {_VERSION} VALUES ('{version}')"]


def _new_database(connection: Any) -> str:
    name = f"test_{secrets.token_hex(6)}"
    _ask(connection, f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
    return name


def _empty(connection: Any, name: str, shape: list[Any]) -> bool:
    """Take all rows out of a database; False where it is not what was lent, or something holds on to it."""
    try:
        for (number,) in _ask(connection, f"SELECT id FROM information_schema.processlist WHERE db = '{name}'"):
            with contextlib.suppress(pymysql.err.OperationalError):  # it ended by itself
                _ask(connection, f"KILL {number}")
        tables = _tables(connection, name)
        if _shape(connection, name, tables) != shape:
            return False
        for statement in ("SET foreign_key_checks = 0", f"SET lock_wait_timeout = {_PATIENCE_S}"):
            _ask(connection, statement)
        for table in _used(connection, name, tables):
            _ask(connection, f"TRUNCATE TABLE `{name}`.`{table}`")
    except pymysql.err.MySQLError:
        return False
    return True


def _tables(connection: Any, name: str) -> Tables:
    names = sorted(table for (table,) in _ask(connection, f"SHOW TABLES FROM `{name}`"))
    return {table: _ask(connection, f"SHOW CREATE TABLE `{name}`.`{table}`")[0][1] for table in names}


def _shape(connection: Any, name: str, tables: Tables) -> list[Any]:
    """What a database is, but for its rows."""
    triggers = f"SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = '{name}'"
    ((_, database),) = _ask(connection, f"SHOW CREATE DATABASE `{name}`")
    version = _ask(connection, f"SELECT * FROM `{name}`.{_VERSION}")
    statements = {table: _COUNTER.sub("", statement) for table, statement in tables.items()}
    return [database.replace(name, ""), version, _ask(connection, triggers), statements]


def _used(connection: Any, name: str, tables: Tables) -> list[str]:
    """The tables that have rows, or had some and count on."""
    own = [table for table in tables if table != _VERSION]
    asked = " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM `{name}`.`{table}`)" for table in own)
    filled = {table for (table,) in _ask(connection, asked)}
    return [table for table in own if table in filled or _COUNTER.search(tables[table])]


def _ask(connection: Any, statement: str) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())
