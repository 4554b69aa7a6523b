"""Whom a session is for, and where it is: the one place that says who is expected and which rooms belong to it.

A session has a first audience and a first room, in columns of its own, and may have further ones. An audience is a
course or a group of one; of a group counts who takes the course. Nobody is expected in a session that is cancelled.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, joinedload, selectinload

from attendance.database.models import (
    ClassSession,
    CourseGroupMember,
    Enrolment,
    SessionAudience,
    SessionRoom,
    SessionState,
    Student,
)

Condition = Callable[[Any], sa.ColumnElement[bool]]
"""Given the column that holds an id, which ids are meant."""

TAKES_PLACE = ClassSession.state == SessionState.SCHEDULED
"""The condition that a session is not cancelled."""


class Audience(NamedTuple):
    """A course, or a group of it."""

    course_id: int
    group_id: int | None = None


def audiences_of(session: ClassSession) -> tuple[Audience, ...]:
    """The audiences of a session, each once, the first one first."""
    further = (Audience(each.course_id, each.group_id) for each in session.further_audiences)
    return tuple(dict.fromkeys((Audience(session.course_id, session.group_id), *further)))


def courses_of(session: ClassSession) -> tuple[int, ...]:
    """The ids of the courses that a session is for, each once, the first one first."""
    return tuple(dict.fromkeys(audience.course_id for audience in audiences_of(session)))


def rooms_of(session: ClassSession) -> tuple[int, ...]:
    """The ids of the rooms in which a session is held, the first one first."""
    return tuple(dict.fromkeys((session.room_id, *(each.room_id for each in session.further_rooms))))


def set_audiences(session: ClassSession, audiences: Iterable[Audience]) -> None:
    """Let a session be for these, at least one, the first one first. A whole course holds its groups."""
    first, *further = each_once(audiences)
    session.course_id, session.group_id = first
    kept = {Audience(row.course_id, row.group_id): row for row in session.further_audiences}
    session.further_audiences = [
        kept.get(each) or SessionAudience(course_id=each.course_id, group_id=each.group_id) for each in further
    ]


def each_once(audiences: Iterable[Audience]) -> tuple[Audience, ...]:
    """Audiences without those that others hold, in their order."""
    wanted = list(dict.fromkeys(audiences))
    whole = {each.course_id for each in wanted if each.group_id is None}
    return tuple(each for each in wanted if each.group_id is None or each.course_id not in whole)


def set_rooms(session: ClassSession, room_ids: Iterable[int]) -> None:
    """Let a session be held in these rooms, of which there is at least one; the first one first."""
    first, *further = dict.fromkeys(room_ids)
    session.room_id = first
    kept = {row.room_id: row for row in session.further_rooms}
    session.further_rooms = [kept.get(room_id) or SessionRoom(room_id=room_id) for room_id in further]


def students_of(audience: Audience) -> sa.Select[int]:
    """The query for the ids of the students of an audience as things are now."""
    query = sa.select(Enrolment.student_id).where(Enrolment.course_id == audience.course_id)
    if audience.group_id is None:
        return query
    return query.join(CourseGroupMember, CourseGroupMember.student_id == Enrolment.student_id).where(
        CourseGroupMember.group_id == audience.group_id
    )


def expected_students(session: ClassSession) -> sa.Select[int]:
    """The query for the ids of the students who are expected in a session as things are now, each once.

    To be used whole, as a subquery or after IN: conditions belong outside.
    """
    if session.cancelled:
        return sa.select(Enrolment.student_id).where(sa.false())
    arms = [students_of(audience) for audience in audiences_of(session)]
    if len(arms) == 1:
        return arms[0]
    return sa.select(sa.union(*arms).subquery("of_audiences").c.student_id)


def is_expected(db: Session, session: ClassSession, student_id: int) -> bool:
    """Whether a student is expected in a session as things are now."""
    query = sa.select(Student.id).where(Student.id == student_id, Student.id.in_(expected_students(session)))
    return db.scalar(query) is not None


def expected_by_index_number(db: Session, session: ClassSession, index_number: str) -> int | None:
    """The id of a student who is expected in a session and has not withdrawn consent; None for others."""
    return expected_by_index_numbers(db, session, (index_number,)).get(index_number)


def expected_by_index_numbers(db: Session, session: ClassSession, index_numbers: Collection[str]) -> dict[str, int]:
    """The ids of those students who are expected in a session and have not withdrawn consent, by index number."""
    return _some_of(db, index_numbers, expected_students(session))


def guest_by_index_number(db: Session, session: ClassSession, index_number: str) -> int | None:
    """The id of a student of a session's courses who is not expected in it and has not withdrawn consent."""
    if session.cancelled or all(audience.group_id is None for audience in audiences_of(session)):
        return None
    of_courses = sa.select(Enrolment.student_id).where(Enrolment.course_id.in_(courses_of(session)))
    student_id = _some_of(db, (index_number,), of_courses).get(index_number)
    return None if student_id is None or is_expected(db, session, student_id) else student_id


