"""What a person makes of a session: moving, cancelling, restoring. Imports leave alone what a person changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from attendance.database.audiences import set_rooms
from attendance.database.models import ClassSession, SessionState, utc_now
from attendance.database.register import apply_session_times


@dataclass(frozen=True, slots=True)
class Placement:
    """When and where a session is.

    Attributes:
        starts_at: aware.
        ends_at: aware, later.
        room_ids: at least one, the first one first.
    """

    starts_at: datetime
    ends_at: datetime
    room_ids: Sequence[int]


def move(
    db: Session, session: ClassSession, placement: Placement, *, account_id: int, now: datetime | None = None
) -> None:
    """Give a session other times or rooms, in the caller's transaction; its register follows.

    Args:
        db: begun with `begin_writing`; the rooms are locked and free then.
        session: of any state.
        placement: the new one.
        account_id: who moves it.
        now: when, aware; the present unless given.
    """
    session.starts_at, session.ends_at = placement.starts_at, placement.ends_at
    set_rooms(session, placement.room_ids)
    _sign(session, account_id, now)
    apply_session_times(db, session, now)


def cancel(db: Session, session: ClassSession, *, reason: str, account_id: int, now: datetime | None = None) -> None:
    """Let a session not take place, in the caller's transaction.

    Nobody is expected in it any more, and cameras count for nobody. Entries that are there stay, and count for nothing
    until it is restored.
    """
    if session.cancelled:
        session.cancelled_reason = reason or session.cancelled_reason
        return
    session.state, session.cancelled_reason = SessionState.CANCELLED, reason or None
    _sign(session, account_id, now)
    db.flush()


def restore(db: Session, session: ClassSession, *, account_id: int, now: datetime | None = None) -> None:
    """Let a cancelled session take place after all, in the caller's transaction; its rooms are locked and free.

    One that ended while it was cancelled was closed without anybody, and is closed again.
    """
    if not session.cancelled:
        return
    cancelled_at = session.changed_at
    if session.closed_at is not None and cancelled_at is not None and session.closed_at >= cancelled_at:
        session.closed_at = session.closed_as = None
    session.state, session.cancelled_reason = SessionState.SCHEDULED, None
    _sign(session, account_id, now)
    db.flush()


def _sign(session: ClassSession, account_id: int, now: datetime | None) -> None:
    session.changed_at, session.changed_by_id = now or utc_now(), account_id
