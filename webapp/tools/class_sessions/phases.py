"""Where a class session stands at a moment."""

from datetime import datetime, timedelta
from enum import StrEnum

from flask_babel import lazy_gettext

from attendance.database.models import ClassSession


class Phase(StrEnum):
    """Where a class session stands at a moment."""

    SCHEDULED = "scheduled"
    OPEN = "open"  # before the start, attendance counts already
    RUNNING = "running"
    ENDED = "ended"  # over, absences not written yet
    CLOSED = "closed"
    CANCELLED = "cancelled"


PHASE_WORDS = {
    Phase.SCHEDULED: lazy_gettext("Scheduled"),
    Phase.OPEN: lazy_gettext("Doors open"),
    Phase.RUNNING: lazy_gettext("Running now"),
    Phase.ENDED: lazy_gettext("Closing"),
    Phase.CLOSED: lazy_gettext("Closed"),
    Phase.CANCELLED: lazy_gettext("Cancelled"),
}


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
