"""Rows for tests: each function adds one to a session, flushes it, and fills in what the test does not care about."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.passwords import hash_password
from attendance.database.access.sign_ins import begin_sign_in, goes_on, rests_on
from attendance.database.access.tokens import hash_token
from attendance.database.audiences import expected_students, rooms_of
from attendance.database.conclusions import watch_begins
from attendance.database.models import (
    Account,
    AccountRole,
    Camera,
    ClassSession,
    Course,
    CourseGroup,
    CourseGroupMember,
    Department,
    Enrolment,
    Role,
    Room,
    SessionAudience,
    SessionRoom,
    SignIn,
    Student,
    utc_now,
)
from attendance.database.watching.observation import (
    NOBODY,
    MinuteCounts,
    MinuteOfCamera,
    minute_of,
    observed_hours,
    record_observation,
)

PASSWORD = "correct horse battery"
NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
"""A Monday morning."""
LONG_SINCE = datetime(2020, 1, 1, tzinfo=UTC)
"""Before any session."""

GRACE_ENDS_S = 25.0
"""In the demo's clip taken as a short class, grace ends so many seconds after the first frame; who arrives later is
late."""

Row = TypeVar("Row")
_number = itertools.count(1)
_password_hash = hash_password(PASSWORD)  # once: it is slow on purpose


def make_lecturer(
    db: Session,
    *,
    email: str | None = None,
    name: str = "Ada Lovelace",
    role: Role | None = None,
    of: Department | Course | None = None,
    active: bool = True,
) -> Account:
    """Somebody whose password is `PASSWORD`; with a role of a department, of a course or of all, if one is given."""
    lecturer = Account(
        email=email or f"lecturer{next(_number)}@example.edu",
        name=name,
        password_hash=_password_hash,
        active=active,
    )
    if role:
        lecturer.roles.append(
            AccountRole(
                role=role,
                everywhere=True if of is None else None,
                department=of if isinstance(of, Department) else None,
                course=of if isinstance(of, Course) else None,
            )
        )
    return _added(db, lecturer)


def make_sign_in(db: Session, person: Account | Student) -> str:
    """A sign-in of now, and its token."""
    return begin_sign_in(db, person, now=utc_now(), lifetime=timedelta(hours=1))


def is_signed_in(db: Session, token: str) -> bool:
    """Whether the sign-in with this token goes on, as another process sees it."""
    db.expire_all()
    return goes_on(db, token, utc_now())


def make_department(db: Session, name: str | None = None) -> Department:
    """A department."""
    return _added(db, Department(name=name or f"Department {next(_number)}"))


def make_student(db: Session, index_number: str | None = None, name: str = "Alan Turing") -> Student:
    """A student."""
    return _added(db, Student(index_number=index_number or f"s{next(_number):06d}", name=name))


def make_course(
    db: Session,
    code: str | None = None,
    name: str = "Computing",
    *,
    lecturers: tuple[Account, ...] = (),
    department: Department | None = None,
) -> Course:
    """A course, taught by these lecturers."""
    course = _added(db, Course(code=code or f"C{next(_number)}", name=name, department=department))
    for lecturer in lecturers:
        db.add(AccountRole(role=Role.LECTURER, course_id=course.id, account_id=lecturer.id))
    db.flush()
    for lecturer in lecturers:
        _keep_signed_in(db, lecturer)
    return course


def _keep_signed_in(db: Session, lecturer: Account) -> None:
    """Let a role that a test makes be one that was there before: a new one ends the sign-ins of its account."""
    account = db.get_one(Account, lecturer.id)
    db.refresh(account, ["roles"])
    db.execute(sa.update(SignIn).where(SignIn.account_id == account.id).values(rests_on=rests_on(account)))


def enrol(db: Session, course: Course, *students: Student) -> None:
    """Put students on the course's roster."""
    for student in students:
        db.add(Enrolment(course_id=course.id, student_id=student.id))
    db.flush()


