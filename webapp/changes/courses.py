"""Courses."""

from dataclasses import asdict, dataclass

import sqlalchemy as sa
from flask_babel import gettext
from sqlalchemy.orm import Session

from attendance.database.audiences import among, sessions_of_courses
from attendance.database.models import Attendance, AuditAction, Course, Department, Enrolment
from attendance.database.teaching.courses import delete_course as remove_course
from attendance.database.teaching.courses import sessions_only_of
from webapp.account.noting import noted
from webapp.changes.errors import ChangeError, refuse_taken, unless_meanwhile
from webapp.tools.storage import count_rows


@dataclass(frozen=True)
class CourseValues:
    """What a course is to be.

    Attributes:
        code: fits its rule.
        name: fits its rule.
        department_id: of one that there should be; None for none.
        attendance_threshold: percent, from 1 to 100; None: as the settings say.
    """

    code: str
    name: str
    department_id: int | None = None
    attendance_threshold: int | None = None


@dataclass(frozen=True)
class CourseHas:
    """What goes with a course that is deleted.

    Attributes:
        students: who take it; they stay.
        sessions: that are for it alone.
        joint: sessions that stay, for other courses.
        entries: of registers of the sessions that go.
    """

    students: int
    sessions: int
    joint: int
    entries: int


def values_of(course: Course) -> CourseValues:
    """What a course is."""
    return CourseValues(course.code, course.name, course.department_id, course.attendance_threshold)


def add_course(db: Session, wanted: CourseValues) -> Course:
    """Add a course.

    Raises:
        ChangeError: another has the code, or there is no such department.
    """
    refuse_taken(db, "code", Course.code, wanted.code, _taken())
    _refuse_unknown(db, wanted.department_id)
    course = Course(**asdict(wanted))
    with unless_meanwhile(db, "code", _taken()):
        db.add(course)
        noted(AuditAction.COURSE_ADDED, subject=wanted.code)
    return course


def change_course(db: Session, course: Course, wanted: CourseValues) -> Course:
    """Change a course's code, name, department, and the share of its sessions that it asks for.

    Raises:
        ChangeError: as for `add_course`.
    """
    before, after = asdict(values_of(course)), asdict(wanted)
    fields = [name for name in after if after[name] != before[name]]
    if not fields:
        return course
    refuse_taken(db, "code", Course.code, wanted.code, _taken(), but=course.id)
    if "department_id" in fields:
        _refuse_unknown(db, wanted.department_id)
    details: dict[str, str | int] = {"fields": ", ".join(name.removesuffix("_id") for name in fields)}
    if "code" in fields:
        details["before"] = before["code"]
    if "attendance_threshold" in fields:
        old, new = before["attendance_threshold"], after["attendance_threshold"]
        details["threshold"] = f"{old or '-'} -> {new or '-'}"
    with unless_meanwhile(db, "code", _taken()):
        for name in fields:
            setattr(course, name, after[name])
        noted(AuditAction.COURSE_CHANGED, subject=wanted.code, details=details)
    return course


def what_course_has(db: Session, course: Course) -> CourseHas:
    """What goes with a course, and what stays of it."""
    of_course = sessions_only_of(course.id)
    sessions = count_rows(db, of_course.subquery())
    return CourseHas(
        students=count_rows(db, Enrolment, Enrolment.course_id == course.id),
        sessions=sessions,
        joint=count_rows(db, sessions_of_courses(among([course.id]))) - sessions,
        entries=count_rows(db, Attendance, Attendance.session_id.in_(of_course)),
    )


def delete_course(db: Session, course: Course) -> None:
    """Delete a course with the sessions that are for it alone, and their registers."""
    has, code = what_course_has(db, course), course.code
    remove_course(db, course.id)
    noted(AuditAction.COURSE_DELETED, subject=code, details={"sessions": has.sessions, "entries": has.entries})


def _refuse_unknown(db: Session, department_id: int | None) -> None:
    """Refuse a department that is not there; until the transaction ends nobody can delete one that is."""
    query = sa.select(Department.id).where(Department.id == department_id).with_for_update(read=True)
    if department_id is not None and db.scalar(query) is None:
        raise ChangeError("department_id", gettext("The department was deleted meanwhile. Choose another."))


def _taken() -> str:
    return gettext("Another course has this code.")
