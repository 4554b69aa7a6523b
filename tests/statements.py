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

    def share(engine: sa.Engine, own: LRUCache[Any, Any] | None) -> None:
        vars(engine)["_compiled_cache"] = None if own is None else shared

    for owner, name, put in (
        # Not its __init__: `create_engine` reads from the signature of that which arguments an engine takes.
        (sa.Engine, "_compiled_cache", property(lambda engine: vars(engine)["_compiled_cache"], share)),
        (DefaultDialect, "__eq__", lambda own, other: _kind(own) == _kind(other)),
        (DefaultDialect, "__hash__", lambda own: hash(type(own))),
    ):
        setattr(owner, name, put)


def _kind(dialect: Any) -> tuple[Any, ...]:
    """What SQL depends on."""
    return type(dialect), getattr(dialect, "server_version_info", None), getattr(dialect, "is_mariadb", None)
