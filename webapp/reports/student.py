"""A student over the courses one may see: each course, the weeks, the calendar, excuses, and every session."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlalchemy.orm import contains_eager, joinedload

from attendance.database.audiences import TAKES_PLACE, among, counts_for, parts
from attendance.database.models import Attendance, ClassSession, Course, Enrolment, Excuse, Student
from attendance.database.thresholds import threshold_of
from webapp.account.identity import is_admin, may
from webapp.account.permissions import Permission, needs
from webapp.account.reach import reach_student, reachable
from webapp.exports.answers import Form, answer, file_stem
from webapp.records.excuses import excuses_of, may_take_back
from webapp.records.student_sheets import student_sheets
from webapp.records.tallies import Tally, is_decided, tally_courses_of, tally_student
from webapp.reports.asked import file_addresses
from webapp.reports.calendar import CalendarWeek, read_calendar
from webapp.reports.charts import Point, rate_chart
from webapp.reports.letters import letter_of, letters
from webapp.reports.period import Period, asked_period
from webapp.tools.paging import paginate
from webapp.tools.requests import LARGEST_ID
from webapp.tools.storage import database
from webapp.tools.times import short_day_text, today

blueprint = Blueprint("students", __name__)

_A_PAGE = 30
_WEEKDAYS = 5


@blueprint.get("/students/<int:student_id>")
@needs(Permission.READ)
def history(student_id: int) -> str:
    """The student's rate in each course, and each recorded session; `?course=`, `?from=` and `?to=` narrow them."""
    student, db, period = reach_student(student_id), database(), asked_period()
    courses = _courses_of(student, period)
    chosen = _chosen(courses)
    weeks = read_calendar(db, student_id, among([chosen.id]) if chosen else reachable, period.conditions)
    # Courses may want different shares; where all are shown, no line is the limit.
    threshold = threshold_of(db, chosen) if chosen else None
    return render_template(
        "students/student.html",
        student=student,
        courses=[(course, tally, tally.is_below(threshold_of(db, course))) for course, tally in courses],
        overall=tally_student(db, student_id, reachable, period.conditions),
        chosen=chosen,
        may_excuse=is_admin() or any(may(Permission.EXCUSE, course) for course, _ in courses),
        excuses=[(excuse, may_take_back(excuse)) for excuse in _excuses_in(student, period)],
        page=paginate(db, _history_query(student_id, chosen, period), size=_A_PAGE),
        period=period,
        weeks=weeks,
        chart=weeks_chart(weeks, threshold) if any(week.so_far.rate is not None for week in weeks) else None,
        threshold=threshold,
        letters=letters(),
        letter_of=letter_of,
        entry_at=_around_session(student_id),
        weekend=any(day for week in weeks for day in week.days[_WEEKDAYS:]),
        export_addresses=file_addresses("students.export", student_id=student_id),
    )


@blueprint.get("/students/<int:student_id>.csv", defaults={"form": Form.CSV})
@blueprint.get("/students/<int:student_id>.xlsx", defaults={"form": Form.XLSX})
@needs(Permission.READ)
def export(student_id: int, form: Form) -> ResponseReturnValue:
    """The page as a file, with the sessions of all its pages; narrowed as the page is."""
    student, period = reach_student(student_id), asked_period()
    courses = _courses_of(student, period)
    chosen = _chosen(courses)
    entries = database().scalars(_history_query(student_id, chosen, period)).all()
    sheets = list(student_sheets(courses, _excuses_in(student, period), entries))
    words = ["student", student.index_number, chosen.code if chosen else "", today().isoformat(), *period.file_words()]
    return answer(sheets, file_name=file_stem(words), form=form)


def weeks_chart(weeks: Sequence[CalendarWeek], threshold: int | None) -> Markup:
    """A student's rate so far, and that of each week."""
    lines = {
        "main": [Point(week.so_far.rate) for week in weeks],
        "second": [Point(week.tally.rate) for week in weeks],
    }
    return rate_chart([short_day_text(week.monday) for week in weeks], lines, threshold=threshold)


def _around_session(student_id: int) -> list[str]:
    """What stands before and after a session's id in the address of the student's entry.

    Made once: a calendar has hundreds of them, and making each would take longer than all else.
    """
    address = url_for("register.entry", session_id=LARGEST_ID, student_id=student_id, next=request.full_path)
    return address.split(str(LARGEST_ID), 1)


def _excuses_in(student: Student, period: Period) -> list[Excuse]:
    return [excuse for excuse in excuses_of(student) if period.touches(excuse.starts_at, excuse.ends_at)]


def _courses_of(student: Student, period: Period) -> list[tuple[Course, Tally]]:
    """The courses within reach that the student takes or has attendance in, with their tallies, by code."""
    db = database()
    tallies = tally_courses_of(db, student.id, reachable, period.conditions)
    enrolled = sa.select(Enrolment.course_id).where(Enrolment.student_id == student.id)
    listed = sa.or_(Course.id.in_(enrolled), Course.id.in_(tallies))
    courses = db.scalars(sa.select(Course).where(reachable(Course.id), listed).order_by(Course.code))
    return [(course, tallies.get(course.id, Tally())) for course in courses]


def _chosen(courses: list[tuple[Course, Tally]]) -> Course | None:
    text = request.args.get("course", "")
    if not text:
        return None
    return next((course for course, _ in courses if str(course.id) == text), None) or abort(404)


def _history_query(student_id: int, chosen: Course | None, period: Period) -> sa.Select[Any]:
    reach = among([chosen.id]) if chosen else reachable
    return (
        sa.select(Attendance)
        .join(Attendance.session)
        .options(contains_eager(Attendance.session).options(*parts()), joinedload(Attendance.label))
        .where(
            Attendance.student_id == student_id,
            TAKES_PLACE,
            counts_for(Attendance.student_id, reach),
            is_decided(),
            *period.conditions,
        )
        .order_by(ClassSession.starts_at.desc(), ClassSession.id.desc())
    )
