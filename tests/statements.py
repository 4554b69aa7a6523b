"""SQL is compiled once a process, not once a database. A pytest plugin.

SQLAlchemy keeps what it made of a statement with the engine: https://docs.sqlalchemy.org/en/20/core/connections.html
("SQL Compilation Caching"). A program has one; here each test has its own, and compiling the statements of a page again
took half the time of the test. So all engines share what they made, as the requests of a program do.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache

_MOST = 4_000
"""Statements kept; the product has about half as many."""


def pytest_configure() -> None:
    """Give every engine the same cache; its keys name the dialect, so that dialects of one database are one."""
    shared: LRUCache[Any, Any] = LRUCache(_MOST)
    begin = sa.Engine.__init__

    def begin_with_it(engine: sa.Engine, *given: Any, **named: Any) -> None:
        begin(engine, *given, **named)
        if engine._compiled_cache is not None:
            engine._compiled_cache = shared

    for owner, name, put in (
        (sa.Engine, "__init__", begin_with_it),
        (DefaultDialect, "__eq__", lambda own, other: _kind(own) == _kind(other)),
        (DefaultDialect, "__hash__", lambda own: hash(type(own))),
    ):
        setattr(owner, name, put)


def _kind(dialect: Any) -> tuple[Any, ...]:
    """What SQL depends on."""
    return type(dialect), getattr(dialect, "server_version_info", None), getattr(dialect, "is_mariadb", None)
