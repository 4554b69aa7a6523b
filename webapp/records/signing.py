"""Lists to sign by hand, for where no camera is: names with empty boxes, made to be printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.orm import Session

from attendance.database.audiences import (
    TAKES_PLACE,
    Audience,
    among,
    counts_in,
    expected_students,
    session_ids_of_courses,
    students_of,
)
from attendance.database.models import ClassSession, Course, CourseGroup, Student
from webapp.account.permissions import Permission, needs
from webapp.account.reach import course_shown, courses_seen, reach_course, reach_session
from webapp.tools.names import by_student_name
from webapp.tools.requests import read_id
from webapp.tools.storage import database
from webapp.tools.times import clock_text, day_bounds, day_text, local, monday_of, read_day, today

blueprint = Blueprint("signing", __name__)

MOST_WEEKS = 20
_USUAL_WEEKS = 12
_MOST_BOXES = 20
_UPRIGHT_BOXES = 7
"""More do not fit beside names on an upright page."""
_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Box:
    """A column to sign in.

    Attributes:
        day: above it.
        clock: below the day, where sessions of a day must be told apart; or empty.
    """

    day: str
    clock: str = ""


@dataclass
class _Asked:
    """What an address asks for; each text as it was typed.

    Attributes:
        first: from this day on.
        group: only its members.
        errors: what could not be understood, by the name of the parameter.
    """

    first: date
    weeks: int
    group: CourseGroup | None
    typed: dict[str, str]
    errors: dict[str, str]


@blueprint.get("/sessions/<int:session_id>/signing-list")
@needs(Permission.READ)
def of_session(session_id: int) -> str:
    """Everybody who is expected in a session, with one box."""
    session = reach_session(session_id)
    expected = Student.id.in_(expected_students(session))
    theirs = counts_in(session, courses_seen(session), Student.id)
    return render_template(
        "records/signing_session.html",
        session=session,
        course=course_shown(session),
        students=_students(database(), expected, theirs),
        boxes=[Box(gettext("Signature"))],
    )


@blueprint.get("/courses/<int:course_id>/signing-list")
@needs(Permission.READ)
def of_course(course_id: int) -> ResponseReturnValue:
    """Everybody who takes a course, or is in its `?group=`, with a box for each session of `?weeks=` from `?from=` on.

    Without a session in that time there is a box for each week.
    """
    course = reach_course(course_id)
    asked = _asked(course)
    db = database()
    boxes = [] if asked.errors else _boxes(db, course, asked)
    audience = Audience(course.id, asked.group.id if asked.group else None)
    body = render_template(
        "records/signing_course.html",
        course=course,
        asked=asked,
        boxes=boxes,
        wide=len(boxes) > _UPRIGHT_BOXES,
        students=_students(db, Student.id.in_(students_of(audience))),
        most_weeks=MOST_WEEKS,
    )
    return body, 422 if asked.errors else 200


def _students(db: Session, *conditions: sa.ColumnElement[bool]) -> Sequence[Student]:
    return db.scalars(sa.select(Student).where(*conditions).order_by(*by_student_name(db))).all()


def _boxes(db: Session, course: Course, asked: _Asked) -> list[Box]:
    after = day_bounds(asked.first + asked.weeks * _WEEK)[0]
    within = (TAKES_PLACE, ClassSession.starts_at >= day_bounds(asked.first)[0], ClassSession.starts_at < after)
    theirs = session_ids_of_courses(among([course.id]), *within)
    query = sa.select(ClassSession).join(theirs, theirs.c.session_id == ClassSession.id)
    if asked.group is not None:
        query = query.where(sa.or_(ClassSession.group_id.is_(None), ClassSession.group_id == asked.group.id))
    sessions = db.scalars(query.order_by(ClassSession.starts_at, ClassSession.id).limit(_MOST_BOXES)).all()
    if sessions:
        return [_box(session.starts_at) for session in sessions]
    return [Box(_short(asked.first + number * _WEEK)) for number in range(asked.weeks)]


def _box(starts_at: datetime) -> Box:
    return Box(_short(local(starts_at).date()), clock_text(starts_at))


def _short(day: date) -> str:
    """A day without its year, which the page's title says."""
    return day_text(day).rpartition(" ")[0]


def _asked(course: Course) -> _Asked:
    monday = monday_of(today())
    typed = {
        "from": request.args.get("from", "").strip() or monday.isoformat(),
        "weeks": request.args.get("weeks", "").strip() or str(_USUAL_WEEKS),
    }
    asked = _Asked(monday, _USUAL_WEEKS, _asked_group(course), typed, {})
    first = read_day(typed["from"])
    if first is None:
        asked.errors["from"] = gettext("This is no date. Write it like 2026-11-23.")
    else:
        asked.first = first
    asked.weeks = read_id(typed["weeks"]) or 0
    if not 1 <= asked.weeks <= MOST_WEEKS:
        asked.errors["weeks"] = gettext("Choose 1 to %(most)s weeks.", most=MOST_WEEKS)
    return asked


def _asked_group(course: Course) -> CourseGroup | None:
    text = request.args.get("group", "").strip()
    if not text:
        return None
    return next((group for group in course.groups if str(group.id) == text), None) or abort(404)
