"""All records that one may see, filtered; and the same as a file.

Listed is what is recorded: from a student's first sighting or correction on, and for everybody once the session has
ended. Who has not been seen yet in a running session stands on that session's register, not here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa
from flask import (
    Blueprint,
    abort,
    current_app,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from attendance.database.audiences import TAKES_PLACE, Condition, among, courses_of, sessions_of_courses
from attendance.database.labels import labels_for
from attendance.database.models import ClassSession, Course, Status
from webapp.account.identity import is_admin
from webapp.account.permissions import Permission, needs
from webapp.account.reach import course_shown, reach_course, reach_session, reachable
from webapp.exports.answers import Form, answer, file_stem
from webapp.records.query import RecordFilter, RecordQuery
from webapp.records.record_sheet import records_sheet
from webapp.tools.labels import ShownLabel, read_status, shown_label
from webapp.tools.paging import page_number, page_size
from webapp.tools.requests import read_id
from webapp.tools.storage import database, release_database, sessions_of
from webapp.tools.template_tools import STATUS_VALUES, UNRECORDED
from webapp.tools.times import local, moment_text, read_day

blueprint = Blueprint("records", __name__)

_A_PAGE = 50
_SESSIONS_OFFERED = 300
_COURSES_OFFERED = 2_000
_NAMES = ("course", "session", "from", "to", "student", "status")


@dataclass
class AskedFilter:
    """The filter that an address asks for.

    Attributes:
        wanted: the filter, as far as the address could be understood.
        labels: that may be asked for: the institution's and those of the course, retired ones, too.
        errors: what could not, by the name of the parameter.
    """

    wanted: RecordFilter
    course: Course | None = None
    session: ClassSession | None = None
    labels: Sequence[ShownLabel] = ()
    errors: dict[str, str] = field(default_factory=dict)


_NOT_IN_LIST = {
    "course": lazy_gettext("Choose a course from the list."),
    "session": lazy_gettext("Choose a session from the list."),
}


@blueprint.get("/records")
@needs(Permission.READ)
def index() -> ResponseReturnValue:
    """The records page."""
    tidy = _tidy_arguments()
    if tidy != request.args.to_dict(flat=False):
        return redirect(url_for("records.index", **tidy))
    asked = _asked_filter()
    db = database()
    page = None
    if not asked.errors:
        page = RecordQuery(db, asked.wanted, _reach()).page(page_number(), page_size(_A_PAGE))
    tidy.pop("page", None)
    body = render_template(
        "records/records.html",
        asked=asked,
        courses=_offered_courses(),
        sessions=_offered_sessions(asked.course.id) if asked.course else [],
        page=page,
        statuses=list(Status),
        filtered=bool(tidy),
        export_addresses={form: url_for("records.export", form=form, **tidy) for form in Form},
    )
    return body, 422 if asked.errors else 200


@blueprint.get("/records.csv", defaults={"form": Form.CSV})
@blueprint.get("/records.xlsx", defaults={"form": Form.XLSX})
@needs(Permission.TERM)
def export(form: Form) -> ResponseReturnValue:
    """Every record of the filter, on all its pages, in the same order."""
    asked = _asked_filter()
    if asked.errors:
        abort(400, next(iter(asked.errors.values())))
    sheet = records_sheet(asked.wanted, _reach(), sessions_of(current_app))
    release_database()  # the file has its own session
    return answer([sheet], file_name=file_stem(["attendance", *_file_name_parts(asked)]), form=form)


@blueprint.get("/records/sessions")
@needs(Permission.READ)
def sessions_of_course() -> ResponseReturnValue:
    """The sessions one may choose among after choosing a course, for the page's script."""
    course_id = read_id(request.args.get("course", ""))
    if course_id is None:
        abort(404)
    course = reach_course(course_id)
    offered = _offered_sessions(course.id)
    return jsonify([{"id": session.id, "name": moment_text(session.starts_at)} for session in offered])


def _tidy_arguments() -> dict[str, Any]:
    """The address's parameters without empty ones, so that addresses are short enough to pass on."""
    given = request.args.to_dict(flat=False)
    tidy = {name: [text.strip() for text in texts if text.strip()] for name, texts in given.items()}
    return {name: texts for name, texts in tidy.items() if texts and name in (*_NAMES, "page")}


