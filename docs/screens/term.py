"""A term at a university that does not exist, as a department has it in its last weeks."""

import random
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.passwords import hash_password
from attendance.database.consent import Recorder, give_consent
from attendance.database.corrections import correct_status
from attendance.database.engine import begin_writing
from attendance.database.evidence import FrameEvidence
from attendance.database.excuses import NewExcuse, give_excuse
from attendance.database.labels import LabelValues, add_label
from attendance.database.models import (
    Account,
    AccountRole,
    Attendance,
    AttendanceEvidence,
    Camera,
    ClassSession,
    Closing,
    ConsentRecorder,
    Course,
    CourseGroup,
    CourseGroupMember,
    Department,
    Enrolment,
    LabelColour,
    Observation,
    Role,
    Room,
    Source,
    Status,
    Student,
    Unrecorded,
)
from attendance.database.requests.disputes import raise_dispute
from attendance.database.teaching.changes import cancel
from docs.screens.people import made_up_names

PASSWORD = "made up for pictures"  # noqa: S105 - of accounts that live as long as the pictures are made
WEEKS = 18
_MONDAY = 0
_HABITS = (0.97, 0.95, 0.93, 0.91, 0.88, 0.86, 0.82, 0.74, 0.62)
"""How likely students come; each has one of these."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """A course: how many working days before today its sessions are each week, 0 to 4, and at which hour."""

    code: str
    name: str
    department: int
    students: int
    days: tuple[int, ...]
    hour: int


_PLANS = (
    _Plan("CS 101", "Introduction to Programming", 1, 300, (1, 3), 9),
    _Plan("CS 140", "Discrete Mathematics", 1, 120, (0, 2), 14),
    _Plan("CS 210", "Data Structures and Algorithms", 1, 51, (0, 4), 10),
    _Plan("CS 305", "Operating Systems", 1, 64, (1,), 12),
    _Plan("CS 410", "Computer Vision", 1, 28, (3,), 16),
    _Plan("MA 120", "Linear Algebra", 2, 90, (2, 4), 8),
    _Plan("MA 230", "Probability and Statistics", 2, 52, (1,), 15),
)


@dataclass(frozen=True, slots=True)
class Term:
    """Ids of what pictures are made of.

    Attributes:
        running: a session of now.
        closed: one with corrections and disputes.
        student: somebody who takes three courses.
    """

    admin: str
    head: str
    lecturer: str
    large_course: int
    department: int
    running: int
    closed: int
    student: int
    index_number: str


def make_term(db: Session, *, now: datetime, zone: ZoneInfo, seed: int = 5) -> Term:
    """Fill a database that has its tables and no rows, and commit."""
    chance = random.Random(seed)  # noqa: S311 - made-up data
    with _writing(db):
        accounts = _people(db, now)
        courses = _teaching(db, accounts, now)
        students = _students(db, made_up_names(chance), now)
        rosters = _rosters(db, courses, students, chance)
        sessions = _sessions(db, courses, now, zone)
        _fill(db, sessions, rosters, now, chance)
    return _What(db, courses, rosters, sessions, accounts, now).people_did()


@contextmanager
def _writing(db: Session) -> Iterator[None]:
    db.commit()
    begin_writing(db)
    yield
    db.commit()


def _people(db: Session, now: datetime) -> list[Account]:
    names = (
        "Helena Marsh",
        "Victor Andrade",
        "Marta Nowak",
        "Jonas Lindqvist",
        "Amara Okafor",
        "Chen Wei",
        "Ruth Adler",
    )
    secret = hash_password(PASSWORD)
    made = [
        Account(
            email=f"{name.lower().replace(' ', '.')}@example.edu",
            name=name,
            password_hash=secret,
            last_sign_in_at=now - timedelta(hours=5 * number) if number < 5 else None,
        )
        for number, name in enumerate(names)
    ]
    db.add_all(made)
    db.add_all([Department(id=1, name="Computer Science"), Department(id=2, name="Mathematics")])
    db.flush()
    db.add(AccountRole(account_id=made[0].id, role=Role.ADMIN, everywhere=True))
    db.add(AccountRole(account_id=made[1].id, role=Role.DEPARTMENT, department_id=1))
    return made


def _teaching(db: Session, accounts: Sequence[Account], now: datetime) -> list[Course]:
    for number, name in enumerate(("Lecture hall A", "Lecture hall B", "Room 2.14", "Room 2.20", "Seminar room 3"), 1):
        db.add(Room(id=number, name=name))
    db.flush()
    for number, name in enumerate(("hall-a-front", "hall-b-front", "room-214", "room-220", "seminar-3"), 1):
        seen = now + timedelta(minutes=2) if number != 4 else None
        db.add(Camera(name=name, room_id=number, token_hash=f"{number:064d}", last_seen_at=seen))
    made = [Course(code=one.code, name=one.name, department_id=one.department) for one in _PLANS]
    db.add_all(made)
    db.flush()
    for number, course in enumerate(made):
        teacher = accounts[2] if number < 3 else accounts[3 + number % 3]
        db.add(AccountRole(account_id=teacher.id, role=Role.LECTURER, course_id=course.id))
    db.add(AccountRole(account_id=accounts[6].id, role=Role.ASSISTANT, course_id=made[0].id))
    return made


def _students(db: Session, names: Iterator[str], now: datetime) -> list[Student]:
    since = now - timedelta(weeks=WEEKS + 2)
    made = [
        Student(
            index_number=f"{240_000 + number}",
            name=next(names),
            email=f"s{240_000 + number}@students.example.edu",
            gallery_encodings=3 if number % 40 else 0,
            gallery_updated_at=since,
            recognisable_since=since if number % 40 else None,
        )
        for number in range(1, 421)
    ]
    db.add_all(made)
    db.flush()
    for student in made[::2]:
        recorder = Recorder(ConsentRecorder.STUDENT)
        give_consent(db, student, given_at=since, means="own page", recorder=recorder)
    return made


def _rosters(
    db: Session, courses: Sequence[Course], students: Sequence[Student], chance: random.Random
) -> dict[int, list[Student]]:
    rosters = {
        course.id: list(students[:300]) if plan.students == 300 else chance.sample(list(students), plan.students)
        for course, plan in zip(courses, _PLANS, strict=True)
    }
    # The student whose page is shown takes the course that runs now.
    shown = students[0]
    for course in (courses[1], courses[2]):
        if shown not in rosters[course.id]:
            rosters[course.id][0] = shown
    for course_id, members in rosters.items():
        db.add_all(Enrolment(course_id=course_id, student_id=student.id) for student in members)
    db.flush()
    for name in ("Group A", "Group B", "Group C"):
        db.add(CourseGroup(course_id=courses[0].id, name=name))
    db.flush()
    groups = db.scalars(sa.select(CourseGroup).order_by(CourseGroup.id)).all()
    for number, student in enumerate(rosters[courses[0].id]):
        db.add(CourseGroupMember(group_id=groups[number % 3].id, student_id=student.id))
    return rosters


def _sessions(db: Session, courses: Sequence[Course], now: datetime, zone: ZoneInfo) -> list[ClassSession]:
    """Eighteen weeks of each course until now, one that runs now, and the week after."""
    today = now.astimezone(zone).date()
    made = []
    for number, (course, plan) in enumerate(zip(courses, _PLANS, strict=True)):
        for week in range(-1, WEEKS):
            for back in plan.days:
                day = _working_days_before(today, back) - timedelta(weeks=week)
                starts_at = _at(day, plan.hour, zone)
                if day == today and plan.code == "CS 210":
                    starts_at = now - timedelta(minutes=30 + now.minute % 15)
                ends_at = starts_at + timedelta(minutes=90)
                past = ends_at < now
                made.append(
                    ClassSession(
                        course_id=course.id,
                        room_id=1 + number % 5,
                        starts_at=starts_at,
                        ends_at=ends_at,
                        entered_at=now - timedelta(weeks=WEEKS + 3),
                        closed_at=ends_at + timedelta(minutes=3) if past else None,
                        closed_as=Closing.OBSERVED if past else None,
                    )
                )
    db.add_all(made)
    db.flush()
    return made


def _working_days_before(day: date, count: int) -> date:
    for _ in range(count):
        day -= timedelta(days=3 if day.weekday() == _MONDAY else 1)
    return day


def _at(day: date, hour: int, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(hour), zone)


def _fill(
    db: Session,
    sessions: Sequence[ClassSession],
    rosters: dict[int, list[Student]],
    now: datetime,
    chance: random.Random,
) -> None:
    entries: list[dict[str, Any]] = []
    watched: set[tuple[int, datetime]] = set()
    for number, session in enumerate(sessions):
        if session.starts_at > now:
            continue
        dark = number % 23 == 11  # nobody watched: the camera was away
        for student in rosters[session.course_id]:
            row = _entry(session, student, dark, now, chance)
            if row:
                entries.append(row)
        if not dark:
            first = session.starts_at - timedelta(hours=1)
            watched |= {
                (session.room_id, (first + timedelta(hours=n)).replace(minute=0, second=0, microsecond=0))
                for n in range(4)
            }
    db.execute(sa.insert(Attendance), entries)
    counts = b"\x28\x00" * 120 + b"\x00\x00" * 180  # 40 seen and named in each minute
    db.execute(
        sa.insert(Observation),
        [
            {"camera_id": room, "room_id": room, "hour": hour, "counts": counts, **_WATCHED}
            for room, hour in sorted(watched)
        ],
    )


_WATCHED = {"watched": 2**60 - 1, "watched_live": 2**60 - 1, "blind": 0}


def _entry(
    session: ClassSession, student: Student, dark: bool, now: datetime, chance: random.Random
) -> dict[str, Any] | None:
    """What a register says of a student; None while nothing is known."""
    base: dict[str, Any] = {
        "session_id": session.id,
        "student_id": student.id,
        "status": None,
        "unrecorded_reason": None,
        "source": Source.MACHINE,
        "first_seen": None,
        "last_seen": None,
        "confidence": None,
        "camera_id": None,
        "version": 1,
    }
    if dark:
        return {**base, "unrecorded_reason": Unrecorded.UNWATCHED}
    habit = _HABITS[zlib.crc32(student.index_number.encode()) % len(_HABITS)]
    weeks_ago = (now - session.starts_at) / timedelta(weeks=1)
    if habit < 0.8:  # who comes seldom comes less and less
        habit -= 0.25 * (1 - weeks_ago / WEEKS)
    came = chance.random() < habit
    running = session.closed_at is None
    if not came:
        if running:
            return None
        if student.recognisable_since is None:
            return {**base, "unrecorded_reason": Unrecorded.UNRECOGNISABLE}
        return {**base, "status": Status.ABSENT}
    late = chance.random() < 0.09
    seen = session.starts_at + timedelta(minutes=chance.randint(11, 25) if late else chance.randint(-8, 9))
    last = min(session.ends_at, now) - timedelta(minutes=chance.randint(0, 4))
    return {
        **base,
        "status": Status.LATE if late else Status.PRESENT,
        "first_seen": seen,
        "last_seen": max(seen, last),
        "confidence": round(chance.uniform(0.72, 0.97), 2),
        "camera_id": session.room_id,
    }


@dataclass(frozen=True)
class _What:
    """Corrections, excuses, disputes: what is on top of what cameras saw."""

    db: Session
    courses: Sequence[Course]
    rosters: dict[int, list[Student]]
    sessions: Sequence[ClassSession]
    accounts: Sequence[Account]
    now: datetime

    def people_did(self) -> Term:
        large, smaller = self.courses[0], self.courses[2]
        administrator, head, lecturer = self.accounts[:3]
        with _writing(self.db):
            online = add_label(self.db, LabelValues(Status.PRESENT, "Online", "O", LabelColour.BLUE), course_id=None)
            medical = add_label(self.db, LabelValues(Status.EXCUSED, "Medical", "M", LabelColour.TEAL), course_id=None)
            half = LabelValues(Status.PRESENT, "Lab only", "½", LabelColour.VIOLET, 0.5)
            add_label(self.db, half, course_id=large.id)
        closed = self._past(smaller)[-1]
        members = self.rosters[smaller.id]
        self._correct(closed, members[3], Status.PRESENT, "Joined the call; the link was on the slide.", online.id)
        self._correct(closed, members[7], Status.EXCUSED, "Showed me the doctor's note.", medical.id)
        self._correct(closed, members[11], Status.PRESENT, "Sat behind the pillar.")
        for number, session in enumerate(self._past(large)[-30:]):
            for student in self.rosters[large.id][number % 7 : 60 : 13]:
                self._correct(session, student, Status.PRESENT, "Joined the call.", online.id)
        self._excuse(large)
        self._cancel(large)
        self._dispute(closed)
        self._show_evidence(closed, members[0])
        shown = self.rosters[large.id][0]
        return Term(
            admin=administrator.email,
            head=head.email,
            lecturer=lecturer.email,
            large_course=large.id,
            department=1,
            running=next(one.id for one in self.sessions if one.starts_at <= self.now < one.ends_at),
            closed=closed.id,
            student=shown.id,
            index_number=shown.index_number,
        )

    def _past(self, course: Course) -> list[ClassSession]:
        past = (one for one in self.sessions if one.course_id == course.id and one.ends_at < self.now)
        return sorted(past, key=lambda one: one.starts_at)

    def _correct(
        self, session: ClassSession, student: Student, status: Status, reason: str, label_id: int | None = None
    ) -> None:
        with _writing(self.db):
            correct_status(
                self.db,
                session_id=session.id,
                student_id=student.id,
                status=status,
                reason=reason,
                account_id=self.accounts[2].id,
                label_id=label_id,
            )

    def _excuse(self, course: Course) -> None:
        past = self._past(course)
        for number, student in enumerate(self.rosters[course.id][4:90:9]):
            since = past[-6 - number].starts_at - timedelta(hours=2)
            ill = NewExcuse(student.id, None, since, since + timedelta(days=9), "Ill.", f"file {300 + number}")
            with _writing(self.db):
                give_excuse(self.db, ill, account_id=self.accounts[0].id)

    def _cancel(self, course: Course) -> None:
        last = max((one for one in self.sessions if one.course_id == course.id), key=lambda one: one.starts_at)
        with _writing(self.db):
            reason = "Conference; made up for in the last week."
            cancel(self.db, last, reason=reason, account_id=self.accounts[2].id)

    def _dispute(self, session: ClassSession) -> None:
        absent = sa.select(Attendance.student_id).where(
            Attendance.session_id == session.id, Attendance.status == Status.ABSENT
        )
        texts = ("I was there, in the last row by the window.", "I left early, but I came at nine.")
        for student_id, text in zip(self.db.scalars(absent).all(), texts, strict=False):
            raise_dispute(self.db, session_id=session.id, student_id=student_id, claimed=Status.PRESENT, text=text)

    def _show_evidence(self, session: ClassSession, student: Student) -> None:
        for number, minute in enumerate((2, 31, 64)):
            first = session.starts_at + timedelta(minutes=minute)
            frames = [
                FrameEvidence(first + timedelta(seconds=2 * n), 0.61 + 0.01 * n, 1.02 - 0.02 * n, 0.9, 84 + n, 310.0)
                for n in range(5)
            ]
            self.db.add(
                AttendanceEvidence(
                    uid=str(UUID(int=number + 1)),
                    session_id=session.id,
                    student_id=student.id,
                    camera_id=session.room_id,
                    threshold=0.9,
                    distance=0.63,
                    margin=0.35,
                    confidence=0.9,
                    frames=len(frames),
                    first_frame_at=first,
                    last_frame_at=frames[-1].captured_at,
                    details=[one.to_json() for one in frames],
                )
            )
        self.db.commit()
