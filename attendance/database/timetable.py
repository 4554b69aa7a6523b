"""What the recognition service needs of the timetable: a room's sessions with their rosters."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import ClassSession, Enrolment, Student

_LONGEST_EARLY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """A class session as the recognition service sees it."""

    session_id: int
    course_id: int
    room_id: int
    starts_at: datetime
    ends_at: datetime
    early_minutes: int
    grace_minutes: int
    roster: frozenset[str]
    """Index numbers of the students of the course who have not withdrawn consent."""

    @property
    def opens_at(self) -> datetime:
        """From when on attendance counts."""
        return self.starts_at - timedelta(minutes=self.early_minutes)


def room_plans(db: Session, room_id: int, since: datetime, until: datetime) -> list[SessionPlan]:
    """The sessions of a room for which attendance counts at some time between `since` and `until`, by start."""
    candidates = db.scalars(
        sa.select(ClassSession)
        .where(
            ClassSession.room_id == room_id,
            ClassSession.ends_at > since,
            ClassSession.starts_at <= until + _LONGEST_EARLY,
        )
        .order_by(ClassSession.starts_at, ClassSession.id)
    ).all()
    sessions = [session for session in candidates if session.starts_at - _early(session) <= until]
    rosters = _rosters(db, {session.course_id for session in sessions})
    return [
        SessionPlan(
            session_id=session.id,
            course_id=session.course_id,
            room_id=session.room_id,
            starts_at=session.starts_at,
            ends_at=session.ends_at,
            early_minutes=session.early_minutes,
            grace_minutes=session.grace_minutes,
            roster=rosters[session.course_id],
        )
        for session in sessions
    ]


def _early(session: ClassSession) -> timedelta:
    return timedelta(minutes=session.early_minutes)


def _rosters(db: Session, course_ids: set[int]) -> dict[int, frozenset[str]]:
    found: defaultdict[int, set[str]] = defaultdict(set)
    if course_ids:
        rows = db.execute(
            sa.select(Enrolment.course_id, Student.index_number)
            .join(Student, Student.id == Enrolment.student_id)
            .where(Enrolment.course_id.in_(course_ids), Student.consent_withdrawn_at.is_(None))
        )
        for course_id, index_number in rows:
            found[course_id].add(index_number)
    return {course_id: frozenset(found[course_id]) for course_id in course_ids}
