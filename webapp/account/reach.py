"""What the signed-in lecturer may open: their own courses and what belongs to them; an administrator, everything.

What one may not open answers as what does not exist, so that nobody learns which courses there are.
"""

from typing import Any

import sqlalchemy as sa
from flask import abort
from sqlalchemy.orm import contains_eager, selectinload

from attendance.database.models import Attendance, ClassSession, Course, CourseLecturer, Enrolment, Student
from webapp.account.identity import current_lecturer, is_admin
from webapp.tools.storage import database


def reachable(course_id: sa.ColumnElement[int] | sa.orm.InstrumentedAttribute[Any]) -> sa.ColumnElement[bool]:
    """The condition that a course, given by a column with its id, is one the lecturer may open."""
    if is_admin():
        return sa.true()
    own = sa.select(CourseLecturer.course_id).where(CourseLecturer.lecturer_id == current_lecturer().id)
    return course_id.in_(own)


def reach_course(course_id: int) -> Course:
    """The course with its lecturers, or 404."""
    query = sa.select(Course).where(Course.id == course_id, reachable(Course.id))
    course = database().scalar(query.options(selectinload(Course.lecturers)))
    if course is None:
        abort(404)
    return course


def reach_session(session_id: int) -> ClassSession:
    """The class session with its course and room, or 404."""
    query = (
        sa.select(ClassSession)
        .join(ClassSession.course)
        .join(ClassSession.room)
        .options(contains_eager(ClassSession.course), contains_eager(ClassSession.room))
        .where(ClassSession.id == session_id, reachable(ClassSession.course_id))
    )
    session = database().scalar(query)
    if session is None:
        abort(404)
    return session


def reach_student(student_id: int) -> Student:
    """The student, who takes one of the courses or has attendance in one; else 404."""
    enrolled = sa.exists().where(Enrolment.student_id == Student.id, reachable(Enrolment.course_id))
    attended = sa.exists().where(
        Attendance.student_id == Student.id,
        ClassSession.id == Attendance.session_id,
        reachable(ClassSession.course_id),
    )
    reach = sa.true() if is_admin() else sa.or_(enrolled, attended)
    student = database().scalar(sa.select(Student).where(Student.id == student_id, reach))
    if student is None:
        abort(404)
    return student
