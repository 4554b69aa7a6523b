"""What frames that a camera kept may do to a session that is closed: the one rule of it.

Live frames always count, however late the outbox delivers what they showed. Kept frames may have been made by anybody
at any time, so they change a register that is closed only with a person's word, unless an institution wants it
otherwise (`attendance.late_frames`). Until then they are held: whom they show, and what they watched. Recordings count:
an operator plays them, with a token of their own, and has said so by that.
"""

from collections.abc import Sequence
from dataclasses import replace

import structlog
from sqlalchemy.orm import Session

from attendance.database.decisions import take_in_observation
from attendance.database.evidence import Evidence
from attendance.database.held.minutes import hold_late_minutes
from attendance.database.held.taking_in import counts_already, hold_sighting
from attendance.database.models import ClassSession, HeldReason, HeldSighting, Origin
from attendance.database.register import Sighting, decide_if_closed, enter_sightings, session_in_force
from attendance.database.watching.observation import Observed
from attendance.settings.attendance import LateFrames

log = structlog.get_logger()


def is_late(session: ClassSession, origin: Origin, rule: LateFrames) -> bool:
    """Whether what frames of this origin show of the session as it stands needs a person's word first."""
    return rule is LateFrames.PROPOSE and origin is Origin.KEPT and session.closed_at is not None


def take_in_sightings(db: Session, session_id: int, sightings: Sequence[Sighting], rule: LateFrames) -> list[bool]:
    """Enter sightings of one session in its register, but hold those that say so themselves or of which the rule does.

    In the caller's transaction, as `enter_sightings`; a closed session is decided again at the end.

    Returns:
        For each whether there is a place for it; what confirmed the student belongs there too.
    """
    session = session_in_force(db, session_id)
    if session is None:
        return [False] * len(sightings)
    marked = [_marked(session, one, rule) for one in sightings]
    entered = iter(enter_sightings(db, session, [one for one in marked if not one.held]))
    placed = [(_hold(db, one) if one.held else next(entered)) is not None for one in marked]
    decide_if_closed(db, session)
    return placed


def _marked(session: ClassSession, sighting: Sighting, rule: LateFrames) -> Sighting:
    """The sighting, with one more reason to hold it where it is late."""
    if not is_late(session, sighting.origin, rule):
        return sighting
    return replace(sighting, held=(*sighting.held, HeldReason.LATE))


def _hold(db: Session, sighting: Sighting) -> HeldSighting | None:
    row = hold_sighting(db, sighting, late=HeldReason.LATE in sighting.held)
    if row is not None:
        log.info("sighting_held", session=sighting.session_id, origin=sighting.origin, reasons=row.reasons)
    return row


def take_in_observed(db: Session, observed: Observed, rule: LateFrames) -> bool:
    """Take in what was watched, or hold what kept frames watched of closed sessions where the rule says so.

    In the caller's transaction, as `take_in_observation`.

    Returns:
        Whether anything was learnt.
    """
    if rule is LateFrames.PROPOSE:
        observed = hold_late_minutes(db, observed)
    return take_in_observation(db, observed)


def is_held_evidence(db: Session, evidence: Evidence, rule: LateFrames) -> bool:
    """Whether what confirmed a student waits for a person's word as its sighting does, which was taken in before it."""
    session = session_in_force(db, evidence.session_id)
    late = session is not None and is_late(session, evidence.origin, rule)
    return (late or evidence.held) and not counts_already(db, evidence)