def _asked_filter() -> AskedFilter:
    asked = AskedFilter(RecordFilter())
    errors = asked.errors
    asked.course = _asked_course(errors)
    asked.session = _asked_session(errors)
    if asked.session and asked.course and asked.course.id not in courses_of(asked.session):
        asked.session = None  # another course was chosen after the session
    only_course = asked.course.id if asked.course else None
    if asked.session and not asked.course:
        asked.course = course_shown(asked.session)
    first, last = _asked_day("from", errors), _asked_day("to", errors)
    if first and last and first > last:
        errors["to"] = gettext("This day is before the first one.")
    asked.labels = _labels_of(asked.course)
    statuses, labels = _asked_statuses(asked.labels, errors)
    asked.wanted = RecordFilter(
        course_id=only_course,
        session_id=asked.session.id if asked.session else None,
        first_day=first,
        last_day=last,
        student=" ".join(request.args.get("student", "").split())[:120],
        statuses=statuses,
        labels=labels,
        unrecorded=UNRECORDED in request.args.getlist("status"),
    )
    return asked


def _asked_number(name: str, errors: dict[str, str]) -> int | None:
    text = request.args.get(name, "").strip()
    number = read_id(text)
    if text and number is None:
        errors[name] = _NOT_IN_LIST[name]
    return number


def _asked_course(errors: dict[str, str]) -> Course | None:
    number = _asked_number("course", errors)
    return None if number is None else reach_course(number)


def _asked_session(errors: dict[str, str]) -> ClassSession | None:
    number = _asked_number("session", errors)
    return None if number is None else reach_session(number)


def _asked_day(name: str, errors: dict[str, str]) -> date | None:
    text = request.args.get(name, "").strip()
    if not text:
        return None
    day = read_day(text)
    if day is None:
        errors[name] = gettext("This is no date. Write it like 2026-11-23.")
    return day


def _labels_of(course: Course | None) -> list[ShownLabel]:
    found = labels_for(database(), [course.id] if course else [], retired=True)
    return [shown for label in found if (shown := shown_label(label))]


def _asked_statuses(
    offered: Sequence[ShownLabel], errors: dict[str, str]
) -> tuple[tuple[Status, ...], tuple[int, ...]]:
    """The kinds, and the ids of the labels."""
    texts = [text for text in request.args.getlist("status") if text]
    labels = tuple(label.id for label in offered if label.key in texts)
    # A label of a course says nothing after another course was chosen; what no label can be is wrong.
    if any(text not in (*STATUS_VALUES, UNRECORDED) and read_status(text) is None for text in texts):
        errors["status"] = gettext("Choose a status from the list.")
        return (), ()
    return tuple(status for status in Status if status.value in texts), labels


def _reach() -> Condition | None:
    """What the lecturer may see, None for everything; decided now, as an export goes on after the request."""
    if is_admin():
        return None
    own = database().scalars(sa.select(Course.id).where(reachable(Course.id))).all()
    return among(own)


def _offered_courses() -> list[Course]:
    query = sa.select(Course).where(reachable(Course.id)).order_by(Course.code).limit(_COURSES_OFFERED)
    return list(database().scalars(query))


def _offered_sessions(course_id: int) -> list[ClassSession]:
    theirs = sessions_of_courses(among([course_id]), TAKES_PLACE)
    query = sa.select(ClassSession).join(theirs, theirs.c.session_id == ClassSession.id)
    query = query.order_by(ClassSession.starts_at.desc(), ClassSession.id.desc()).limit(_SESSIONS_OFFERED)
    return list(database().scalars(query))


def _file_name_parts(asked: AskedFilter) -> Iterator[str]:
    wanted = asked.wanted
    if asked.course:
        yield asked.course.code
    if asked.session:
        yield local(asked.session.starts_at).strftime("%Y-%m-%d-%H%M")
    if wanted.first_day:
        yield f"from-{wanted.first_day}"
    if wanted.last_day:
        yield f"to-{wanted.last_day}"
    yield wanted.student
    labels = [label.name for label in asked.labels if label.id in wanted.labels]
    yield "-".join([*wanted.statuses, *labels, *([UNRECORDED] if wanted.unrecorded else [])])
