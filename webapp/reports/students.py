"""The students of a course: how often each came, how that goes, when they were seen last."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from attendance.database.models import Course, utc_now
from webapp.account.permissions import Permission, needs
from webapp.account.reach import reach_course
from webapp.exports.answers import Form, answer, file_stem
from webapp.exports.sheets import Cell, CellKind, Sheet, SheetColumn
from webapp.records.course_sheets import TALLY_COLUMNS, tally_cells
from webapp.records.tallies import During, Tally, roster_sizes
from webapp.reports.asked import file_addresses
from webapp.reports.asked_students import AskedStudents, asked_students
from webapp.reports.blueprint import blueprint
from webapp.reports.course_marks import StudentName, read_marks, students_of_course
from webapp.reports.spells import LATELY, Spells, spells_of
from webapp.tools.paging import Page, page_of
from webapp.tools.storage import database
from webapp.tools.times import today

_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class StudentLine:
    """A student in a course's list.

    Attributes:
        below: whether the rate is below the threshold.
    """

    student: StudentName
    tally: Tally
    spells: Spells
    below: bool


_NAME_KEYS: Mapping[str, Callable[[StudentName], Any] | None] = {
    "name": None,
    "number": lambda student: student.index_number,
}
_KEYS: Mapping[str, Callable[[StudentLine], Any] | None] = {
    "name": None,
    "number": lambda line: line.student.index_number,
    "rate": lambda line: line.tally.rate,
    "present": lambda line: line.tally.present,
    "late": lambda line: line.tally.late,
    "absent": lambda line: line.tally.absent,
    "excused": lambda line: line.tally.excused,
    "trend": lambda line: line.spells.trend,
    "seen": lambda line: line.spells.last_seen,
    "longest": lambda line: line.spells.longest_absence,
}
ORDERS = tuple(_KEYS)


@blueprint.get("/courses/<int:course_id>/students")
@needs(Permission.READ)
def students(course_id: int) -> str:
    """Who takes the course; `?below=75`, `?group=`, `?q=`, `?from=` and `?to=` narrow the list, `?sort=` orders it."""
    db, course = database(), reach_course(course_id)
    asked = asked_students(db, course, ORDERS)
    return render_template(
        "reports/students.html",
        course=course,
        roster=roster_sizes(db, [course_id])[course_id],
        page=_page(db, course_id, asked, utc_now()),
        asked=asked,
        lately=LATELY,
        columns=_columns(),
        export_addresses=file_addresses("reports.export_students", course_id=course_id),
    )


@blueprint.get("/courses/<int:course_id>/students.csv", defaults={"form": Form.CSV})
@blueprint.get("/courses/<int:course_id>/students.xlsx", defaults={"form": Form.XLSX})
@needs(Permission.TERM)
def export_students(course_id: int, form: Form) -> ResponseReturnValue:
    """The students of the page, on all its pages and in its order."""
    db, course = database(), reach_course(course_id)
    asked = asked_students(db, course, ORDERS)
    lines = _wanted(db, course_id, asked, utc_now())
    words = ["students", course.code, today().isoformat(), *asked.words()]
    return answer([students_sheet(course, lines)], file_name=file_stem(words), form=form)


def students_sheet(course: Course, lines: Sequence[StudentLine]) -> Sheet:
    """The list as a sheet."""
    columns = (
        SheetColumn(_("Index number")),
        SheetColumn(_("Student")),
        *TALLY_COLUMNS,
        SheetColumn(_("Trend, percentage points"), CellKind.WHOLE),
        SheetColumn(_("Last seen"), CellKind.DAY),
        SheetColumn(_("Longest absence, sessions"), CellKind.WHOLE),
        SheetColumn(_("Below the threshold")),
    )
    return Sheet(course.code, columns, [_cells(line) for line in lines], frozen=2)


def _cells(line: StudentLine) -> Sequence[Cell]:
    spells = line.spells
    return (
        line.student.index_number,
        line.student.name,
        *tally_cells(line.tally),
        None if spells.trend is None else round(100 * spells.trend),
        spells.last_seen,
        spells.longest_absence,
        _("yes") if line.below else _("no"),
    )


def student_lines(
    db: Session,
    course_id: int,
    students: Sequence[StudentName],
    *,
    threshold: int,
    now: datetime,
    during: During = (),
) -> list[StudentLine]:
    """The lines of students of a course, in their order.

    Args:
        db: any session.
        course_id: of the course.
        students: as `students_of_course` gives them.
        threshold: in percent.
        now: aware.
        during: which sessions of the course.
    """
    marks = read_marks(db, course_id, students, now, during)
    starts = [session.starts_at for session in marks.sessions]
    return [
        StudentLine(row.student, tally, spells_of(row.marks, starts, row.weights), tally.is_below(threshold))
        for row in marks.students
        for tally in (row.tally,)
    ]


def _page(db: Session, course_id: int, asked: AskedStudents, now: datetime) -> Page[StudentLine]:
    if asked.order.column in _NAME_KEYS and asked.below is None:
        # Names alone order these, so that of a course of hundreds only one page's marks are read.
        page = page_of(asked.order.arrange(_named(db, course_id, asked), _NAME_KEYS), size=_A_PAGE)
        return page.of(_lines(db, course_id, page.items, asked, now))
    return page_of(_wanted(db, course_id, asked, now), size=_A_PAGE)


def _wanted(db: Session, course_id: int, asked: AskedStudents, now: datetime) -> list[StudentLine]:
    """All lines that the address asks for, in its order."""
    lines = _lines(db, course_id, _named(db, course_id, asked), asked, now)
    return asked.order.arrange((line for line in lines if line.below or asked.below is None), _KEYS)


def _lines(
    db: Session, course_id: int, students: Sequence[StudentName], asked: AskedStudents, now: datetime
) -> list[StudentLine]:
    during = asked.period.conditions
    return student_lines(db, course_id, students, threshold=asked.threshold, now=now, during=during)


def _named(db: Session, course_id: int, asked: AskedStudents) -> list[StudentName]:
    return students_of_course(db, course_id, search=asked.search, group_id=asked.group_id)


def _columns() -> Mapping[str, str]:
    """What the list can be ordered by, in words."""
    return {
        "name": _("name"),
        "number": _("index number"),
        "rate": _("attendance"),
        "present": _("times present"),
        "late": _("times late"),
        "absent": _("times absent"),
        "excused": _("times excused"),
        "trend": _("trend"),
        "seen": _("last seen"),
        "longest": _("longest absence"),
    }
