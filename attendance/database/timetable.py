"""What the recognition service needs of the timetable: a room's sessions with their rosters."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from attendance.database.audiences import TAKES_PLACE, Audience, among, audiences_of, courses_of, sessions_in_rooms
from attendance.database.models import ClassSession, CourseGroupMember, Enrolment, Student

_LONGEST_EARLY = timedelta(days=1)
_BATCH = 500
"""Students asked for in one statement."""


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """A class session as the recognition service sees it."""

    session_id: int
    course_id: int
    """The first of its courses."""
    room_id: int
    """The room that was asked for; it may be held in others as well."""
    starts_at: datetime
    ends_at: datetime
    early_minutes: int
    grace_minutes: int
    roster: frozenset[str]
    """Index numbers of the students who are expected and have not withdrawn consent."""
    guests: frozenset[str] = frozenset()
    """The same of those who take one of its courses and are not expected, being in other groups."""

    @property
    def opens_at(self) -> datetime:
        """From when on attendance counts."""
        return self.starts_at - timedelta(minutes=self.early_minutes)


def room_plans(
    db: Session, room_ids: Collection[int], since: datetime, until: datetime
) -> dict[int, list[SessionPlan]]:
    """The sessions of rooms for which attendance counts at some time between `since` and `until`.

    Returns:
        For each of the rooms its sessions, by start.
    """
    near = (TAKES_PLACE, ClassSession.ends_at > since, ClassSession.starts_at <= until + _LONGEST_EARLY)
    there = sessions_in_rooms(among(room_ids), *near)
    candidates = db.execute(
        sa.select(there.c.room_id, ClassSession)
        .join(there, there.c.session_id == ClassSession.id)
        .options(selectinload(ClassSession.further_audiences))
        .order_by(ClassSession.starts_at, ClassSession.id)
    ).all()
    held = [(room_id, session) for room_id, session in candidates if session.starts_at - _early(session) <= until]
    members = _members(db, [session for _, session in held])
    plans: dict[int, list[SessionPlan]] = {room_id: [] for room_id in room_ids}
    for room_id, session in held:
        plans[room_id].append(_plan(session, room_id, members))
    return plans


def not_to_be_recorded(db: Session, index_numbers: Collection[str]) -> frozenset[str]:
    """Those of whom nothing may be recorded: whom the database does not know, and who have withdrawn consent."""
    known: set[str] = set()
    numbers = sorted(index_numbers)
    for start in range(0, len(numbers), _BATCH):
        query = sa.select(Student.index_number).where(Student.consent_withdrawn_at.is_(None))
        known |= set(db.scalars(query.where(Student.index_number.in_(numbers[start : start + _BATCH]))))
    return frozenset(index_numbers) - known


def _plan(session: ClassSession, room_id: int, members: dict[Audience, frozenset[str]]) -> SessionPlan:
    roster = frozenset[str]().union(*(members[audience] for audience in audiences_of(session)))
    everybody = frozenset[str]().union(*(members[Audience(course_id)] for course_id in courses_of(session)))
    return SessionPlan(
        session_id=session.id,
        course_id=session.course_id,
        room_id=room_id,
        starts_at=session.starts_at,
        ends_at=session.ends_at,
        early_minutes=session.early_minutes,
        grace_minutes=session.grace_minutes,
        roster=roster,
        guests=everybody - roster,
    )


def _early(session: ClassSession) -> timedelta:
    return timedelta(minutes=session.early_minutes)


def _members(db: Session, sessions: Sequence[ClassSession]) -> dict[Audience, frozenset[str]]:
    """The students of each audience of the sessions, and of each of their courses, who have not withdrawn consent."""
    wanted = {audience for session in sessions for audience in audiences_of(session)}
    wanted |= {Audience(audience.course_id) for audience in wanted}
    found: defaultdict[Audience, set[str]] = defaultdict(set)
    query = (
        sa.select(Enrolment.course_id, Student.index_number)
        .join(Student, Student.id == Enrolment.student_id)
        .where(
            Enrolment.course_id.in_({audience.course_id for audience in wanted}),
            Student.consent_withdrawn_at.is_(None),
        )
    )
    for course_id, index_number in db.execute(query) if wanted else ():
        found[Audience(course_id)].add(index_number)
    groups = {audience.group_id: audience for audience in wanted if audience.group_id is not None}
    of_groups = (
        sa.select(CourseGroupMember.group_id, Student.index_number)
        .join(Student, Student.id == CourseGroupMember.student_id)
        .where(CourseGroupMember.group_id.in_(groups))
    )
    for group_id, index_number in db.execute(of_groups) if groups else ():
        found[groups[group_id]].add(index_number)
    # Whoever left the course is in no group of it, whatever the group says.
    return {audience: frozenset(found[audience] & found[Audience(audience.course_id)]) for audience in wanted}
