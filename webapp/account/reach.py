"""What the signed-in lecturer may open: their own courses and what belongs to them; an administrator, everything.

What one may not open answers as what does not exist, so that nobody learns which courses there are.
"""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from flask import abort, g
from sqlalchemy.orm import selectinload

from attendance.database.audiences import counts_for, counts_in, courses_of, parts
from attendance.database.models import Attendance, ClassSession, Course, CourseLecturer, Enrolment, Student
from webapp.account.identity import current_account, is_admin
from webapp.tools.storage import database


def reachable(course_id: sa.ColumnElement[int] | sa.orm.InstrumentedAttribute[Any]) -> sa.ColumnElement[bool]:
    """The condition that a course, given by a column with its id, is one the lecturer may open."""
    if is_admin():
        return sa.true()
    own = sa.select(CourseLecturer.course_id).where(CourseLecturer.account_id == current_account().id)
    return course_id.in_(own)


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
    courses = (session.course, *(each.course for each in session.further_audiences))
    return next((course for course in courses if course.id in seen), session.course)


def sees_students(session: ClassSession, student_ids: Collection[int]) -> bool:
    """Whether all of these students, as far as there are such, are among those whom the lecturer sees in a session."""
    theirs = counts_in(session, courses_seen(session), Student.id)
    others = sa.select(Student.id).where(Student.id.in_(student_ids), sa.not_(theirs)).limit(1)
    return database().scalar(others) is None


def reach_student(student_id: int) -> Student:
    """The student, who takes one of the courses or has attendance in one; else 404."""
    enrolled = sa.exists().where(Enrolment.student_id == Student.id, reachable(Enrolment.course_id))
    attended = (
        sa.select(sa.literal(1))
        .select_from(Attendance)
        .join(ClassSession, ClassSession.id == Attendance.session_id)
        .where(Attendance.student_id == Student.id, counts_for(Attendance.student_id, reachable))
        .correlate(Student)
        .exists()
    )
    reach = sa.true() if is_admin() else sa.or_(enrolled, attended)
    student = database().scalar(sa.select(Student).where(Student.id == student_id, reach))
    if student is None:
        abort(404)
    return student
