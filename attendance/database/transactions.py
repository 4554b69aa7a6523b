"""Transactions that write: run again when another was in the way. How often, with what pause, and when, is said here.

Two processes that write the same rows at once lose a race now and then: the database ends one of them (a deadlock, or a
lock that was waited for too long), or a row is there that was not a moment ago. Run again, the loser sees what the
winner wrote.
"""

import time
from collections.abc import Callable
from itertools import count
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.backoff import full_jitter
from attendance.database.engine import DatabaseError, begin_writing

T = TypeVar("T")

ATTEMPTS = 8
"""How often a lost race is run again before it counts as an error."""
_PATIENCE_S = 20.0
"""After so long a transaction is not run again: the database is away, and somebody waits for an answer."""
_BASE_S, _CAP_S = 0.005, 0.2


def transact(db: Session, work: Callable[[Session], T]) -> T:
    """Do work in a transaction of its own and commit it; when a race is lost, do it again from the beginning.

    What the session read before is committed first. Where this ends with an error, nothing of the work is written.

    Args:
        db: a session with nothing pending. Objects loaded before stay usable, and are read anew after a lost race.
        work: reads and writes with the session it is given, and may be called several times: what it does outside the
            database must bear that.

    Returns:
        What the work returned when it was committed.

    Raises:
        sqlalchemy.exc.DBAPIError: the database is away or refuses; or `ATTEMPTS` races were lost.
    """
    db.commit()
    began = time.monotonic()
    for attempt in count(1):
        try:
            begin_writing(db)
            done = work(db)
            db.commit()
        except Exception as error:
            db.rollback()
            if attempt == ATTEMPTS or time.monotonic() - began > _PATIENCE_S or not is_lost_race(error):
                raise
        else:
            return done
        time.sleep(full_jitter(attempt, base_s=_BASE_S, cap_s=_CAP_S))
    raise AssertionError("unreachable")


def is_lost_race(error: Exception) -> bool:
    """Whether a transaction of several statements may well succeed when it is run again from its beginning.

    Beside what is transient, a row may have come or gone between the transaction's question and its answer.
    """
    return isinstance(error, sa.exc.IntegrityError) or is_transient(error)


def is_transient(error: Exception) -> bool:
    """Whether a failed transaction may well succeed when it is run again: a lock, a deadlock, a lost connection."""
    if not isinstance(error, sa.exc.DBAPIError):
        return False
    return error.connection_invalidated or isinstance(error, sa.exc.OperationalError)


def is_databases_fault(error: Exception) -> bool:
    """Whether any row would have failed: the server is away, a deadlock, a full disk, a missing table.

    Otherwise it is this row that cannot be entered: a value that does not fit, a key that does not exist.
    """
    if isinstance(error, sa.exc.IntegrityError | sa.exc.DataError):
        return False
    return isinstance(
        error, sa.exc.DBAPIError | sa.exc.TimeoutError | sa.exc.DisconnectionError | DatabaseError | OSError
    )


def inserted(db: Session, row: object) -> bool:
    """Insert a row within the caller's transaction, which goes on either way; False when another was first."""
    try:
        with db.begin_nested():
            db.add(row)
    except sa.exc.IntegrityError:
        return False
    return True
