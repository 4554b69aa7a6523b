"""The mechanism of every queue in the database: claimed with a lease, ended, put off.

A worker claims a row for some minutes, does what it says, and writes down how that ended. Whoever claims it counts an
attempt, and only the last attempt may write: a worker whose time ran out changes nothing. So any number of workers may
run, and what one was carrying out when it died is due again when its lease ends.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.engine import DatabaseError
from attendance.database.models.queues import Queued, QueueState
from attendance.database.transactions import transact
from attendance.database.types import UtcDateTime

_CANDIDATES = 10
_RETRY_S = 2.0

R = TypeVar("R", bound=Queued)


def claim(
    db: Session,
    kind: type[R],
    *,
    now: datetime,
    lease: timedelta,
    first: sa.ColumnExpressionArgument[Any] | None = None,
    only: sa.ColumnElement[bool] | None = None,
) -> R | None:
    """Take the row that is due next, in the caller's transaction; it is the caller's until the lease ends.

    Args:
        db: begun with `begin_writing`.
        kind: the table.
        now: aware.
        lease: longer than carrying one out takes.
        first: what goes before the time in the order; smaller first.
        only: a further condition on what is due.

    Returns:
        The row as claimed; None when none is due.
    """
    due = is_due(kind, now)
    query = sa.select(kind.id).where(due) if only is None else sa.select(kind.id).where(due, only)
    order = [kind.not_before, kind.id] if first is None else [first, kind.not_before, kind.id]
    for number in db.scalars(query.order_by(*order).limit(_CANDIDATES)).all():
        values = {
            "state": QueueState.SENDING,
            "attempts": kind.attempts + 1,
            "leased_until": now + lease,
            "first_tried_at": sa.func.coalesce(kind.first_tried_at, now, type_=UtcDateTime),
        }
        # On databases where readers do not wait, another worker may have been quicker.
        if changed(db, sa.update(kind).where(kind.id == number, due).values(values)):
            return db.get_one(kind, number, populate_existing=True)
    return None


def is_due(kind: type[Queued], now: datetime) -> sa.ColumnElement[bool]:
    """The condition that a row waits and its time has come, or that the worker which carried it out died."""
    return sa.or_(
        sa.and_(kind.state == QueueState.WAITING, kind.not_before <= now),
        sa.and_(kind.state == QueueState.SENDING, kind.leased_until <= now),
    )


def in_work(kind: type[Queued], now: datetime) -> sa.ColumnElement[bool]:
    """The condition that a worker is carrying a row out."""
    return sa.and_(kind.state == QueueState.SENDING, kind.leased_until > now)


def note_sent(db: Session, row: Queued, *, now: datetime, **values: Any) -> bool:
    """The other side has taken it; False where the lease ended before and it is somebody else's."""
    return _settle(db, row, state=QueueState.SENT, ended_at=now, last_error=None, **values)


def note_failed(db: Session, row: Queued, reason: str, *, now: datetime, **values: Any) -> bool:
    """It will not be tried again; the reason is a sentence for people."""
    return _settle(db, row, state=QueueState.FAILED, ended_at=now, last_error=reason, **values)


def note_dropped(db: Session, row: Queued, reason: str, *, now: datetime, **values: Any) -> bool:
    """Nobody wants it any more; the reason is a sentence for people."""
    return _settle(db, row, state=QueueState.DROPPED, ended_at=now, last_error=reason, **values)


def put_back(db: Session, row: Queued, reason: str, *, not_before: datetime, **values: Any) -> bool:
    """It was not taken for now: it is due again then; the reason is a sentence for people."""
    values |= {"ended_at": None, "last_error": reason, "not_before": not_before}
    return _settle(db, row, state=QueueState.WAITING, **values)


def write_down(
    db: Session, note: Callable[[Session], object], *, patience: timedelta, stopping: threading.Event
) -> None:
    """Write how an attempt ended, through a while without the database: what was taken must not be sent again.

    Args:
        db: a session with nothing pending.
        note: writes it, in a transaction of its own; called again until that is committed.
        patience: for how long; the rest of the lease.
        stopping: once it is set, nothing is waited for.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database is still away, or refuses; the row is due again with its lease.
    """
    until = time.monotonic() + patience.total_seconds()
    while True:
        try:
            transact(db, note)
            return
        except (sa.exc.SQLAlchemyError, DatabaseError):
            if stopping.is_set() or time.monotonic() > until:
                raise
            with contextlib.suppress(sa.exc.SQLAlchemyError):
                db.rollback()
            stopping.wait(_RETRY_S)


def try_again(db: Session, row: Queued, *states: QueueState, now: datetime) -> bool:
    """Let a row that has ended be tried again, as if it were new, in the caller's transaction.

    Args:
        db: begun with `begin_writing`.
        row: of any state.
        states: in which it may be; FAILED unless given.
        now: aware.

    Returns:
        False unless it was in one of the states.
    """
    kind = type(row)
    again = sa.update(kind).where(kind.id == row.id, kind.state.in_(states or (QueueState.FAILED,)))
    values = {
        "state": QueueState.WAITING,
        "not_before": now,
        "first_tried_at": None,
        "ended_at": None,
    }
    return changed(db, again.values(values))


def changed(db: Session, statement: sa.Update) -> bool:
    """Carry an update out; whether it changed a row."""
    done = db.execute(statement, execution_options={"synchronize_session": False})
    return bool(done.rowcount)  # type: ignore[attr-defined]  # of an update it is a CursorResult


def _settle(db: Session, row: Queued, **values: Any) -> bool:
    """Write how an attempt ended, unless another attempt has begun since."""
    kind = type(row)
    mine = sa.and_(kind.id == row.id, kind.attempts == row.attempts, kind.state == QueueState.SENDING)
    return changed(db, sa.update(kind).where(mine).values(leased_until=None, **values))
