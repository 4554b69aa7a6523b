"""Minutes that kept frames say were watched, of sessions that are closed: they make absences, so they are held, too."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session, contains_eager, joinedload

from attendance.database.audiences import TAKES_PLACE, is_held_in
from attendance.database.conclusions import SHORTEST_WATCH, watch_begins
from attendance.database.models import ClassSession, HeldObservation, Observation, Room, utc_now
from attendance.database.transactions import ATTEMPTS, inserted
from attendance.database.watching.observation import Observed, bits_between
from attendance.database.watching.rooms import known_camera

log = structlog.get_logger()

_HOUR = timedelta(hours=1)


def hold_late_minutes(db: Session, observed: Observed, *, now: datetime | None = None) -> Observed:
    """Hold what was watched of closed sessions by other than live frames, in the caller's transaction.

    Any order and any repetition leaves the same rows. What comes of an hour of a session that a person accepted counts
    at once; of one that was refused nothing does. Begin the transaction with `begin_writing`.

    Args:
        db: the caller's session.
        observed: what a service reports.
        now: when it came, aware; the present unless given.

    Returns:
        What counts at once: the rest.
    """
    late = observed.by_kept
    if not late:
        return observed
    known, left = _known(db, observed), observed
    for session in _closed_sessions(db, observed):
        mine = late & bits_between(observed.hour, watch_begins(session), session.ends_at)
        if not mine:
            continue
        late &= ~mine  # a minute of two sessions is asked about once
        # Of minutes that were watched they tell nothing that may change a closed register: the faces in them.
        if not _hold(db, session, observed.only(mine & ~known), now or utc_now()):
            left = left.only(~mine)
    return left


def waiting_minutes(db: Session, *conditions: sa.ColumnElement[bool]) -> Sequence[HeldObservation]:
    """What was watched and waits for a person's word, with session and camera, by session and hour.

    Args:
        db: any session.
        conditions: on columns of `HeldObservation`, or of `ClassSession`.
    """
    query = (
        sa.select(HeldObservation)
        .join(HeldObservation.session)
        .options(contains_eager(HeldObservation.session), joinedload(HeldObservation.camera))
        .where(HeldObservation.accepted.is_(None), TAKES_PLACE, *conditions)
        .order_by(HeldObservation.session_id, HeldObservation.hour, HeldObservation.id)
        .execution_options(populate_existing=True)
    )
    return [row for row in db.scalars(query) if _minutes_of_session(row)]


def watched_times(row: HeldObservation) -> tuple[datetime, datetime]:
    """The first and the last of the minutes, by their beginnings."""
    bits = _minutes_of_session(row) or row.watched
    first = (bits & -bits).bit_length() - 1
    return row.hour + timedelta(minutes=first), row.hour + timedelta(minutes=bits.bit_length() - 1)


def minutes_in(row: HeldObservation) -> int:
    """How many minutes of the session's they are."""
    return _minutes_of_session(row).bit_count()


def observed_in(row: HeldObservation) -> Observed:
    """What the row holds."""
    return Observed(row.camera_id, row.room_id, row.hour, row.watched, 0, 0, row.counts)


def _minutes_of_session(row: HeldObservation) -> int:
    session = row.session
    return row.watched & bits_between(row.hour, min(session.starts_at, watch_begins(session)), session.ends_at)


def _known(db: Session, observed: Observed) -> int:
    """The minutes that are known already to have been watched."""
    camera = Observation.camera_id == observed.camera_id  # of none: IS NULL
    query = sa.select(Observation.watched).where(
        camera, Observation.room_id == observed.room_id, Observation.hour == observed.hour
    )
    known = 0
    for bits in db.scalars(query):
        known |= bits
    return known


def _closed_sessions(db: Session, observed: Observed) -> list[ClassSession]:
    """The closed sessions of an hour in a room, none of which is opened again meanwhile; by their start."""
    query = (
        sa.select(ClassSession)
        .where(
            is_held_in(observed.room_id),
            ClassSession.starts_at < observed.hour + _HOUR + SHORTEST_WATCH,
            ClassSession.ends_at > observed.hour,
        )
        .order_by(ClassSession.id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    )
    found = db.scalars(query).all()
    return sorted((one for one in found if one.closed_at is not None), key=lambda one: one.starts_at)


def _hold(db: Session, session: ClassSession, minutes: Observed, now: datetime) -> bool:
    """Keep minutes in their row; whether they count at once, because a person has accepted the row."""
    if not minutes.watched or db.scalar(sa.select(Room.id).where(Room.id == minutes.room_id)) is None:
        return False
    camera_id = known_camera(db, minutes.camera_id)
    for _ in range(ATTEMPTS):
        row = db.scalars(
            sa.select(HeldObservation)
            .where(
                HeldObservation.session_id == session.id,
                HeldObservation.camera_id.is_(None) if camera_id is None else HeldObservation.camera_id == camera_id,
                HeldObservation.room_id == minutes.room_id,
                HeldObservation.hour == minutes.hour,
            )
            .order_by(HeldObservation.id)
            .limit(1)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).first()
        if row is not None:
            after = observed_in(row).merged(minutes)
            row.watched, row.counts = after.watched, after.counts
            db.flush()
            return bool(row.accepted)
        row = HeldObservation(session_id=session.id, camera_id=camera_id, room_id=minutes.room_id, hour=minutes.hour)
        row.watched, row.counts, row.arrived_at = minutes.watched, minutes.counts, now
        if inserted(db, row):
            log.info("observation_held", session=session.id, room=minutes.room_id, hour=minutes.hour.isoformat())
            return False
    raise RuntimeError(f"session {session.id}: a held hour appears and disappears")
