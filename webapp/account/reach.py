"""What the roles of whoever is signed in reach: courses, and what belongs to them; an administrator, everything.

Each function finds what one may do there what the view of the request `needs`, or read where it needs nothing of a
course. What one may not reach answers as what does not exist, so that nobody learns which courses there are.
"""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from flask import abort, g
from sqlalchemy.orm import aliased, selectinload

from attendance.database.audiences import counts_for, counts_in, courses_of, parts
from attendance.database.models import Attendance, ClassSession, Course, Department, Enrolment, Student
from webapp.account.bearer import only_courses
from webapp.account.identity import is_admin, may, needed, roles_with
from webapp.account.permissions import Permission
from webapp.tools.storage import database


def reachable(course_id: sa.ColumnElement[int] | sa.orm.InstrumentedAttribute[Any]) -> sa.ColumnElement[bool]:
    """The condition that a course, given by a column with its id, is one that the signed-in roles reach."""
    return reachable_with(_permission(), course_id)


def reachable_with(
    permission: Permission, course_id: sa.ColumnElement[int] | sa.orm.InstrumentedAttribute[Any]
) -> sa.ColumnElement[bool]:
    """The same for something else than the view of the request needs."""
    only = only_courses()
    within = sa.true() if only is None else course_id.in_(only)
    roles = roles_with(permission)
    if any(role.everywhere for role in roles):
        return within
    own = [role.course_id for role in roles if role.course_id is not None]
    departments = [role.department_id for role in roles if role.department_id is not None]
    if not departments:
        return sa.and_(within, course_id.in_(own))
    theirs = aliased(Course)  # the query may be of courses itself
    of_roles = sa.select(theirs.id).where(sa.or_(theirs.id.in_(own), theirs.department_id.in_(departments)))
    return sa.and_(within, course_id.in_(of_roles))


def reachable_departments() -> Sequence[Department]:
    """The departments that the signed-in roles are of, by name; for an administrator all.

    None for a program that is for some courses only: what is said of a department holds all of its courses.
    """
    if only_courses() is not None:
        return ()
    query = sa.select(Department).order_by(Department.name)
    if not is_admin():
        query = query.where(Department.id.in_([role.department_id for role in roles_with(_permission())]))
    return database().scalars(query).all()


def reach_department(department_id: int) -> Department:
    """One of these, or 404."""
    found = next((each for each in reachable_departments() if each.id == department_id), None)
    if found is None:
        abort(404)
    return found


def departments_of_courses() -> Sequence[Department]:
    """The departments of all courses that the signed-in roles reach, by name; to choose among the courses."""
    theirs = sa.select(Course.department_id).where(reachable(Course.id))
    return database().scalars(sa.select(Department).where(Department.id.in_(theirs)).order_by(Department.name)).all()


def reach_course(course_id: int) -> Course:
    """The course with its lecturers, or 404."""
    query = sa.select(Course).where(Course.id == course_id, reachable(Course.id))
    course = database().scalar(query.options(selectinload(Course.lecturers)))
    if course is None:
        abort(404)
    return course


def reach_session(session_id: int) -> ClassSession:
    """The class session with all it is for and where it is, or 404: one of its courses is the lecturer's."""
    session = database().scalar(sa.select(ClassSession).options(*parts()).where(ClassSession.id == session_id))
    if session is None or not courses_seen(session):
        abort(404)
    return session


def courses_seen(session: ClassSession) -> tuple[int, ...]:
    """The ids of those of a session's courses that the lecturer may open, in the session's order.

    In a joint session each lecturer sees and corrects the students of the own courses only. A page asks several times;
    the database is asked once a request.
    """
    known: dict[tuple[int, ...], tuple[int, ...]] = g.setdefault("courses_seen", {})
    of_session = courses_of(session)
    if of_session not in known:
        own = frozenset(database().scalars(sa.select(Course.id).where(Course.id.in_(of_session), reachable(Course.id))))
        known[of_session] = tuple(course_id for course_id in of_session if course_id in own)
    return known[of_session]


def course_shown(session: ClassSession) -> Course:
    """The first of a session's courses that the lecturer may open: where the way back from the session leads."""
    seen = courses_seen(session)
    return next((course for course in _courses(session) if course.id in seen), session.course)


def may_in(permission: Permission, session: ClassSession) -> bool:
    """Whether one may do something in a course of a session."""
    return any(may(permission, course) for course in _courses(session))


def sees_students(session: ClassSession, student_ids: Collection[int]) -> bool:
    """Whether all of these students, as far as there are such, are among those whom the lecturer sees in a session."""
    theirs = counts_in(session, courses_seen(session), Student.id)
    others = sa.select(Student.id).where(Student.id.in_(student_ids), sa.not_(theirs)).limit(1)
    return database().scalar(others) is None


def reachable_student() -> sa.ColumnElement[bool]:
    """The condition that a student of the query takes one of the courses that one reaches, or has attendance in one."""
    if is_admin():
        return sa.true()
    enrolled = sa.exists().where(Enrolment.student_id == Student.id, reachable(Enrolment.course_id))
    attended = (
        sa.select(sa.literal(1))
        .select_from(Attendance)
        .join(ClassSession, ClassSession.id == Attendance.session_id)
        .where(Attendance.student_id == Student.id, counts_for(Attendance.student_id, reachable))
        .correlate(Student)
        .exists()
    )
    return sa.or_(enrolled, attended)


def reach_student(student_id: int) -> Student:
    """The student, who takes one of the courses or has attendance in one; else 404."""
    student = database().scalar(sa.select(Student).where(Student.id == student_id, reachable_student()))
    if student is None:
        abort(404)
    return student


def _courses(session: ClassSession) -> tuple[Course, ...]:
    return (session.course, *(each.course for each in session.further_audiences))


def _permission() -> Permission:
    """What the view of the request needs of a course."""
    need = needed()
    return need if isinstance(need, Permission) else Permission.READ
