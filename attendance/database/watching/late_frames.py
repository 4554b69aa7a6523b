"""What frames that a camera kept may do to a session that is closed: the one rule of it.

Live frames always count, however late the outbox delivers what they showed. Kept frames may have been made by anybody
at any time, so they change a register that is closed only with a person's word, unless an institution wants it
otherwise (`attendance.late_frames`). Until then they are held: whom they show, and what they watched. Recordings count:
an operator plays them, with a token of their own, and has said so by that.
"""

from dataclasses import replace

import structlog
from sqlalchemy.orm import Session

from attendance.database.decisions import take_in_observation
from attendance.database.evidence import Evidence
from attendance.database.held.minutes import hold_late_minutes
from attendance.database.held.taking_in import counts_already, hold_sighting
from attendance.database.models import HeldReason, Origin
from attendance.database.register import Sighting, record_sighting, session_in_force
from attendance.database.watching.observation import Observed
from attendance.settings.attendance import LateFrames

log = structlog.get_logger()


def is_late(db: Session, session_id: int, origin: Origin, rule: LateFrames) -> bool:
    """Whether what frames of this origin show of the session as it stands needs a person's word first."""
    if rule is not LateFrames.PROPOSE or origin is not Origin.KEPT:
        return False
    session = session_in_force(db, session_id)
    return session is not None and session.closed_at is not None


def take_in_sighting(db: Session, sighting: Sighting, rule: LateFrames) -> bool:
    """Enter a sighting in the register, or hold it where that is said of it or the rule says so.

    In the caller's transaction, as `record_sighting`; end it with `register.decide_closed`.

    Returns:
        Whether there is a place for it; what confirmed the student belongs there too.
    """
    late = is_late(db, sighting.session_id, sighting.origin, rule)
    if not (late or sighting.held):
        return record_sighting(db, sighting, decide=False) is not None
    reasons = (*sighting.held, HeldReason.LATE) if late else sighting.held
    row = hold_sighting(db, replace(sighting, held=reasons), late=late)
    if row is not None:
        log.info(
            "sighting_held",
            session=sighting.session_id,
            origin=sighting.origin,
            reasons=row.reasons,
        )
    return row is not None


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
    late = is_late(db, evidence.session_id, evidence.origin, rule)
    return (late or evidence.held) and not counts_already(db, evidence)
