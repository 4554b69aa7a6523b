"""The exam office's page, and the same lines as a file."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, abort, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from attendance.database.models import Course, Department
from webapp.account.permissions import Permission, needs
from webapp.account.reach import departments_of_courses, reach_course, reachable
from webapp.exam_office.exam_sheets import exam_sheets, met_word
from webapp.exam_office.lines import ExamFilter, exam_courses, exam_page
from webapp.exports.answers import Form, answer, file_stem
from webapp.tools.requests import read_id
from webapp.tools.storage import database, sessions_of
from webapp.tools.times import today

blueprint = Blueprint("exam_office", __name__)

_A_PAGE = 50
_COURSES_OFFERED = 2_000
_EARLIEST = date(1990, 1, 1)


@dataclass
class _Asked:
    """What an address asks for.

    Attributes:
        day: the text of the day, as it was typed.
        errors: what could not be understood, by the name of the parameter.
    """

    wanted: ExamFilter
    day: str
    course: Course | None = None
    department: Department | None = None
    errors: dict[str, str] = field(default_factory=dict)


@blueprint.get("/exam-office")
@needs(Permission.TERM)
def page() -> ResponseReturnValue:
    """Who came how often, as of a day: `?as_of=2026-11-23`; of one course (`?course=`) or department."""
    asked, db = _asked(), database()
    addresses = {form: url_for("exam_office.export", form=form, **_arguments(asked)) for form in Form}
    body = render_template(
        "exam_office/exam_office.html",
        asked=asked,
        courses=db.scalars(
            sa.select(Course).where(reachable(Course.id)).order_by(Course.code).limit(_COURSES_OFFERED)
        ).all(),
        departments=departments_of_courses(),
        page=None if asked.errors else exam_page(db, asked.wanted, reachable, size=_A_PAGE),
        met_word=met_word,
        export_addresses=addresses,
        today=today(),
    )
    return body, 422 if asked.errors else 200


@blueprint.get("/exam-office.csv", defaults={"form": Form.CSV})
@blueprint.get("/exam-office.xlsx", defaults={"form": Form.XLSX})
@needs(Permission.TERM)
def export(form: Form) -> ResponseReturnValue:
    """The page's lines, all of them."""
    asked = _asked()
    if asked.errors:
        abort(400, next(iter(asked.errors.values())))
    courses = exam_courses(database(), asked.wanted, reachable)
    name = file_stem(
        [
            "exam-office",
            asked.department.name if asked.department else "",
            asked.course.code if asked.course else "",
            f"as-of-{asked.wanted.as_of}",
        ]
    )
    return answer(exam_sheets(sessions_of(current_app), courses, asked.wanted), file_name=name, form=form)


def _asked() -> _Asked:
    errors: dict[str, str] = {}
    day = request.args.get("as_of", "").strip() or today().isoformat()
    as_of = _read_day(day, errors)
    course, department = _asked_course(), _asked_department()
    wanted = ExamFilter(as_of, course.id if course else None, department.id if department else None)
    return _Asked(wanted, day, course, department, errors)


def _read_day(text: str, errors: dict[str, str]) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        errors["as_of"] = gettext("This is no date. Write it like 2026-11-23.")
        return today()
    if day > today():
        errors["as_of"] = gettext("This day is still to come. Choose today or an earlier day.")
    elif day < _EARLIEST:
        errors["as_of"] = gettext("This is no date. Write it like 2026-11-23.")
    return day


def _asked_course() -> Course | None:
    number = _asked_number("course")
    return None if number is None else reach_course(number)


def _asked_department() -> Department | None:
    number = _asked_number("department")
    if number is None:
        return None
    return next((department for department in departments_of_courses() if department.id == number), None) or abort(404)


def _asked_number(name: str) -> int | None:
    """The id that the address names; None when it names none, 404 for what can be none."""
    text = request.args.get(name, "").strip()
    return (read_id(text) or abort(404)) if text else None


def _arguments(asked: _Asked) -> dict[str, Any]:
    return {
        "as_of": asked.day,
        "course": asked.course.id if asked.course else None,
        "department": asked.department.id if asked.department else None,
    }
