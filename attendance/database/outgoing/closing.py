"""What webhooks are told when a session's register is completed."""

from collections import Counter

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import courses_of
from attendance.database.models import Attendance, ClassSession
from attendance.database.models.webhooks import EventKind
from attendance.database.outgoing.events import Data, is_wanted, tell


def tell_of_closing(db: Session, session: ClassSession) -> None:
    """Tell that a register is complete, and where nothing at all is recorded in it that too.

    Args:
        db: begun with `begin_writing`; the session's entries are written.
        session: just closed; of one that was cancelled there is nothing to tell.
    """
    if session.cancelled:
        return
    db.flush()
    course_ids = courses_of(session)
    tell(db, EventKind.SESSION_CLOSED, lambda: _register(db, session), course_ids=course_ids)
    if not is_wanted(db, EventKind.NOT_RECORDED):
        return
    recorded = sa.select(Attendance.id).where(Attendance.session_id == session.id, Attendance.status.is_not(None))
    reasons = sa.select(Attendance.unrecorded_reason).where(Attendance.session_id == session.id)
    if db.scalar(recorded.limit(1)) is None and (found := Counter(db.scalars(reasons))):
        reason, _ = found.most_common(1)[0]
        data = {"session": session.id, "students": found.total(), "unrecorded": reason}
        tell(db, EventKind.NOT_RECORDED, lambda: data, course_ids=course_ids)


def _register(db: Session, session: ClassSession) -> Data:
    query = sa.select(
        Attendance.student_id, Attendance.status, Attendance.unrecorded_reason, Attendance.label_id, Attendance.source
    ).where(Attendance.session_id == session.id)
    entries = [
        {"student": student, "to": status, "unrecorded": unrecorded, "label": label, "by": source}
        for student, status, unrecorded, label, source in db.execute(query.order_by(Attendance.student_id))
    ]
    return {"session": session.id, "entries": entries}
