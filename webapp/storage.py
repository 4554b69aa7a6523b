"""The database as the pages use it: one short session a request."""

import sqlite3
import unicodedata
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from flask import Flask, current_app, g
from sqlalchemy.orm import Session, sessionmaker

from database.engine import create_database_engine, session_factory
from database.models import Student

_EXTENSION = "attendance_sessions"
_NAME_COLLATION = "attendance_name"
# Letters that Unicode does not decompose into a base letter and a mark.
_BASE_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "þ": "th"})


def init_storage(app: Flask, url: str, *, pool_size: int) -> None:
    """Give the application its engine and close each request's session when the request ends."""
    engine = create_database_engine(url, pool_size=pool_size)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _add_name_collation)
    app.extensions[_EXTENSION] = session_factory(engine)
    app.teardown_appcontext(_close_session)


def sessions_of(app: Flask) -> sessionmaker[Session]:
    """The application's session factory, for work outside a request (streams, threads)."""
    factory: sessionmaker[Session] = app.extensions[_EXTENSION]
    return factory


def database() -> Session:
    """The request's session: opened at first use, rolled back and closed with the request unless committed."""
    if "database_session" not in g:
        g.database_session = sessions_of(current_app)()
    session: Session = g.database_session
    return session


def by_student_name(db: Session) -> tuple[sa.ColumnElement[Any], ...]:
    """Columns to order students by: as a person reads a list, and always in the same order.

    MySQL and MariaDB compare names by the rules of Unicode; SQLite would put "Łukasz" after "Zoe", so it gets a
    collation.
    """
    name: sa.ColumnElement[Any] = Student.name.expression
    if db.get_bind().dialect.name == "sqlite":
        name = sa.collate(name, _NAME_COLLATION)
    return (name, Student.index_number.expression)


@lru_cache(maxsize=20_000)
def name_key(name: str) -> str:
    """A name without marks and capitals, for ordering: "Łukasz Żak" becomes "lukasz zak"."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c)).translate(_BASE_LETTERS)


def _compare_names(left: str, right: str) -> int:
    left_key, right_key = (name_key(left), left), (name_key(right), right)
    return (left_key > right_key) - (left_key < right_key)


def _add_name_collation(connection: sqlite3.Connection, _record: object) -> None:
    connection.create_collation(_NAME_COLLATION, _compare_names)


def _close_session(_error: BaseException | None) -> None:
    session = g.pop("database_session", None)
    if session is not None:
        session.close()
