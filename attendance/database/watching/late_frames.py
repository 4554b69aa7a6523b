"""What frames that a camera kept, or those of a recording, may do to a session that is closed: the one rule of it.

Live frames always count, however late the outbox delivers what they showed. Frames that come as kept ones or as a
recording may have been made by anybody at any time, so an institution may want a person's word before they change a
register that is closed (`attendance.late_frames`).
"""

import structlog
from sqlalchemy.orm import Session

from attendance.database.audiences import expected_by_index_number
from attendance.database.models import ClassSession, Origin
from attendance.database.register import Sighting, record_sighting, session_in_force
from attendance.settings.attendance import LateFrames

log = structlog.get_logger()


def only_noted(session: ClassSession, origin: Origin, rule: LateFrames) -> bool:
    """Whether what frames of this origin show changes no entry of the session as it stands, and is noted only."""
    return rule is LateFrames.PROPOSE and origin is not Origin.LIVE and session.closed_at is not None


def take_in_sighting(db: Session, sighting: Sighting, rule: LateFrames) -> bool:
    """Enter a sighting in the register, or leave the register as it is where the rule says so.

    In the caller's transaction, as `record_sighting`; end it with `register.decide_closed`. Of what is only noted the
    evidence is kept, which the caller records next: it says how the frames came.

    Returns:
        Whether there is a place for it; what confirmed the student belongs there too.
    """
    if rule is LateFrames.PROPOSE and sighting.origin is not Origin.LIVE:
        session = session_in_force(db, sighting.session_id)
        if session is not None and only_noted(session, sighting.origin, rule):
            log.info("sighting_only_noted", session=session.id, origin=sighting.origin)
            return expected_by_index_number(db, session, sighting.index_number) is not None
    return record_sighting(db, sighting, decide=False) is not None
