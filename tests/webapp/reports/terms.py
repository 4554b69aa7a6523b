"""A course with a term of sessions, written as letters: what tests of the reports begin with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from attendance.database.models import (
    Account,
    Attendance,
    ClassSession,
    Closing,
    Course,
    Department,
    Status,
    Student,
    Unrecorded,
)
from tests.factories import enrol, make_course, make_lecturer, make_session, make_student
from tests.webapp.lessons import LONG_AGO

_ENTRIES = {
    "P": (Status.PRESENT, None),
    "L": (Status.LATE, None),
    "A": (Status.ABSENT, None),
    "E": (Status.EXCUSED, None),
    "?": (None, Unrecorded.UNWATCHED),
}


@dataclass(frozen=True)
class Term:
    """Rows of one course."""

    lecturer: Account
    course: Course
    sessions: Sequence[ClassSession]
    students: Mapping[str, Student]


def make_term(
    db: Session,
    letters: Mapping[str, str],
    *,
    first: datetime = LONG_AGO,
    apart: timedelta = timedelta(days=7),
    lecturer: Account | None = None,
    code: str | None = None,
    department: Department | None = None,
    students: Mapping[str, Student] | None = None,
) -> Term:
    """A course of closed sessions, committed.

    Args:
        db: any session.
        letters: by student's name, a letter for each session: P, L, A, E, ? for not recorded, "." for no entry.
        first: when the first session starts.
        apart: from one to the next.
        lecturer: who teaches it.
        code: of the course.
        department: of the course.
        students: those who exist already, by name.
    """
    lecturer = lecturer or make_lecturer(db)
    course = make_course(db, code, "Computing", lecturers=(lecturer,))
    course.department_id = department.id if department else None
    number = max(map(len, letters.values()), default=0)
    sessions = [make_session(db, course, starts_at=first + place * apart) for place in range(number)]
    for session in sessions:
        session.closed_at, session.closed_as = session.ends_at, Closing.OBSERVED
    known = {name: (students or {}).get(name) or make_student(db, name=name) for name in letters}
    enrol(db, course, *known.values())
    for name, of_student in letters.items():
        for session, letter in zip(sessions, of_student, strict=False):
            add_entry(db, session, known[name], letter)
    db.commit()
    return Term(lecturer, course, sessions, known)


def add_entry(db: Session, session: ClassSession, student: Student, letter: str) -> None:
    """An entry as a letter says; none for "."."""
    if letter == ".":
        return
    status, reason = _ENTRIES[letter]
    entry = Attendance(session_id=session.id, student_id=student.id, status=status, unrecorded_reason=reason)
    db.add(entry)
    db.flush()


def make_department(db: Session, name: str = "Mathematics") -> Department:
    """A department."""
    department = Department(name=name)
    db.add(department)
    db.flush()
    return department