def make_group(db: Session, course: Course, name: str = "A", *, members: tuple[Student, ...] = ()) -> CourseGroup:
    """A group of a course; its members are to be enrolled."""
    group = _added(db, CourseGroup(course_id=course.id, name=name))
    db.add_all(CourseGroupMember(group_id=group.id, student_id=student.id) for student in members)
    db.flush()
    return group


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
    created_at: datetime = LONG_SINCE,
) -> Camera:
    """A camera; without a token it is revoked."""
    camera = Camera(
        name=name or f"camera-{next(_number)}",
        room_id=room.id if room else None,
        token_hash=hash_token(token) if token else None,
        upsample=upsample,
        smallest_face=smallest_face,
        created_at=created_at,
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
    entered_at: datetime | None = LONG_SINCE,
    group: CourseGroup | None = None,
    also_for: tuple[Course | CourseGroup, ...] = (),
    also_in: tuple[Room, ...] = (),
) -> ClassSession:
    """A class session of ninety minutes, entered long ago unless told otherwise, with further audiences and rooms."""
    session = ClassSession(
        course_id=course.id,
        group_id=group.id if group else None,
        room_id=(room or make_room(db)).id,
        starts_at=starts_at,
        ends_at=ends_at or starts_at + timedelta(minutes=90),
        early_minutes=early_minutes,
        grace_minutes=grace_minutes,
        closed_at=closed_at,
        entered_at=entered_at,
    )
    session.further_rooms = [SessionRoom(room_id=each.id) for each in also_in]
    session.further_audiences = [
        SessionAudience(course_id=each.course_id, group_id=each.id)
        if isinstance(each, CourseGroup)
        else SessionAudience(course_id=each.id)
        for each in also_for
    ]
    return _added(db, session)


def watch(
    db: Session,
    session: ClassSession,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    camera: Camera | None = None,
    counts: MinuteCounts = NOBODY,
    live: bool = True,
    blind: bool = False,
) -> None:
    """Have the session's rooms watched, each by all its cameras (one is added where there is none), or by `camera`.

    Args:
        db: any session.
        session: whose time it is.
        since: the first moment; that from which being seen counts unless given.
        until: the moment after the last; the session's end unless given.
        camera: the only one that reports, in the room where it stands.
        counts: of every minute.
        live: by live frames; otherwise by kept ones.
        blind: frames came, and showed nothing.
    """
    since = since or session.starts_at - timedelta(minutes=session.early_minutes)
    until = until or session.ends_at
    first = minute_of(since)
    minutes = [
        MinuteOfCamera(first + timedelta(minutes=number), not blind, not blind and live, blind, counts)
        for number in range(-((first - until) // timedelta(minutes=1)))
    ]
    for reporting in [camera] if camera else _cameras_of(db, session):
        for observed in observed_hours(reporting.id, reporting.room_id or session.room_id, minutes):
            record_observation(db, observed)


def _cameras_of(db: Session, session: ClassSession) -> list[Camera]:
    found: list[Camera] = []
    for room_id in rooms_of(session):
        cameras = list(db.scalars(sa.select(Camera).where(Camera.room_id == room_id)))
        found += cameras or [_added(db, Camera(name=f"camera-{next(_number)}", room_id=room_id, created_at=LONG_SINCE))]
    return found


def recognisable(db: Session, *students: Student, since: datetime = LONG_SINCE) -> None:
    """Have the cameras know these students, since long before any session unless told otherwise."""
    for student in students:
        student.recognisable_since = since
    db.flush()


def watch_whole(db: Session, *sessions: ClassSession) -> None:
    """Have whole sessions watched, with all on their rosters known to the cameras: who does not come is absent.

    From before the start, so that whoever comes after the grace period is late.
    """
    for session in sessions:
        watch(db, session, since=min(session.opens_at, watch_begins(session)))
        recognisable(db, *db.scalars(sa.select(Student).where(Student.id.in_(expected_students(session)))))


def _added(db: Session, row: Row) -> Row:
    db.add(row)
    db.flush()
    return row
