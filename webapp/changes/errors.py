"""Why something cannot be added, changed or deleted so."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session

from attendance.errors import AttendanceError


class ChangeError(AttendanceError):
    """Something cannot be added, changed or deleted so; the message says why, in the language of who asks.

    Attributes:
        field: whose value cannot be; "" where it is none's fault.
        conflict: whether it is what else is there that forbids it, and not the value itself.
    """

    def __init__(self, field: str, message: str, *, conflict: bool = False) -> None:
        super().__init__(message)
        self.field = field
        self.conflict = conflict


def is_taken(
    db: Session,
    column: InstrumentedAttribute[Any],
    value: object,
    *within: sa.ColumnElement[bool],
    but: int | None,
) -> bool:
    """Whether another row has a value that must be unique; an empty one is nobody's.

    Args:
        db: of the change.
        column: which must be unique.
        value: that is wanted.
        within: conditions on the rows among which it must be.
        but: the id of the row that is changed; None for a new one.
    """
    others = sa.select(column.class_.id).where(column == value, column.class_.id != (but or 0), *within)
    return bool(value) and db.scalar(others.limit(1)) is not None


def refuse_taken(
    db: Session,
    field: str,
    column: InstrumentedAttribute[Any],
    value: object,
    message: str,
    *within: sa.ColumnElement[bool],
    but: int | None = None,
) -> None:
    """Refuse a value that `is_taken`.

    Args:
        db: of the change.
        field: how a form or a program calls the column.
        column: as of `is_taken`.
        value: the same.
        message: what is wrong.
        within: as of `is_taken`.
        but: the same.

    Raises:
        ChangeError: it is taken.
    """
    if is_taken(db, column, value, *within, but=but):
        raise ChangeError(field, message, conflict=True)


@contextmanager
def unless_meanwhile(db: Session, field: str, message: str) -> Iterator[None]:
    """Write what the block changes; what another took or put there meanwhile is refused with the message.

    Raises:
        ChangeError: a constraint of the database forbids it.
    """
    try:
        yield
        db.flush()
    except IntegrityError:
        db.rollback()
        raise ChangeError(field, message, conflict=True) from None
