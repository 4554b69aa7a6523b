"""Series: which sessions belong together, and which of them a person deleted for good."""

import secrets
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import Audience
from attendance.database.models import ClassSession, DroppedOccurrence, SeriesOrigin, SessionSeries


def new_series(db: Session, origin: SeriesOrigin, audience: Audience, *, uid: str | None = None) -> SessionSeries:
    """Add a series, in the caller's transaction.

    Args:
        db: begun with `begin_writing`.
        origin: what it is made from.
        audience: the first of its sessions.
        uid: its identifier in the system that it comes from; None makes one.
    """
    series = SessionSeries(
        uid=uid or f"{origin.value}-{secrets.token_hex(16)}",
        external=uid is not None,
        origin=origin,
        course_id=audience.course_id,
        group_id=audience.group_id,
    )
    db.add(series)
    db.flush()
    return series


def delete_sessions(db: Session, sessions: Sequence[ClassSession]) -> None:
    """Delete sessions with their registers, in the caller's transaction.

    Series remember it: a timetable that is imported again does not bring them back.
    """
    dropped = {
        (session.series_id, session.planned_at)
        for session in sessions
        if session.series_id is not None and session.planned_at is not None
    }
    known = sa.select(DroppedOccurrence.series_id, DroppedOccurrence.planned_at).where(
        DroppedOccurrence.series_id.in_({series_id for series_id, _ in dropped})
    )
    before = {(series_id, planned_at) for series_id, planned_at in db.execute(known)} if dropped else set()
    db.add_all(
        DroppedOccurrence(series_id=series_id, planned_at=planned_at) for series_id, planned_at in dropped - before
    )
    db.execute(sa.delete(ClassSession).where(ClassSession.id.in_([session.id for session in sessions])))
    db.flush()
