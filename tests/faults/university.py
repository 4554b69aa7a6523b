"""A university whose service is in trouble: its database, its published index, and lessons to take the register of."""

import itertools
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from attendance.database.access.tokens import hash_token, new_token
from attendance.database.engine import begin_writing, create_database_engine, session_factory
from attendance.database.models import (
    ApiToken,
    Attendance,
    AttendanceEvidence,
    Camera,
    ClassSession,
    Course,
    Student,
    TokenRole,
)
from operations.demo.people import ROSTER, STUDENTS
from tests.databases import make_tables
from tests.factories import enrol, make_camera, make_course, make_room, make_session, make_student
from tests.faults.faces import Faces

COURSE = "CS101"
Rows = Counter[tuple[str, str]]
"""Rows of a register: index number and status, and how often that is there."""


@dataclass(frozen=True)
class Lesson:
    """A class session that runs now in a room of its own, and the camera of that room."""

    session_id: int
    camera: str
    token: str
    begins: datetime
    """When its camera's first frame is captured."""


class University:
    """The rows that a service needs, in a database of any kind."""

    def __init__(self, folder: Path, database_url: str, faces: Faces) -> None:
        self.folder = folder
        self.database_url = database_url
        self.index = folder / "gallery" / "index"
        self._engine = create_database_engine(database_url)
        make_tables(self._engine)
        self.sessions = session_factory(self._engine)
        self.monitoring = new_token("api")
        self._number = itertools.count(1)
        with self.sessions.begin() as db:
            students = {person.index_number: make_student(db, person.index_number) for person in STUDENTS}
            enrol(db, make_course(db, COURSE), *[students[person.index_number] for person in ROSTER])
            role = TokenRole.MONITORING
            db.add(ApiToken(name="faults", role=role, token_hash=hash_token(self.monitoring)))
        faces.publish(self.index)

    def add_lesson(self) -> Lesson:
        """One more lesson of the course, with a room and a camera of its own."""
        now = datetime.now(UTC)
        number, token = next(self._number), new_token("cam")
        with self.sessions.begin() as db:
            begin_writing(db)
            course = db.scalars(sa.select(Course).where(Course.code == COURSE)).one()
            room = make_room(db, f"Hall {number}")
            camera = make_camera(db, name=f"hall-{number}", room=room, token=token)
            begins, ends = now - timedelta(minutes=30), now + timedelta(hours=2)
            session = make_session(db, course, room, starts_at=begins, ends_at=ends, grace_minutes=60)
            return Lesson(session.id, camera.name, token, begins)

    def add_camera(self, lesson: Lesson) -> Lesson:
        """One more camera in the room of a lesson; gives the lesson as that camera knows it."""
        number, token = next(self._number), new_token("cam")
        with self.sessions.begin() as db:
            begin_writing(db)
            room = db.get_one(ClassSession, lesson.session_id).room
            return replace(
                lesson, camera=make_camera(db, name=f"hall-{number}", room=room, token=token).name, token=token
            )

    def rows(self, lesson: Lesson) -> Rows:
        """The lesson's register as it is, doubles included."""
        with self.sessions() as db:
            found = db.execute(
                sa.select(Student.index_number, Attendance.status)
                .join(Attendance, Attendance.student_id == Student.id)
                .where(Attendance.session_id == lesson.session_id)
            )
            return Counter((index_number, status.value) for index_number, status in found)

    def unproven(self, lesson: Lesson) -> set[str]:
        """Students whom the lesson's register has as seen, without anything kept of what confirmed them."""
        proof = sa.exists().where(
            AttendanceEvidence.session_id == Attendance.session_id,
            AttendanceEvidence.student_id == Attendance.student_id,
        )
        with self.sessions() as db:
            return set(
                db.scalars(
                    sa.select(Student.index_number)
                    .join(Attendance, Attendance.student_id == Student.id)
                    .where(Attendance.session_id == lesson.session_id, Attendance.first_seen.is_not(None), ~proof)
                )
            )

    def revoke(self, lesson: Lesson) -> None:
        """Take the lesson's camera its token."""
        with self.sessions.begin() as db:
            db.execute(sa.update(Camera).where(Camera.name == lesson.camera).values(token_hash=None))

    def close(self) -> None:
        self._engine.dispose()
