"""How many were present, late, absent: of sessions, of courses, of students; always one statement for a whole list."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Attendance, ClassSession, Enrolment, Status


@dataclass(frozen=True)
class Tally:
    """Recorded attendance, counted by status."""

    present: int = 0
    late: int = 0
    absent: int = 0
    excused: int = 0
    unrecorded: int = 0
    """Entries that say that nothing is recorded, and why; in no rate."""

    @property
    def recorded(self) -> int:
        """All entries with a status."""
        return self.present + self.late + self.absent + self.excused

    @property
    def attended(self) -> int:
        """Those who came, late or not."""
        return self.present + self.late

    @property
    def rate(self) -> float | None:
        """Share of those expected who came, 0 to 1; the excused were not expected. None when nobody was."""
        expected = self.recorded - self.excused
        return self.attended / expected if expected else None

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.present + other.present,
            self.late + other.late,
            self.absent + other.absent,
            self.excused + other.excused,
            self.unrecorded + other.unrecorded,
        )


def is_decided() -> sa.ColumnElement[bool]:
    """The condition that an entry says something: a status, or why there is none."""
    return sa.or_(Attendance.status.is_not(None), Attendance.unrecorded_reason.is_not(None))


def tally_sessions(db: Session, session_ids: Collection[int]) -> dict[int, Tally]:
    """The tally of each session; sessions without a row have an empty one."""
    query = (
        sa.select(Attendance.session_id, Attendance.status, sa.func.count())
        .where(Attendance.session_id.in_(session_ids))
        .group_by(Attendance.session_id, Attendance.status)
    )
    return _tallies(db, query, session_ids)


def tally_students(db: Session, student_ids: Collection[int], course_id: int) -> dict[int, Tally]:
    """The tally of each student in a course."""
    query = (
        sa.select(Attendance.student_id, Attendance.status, sa.func.count())
        .join(ClassSession, ClassSession.id == Attendance.session_id)
        .where(Attendance.student_id.in_(student_ids), ClassSession.course_id == course_id)
        .group_by(Attendance.student_id, Attendance.status)
    )
    return _tallies(db, query, student_ids)


def tally_courses_of(db: Session, student_id: int, reach: sa.ColumnElement[bool]) -> dict[int, Tally]:
    """A student's tally in each course that the condition `reach` admits and that has a row."""
    query = (
        sa.select(ClassSession.course_id, Attendance.status, sa.func.count())
        .join(ClassSession, ClassSession.id == Attendance.session_id)
        .where(Attendance.student_id == student_id, reach)
        .group_by(ClassSession.course_id, Attendance.status)
    )
    return _tallies(db, query, ())


def roster_sizes(db: Session, course_ids: Collection[int]) -> dict[int, int]:
    """How many students take each course."""
    query = (
        sa.select(Enrolment.course_id, sa.func.count())
        .where(Enrolment.course_id.in_(course_ids))
        .group_by(Enrolment.course_id)
    )
    return dict.fromkeys(course_ids, 0) | dict(db.execute(query).all())


def _tallies(db: Session, query: sa.Select[*tuple[Any, ...]], keys: Collection[int]) -> dict[int, Tally]:
    counts: dict[int, dict[Status | None, int]] = {key: {} for key in keys}
    for key, status, count in db.execute(query.where(is_decided())):
        counts.setdefault(key, {})[status] = count
    return {
        key: Tally(
            present=of.get(Status.PRESENT, 0),
            late=of.get(Status.LATE, 0),
            absent=of.get(Status.ABSENT, 0),
            excused=of.get(Status.EXCUSED, 0),
            unrecorded=of.get(None, 0),
        )
        for key, of in counts.items()
    }
