"""What is not recorded in a department and why, and what its cameras watched."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask import abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from attendance.database.audiences import TAKES_PLACE, Condition, among, counts_for, parts, session_ids_of_courses
from attendance.database.models import Attendance, ClassSession, Course, Department, Unrecorded, utc_now
from webapp.account.permissions import Permission, needs
from webapp.account.reach import reach_department
from webapp.exports.answers import Form, answer, file_stem
from webapp.exports.sheets import CellKind, Sheet, SheetColumn
from webapp.records.tallies import During
from webapp.reports.asked import asked_order, file_addresses
from webapp.reports.blueprint import blueprint
from webapp.reports.coverage import CameraCoverage, Coverage, read_coverage
from webapp.reports.period import Period, asked_period
from webapp.tools.class_sessions.words import audience_codes, audience_names, room_names
from webapp.tools.paging import page_of
from webapp.tools.storage import database
from webapp.tools.template_tools import UNRECORDED_WORDS
from webapp.tools.times import day_bounds, start_of_day, today

_A_PAGE, _A_CHUNK = 50, 1_000
_WEEKS, _MOST_WEEKS = 4, 60
REASONS = tuple(reason.value for reason in Unrecorded)


_CAMERA_KEYS: Mapping[str, Callable[[CameraCoverage], Any] | None] = {
    "room": None,
    "camera": lambda line: line.camera,
    "share": lambda line: line.share,
    "blind": lambda line: line.blind,
    "away": lambda line: line.away,
}
_CAMERA_ORDERS = tuple(_CAMERA_KEYS)


@dataclass(frozen=True, slots=True)
class UnrecordedLine:
    """A session in which nothing is recorded of some students.

    Attributes:
        reasons: how many students, by reason.
        of: how many entries the session has in all.
    """

    session: ClassSession
    reasons: Mapping[Unrecorded, int]
    of: int

    @property
    def students(self) -> int:
        """Of how many nothing is recorded."""
        return sum(self.reasons.values())


@blueprint.get("/departments/<int:department_id>/unrecorded")
@needs(Permission.DEPARTMENT)
def unrecorded(department_id: int) -> str:
    """Sessions in which nothing is recorded of somebody, the latest first; `?why=`, `?from=`, `?to=` narrow."""
    db, found, period = database(), reach_department(department_id), asked_period()
    why = _asked_reason()
    courses = among(course_ids(db, found))
    totals = reason_totals(db, courses, period.conditions)
    page = page_of(_counts(db, courses, why, period.conditions), size=_A_PAGE)
    return render_template(
        "reports/unrecorded.html",
        department=found,
        page=page.of(unrecorded_lines(db, page.items)),
        totals=totals,
        why=why,
        period=period,
        export_addresses=file_addresses("reports.export_unrecorded", department_id=department_id),
    )


@blueprint.get("/departments/<int:department_id>/unrecorded.csv", defaults={"form": Form.CSV})
@blueprint.get("/departments/<int:department_id>/unrecorded.xlsx", defaults={"form": Form.XLSX})
@needs(Permission.DEPARTMENT)
def export_unrecorded(department_id: int, form: Form) -> ResponseReturnValue:
    """The sessions of the page, on all its pages: a line for each reason."""
    db, found, period = database(), reach_department(department_id), asked_period()
    counts = _counts(db, among(course_ids(db, found)), _asked_reason(), period.conditions)
    # A chunk at a time, as databases take so many parameters in one statement.
    chunks = (counts[first : first + _A_CHUNK] for first in range(0, len(counts), _A_CHUNK))
    sheet = unrecorded_sheet(found, [line for chunk in chunks for line in unrecorded_lines(db, chunk)])
    words = ["not-recorded", found.name, today().isoformat(), *period.file_words()]
    return answer([sheet], file_name=file_stem(words), form=form)


def unrecorded_sheet(found: Department, lines: Sequence[UnrecordedLine]) -> Sheet:
    """The sessions as a sheet: a line for each reason."""
    columns = (
        SheetColumn(_("Session"), CellKind.MOMENT),
        SheetColumn(_("Course")),
        SheetColumn(_("Course name")),
        SheetColumn(_("Room")),
        SheetColumn(_("Not recorded"), CellKind.WHOLE),
        SheetColumn(_("Of entries"), CellKind.WHOLE),
        SheetColumn(_("Why")),
    )
    rows = [
        (
            line.session.starts_at,
            audience_codes(line.session),
            audience_names(line.session),
            room_names(line.session),
            students,
            line.of,
            UNRECORDED_WORDS[reason],
        )
        for line in lines
        for reason, students in line.reasons.items()
    ]
    return Sheet(found.name, columns, rows, frozen=2)


@blueprint.get("/departments/<int:department_id>/cameras")
@needs(Permission.DEPARTMENT)
def cameras(department_id: int) -> str:
    """How much of the department's sessions each camera watched, `?from=` a day `?to=` a day."""
    found, period, order = reach_department(department_id), _asked_time(), asked_order(_CAMERA_ORDERS)
    coverage = _coverage(found, period)
    return render_template(
        "reports/cameras.html",
        department=found,
        lines=order.arrange(coverage.cameras, _CAMERA_KEYS),
        without_camera=coverage.without_camera,
        period=period,
        order=order,
        export_addresses=file_addresses("reports.export_cameras", department_id=department_id),
    )


