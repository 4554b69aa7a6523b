"""The demo's university: its people, courses, room, camera and timetable, written to a fresh database."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from attendance.database.access.passwords import hash_password
from attendance.database.access.tokens import hash_token
from attendance.database.consent import BY_COMMAND, give_consent
from attendance.database.engine import begin_writing
from attendance.database.models import (
    Account,
    AccountRole,
    ApiToken,
    Attendance,
    Camera,
    ClassSession,
    Closing,
    Course,
    Department,
    Enrolment,
    Role,
    Room,
    Source,
    Status,
    Student,
    TokenRole,
    Unrecorded,
)
from attendance.database.watching.observation import (
    MinuteCounts,
    MinuteOfCamera,
    minutes_between,
    observed_hours,
    record_observation,
)
from operations.demo.people import GRACE_MINUTES, OTHER_COURSE, ROSTER, STUDENTS

LECTURER_EMAIL = "lecturer@demo.example"
ADMIN_EMAIL = "admin@demo.example"
HEAD_EMAIL = "head@demo.example"
CAMERA_NAME = "lecture-hall-a-front"
COURSE_CODE = "CS101"

_EARLIER_WEEKS = 5
_UNWATCHED_WEEK = 2
_SEEN = MinuteCounts(seen=8, named=7, too_small=0, unknown=1, unnamed=1)
"""Of each invented minute: the class, and somebody who looked in."""


@dataclass(frozen=True, slots=True)
class Passwords:
    """Made for one run of the demo."""

    lecturer: str
    admin: str
    head: str


def found_university(
    db: Session, *, passwords: Passwords, camera_token: str, now: datetime, recording_token: str | None = None
) -> None:
    """Write everybody and everything but the class session that the camera is about to see.

    Earlier weeks of the course get invented attendance, and what the camera watched then, so that the dashboard has
    something to show. In one of them the camera was away. With `recording_token`, an operator's, what the camera plays
    counts however long it takes.
    """
    began = now - timedelta(weeks=_EARLIER_WEEKS + 1)
    teacher = Account(email=LECTURER_EMAIL, name="Dr Grace Okafor", password_hash=hash_password(passwords.lecturer))
    admin = Account(email=ADMIN_EMAIL, name="Demo Administrator", password_hash=hash_password(passwords.admin))
    admin.roles.append(AccountRole(role=Role.ADMIN, everywhere=True))
    head = Account(email=HEAD_EMAIL, name="Prof. Amara Diallo", password_hash=hash_password(passwords.head))
    department = Department(name="School of Computing")
    head.roles.append(AccountRole(role=Role.DEPARTMENT, department=department))
    room = Room(name="Lecture Hall A")
    course = Course(code=COURSE_CODE, name="Introduction to Computing", department=department)
    other = Course(code="HIST210", name="History of Technology", department=department)
    db.add_all([teacher, admin, head, room, course, other])
    students = {
        person.index_number: Student(
            index_number=person.index_number,
            name=person.name,
            recognisable_since=began if person.photos else None,
        )
        for person in STUDENTS
    }
    db.add_all(students.values())
    db.flush()
    db.add(AccountRole(account_id=teacher.id, role=Role.LECTURER, course_id=course.id))
    for student in students.values():
        give_consent(db, student, given_at=began, means="demo", recorder=BY_COMMAND)
    for person in ROSTER:
        db.add(Enrolment(course_id=course.id, student_id=students[person.index_number].id))
    for person in OTHER_COURSE:
        db.add(Enrolment(course_id=other.id, student_id=students[person.index_number].id))
    camera = Camera(name=CAMERA_NAME, room_id=room.id, token_hash=hash_token(camera_token), created_at=began)
    db.add(camera)
    if recording_token is not None:
        db.add(ApiToken(name="recordings", role=TokenRole.RECORDING, token_hash=hash_token(recording_token)))
    db.flush()
    for week in range(_EARLIER_WEEKS, 0, -1):
        session = _earlier_session(db, course, room, now=now, weeks_ago=week)
        watched = week != _UNWATCHED_WEEK
        if watched:
            _watch(db, session, camera)
        for person in ROSTER:
            db.add(_invented(session, students[person.index_number], watched=watched, recognisable=bool(person.photos)))
    db.commit()


def schedule_session(db: Session, *, first_frame: datetime, ends_at: datetime) -> int:
    """Put the class session in the timetable, which starts with the camera's first frame.

    Args:
        db: the database; committed here.
        first_frame: when the camera's first frame is captured.
        ends_at: the session's end.

    Returns:
        The session's number.
    """
    begin_writing(db)
    course = db.query(Course).filter_by(code=COURSE_CODE).one()
    room = db.query(Room).one()
    session = ClassSession(
        course_id=course.id,
        room_id=room.id,
        starts_at=first_frame,
        ends_at=ends_at,
        early_minutes=0,
        grace_minutes=GRACE_MINUTES,
    )
    db.add(session)
    db.commit()
    return session.id


def _earlier_session(db: Session, course: Course, room: Room, *, now: datetime, weeks_ago: int) -> ClassSession:
    starts = now.replace(minute=0, second=0, microsecond=0) - timedelta(weeks=weeks_ago)
    ends = starts + timedelta(minutes=90)
    session = ClassSession(
        course_id=course.id,
        room_id=room.id,
        starts_at=starts,
        ends_at=ends,
        closed_at=ends,
        closed_as=Closing.OBSERVED,
        entered_at=starts - timedelta(days=7),
    )
    db.add(session)
    db.flush()
    return session


def _watch(db: Session, session: ClassSession, camera: Camera) -> None:
    """What the camera watched of an earlier session: all of it but some minutes without network."""
    away = session.starts_at + timedelta(minutes=40)
    minutes = [
        MinuteOfCamera(at, watched=True, watched_live=True, blind=False, counts=_SEEN)
        for at in minutes_between(session.starts_at - timedelta(minutes=10), session.ends_at)
        if not away <= at < away + timedelta(minutes=6)
    ]
    for observed in observed_hours(camera.id, session.room_id, minutes):
        record_observation(db, observed)


def _invented(session: ClassSession, student: Student, *, watched: bool, recognisable: bool) -> Attendance:
    """An entry as the machine would have written it."""
    row = Attendance(session_id=session.id, student_id=student.id, source=Source.MACHINE)
    if not watched or not recognisable:
        row.unrecorded_reason = Unrecorded.UNRECOGNISABLE if watched else Unrecorded.UNWATCHED
        return row
    chance = random.Random(f"{session.id} {student.index_number}")  # noqa: S311 - invented attendance, no secret
    row.status = chance.choices((Status.PRESENT, Status.LATE, Status.ABSENT), (7, 2, 2))[0]
    if row.status is not Status.ABSENT:
        minutes = chance.uniform(-8, 9) if row.status is Status.PRESENT else chance.uniform(11, 30)
        row.first_seen = session.starts_at + timedelta(minutes=minutes)
        row.last_seen = session.starts_at + timedelta(minutes=chance.uniform(80, 89))
        row.confidence = chance.uniform(0.9, 0.99)
    return row
