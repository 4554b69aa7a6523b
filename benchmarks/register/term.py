"""A term of made-up data: students, courses, sessions, entries, and what cameras watched."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import (
    Account,
    AccountRole,
    Attendance,
    AttendanceChange,
    Base,
    Camera,
    ClassSession,
    Closing,
    Course,
    Department,
    Enrolment,
    Observation,
    Role,
    Room,
    Source,
    Status,
    Student,
)

LARGE_COURSE = 500
MATRIX_STUDENTS, MATRIX_SESSIONS = 300, 36
_WEEKS = 15
_STATUSES = (Status.PRESENT,) * 15 + (Status.LATE,) * 2 + (Status.ABSENT,) * 3
_CHUNK = 20_000
_REASONS = ("Came in by the back door.", "Showed me the bus ticket.", "Sat behind a pillar.")


@dataclass(frozen=True, slots=True)
class Size:
    """How much of a term.

    Attributes:
        entries: of registers, about; sessions are filled with the students of their courses until there are so many.
        departments: that the courses belong to, about the same number each.
    """

    students: int = 2_000
    courses: int = 400
    departments: int = 20
    sessions: int = 30_000
    entries: int = 1_200_000
    lecturers: int = 120


SMALL = Size(students=600, courses=20, departments=2, sessions=400, entries=20_000, lecturers=8)
"""Enough to see that the benchmark works."""


@dataclass(frozen=True, slots=True)
class Term:
    """Ids of what the benchmark visits.

    Attributes:
        large_session: closed, of the course with `LARGE_COURSE` students.
        open_session: of the same course, ended a moment ago and not closed.
        empty_session: of a course without students.
        matrix_course: of `MATRIX_STUDENTS` students and `MATRIX_SESSIONS` sessions.
        department: one of them.
    """

    now: datetime
    admin: int
    lecturer: int
    large_course: int
    large_session: int
    usual_session: int
    open_session: int
    empty_session: int
    matrix_course: int
    department: int
    student: int
    rows: dict[str, int]


def make_term(db: Session, size: Size, *, now: datetime, seed: int = 1) -> Term:
    """Fill a database that has its tables and no rows, and commit."""
    chance = random.Random(seed)  # noqa: S311 - made-up data
    _add(db, Account, _people(size))
    _add(db, Student, _students(size, now))
    _add(db, Department, ({"id": n, "name": f"Department {n:02d}"} for n in range(1, size.departments + 1)))
    _add(db, Course, _courses(size))
    rooms = max(2, size.courses // 8)
    _add(db, Room, ({"id": n, "name": f"Hall {n:03d}"} for n in range(1, rooms + 1)))
    _add(db, Camera, ({"id": n, "name": f"camera-{n:03d}", "room_id": n, "extra": False} for n in range(1, rooms + 1)))
    administrator = {"account_id": 1, "role": Role.ADMIN, "everywhere": True}
    _add(db, AccountRole, iter([administrator]))
    _add(db, AccountRole, _teaching(size))
    rosters = _rosters(size, chance)
    enrolments = ((course, student) for course, students in rosters.items() for student in students)
    _add(db, Enrolment, ({"course_id": course, "student_id": student} for course, student in enrolments))
    sessions = list(_sessions(size, rooms, now))
    _add(db, ClassSession, iter(sessions))
    _add(db, Observation, _observations(sessions, now))
    entries = _entries(sessions, rosters, now, chance)
    changed: list[dict[str, Any]] = []
    _add(db, Attendance, _noting_changes(entries, changed, chance))
    _add(db, AttendanceChange, iter(changed))
    _analyse(db)
    counts = {
        table.name: db.scalar(sa.select(sa.func.count()).select_from(table)) or 0
        for table in Base.metadata.tables.values()
    }
    closed = {one["course_id"]: one["id"] for one in sessions if one["closed_at"]}
    return Term(
        now=now,
        admin=1,
        lecturer=2,
        large_course=1,
        large_session=closed[1],
        usual_session=closed[2],
        open_session=next(one["id"] for one in sessions if not one["closed_at"]),
        empty_session=closed[size.courses + 1],
        matrix_course=size.courses + 2,
        department=2,
        student=rosters[1][0],
        rows={name: count for name, count in counts.items() if count},
    )


def _add(db: Session, model: type[Base], rows: Iterator[dict[str, Any]]) -> None:
    while chunk := list(itertools.islice(rows, _CHUNK)):
        db.execute(sa.insert(model), chunk)
    db.commit()


def _people(size: Size) -> Iterator[dict[str, Any]]:
    for n in range(1, size.lecturers + 2):
        yield {"id": n, "email": f"person{n}@example.edu", "name": f"Person {n}", "password_hash": "-"}


def _students(size: Size, now: datetime) -> Iterator[dict[str, Any]]:
    since = now - timedelta(weeks=_WEEKS + 1)
    for n in range(1, size.students + 1):
        known = {"gallery_encodings": 3, "gallery_updated_at": since, "recognisable_since": since}
        yield {"id": n, "index_number": f"{24_000_000 + n}", "name": f"Student {n:05d} of the Term", **known}


def _courses(size: Size) -> Iterator[dict[str, Any]]:
    """Those of the term, one without students, and the one of the matrix."""
    for n in range(1, size.courses + 3):
        department = 1 + n % size.departments
        yield {"id": n, "code": f"C{n:03d}", "name": f"Course number {n}", "department_id": department}


def _teaching(size: Size) -> Iterator[dict[str, Any]]:
    for course in range(1, size.courses + 2):
        yield {"course_id": course, "account_id": 2 + (course - 1) % size.lecturers, "role": Role.LECTURER}
    yield {"course_id": size.courses + 1, "account_id": 2, "role": Role.LECTURER}
    yield {"course_id": size.courses + 2, "account_id": 2, "role": Role.LECTURER}


def _rosters(size: Size, chance: random.Random) -> dict[int, Sequence[int]]:
    """The first course is large; of the others each is so large that all sessions together have the entries wanted."""
    everybody = range(1, size.students + 1)
    large = chance.sample(everybody, LARGE_COURSE)
    per_course = size.sessions // size.courses
    usual = max(5, (size.entries - LARGE_COURSE * per_course) // (size.sessions - per_course))
    rosters = {1: large} | {course: chance.sample(everybody, usual) for course in range(2, size.courses + 1)}
    return rosters | {size.courses + 2: chance.sample(everybody, MATRIX_STUDENTS)}


def _sessions(size: Size, rooms: int, now: datetime) -> Iterator[dict[str, Any]]:
    """Spread over the term before now, the last of each course ended a moment ago, the one after next week."""
    numbers = itertools.count(1)
    usual = size.sessions // size.courses
    for course in range(1, size.courses + 3):
        each = {size.courses + 1: 1, size.courses + 2: MATRIX_SESSIONS}.get(course, usual)
        for place in range(each):
            back = timedelta(days=_WEEKS * 7) * (1 - (place + 1) / each)
            ends_at = now - back - timedelta(minutes=10)
            is_open = course == 1 and place == each - 1
            yield {
                "id": next(numbers),
                "course_id": course,
                "room_id": 1 + course % rooms,
                "starts_at": ends_at - timedelta(minutes=90),
                "ends_at": ends_at,
                "entered_at": ends_at - timedelta(days=100),
                "closed_at": None if is_open else ends_at + timedelta(minutes=2),
                "closed_as": None if is_open else Closing.OBSERVED,
            }


def _observations(sessions: list[dict[str, Any]], now: datetime) -> Iterator[dict[str, Any]]:
    """Every hour of a room in which a session was: watched without a gap."""
    hours = {
        (one["room_id"], (one["starts_at"] + timedelta(hours=later)).replace(minute=0, second=0, microsecond=0))
        for one in sessions
        for later in range(-1, 3)
    }
    counts = b"\x28\x00" * 120 + b"\x00\x00" * 180  # 40 seen and named in each minute
    for room, hour in sorted(hours):
        bits = {"watched": 2**60 - 1, "watched_live": 2**60 - 1, "blind": 0}
        yield {"camera_id": room, "room_id": room, "hour": hour, "counts": counts, **bits}


def _entries(
    sessions: list[dict[str, Any]], rosters: dict[int, Sequence[int]], now: datetime, chance: random.Random
) -> Iterator[dict[str, Any]]:
    numbers = itertools.count(1)
    for one in sessions:
        for student in rosters.get(one["course_id"], ()) if one["closed_at"] else ():
            status = chance.choice(_STATUSES)
            seen = one["starts_at"] + timedelta(minutes=20 if status is Status.LATE else 2)
            absent = status is Status.ABSENT
            yield {
                "id": next(numbers),
                "session_id": one["id"],
                "student_id": student,
                "status": status,
                "source": Source.MACHINE,
                "first_seen": None if absent else seen,
                "last_seen": None if absent else one["ends_at"] - timedelta(minutes=5),
                "confidence": None if absent else 0.9,
                "camera_id": None if absent else one["room_id"],
                "version": 1,
            }


def _noting_changes(
    entries: Iterator[dict[str, Any]], changed: list[dict[str, Any]], chance: random.Random
) -> Iterator[dict[str, Any]]:
    """Two entries of a hundred were corrected by a person."""
    for entry in entries:
        if chance.random() >= 0.02:
            yield entry
        else:
            yield {**entry, "source": Source.PERSON, "version": 2, "status": Status.PRESENT}
            changed.append(
                {
                    "attendance_id": entry["id"],
                    "account_id": 2,
                    "old_status": Status.ABSENT,
                    "new_status": Status.PRESENT,
                    "old_source": Source.MACHINE,
                    "version": 2,
                    "reason": chance.choice(_REASONS),
                }
            )


def _analyse(db: Session) -> None:
    """Let the database know how many rows there are, as it does by itself in time."""
    backend = db.get_bind().dialect.name
    if backend == "sqlite":
        db.execute(sa.text("ANALYZE"))
    else:
        names = ", ".join(f"`{table.name}`" for table in Base.metadata.tables.values())
        db.execute(sa.text(f"ANALYZE TABLE {names}")).all()
    db.commit()


def a_moment() -> datetime:
    """Now, to the minute."""
    return datetime.now(UTC).replace(second=0, microsecond=0)
