"""Rows for tests: each function adds one to a session, flushes it, and fills in what the test does not care about."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy.orm import Session

from attendance.database.models import (
    Camera,
    ClassSession,
    Course,
    CourseLecturer,
    Enrolment,
    Lecturer,
    Role,
    Room,
    Student,
)
from attendance.database.passwords import hash_password
from attendance.database.tokens import hash_token

PASSWORD = "correct horse battery"
NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
"""A Monday morning."""

Row = TypeVar("Row")
_number = itertools.count(1)
_password_hash = hash_password(PASSWORD)  # once: it is slow on purpose


def make_lecturer(
    db: Session,
    *,
    email: str | None = None,
    name: str = "Ada Lovelace",
    role: Role = Role.LECTURER,
    active: bool = True,
) -> Lecturer:
    """A lecturer whose password is `PASSWORD`."""
    lecturer = Lecturer(
        email=email or f"lecturer{next(_number)}@example.edu",
        name=name,
        password_hash=_password_hash,
        role=role,
        active=active,
    )
    return _added(db, lecturer)


def make_student(db: Session, index_number: str | None = None, name: str = "Alan Turing") -> Student:
    """A student."""
    return _added(db, Student(index_number=index_number or f"s{next(_number):06d}", name=name))


def make_course(
    db: Session, code: str | None = None, name: str = "Computing", *, lecturers: tuple[Lecturer, ...] = ()
) -> Course:
    """A course, taught by these lecturers."""
    course = _added(db, Course(code=code or f"C{next(_number)}", name=name))
    for lecturer in lecturers:
        db.add(CourseLecturer(course_id=course.id, lecturer_id=lecturer.id))
    db.flush()
    return course


def enrol(db: Session, course: Course, *students: Student) -> None:
    """Put students on the course's roster."""
    for student in students:
        db.add(Enrolment(course_id=course.id, student_id=student.id))
    db.flush()


def make_room(db: Session, name: str | None = None) -> Room:
    """A lecture room."""
    return _added(db, Room(name=name or f"Room {next(_number)}"))


def make_camera(
    db: Session,
    *,
    name: str | None = None,
    room: Room | None = None,
    token: str | None = None,
    upsample: int | None = None,
    smallest_face: int | None = None,
) -> Camera:
    """A camera; without a token it is revoked."""
    camera = Camera(
        name=name or f"camera-{next(_number)}",
        room_id=room.id if room else None,
        token_hash=hash_token(token) if token else None,
        upsample=upsample,
        smallest_face=smallest_face,
    )
    return _added(db, camera)


def make_session(
    db: Session,
    course: Course,
    room: Room | None = None,
    *,
    starts_at: datetime = NINE,
    ends_at: datetime | None = None,
    early_minutes: int = 10,
    grace_minutes: int = 10,
    closed_at: datetime | None = None,
) -> ClassSession:
    """A class session of ninety minutes unless told otherwise."""
    session = ClassSession(
        course_id=course.id,
        room_id=(room or make_room(db)).id,
        starts_at=starts_at,
        ends_at=ends_at or starts_at + timedelta(minutes=90),
        early_minutes=early_minutes,
        grace_minutes=grace_minutes,
        closed_at=closed_at,
    )
    return _added(db, session)


def _added(db: Session, row: Row) -> Row:
    db.add(row)
    db.flush()
    return row
