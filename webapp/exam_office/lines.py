"""The exam office's lines: of each student of each course, how often they came, and whether that is enough.

They rest on the one rule of a rate (`records.tallies.Tally`): the excused were not expected, and what is not recorded
counts neither way. Whoever takes the course now has a line. All are read a course at a time, so that the file of a
whole university needs no more memory than that of its largest course.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.audiences import Condition, among
from attendance.database.models import Course, Enrolment, Student
from attendance.database.thresholds import threshold_of
from webapp.records.tallies import Tally, tally_students
from webapp.tools.names import by_student_name
from webapp.tools.paging import Page, paginate
from webapp.tools.times import day_bounds


@dataclass(frozen=True)
class ExamFilter:
    """Which lines.

    Attributes:
        as_of: the last day whose sessions count, at the institution.
        course_id: of this course.
        department_id: of courses of this department.
    """

    as_of: date
    course_id: int | None = None
    department_id: int | None = None


@dataclass(frozen=True)
class ExamLine:
    """One student in one course.

    Attributes:
        threshold: percent that is enough.
    """

    course: Course
    student: Student
    tally: Tally
    threshold: int

    @property
    def met(self) -> bool | None:
        """Whether the rate is enough; None when nothing is recorded that it could rest on."""
        return self.tally.meets(self.threshold)


def exam_courses(db: Session, wanted: ExamFilter, reach: Condition) -> Sequence[tuple[int, str]]:
    """Id and code of each course that the filter and the condition `reach` admit and that somebody takes, by code."""
    taken = sa.exists().where(Enrolment.course_id == Course.id)
    query = sa.select(Course.id, Course.code).where(*_of_courses(wanted, reach), taken).order_by(Course.code)
    return [(course_id, code) for course_id, code in db.execute(query)]


def exam_page(db: Session, wanted: ExamFilter, reach: Condition, *, size: int) -> Page[ExamLine]:
    """The page of lines that the address asks for."""
    query = (
        sa.select(Course, Student)
        .join(Enrolment, Enrolment.course_id == Course.id)
        .join(Student, Student.id == Enrolment.student_id)
        .where(*_of_courses(wanted, reach))
        .order_by(Course.code, *by_student_name(db))
    )
    page = paginate(db, query, size=size)
    items = [
        line
        for course, rows in groupby(page.items, key=lambda row: row[0])
        for line in _lines(db, course, [student for _, student in rows], wanted)
    ]
    return page.of(items)


def exam_lines(sessions: sessionmaker[Session], course_id: int, wanted: ExamFilter) -> Iterator[ExamLine]:
    """All lines of one course, ordered by name, read in a database session of their own."""
    with sessions() as db:
        course = db.get(Course, course_id)
        if course is None:  # deleted while the file is written
            return
        taking = sa.select(Student).join(Enrolment, Enrolment.student_id == Student.id)
        taking = taking.where(Enrolment.course_id == course_id).order_by(*by_student_name(db))
        yield from _lines(db, course, db.scalars(taking).all(), wanted)


def _lines(db: Session, course: Course, students: Sequence[Student], wanted: ExamFilter) -> Iterator[ExamLine]:
    before = day_bounds(wanted.as_of)[1]
    tallies = tally_students(db, [student.id for student in students], course.id, before=before)
    threshold = threshold_of(db, course)
    return (ExamLine(course, student, tallies[student.id], threshold) for student in students)


def _of_courses(wanted: ExamFilter, reach: Condition) -> Iterator[sa.ColumnElement[Any]]:
    yield reach(Course.id)
    if wanted.course_id is not None:
        yield among([wanted.course_id])(Course.id)
    if wanted.department_id is not None:
        yield Course.department_id == wanted.department_id
