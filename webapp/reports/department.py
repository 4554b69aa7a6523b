"""The reports of a department: its courses compared, and the students at risk in them."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from attendance.database.audiences import TAKES_PLACE, among, sessions_of_courses
from attendance.database.engine import rules_of
from attendance.database.models import ClassSession, Course, Department, Student, utc_now
from attendance.database.thresholds import threshold_of
from webapp.account.permissions import Permission, needs
from webapp.account.reach import reach_department, reachable_departments
from webapp.exports.answers import Form, answer, file_stem
from webapp.exports.sheets import CellKind, Sheet, SheetColumn
from webapp.records.tallies import During, Tally, roster_sizes, tally_enrolled, total
from webapp.reports.asked import Order, asked_below, asked_order, asked_search, file_addresses
from webapp.reports.asked_students import AskedStudents
from webapp.reports.blueprint import blueprint
from webapp.reports.course_marks import StudentName
from webapp.reports.period import Period, asked_period
from webapp.tools.names import by_student_name, name_key
from webapp.tools.paging import page_of
from webapp.tools.storage import database
from webapp.tools.times import today

_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class CourseLine:
    """A course beside the others of its department.

    Attributes:
        sessions: those that have begun and take place.
        tally: of everybody who takes it.
        below: how many students are below the threshold.
    """

    course: Course
    students: int
    sessions: int
    tally: Tally
    below: int
    threshold: int

    @property
    def unrecorded(self) -> float | None:
        """Share of the entries of which nothing is recorded, 0 to 1; None without any."""
        entries = self.tally.recorded + self.tally.unrecorded
        return self.tally.unrecorded / entries if entries else None


@dataclass(frozen=True, slots=True)
class RiskLine:
    """A student who is below the threshold of a course or more.

    Attributes:
        below: the courses in which the student is, the lowest rate first.
        courses: how many courses of the department the student takes in which something is recorded.
        tally: of all these courses.
    """

    student: StudentName
    below: Sequence[tuple[Course, Tally]]
    courses: int
    tally: Tally


_COURSE_KEYS: Mapping[str, Callable[[CourseLine], Any]] = {
    "code": lambda line: line.course.code,
    "name": lambda line: name_key(line.course.name),
    "students": lambda line: line.students,
    "sessions": lambda line: line.sessions,
    "rate": lambda line: line.tally.rate,
    "below": lambda line: line.below,
    "unrecorded": lambda line: line.unrecorded,
}
# Who is at risk in most courses comes first, as the reader is to act there first.
_RISK_KEYS: Mapping[str, Callable[[RiskLine], Any] | None] = {
    "courses": lambda line: -len(line.below),
    "name": None,
    "number": lambda line: line.student.index_number,
    "rate": lambda line: line.tally.rate,
    "lowest": lambda line: line.below[0][1].rate,
}


@blueprint.get("/departments")
@needs(Permission.DEPARTMENT)
def departments() -> ResponseReturnValue:
    """The departments of which one may see the reports; who has one only is led there."""
    found = reachable_departments()
    if len(found) == 1:
        return redirect(url_for("reports.department", department_id=found[0].id))
    sizes = _course_counts(database(), [each.id for each in found])
    return render_template("reports/departments.html", departments=found, sizes=sizes)


@blueprint.get("/departments/<int:department_id>")
@needs(Permission.DEPARTMENT)
def department(department_id: int) -> str:
    """The courses of a department side by side; `?from=` and `?to=` narrow what counts, `?sort=` orders them."""
    found, order, period = reach_department(department_id), asked_order(tuple(_COURSE_KEYS)), asked_period()
    lines = _ordered_courses(found, order, period)
    return render_template(
        "reports/department.html",
        department=found,
        lines=lines,
        overall=total(line.tally for line in lines),
        order=order,
        period=period,
        export_addresses=file_addresses("reports.export_department", department_id=department_id),
    )


@blueprint.get("/departments/<int:department_id>/courses.csv", defaults={"form": Form.CSV})
@blueprint.get("/departments/<int:department_id>/courses.xlsx", defaults={"form": Form.XLSX})
@needs(Permission.DEPARTMENT)
def export_department(department_id: int, form: Form) -> ResponseReturnValue:
    """The courses of the page, in its order."""
    found, period = reach_department(department_id), asked_period()
    sheet = courses_sheet(found, _ordered_courses(found, asked_order(tuple(_COURSE_KEYS)), period))
    words = ["courses", found.name, today().isoformat(), *period.file_words()]
    return answer([sheet], file_name=file_stem(words), form=form)


@blueprint.get("/departments/<int:department_id>/at-risk")
@needs(Permission.DEPARTMENT)
def at_risk(department_id: int) -> str:
    """Students below the threshold of any course; `?below=` is another one for all, `?q=`, `?from=`, `?to=` narrow."""
    found, asked = reach_department(department_id), _asked_risk()
    return render_template(
        "reports/at_risk.html",
        department=found,
        page=page_of(_ordered_risks(found, asked), size=_A_PAGE),
        asked=asked,
        period=asked.period,
        columns={
            "courses": _("number of courses"),
            "name": _("name"),
            "number": _("index number"),
            "rate": _("attendance"),
            "lowest": _("lowest course"),
        },
        export_addresses=file_addresses("reports.export_at_risk", department_id=department_id),
    )


@blueprint.get("/departments/<int:department_id>/at-risk.csv", defaults={"form": Form.CSV})
@blueprint.get("/departments/<int:department_id>/at-risk.xlsx", defaults={"form": Form.XLSX})
@needs(Permission.DEPARTMENT)
def export_at_risk(department_id: int, form: Form) -> ResponseReturnValue:
    """The students of the page, on all its pages and in its order: a line for each course in which one is at risk."""
    found, asked = reach_department(department_id), _asked_risk()
    sheet = risk_sheet(found, _ordered_risks(found, asked))
    words = ["at-risk", found.name, today().isoformat(), *asked.words()]
    return answer([sheet], file_name=file_stem(words), form=form)


def courses_sheet(found: Department, lines: Sequence[CourseLine]) -> Sheet:
    """The courses as a sheet."""
    columns = (
        SheetColumn(_("Code")),
        SheetColumn(_("Course")),
        SheetColumn(_("Students"), CellKind.WHOLE),
        SheetColumn(_("Sessions so far"), CellKind.WHOLE),
        SheetColumn(_("Attended"), CellKind.SHARE),
        SheetColumn(_("Below threshold"), CellKind.WHOLE),
        SheetColumn(_("Threshold"), CellKind.SHARE),
        SheetColumn(_("Not recorded"), CellKind.SHARE),
    )
    rows = [
        (
            line.course.code,
            line.course.name,
            line.students,
            line.sessions,
            line.tally.rate,
            line.below,
            line.threshold / 100,
            line.unrecorded,
        )
        for line in lines
    ]
    return Sheet(found.name, columns, rows, frozen=2)


def risk_sheet(found: Department, lines: Sequence[RiskLine]) -> Sheet:
    """The students at risk as a sheet: a line for each course in which one is."""
    columns = (
        SheetColumn(_("Index number")),
        SheetColumn(_("Student")),
        SheetColumn(_("Code")),
        SheetColumn(_("Course")),
        SheetColumn(_("Attended"), CellKind.SHARE),
        SheetColumn(_("Times absent"), CellKind.WHOLE),
        SheetColumn(_("Attended, all courses"), CellKind.SHARE),
    )
    rows = [
        (
            line.student.index_number,
            line.student.name,
            course.code,
            course.name,
            tally.rate,
            tally.absent,
            line.tally.rate,
        )
        for line in lines
        for course, tally in line.below
    ]
    return Sheet(found.name, columns, rows, frozen=2)


def _ordered_courses(found: Department, order: Order, period: Period) -> list[CourseLine]:
    return order.arrange(course_lines(database(), found, period.conditions), _COURSE_KEYS)


def _asked_risk() -> AskedStudents:
    below = asked_below()
    usual = rules_of(database()).threshold if below is None else below
    return AskedStudents((), None, asked_search(), below, usual, asked_order(tuple(_RISK_KEYS)), asked_period())


def _ordered_risks(found: Department, asked: AskedStudents) -> list[RiskLine]:
    key = name_key(asked.search)
    lines = (
        line
        for line in risk_lines(database(), found, asked.below, asked.period.conditions)
        if key in name_key(line.student.name) or key in name_key(line.student.index_number)
    )
    return asked.order.arrange(lines, _RISK_KEYS)


def course_lines(db: Session, found: Department, during: During = ()) -> list[CourseLine]:
    """The courses of a department, by code; a few statements, one of which reads all their entries."""
    courses = _courses_of(db, found.id)
    ids = [course.id for course in courses]
    of_students: dict[int, list[Tally]] = defaultdict(list)
    for (course_id, _student), tally in tally_enrolled(db, among(ids), during).items():
        of_students[course_id].append(tally)
    sizes, held = roster_sizes(db, ids), _sessions_held(db, ids, during)
    return [
        CourseLine(
            course,
            students=sizes[course.id],
            sessions=held.get(course.id, 0),
            tally=total(of_students[course.id]),
            below=sum(tally.is_below(threshold) for tally in of_students[course.id]),
            threshold=threshold,
        )
        for course in courses
        for threshold in (threshold_of(db, course),)
    ]


def risk_lines(db: Session, found: Department, below: int | None, during: During = ()) -> list[RiskLine]:
    """The students at risk in a department, by name.

    Args:
        db: any session.
        found: the department.
        below: the threshold in percent; None: each course's own.
        during: which sessions of its courses count.
    """
    courses = {course.id: course for course in _courses_of(db, found.id)}
    thresholds = {key: threshold_of(db, course) if below is None else below for key, course in courses.items()}
    of_students: dict[int, list[tuple[Course, Tally]]] = defaultdict(list)
    low: dict[int, list[tuple[Course, Tally]]] = defaultdict(list)
    for (course_id, student_id), tally in tally_enrolled(db, among(courses), during).items():
        of_students[student_id].append((courses[course_id], tally))
        if tally.is_below(thresholds[course_id]):
            low[student_id].append((courses[course_id], tally))
    query = sa.select(Student.id, Student.index_number, Student.name).where(Student.id.in_(low))
    return [
        RiskLine(
            StudentName(*row),
            sorted(low[row.id], key=lambda one: (one[1].rate, one[0].code)),
            courses=len(of_students[row.id]),
            tally=total(tally for _course, tally in of_students[row.id]),
        )
        for row in db.execute(query.order_by(*by_student_name(db)))
    ]


def _courses_of(db: Session, department_id: int) -> Sequence[Course]:
    return db.scalars(sa.select(Course).where(Course.department_id == department_id).order_by(Course.code)).all()


def _course_counts(db: Session, department_ids: Sequence[int]) -> dict[int, int]:
    query = sa.select(Course.department_id, sa.func.count()).group_by(Course.department_id)
    counts = db.execute(query.where(Course.department_id.in_(department_ids)))
    return {department_id: count for department_id, count in counts if department_id is not None}


def _sessions_held(db: Session, course_ids: Sequence[int], during: During) -> dict[int, int]:
    theirs = sessions_of_courses(among(course_ids), TAKES_PLACE, ClassSession.starts_at <= utc_now(), *during)
    return dict(db.execute(sa.select(theirs.c.course_id, sa.func.count()).group_by(theirs.c.course_id)).all())
