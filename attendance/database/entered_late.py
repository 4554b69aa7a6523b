"""Absences that the machine wrote in sessions that were entered after their end: finding them, and taking them back.

Nobody looked for the students of such a session while it was held. Versions that kept no observation wrote everybody
absent in it all the same. When such a session was entered is not known; it was closed long after its end, unless no
program ran at its end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.decisions import decide_session
from attendance.database.entries import Author
from attendance.database.models import Attendance, ClassSession, Closing, Course, Source, Status
from attendance.database.transactions import transact

LONG_AFTER = timedelta(hours=12)
"""A session that was closed so long after its end was entered after it, or no program ran for as long."""


@dataclass(frozen=True, slots=True)
class EnteredLate:
    """A session with absences that the machine wrote although it was entered after its end, or seems to be so.

    Attributes:
        entered_at: None where a version that did not note it entered it; then `closed_at` tells.
        absent: how many absences the machine wrote.
        seen: how many students were seen in it. Where there are some, the session was known while it was held.
    """

    session_id: int
    course: str
    starts_at: datetime
    ends_at: datetime
    entered_at: datetime | None
    closed_at: datetime
    absent: int
    seen: int


def entered_late(db: Session) -> list[EnteredLate]:
    """All such sessions, the oldest first."""
    late = ClassSession.entered_at >= ClassSession.ends_at
    by_machine = sa.and_(Attendance.source == Source.MACHINE, Attendance.status == Status.ABSENT)
    query = (
        sa.select(
            ClassSession.id,
            Course.code,
            ClassSession.starts_at,
            ClassSession.ends_at,
            ClassSession.entered_at,
            ClassSession.closed_at,
            sa.func.count(sa.case((by_machine, 1))),
            sa.func.count(Attendance.first_seen),
        )
        .join(Course, Course.id == ClassSession.course_id)
        .join(Attendance, Attendance.session_id == ClassSession.id)
        .where(ClassSession.closed_at.is_not(None), sa.or_(late, ClassSession.entered_at.is_(None)))
        .group_by(ClassSession.id, Course.code)
        .order_by(ClassSession.starts_at, ClassSession.id)
    )
    found = []
    for session_id, course, starts_at, ends_at, entered_at, closed_at, absent, seen in db.execute(query):
        if absent and closed_at is not None and (entered_at or closed_at - ends_at >= LONG_AFTER):
            found.append(EnteredLate(session_id, course, starts_at, ends_at, entered_at, closed_at, absent, seen))
    return found


def take_back_absences(db: Session, session_ids: Sequence[int], now: datetime) -> int:
    """Let nothing be recorded of those whom nobody saw in these sessions, in a transaction each.

    What a person decided stays, and so do excuses; each change is in the history.

    Returns:
        How many absences were taken back.
    """
    return sum(transact(db, partial(_take_back, session_id=number, now=now)) for number in session_ids)


def _take_back(db: Session, session_id: int, now: datetime) -> int:
    session = db.scalar(
        sa.select(ClassSession)
        .where(ClassSession.id == session_id, ClassSession.closed_at.is_not(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if session is None:
        return 0
    before = _absences(db, session_id)
    session.closed_as = Closing.ENTERED_LATE
    decide_session(db, session, Author("Taken back: the session was entered after its end.", now=now))
    return before - _absences(db, session_id)


def _absences(db: Session, session_id: int) -> int:
    return (
        db.scalar(
            sa.select(sa.func.count()).where(
                Attendance.session_id == session_id,
                Attendance.source == Source.MACHINE,
                Attendance.status == Status.ABSENT,
            )
        )
        or 0
    )
