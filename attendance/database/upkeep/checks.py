"""Standing checks: what the worker looks after by itself, so that the doctor and the metrics can say it of now."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from attendance.database.models import StandingCheck

CHECKED_EVERY = timedelta(minutes=5)
"""So often each is looked at, by all workers together."""
WORK, PROVIDER, SEALS, CERTIFICATE = "work", "provider", "seals", "certificate"
ENDS = "ends"
"""In what is found of the certificate: when it ends, ISO 8601."""


def is_due(db: Session, name: str, now: datetime) -> bool:
    """Whether a check was not made for long enough."""
    row = db.get(StandingCheck, name)
    return row is None or now - row.checked_at >= CHECKED_EVERY or row.checked_at > now


def note_check(
    db: Session, name: str, problem: str | None, *, found: Mapping[str, object] | None = None, now: datetime
) -> bool:
    """Write down what a check found, in the caller's transaction.

    Args:
        db: begun with `begin_writing`.
        name: of the check.
        problem: a sentence for people; None: all is well.
        found: what is to be compared the next time; kept only where all is well.
        now: aware.

    Returns:
        Whether what was found is another than the last time that all was well.
    """
    row = db.get(StandingCheck, name, with_for_update=True, populate_existing=True)
    if row is None:
        row = StandingCheck(name=name)
        db.add(row)
    row.checked_at, row.problem = now, problem
    if problem is not None:
        row.failing_since = row.failing_since or now
        return False
    row.failing_since = None
    changed = found is not None and row.found is not None and row.found != dict(found)
    if changed:
        row.changed_at = now
    row.found = None if found is None else dict(found)
    return changed


def forget_check(db: Session, name: str) -> None:
    """What was checked is not used any more, in the caller's transaction."""
    row = db.get(StandingCheck, name)
    if row is not None:
        db.delete(row)
