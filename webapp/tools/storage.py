"""The database as the pages use it: one short session a request."""

from typing import Any

from flask import Flask, current_app, g, has_request_context, request
from sqlalchemy import ColumnElement, Engine, FromClause, func, select
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.audit.noting import ADDRESS, tell_of_entries
from attendance.database.engine import begin_writing, create_database_engine, session_factory
from attendance.database.health import DatabaseHealth
from attendance.settings import AttendanceSettings
from webapp.tools.names import teach_sqlite

_EXTENSION = "attendance_sessions"
_HEALTH = "attendance_database_health"


def init_storage(app: Flask, url: str, *, pool_size: int, rules: AttendanceSettings) -> None:
    """Give the application its engine and close each request's session when the request ends."""
    engine = create_database_engine(url, pool_size=pool_size)
    teach_sqlite(engine)
    app.extensions[_EXTENSION] = session_factory(engine, rules)
    app.extensions[_HEALTH] = DatabaseHealth(url)
    tell_of_entries(app.extensions[_EXTENSION])
    app.teardown_appcontext(_close_session)


def sessions_of(app: Flask) -> sessionmaker[Session]:
    """The application's session factory, for work outside a request (streams, threads)."""
    factory: sessionmaker[Session] = app.extensions[_EXTENSION]
    return factory


def engine_of(app: Flask) -> Engine:
    """The application's engine, for transactions of their own."""
    engine: Engine = sessions_of(app).kw["bind"]
    return engine


def database_answers() -> bool:
    """Whether the database answers now, found out within two seconds."""
    health: DatabaseHealth = current_app.extensions[_HEALTH]
    return health.answers()


def database() -> Session:
    """The request's session: opened at first use, rolled back and closed with the request unless committed."""
    if "database_session" not in g:
        g.database_session = sessions_of(current_app)()
        if has_request_context():
            g.database_session.info[ADDRESS] = request.remote_addr
    session: Session = g.database_session
    return session


def count_rows(db: Session, table: type[Any] | FromClause, *conditions: ColumnElement[bool]) -> int:
    """How many rows of a table there are that meet the conditions."""
    return db.scalar(select(func.count()).select_from(table).where(*conditions)) or 0


def begin_change() -> Session:
    """The request's session at the start of a transaction that will write; what was read before stays loaded.

    Without it, on SQLite, a change would be refused whenever another process wrote since the page's first read.
    """
    db = database()
    db.commit()
    begin_writing(db)
    return db


def release_database() -> None:
    """Hand the request's connection back early; for answers that go on for minutes."""
    session = g.pop("database_session", None)
    if session is not None:
        session.close()


def _close_session(_error: BaseException | None) -> None:
    release_database()
