"""Where a class session stands at a moment."""

from datetime import datetime, timedelta
from enum import StrEnum

from attendance.database.models import ClassSession


class Phase(StrEnum):
    """Where a class session stands at a moment."""

    SCHEDULED = "scheduled"
    OPEN = "open"  # before the start, attendance counts already
    RUNNING = "running"
    ENDED = "ended"  # over, absences not written yet
    CLOSED = "closed"
    CANCELLED = "cancelled"


def phase_of(session: ClassSession, now: datetime) -> Phase:
    """The session's phase at the moment `now` (aware)."""
    if session.cancelled:
        return Phase.CANCELLED
    if session.closed_at is not None:
        return Phase.CLOSED
    if now >= session.ends_at:
        return Phase.ENDED
    if now >= session.starts_at:
        return Phase.RUNNING
    if now >= session.starts_at - timedelta(minutes=session.early_minutes):
        return Phase.OPEN
    return Phase.SCHEDULED
