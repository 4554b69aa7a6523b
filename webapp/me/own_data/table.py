"""What the tables of *my data* are made of: cells, rows, and how moments, people and sessions are said."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import parts
from attendance.database.models import (
    Account,
    ClassSession,
)
from webapp.tools.class_sessions.words import audience_codes, room_names
from webapp.tools.times import local

Cell = str | int | float | bool | None
Row = dict[str, Cell]

AT_ONCE = 200
"""Rows of one step."""


@dataclass(frozen=True)
class OwnTable:
    """One table of the download.

    Attributes:
        name: of its files.
        says: what it holds, for the student.
        columns: in order.
        rows: of a student, by the student's id.
    """

    name: str
    says: str
    columns: Sequence[str]
    rows: Callable[[Session, int], Iterator[Row]]


def moment_text(moment: datetime | None) -> str | None:
    """A moment in the institution's time zone, ISO 8601, to the second."""
    return None if moment is None else local(moment).isoformat(timespec="seconds")


def name_of(account: Account | None) -> str | None:
    """The name of somebody who decided something, where the account is still there."""
    return None if account is None else account.name


def each(db: Session, query: sa.Select[Any]) -> Iterator[Any]:
    """The rows of a query for one entity, some at a time, forgotten when they have been read."""
    for some in db.scalars(query.execution_options(yield_per=AT_ONCE)).partitions():
        yield from some
        db.expunge_all()


def _session_cells(session: ClassSession) -> Row:
    return {
        "courses": audience_codes(session),
        "starts_at": moment_text(session.starts_at),
        "ends_at": moment_text(session.ends_at),
        "rooms": room_names(session),
    }


SESSION = ("courses", "starts_at", "ends_at", "rooms")


def sessions_by_id(db: Session, ids: sa.Select[Any]) -> dict[int, Row]:
    """What is said of each of these sessions, by its id; a term has some hundreds."""
    # Not step by step: what belongs to a session is read by statements of its own, in the middle of the first one.
    query = sa.select(ClassSession).options(*parts()).where(ClassSession.id.in_(ids))
    return {session.id: _session_cells(session) for session in db.scalars(query)}
