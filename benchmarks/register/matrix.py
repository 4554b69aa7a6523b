"""The matrix of a course, in turn with fetching the same rows and writing them as CSV."""

import csv
import io
import statistics
from typing import Any

import flask
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import Account, Attendance, ClassSession, Enrolment, Student
from benchmarks import timing
from benchmarks.register.pages import signed_in
from benchmarks.register.term import MATRIX_SESSIONS, MATRIX_STUDENTS, Term

MATRIX = f"matrix of {MATRIX_STUDENTS} by {MATRIX_SESSIONS}"


def measure_matrix(
    app: flask.Flask, sessions: sessionmaker[Session], term: Term, *, rounds: int
) -> dict[str, dict[str, Any]]:
    """Milliseconds of both, medians; and the median of the ratios of a round. One round before does not count.

    Raises:
        RuntimeError: the page does not answer 200.
    """
    with sessions() as db:
        client = signed_in(app, db.get_one(Account, term.lecturer))
    path = f"/courses/{term.matrix_course}/matrix"
    size = 0

    def page() -> None:
        nonlocal size
        answer = client.get(path)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status}")
        size = len(answer.get_data())

    rows = 0

    def rows_as_csv() -> None:
        nonlocal rows
        with sessions() as db:
            found = db.execute(_rows(term.matrix_course)).all()
        csv.writer(io.StringIO()).writerows(found)
        rows = len(found)

    pairs = [(timing.seconds(page), timing.seconds(rows_as_csv)) for _ in range(rounds + 1)][1:]
    return {
        MATRIX: {
            "ms": 1_000 * statistics.median(done for done, _ in pairs),
            "csv_ms": 1_000 * statistics.median(written for _, written in pairs),
            "ratio": statistics.median(done / written for done, written in pairs),
            "rows": rows,
            "kilobytes": size / 1_000,
        }
    }


def _rows(course_id: int) -> sa.Select[*tuple[Any, ...]]:
    """What the matrix shows: who, when, and what is recorded."""
    return (
        sa.select(
            Student.index_number,
            Student.name,
            ClassSession.starts_at,
            Attendance.status,
            Attendance.unrecorded_reason,
        )
        .join(Attendance, Attendance.student_id == Student.id)
        .join(ClassSession, ClassSession.id == Attendance.session_id)
        .join(Enrolment, sa.and_(Enrolment.student_id == Student.id, Enrolment.course_id == ClassSession.course_id))
        .where(ClassSession.course_id == course_id)
        .order_by(Student.name, Student.index_number, ClassSession.starts_at)
    )