@blueprint.get("/departments/<int:department_id>/cameras.csv", defaults={"form": Form.CSV})
@blueprint.get("/departments/<int:department_id>/cameras.xlsx", defaults={"form": Form.XLSX})
@needs(Permission.DEPARTMENT)
def export_cameras(department_id: int, form: Form) -> ResponseReturnValue:
    """The cameras of the page, in its order."""
    found, period = reach_department(department_id), _asked_time()
    sheet = cameras_sheet(found, asked_order(_CAMERA_ORDERS).arrange(_coverage(found, period).cameras, _CAMERA_KEYS))
    words = ["cameras", found.name, today().isoformat(), *period.file_words()]
    return answer([sheet], file_name=file_stem(words), form=form)


def cameras_sheet(found: Department, lines: Sequence[CameraCoverage]) -> Sheet:
    """The cameras as a sheet."""
    columns = (
        SheetColumn(_("Room")),
        SheetColumn(_("Camera")),
        SheetColumn(_("Watched"), CellKind.SHARE),
        SheetColumn(_("Minutes of sessions"), CellKind.WHOLE),
        SheetColumn(_("Minutes watched"), CellKind.WHOLE),
        SheetColumn(_("Of these live"), CellKind.WHOLE),
        SheetColumn(_("Minutes in which it saw nothing"), CellKind.WHOLE),
        SheetColumn(_("Minutes away"), CellKind.WHOLE),
        SheetColumn(_("Last heard of"), CellKind.MOMENT),
    )
    rows = [
        (
            line.room,
            line.camera or _("removed since"),
            line.share,
            line.minutes,
            line.watched,
            line.live,
            line.blind,
            line.away,
            line.seen_at,
        )
        for line in lines
    ]
    return Sheet(found.name, columns, rows, frozen=2)


def course_ids(db: Session, found: Department) -> Sequence[int]:
    """The courses of a department."""
    return db.scalars(sa.select(Course.id).where(Course.department_id == found.id)).all()


def reason_totals(db: Session, courses: Condition, during: During = ()) -> dict[Unrecorded, tuple[int, int]]:
    """By reason, in how many sessions of a time and of how many entries nothing is recorded; those that occur."""
    entries = _unrecorded(courses, during).subquery("entries")
    query = sa.select(
        entries.c.reason, sa.func.count(sa.distinct(entries.c.session_id)), sa.func.sum(entries.c.students)
    ).group_by(entries.c.reason)
    found = {reason: (sessions, int(students)) for reason, sessions, students in db.execute(query)}
    return {reason: found[reason] for reason in Unrecorded if reason in found}


def unrecorded_lines(db: Session, counts: Sequence[tuple[int, Mapping[Unrecorded, int]]]) -> list[UnrecordedLine]:
    """The lines of sessions, in their order, with what there is of each to read."""
    ids = [session_id for session_id, _reasons in counts]
    query = sa.select(ClassSession).options(*parts()).where(ClassSession.id.in_(ids))
    sessions = {session.id: session for session in db.scalars(query)}
    entries = sa.select(Attendance.session_id, sa.func.count()).where(Attendance.session_id.in_(ids))
    of: dict[int, int] = dict(db.execute(entries.group_by(Attendance.session_id)).all())
    return [UnrecordedLine(sessions[session_id], reasons, of[session_id]) for session_id, reasons in counts]


def _counts(
    db: Session, courses: Condition, why: Unrecorded | None, during: During
) -> list[tuple[int, Mapping[Unrecorded, int]]]:
    """Sessions with entries that say why nothing is recorded, the latest first, and how many for each reason."""
    entries = _unrecorded(courses, during, why).subquery("entries")
    query = (
        sa.select(entries.c.session_id, entries.c.reason, entries.c.students)
        .join(ClassSession, ClassSession.id == entries.c.session_id)
        .order_by(ClassSession.starts_at.desc(), ClassSession.id.desc())
    )
    found: dict[int, dict[Unrecorded, int]] = defaultdict(dict)
    for session_id, reason, students in db.execute(query):
        found[session_id][reason] = students
    return list(found.items())


def _unrecorded(
    courses: Condition, during: During, why: Unrecorded | None = None
) -> sa.Select[int, Unrecorded | None, int]:
    """The query for (session, reason, how many students) of the courses' own students."""
    theirs = session_ids_of_courses(courses, TAKES_PLACE, *during)
    reason = Attendance.unrecorded_reason
    return (
        sa.select(Attendance.session_id, reason.label("reason"), sa.func.count().label("students"))
        .join(theirs, theirs.c.session_id == Attendance.session_id)
        .join(ClassSession, ClassSession.id == Attendance.session_id)
        .where(
            Attendance.status.is_(None),
            reason.is_not(None) if why is None else reason == why,
            counts_for(Attendance.student_id, courses),
        )
        .group_by(Attendance.session_id, reason)
    )


def _asked_reason() -> Unrecorded | None:
    text = request.args.get("why", "")
    if text and text not in REASONS:
        abort(400, _("The reasons are: %(names)s.", names=", ".join(REASONS)))
    return Unrecorded(text) if text else None


def _coverage(found: Department, period: Period) -> Coverage:
    """What the cameras watched until now; `period` has a first day."""
    db, now = database(), utc_now()
    since = start_of_day(period.first or today())
    until = now if period.last is None else min(now, day_bounds(period.last)[1])
    return read_coverage(db, among(course_ids(db, found)), since, until)


def _asked_time() -> Period:
    """The period that the address asks for; without a first day it has the last `?weeks=`."""
    asked, weeks = asked_period(), _asked_weeks()
    return Period(asked.first or (asked.last or today()) - timedelta(weeks=weeks), asked.last)


def _asked_weeks() -> int:
    text = request.args.get("weeks", "") or str(_WEEKS)
    if not (text.isascii() and text.isdecimal() and len(text) <= 2 and 1 <= int(text) <= _MOST_WEEKS):
        abort(400, _("“weeks” is a number from 1 to %(most)s.", most=_MOST_WEEKS))
    return int(text)
