"""Taking in what is held, from the recognition service: one row a session, student, camera and way of coming."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import expected_by_index_number, guest_by_index_number
from attendance.database.conclusions import is_within
from attendance.database.entries import Author
from attendance.database.evidence import Evidence
from attendance.database.guests import record_guest
from attendance.database.models import ClassSession, HeldReason, HeldSighting, Student, utc_now
from attendance.database.register import Sighting, record_sighting, session_in_force
from attendance.database.transactions import ATTEMPTS, inserted
from attendance.database.watching.rooms import known_camera


def hold_sighting(db: Session, sighting: Sighting, *, late: bool, now: datetime | None = None) -> HeldSighting | None:
    """Keep a sighting for a person's word, in the caller's transaction; it changes no entry.

    Any order and any repetition leaves the same row: reasons united, times widened. One that a person refused stays
    refused, whatever comes of it later; what comes of one that a person accepted counts at once. Begin the transaction
    with `begin_writing`, and end it with `register.decide_if_closed`.

    Args:
        db: the caller's session.
        sighting: with the reasons for which it is held.
        late: whether it came when the session was closed, so that the register stands as it was concluded without it.
        now: when it came, aware; the present unless given.

    Returns:
        The row; None when there is nothing to keep it for: as for `record_sighting`, or for `record_guest`.
    """
    if not sighting.held:
        raise ValueError(f"session {sighting.session_id}: a sighting without a reason is not held")
    for _ in range(ATTEMPTS):
        session = session_in_force(db, sighting.session_id)
        student_id = None if session is None else _student(db, session, sighting.index_number)
        if session is None or student_id is None or not is_within(session, sighting.first_seen, sighting.last_seen):
            return None
        camera_id = known_camera(db, sighting.camera_id)
        row = _locked_row(db, sighting, student_id, camera_id, late=late)
        if row is not None:
            _widen(row, sighting)
            db.flush()
            if row.accepted:
                apply_sighting(db, sighting)
            return row
        row = HeldSighting(
            session_id=session.id,
            student_id=student_id,
            camera_id=camera_id,
            origin=sighting.origin,
            late=late,
            reasons=_in_order(sighting.held),
            first_seen=sighting.first_seen,
            last_seen=sighting.last_seen,
            confidence=sighting.confidence,
            arrived_at=now or utc_now(),
        )
        if inserted(db, row):
            return row
    raise RuntimeError(f"session {sighting.session_id}: a held row appears and disappears")


def apply_sighting(db: Session, sighting: Sighting, *, author: Author | None = None) -> bool:
    """Let a sighting count that was accepted, as if it had just been observed; whether there is a place for it.

    Decide a closed session again in the same transaction. `author` is the person who accepts it now, as for
    `record_sighting`.
    """
    entered = record_sighting(db, sighting, decide=False, author=author) or record_guest(db, sighting)
    return entered is not None


def counts_already(db: Session, evidence: Evidence) -> bool:
    """Whether a person has accepted the sighting that a piece of evidence of a held one belongs to."""
    found = sa.select(HeldSighting.id).where(
        HeldSighting.session_id == evidence.session_id,
        HeldSighting.student_id
        == sa.select(Student.id).where(Student.index_number == evidence.index_number).scalar_subquery(),
        HeldSighting.camera_id == evidence.camera_id,
        HeldSighting.origin == evidence.origin,
        HeldSighting.accepted.is_(True),
        HeldSighting.first_seen <= evidence.last_frame_at,
        HeldSighting.last_seen >= evidence.first_frame_at,
    )
    return db.scalar(found.limit(1)) is not None


def _student(db: Session, session: ClassSession, index_number: str) -> int | None:
    expected = expected_by_index_number(db, session, index_number)
    return guest_by_index_number(db, session, index_number) if expected is None else expected


def _locked_row(
    db: Session, sighting: Sighting, student_id: int, camera_id: int | None, *, late: bool
) -> HeldSighting | None:
    # Of a camera that was removed the database tells no two rows apart; the first one takes in the rest.
    return db.scalars(
        sa.select(HeldSighting)
        .where(
            HeldSighting.session_id == sighting.session_id,
            HeldSighting.student_id == student_id,
            HeldSighting.camera_id.is_(None) if camera_id is None else HeldSighting.camera_id == camera_id,
            HeldSighting.origin == sighting.origin,
            HeldSighting.late.is_(late),
        )
        .order_by(HeldSighting.id)
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()


def _widen(row: HeldSighting, sighting: Sighting) -> None:
    row.first_seen = min(row.first_seen, sighting.first_seen)
    row.last_seen = max(row.last_seen, sighting.last_seen)
    row.confidence = max(row.confidence, sighting.confidence)
    reasons = _in_order((*row.reasons, *sighting.held))
    if reasons != row.reasons:
        row.reasons = reasons


def _in_order(reasons: tuple[str, ...]) -> list[str]:
    return [reason.value for reason in HeldReason if reason in reasons]