def sessions_of_courses(condition: Condition, *conditions: sa.ColumnElement[bool]) -> sa.Subquery:
    """The sessions that are for certain courses, or groups of these, as a table to join.

    Args:
        condition: which courses.
        conditions: on columns of `ClassSession`, like its times. Both stand inside each part, as MariaDB does not push
            conditions into unions.

    Returns:
        The columns `session_id` and `course_id`, each pair once: a joint session has a row for each of its courses.
    """
    first = sa.select(ClassSession.id.label("session_id"), ClassSession.course_id)
    further = sa.select(SessionAudience.session_id, SessionAudience.course_id)
    return _either(
        first.where(condition(ClassSession.course_id), *conditions),
        _with_session(further, SessionAudience.session_id, condition(SessionAudience.course_id), conditions),
    ).subquery("of_courses")


def sessions_in_rooms(condition: Condition, *conditions: sa.ColumnElement[bool]) -> sa.Subquery:
    """The sessions that are held in certain rooms, as `sessions_of_courses` does; with `session_id` and `room_id`."""
    first = sa.select(ClassSession.id.label("session_id"), ClassSession.room_id)
    further = sa.select(SessionRoom.session_id, SessionRoom.room_id)
    return _either(
        first.where(condition(ClassSession.room_id), *conditions),
        _with_session(further, SessionRoom.session_id, condition(SessionRoom.room_id), conditions),
    ).subquery("in_rooms")


_Pairs = sa.Select[int, int]


def _either(first: _Pairs, second: _Pairs) -> sa.CompoundSelect[int, int]:
    return sa.union(first, second)


def _with_session(
    further: _Pairs, session_id: Any, which: sa.ColumnElement[bool], conditions: tuple[Any, ...]
) -> _Pairs:
    if conditions:
        further = further.join(ClassSession, ClassSession.id == session_id).where(*conditions)
    return further.where(which)


def session_ids_of_courses(condition: Condition, *conditions: sa.ColumnElement[bool]) -> sa.Subquery:
    """What `sessions_of_courses` gives, each session once; with the column `session_id` alone."""
    pairs = sessions_of_courses(condition, *conditions)
    return sa.select(pairs.c.session_id).distinct().subquery("in_reach")


def joint_sessions(db: Session, session_ids: Collection[int]) -> frozenset[int]:
    """Those of the sessions that are for more than one course."""
    query = (
        sa.select(SessionAudience.session_id)
        .join(ClassSession, ClassSession.id == SessionAudience.session_id)
        .where(SessionAudience.session_id.in_(session_ids), SessionAudience.course_id != ClassSession.course_id)
    )
    return frozenset(db.scalars(query))


