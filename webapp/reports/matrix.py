"""The matrix of a course: students by sessions, a letter each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup

from attendance.database.models import ClassSession, Course, utc_now
from webapp.account.permissions import Permission, needs
from webapp.account.reach import reach_course
from webapp.exports.answers import Form, answer, file_stem
from webapp.exports.sheets import CellKind, Sheet, SheetColumn
from webapp.records.tallies import Tally, roster_sizes
from webapp.reports.asked import file_addresses
from webapp.reports.asked_students import AskedStudents, asked_students
from webapp.reports.blueprint import blueprint
from webapp.reports.course_marks import StudentMarks, read_marks, students_of_course
from webapp.reports.letters import cells, letters
from webapp.tools.labels import ShownLabel
from webapp.tools.storage import database
from webapp.tools.times import local, today


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A student's row as the page shows it.

    Attributes:
        below: whether the rate is below the course's threshold.
    """

    marks: StudentMarks
    tally: Tally
    below: bool


_KEYS: Mapping[str, Callable[[MatrixRow], Any] | None] = {
    "name": None,
    "number": lambda row: row.marks.student.index_number,
    "rate": lambda row: row.tally.rate,
}
ORDERS = tuple(_KEYS)


@dataclass(frozen=True, slots=True)
class _Matrix:
    """The matrix that the address asks for."""

    course: Course
    sessions: Sequence[ClassSession]
    rows: Sequence[MatrixRow]
    asked: AskedStudents
    labels: Sequence[ShownLabel]


@blueprint.get("/courses/<int:course_id>/matrix")
@needs(Permission.TERM)
def matrix(course_id: int) -> str:
    """Students by sessions; `?below=`, `?group=`, `?q=`, `?from=` and `?to=` narrow it, `?sort=` orders it."""
    found = _matrix(course_id)
    shown = letters(found.labels)
    row_cells = cells(shown)
    return render_template(
        "reports/matrix.html",
        course=found.course,
        roster=roster_sizes(database(), [course_id])[course_id],
        sessions=found.sessions,
        rows=[(row, Markup("").join(map(row_cells.__getitem__, row.marks.marks))) for row in found.rows],
        letters=[one for one in shown.values() if one.letter],
        asked=found.asked,
        columns={"name": _("name"), "number": _("index number"), "rate": _("attendance")},
        export_addresses=file_addresses("reports.export_matrix", course_id=course_id),
    )


@blueprint.get("/courses/<int:course_id>/matrix.csv", defaults={"form": Form.CSV})
@blueprint.get("/courses/<int:course_id>/matrix.xlsx", defaults={"form": Form.XLSX})
@needs(Permission.TERM)
def export_matrix(course_id: int, form: Form) -> ResponseReturnValue:
    """The matrix of the page, in its order."""
    found = _matrix(course_id)
    words = ["matrix", found.course.code, today().isoformat(), *found.asked.words()]
    sheet = matrix_sheet(found.course, found.sessions, found.rows, found.labels)
    return answer([sheet], file_name=file_stem(words), form=form)


def matrix_sheet(
    course: Course, sessions: Sequence[ClassSession], rows: Sequence[MatrixRow], labels: Sequence[ShownLabel] = ()
) -> Sheet:
    """The matrix as a sheet: a column for each session, a letter in each cell."""
    columns = (
        SheetColumn(_("Index number")),
        SheetColumn(_("Student")),
        SheetColumn(_("Rate"), CellKind.SHARE),
        *(SheetColumn(f"{local(session.starts_at):%Y-%m-%d %H:%M}") for session in sessions),
    )
    shown = {mark: one.letter for mark, one in letters(labels).items()}
    written = (
        (
            row.marks.student.index_number,
            row.marks.student.name,
            row.tally.rate,
            *map(shown.__getitem__, row.marks.marks),
        )
        for row in rows
    )
    return Sheet(course.code, columns, written, frozen=2)


def _matrix(course_id: int) -> _Matrix:
    db, course = database(), reach_course(course_id)
    asked = asked_students(db, course, ORDERS)
    students = students_of_course(db, course_id, search=asked.search, group_id=asked.group_id)
    marks = read_marks(db, course_id, students, utc_now(), asked.period.conditions)
    rows = [MatrixRow(row, tally, tally.is_below(asked.threshold)) for row in marks.students for tally in (row.tally,)]
    rows = [row for row in rows if row.below or asked.below is None]
    return _Matrix(course, marks.sessions, asked.order.arrange(rows, _KEYS), asked, marks.labels)
