"""A course with a session, its lecturer and its students: what most tests of the pages begin with."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from attendance.database.engine import begin_writing
from attendance.database.models import Account, Attendance, ClassSession, Course, Student, utc_now
from attendance.database.register import Sighting, record_sighting
from tests.factories import enrol, make_course, make_lecturer, make_session, make_student, watch_whole

LONG_AGO = datetime(2024, 3, 4, 8, 0, tzinfo=UTC)
"""A Monday; nine o'clock in Warsaw."""


@dataclass(frozen=True)
class Lesson:
    """Rows of one lesson; readable after their session is closed."""

    lecturer: Account
    course: Course
    session: ClassSession
    students: tuple[Student, ...]


def make_lesson(
    db: Session,
    *names: str,
    starts_at: datetime | None = None,
    minutes: int = 90,
    lecturer: Account | None = None,
    code: str | None = None,
    course_name: str = "Computing",
) -> Lesson:
    """A lesson with students of these names, running now unless told otherwise, and watched; committed."""
    lecturer = lecturer or make_lecturer(db)
    course = make_course(db, code, course_name, lecturers=(lecturer,))
    starts_at = starts_at or utc_now() - timedelta(minutes=30)
    session = make_session(db, course, starts_at=starts_at, ends_at=starts_at + timedelta(minutes=minutes))
    students = tuple(make_student(db, name=name) for name in names or ("Ada Byron", "Kurt Gödel", "Łukasz Żak"))
    enrol(db, course, *students)
    watch_whole(db, session)
    db.commit()
    return Lesson(lecturer, course, session, students)


def see(
    db: Session,
    lesson: Lesson,
    student: Student,
    *,
    minute: float = 0,
    until: float | None = None,
    confidence: float = 0.9,
    session: ClassSession | None = None,
) -> Attendance:
    """Let a camera see the student so many minutes after the start; committed."""
    session = session or lesson.session
    first = session.starts_at + timedelta(minutes=minute)
    last = session.starts_at + timedelta(minutes=minute if until is None else until)
    sighting = Sighting(session.id, student.index_number, first, last, confidence, None)
    db.commit()  # of what was read: a running dashboard may close the session meanwhile
    begin_writing(db)
    row = record_sighting(db, sighting)
    assert row is not None
    db.commit()
    return row
