"""A student's history over the courses one may see."""

from typing import Any

import sqlalchemy as sa
from flask import Blueprint, abort, render_template, request
from sqlalchemy.orm import contains_eager

from attendance.database.audiences import TAKES_PLACE, Condition, among, counts_for, parts
from attendance.database.models import Attendance, ClassSession, Course, Enrolment
from webapp.account.identity import is_admin, may
from webapp.account.permissions import Permission, needs
from webapp.account.reach import reach_student, reachable
from webapp.records.excuses import excuses_of, may_take_back
from webapp.records.tallies import Tally, is_decided, tally_courses_of, tally_student
from webapp.tools.paging import paginate
from webapp.tools.storage import database

blueprint = Blueprint("students", __name__)

_A_PAGE = 30


@blueprint.get("/students/<int:student_id>")
@needs(Permission.READ)
def history(student_id: int) -> str:
    """The student's rate in each course, and each recorded session; `?course=` shows one course's sessions."""
    student, db = reach_student(student_id), database()
    tallies = tally_courses_of(db, student_id, reachable)
    enrolled = sa.select(Enrolment.course_id).where(Enrolment.student_id == student_id)
    listed = sa.or_(Course.id.in_(enrolled), Course.id.in_(tallies))
    courses = db.scalars(sa.select(Course).where(reachable(Course.id), listed).order_by(Course.code)).all()
    chosen = _chosen(courses)
    query = _history_query(student_id, among([chosen.id]) if chosen else reachable)
    return render_template(
        "students/student.html",
        student=student,
        courses=[(course, tallies.get(course.id, Tally())) for course in courses],
        overall=tally_student(db, student_id, reachable),
        chosen=chosen,
        may_excuse=is_admin() or any(may(Permission.EXCUSE, course) for course in courses),
        excuses=[(excuse, may_take_back(excuse)) for excuse in excuses_of(student)],
        page=paginate(db, query, size=_A_PAGE),
    )


def _chosen(courses: Any) -> Course | None:
    text = request.args.get("course", "")
    if not text:
        return None
    chosen: Course | None = next((course for course in courses if str(course.id) == text), None)
    return chosen or abort(404)


def _history_query(student_id: int, reach: Condition) -> sa.Select[Any]:
    return (
        sa.select(Attendance)
        .join(Attendance.session)
        .options(contains_eager(Attendance.session).options(*parts()))
        .where(
            Attendance.student_id == student_id,
            TAKES_PLACE,
            counts_for(Attendance.student_id, reach),
            is_decided(),
        )
        .order_by(ClassSession.starts_at.desc(), ClassSession.id.desc())
    )