def is_held_in(room_id: int) -> sa.ColumnElement[bool]:
    """The condition that a session is held in a room, there alone or also there."""
    also = _exists(SessionRoom, SessionRoom.session_id == ClassSession.id, SessionRoom.room_id == room_id)
    return sa.or_(ClassSession.room_id == room_id, also)


def belongs_to(course_id: Any, student_id: Any) -> sa.ColumnElement[bool]:
    """The condition that a student's part in a session belongs to a course among the session's.

    In a joint session it belongs to the courses that the student takes; of a student who takes none of the session's
    courses any more, nobody knows which, and it belongs to each. In a session of one course it belongs to that.

    Args:
        course_id: the column that holds the id of one of the session's courses; the query reads `ClassSession` too.
        student_id: the column that holds the student's id.
    """
    any_other, each, taken, of_session = (
        aliased(SessionAudience),
        aliased(Enrolment),
        aliased(Enrolment),
        aliased(SessionAudience),
    )
    joint = _exists(any_other, any_other.session_id == ClassSession.id, any_other.course_id != ClassSession.course_id)
    takes = _exists(each, each.course_id == course_id, each.student_id == student_id)
    further = sa.select(of_session.course_id).where(of_session.session_id == ClassSession.id)
    one_of_its = sa.or_(
        taken.course_id == ClassSession.course_id, taken.course_id.in_(further.correlate_except(of_session))
    )
    return sa.or_(~joint, takes, ~_exists(taken, taken.student_id == student_id, one_of_its))


def counts_for(student_id: Any, condition: Condition) -> sa.ColumnElement[bool]:
    """The condition that a student's part in a session belongs to any of certain courses, as `belongs_to` has it."""
    other = aliased(SessionAudience)
    of_first = sa.and_(condition(ClassSession.course_id), belongs_to(ClassSession.course_id, student_id))
    of_others = _exists(
        other,
        other.session_id == ClassSession.id,
        condition(other.course_id),
        belongs_to(other.course_id, student_id),
    )
    return sa.or_(of_first, of_others)


def counts_in(session: ClassSession, course_ids: Collection[int], student_id: Any) -> sa.ColumnElement[bool]:
    """The same of one session, for a query that does not read `ClassSession`."""
    if set(courses_of(session)) <= set(course_ids):
        return sa.true()
    theirs, any_of_its = aliased(Enrolment), aliased(Enrolment)
    takes_one = _exists(theirs, theirs.student_id == student_id, theirs.course_id.in_(course_ids))
    takes_none = ~_exists(
        any_of_its, any_of_its.student_id == student_id, any_of_its.course_id.in_(courses_of(session))
    )
    return sa.or_(takes_one, takes_none)


def parts() -> tuple[Any, ...]:
    """Options of a query for sessions that load whom they are for and where they are, in a few statements for all."""
    return (
        joinedload(ClassSession.course),
        joinedload(ClassSession.group),
        joinedload(ClassSession.room),
        selectinload(ClassSession.further_audiences).joinedload(SessionAudience.course),
        selectinload(ClassSession.further_audiences).joinedload(SessionAudience.group),
        selectinload(ClassSession.further_rooms).joinedload(SessionRoom.room),
    )


def _exists(table: Any, *conditions: sa.ColumnElement[bool]) -> sa.Exists:
    """Whether the table has such a row; every other table of the conditions is the enclosing query's."""
    return sa.exists().where(*conditions).correlate_except(table)


def _some_of(db: Session, index_numbers: Collection[str], student_ids: sa.Select[int]) -> dict[str, int]:
    if not index_numbers:
        return {}
    found = db.execute(
        sa.select(Student.index_number, Student.id).where(
            Student.index_number.in_(index_numbers),
            Student.consent_withdrawn_at.is_(None),
            Student.id.in_(student_ids),
        )
    )
    return dict(found.all())


def among(ids: Collection[int]) -> Condition:
    """The condition that an id is one of these."""
    return lambda column: column.in_(ids)
