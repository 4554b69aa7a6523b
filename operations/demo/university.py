"""The demo's university: its people, courses, room, camera and timetable, written to a fresh database."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from attendance.database.models import (
    Attendance,
    Camera,
    ClassSession,
    Course,
    CourseLecturer,
    Enrolment,
    Lecturer,
    Role,
    Room,
    Source,
    Status,
    Student,
)
from attendance.database.passwords import hash_password
from attendance.database.tokens import hash_token
from operations.demo.people import ENROLLED, GRACE_ENDS_S, OTHER_COURSE, ROSTER

LECTURER_EMAIL = "lecturer@demo.example"
ADMIN_EMAIL = "admin@demo.example"
CAMERA_NAME = "lecture-hall-a-front"
COURSE_CODE = "CS101"

_GRACE_MINUTES = 10
_EARLIER_WEEKS = 5


@dataclass(frozen=True, slots=True)
class Passwords:
    """Made for one run of the demo."""

    lecturer: str
    admin: str


def found_university(db: Session, *, passwords: Passwords, camera_token: str, now: datetime) -> None:
    """Write everybody and everything but the class session that the camera is about to see.

    Earlier weeks of the course get invented attendance, so that the dashboard's filters have something to filter.
    """
    teacher = Lecturer(email=LECTURER_EMAIL, name="Dr Grace Okafor", password_hash=hash_password(passwords.lecturer))
    admin = Lecturer(
        email=ADMIN_EMAIL, name="Demo Administrator", password_hash=hash_password(passwords.admin), role=Role.ADMIN
    )
    room = Room(name="Lecture Hall A")
    course = Course(code=COURSE_CODE, name="Introduction to Computing")
    other = Course(code="HIST210", name="History of Technology")
    db.add_all([teacher, admin, room, course, other])
    students = {
        person.index_number: Student(
            index_number=person.index_number, name=person.name, consent_given_at=now, consent_means="demo"
        )
        for person in ENROLLED
    }
    db.add_all(students.values())
    db.flush()
    db.add(CourseLecturer(course_id=course.id, lecturer_id=teacher.id))
    for person in ROSTER:
        db.add(Enrolment(course_id=course.id, student_id=students[person.index_number].id))
    for person in OTHER_COURSE:
        db.add(Enrolment(course_id=other.id, student_id=students[person.index_number].id))
    db.add(Camera(name=CAMERA_NAME, room_id=room.id, token_hash=hash_token(camera_token)))
    for week in range(_EARLIER_WEEKS, 0, -1):
        _invent_week(db, course, room, [students[person.index_number] for person in ROSTER], now=now, weeks_ago=week)
    db.commit()


def schedule_session(db: Session, *, first_frame: datetime, ends_at: datetime) -> int:
    """Put the class session in the timetable whose grace period ends while the camera looks.

    Args:
        db: the database; committed here.
        first_frame: when the camera's first frame is captured.
        ends_at: the session's end.

    Returns:
        The session's number.
    """
    course = db.query(Course).filter_by(code=COURSE_CODE).one()
    room = db.query(Room).one()
    grace_ends = first_frame + timedelta(seconds=GRACE_ENDS_S)
    session = ClassSession(
        course_id=course.id,
        room_id=room.id,
        starts_at=grace_ends - timedelta(minutes=_GRACE_MINUTES),
        ends_at=ends_at,
        early_minutes=10,
        grace_minutes=_GRACE_MINUTES,
    )
    db.add(session)
    db.commit()
    return session.id


def _invent_week(
    db: Session, course: Course, room: Room, students: list[Student], *, now: datetime, weeks_ago: int
) -> None:
    chance = random.Random(weeks_ago)  # noqa: S311 - invented attendance, no secret
    starts = now.replace(minute=0, second=0, microsecond=0) - timedelta(weeks=weeks_ago)
    session = ClassSession(
        course_id=course.id,
        room_id=room.id,
        starts_at=starts,
        ends_at=starts + timedelta(minutes=90),
        early_minutes=10,
        grace_minutes=_GRACE_MINUTES,
        closed_at=starts + timedelta(minutes=90),
    )
    db.add(session)
    db.flush()
    for student in students:
        status = chance.choices((Status.PRESENT, Status.LATE, Status.ABSENT), (7, 2, 2))[0]
        minutes = chance.uniform(-8, 9) if status is Status.PRESENT else chance.uniform(11, 30)
        seen = status is not Status.ABSENT
        db.add(
            Attendance(
                session_id=session.id,
                student_id=student.id,
                status=status,
                source=Source.MACHINE,
                first_seen=starts + timedelta(minutes=minutes) if seen else None,
                last_seen=starts + timedelta(minutes=chance.uniform(80, 89)) if seen else None,
                confidence=chance.uniform(0.9, 0.99) if seen else None,
            )
        )
