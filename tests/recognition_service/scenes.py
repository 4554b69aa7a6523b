"""A lecture room for tests of the attendance flow: a real timetable, database and outbox, and faces made of numbers."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import Origin
from attendance.database.register import Sighting
from attendance.face_engine.interface import Face
from attendance.gallery.gallery import Gallery
from attendance.settings.families import Family
from attendance.settings.model import MatchingSettings
from recognition_service.evidence.flow import CameraFlow
from recognition_service.evidence.frame_plan import FramePlan
from recognition_service.evidence.matching import Matcher
from recognition_service.evidence.seen import SeenFace
from recognition_service.evidence.timetable import Timetable
from recognition_service.outbox.store import Outbox
from recognition_service.presentation.views import FaceView
from tests.databases import make_tables
from tests.factories import NINE, enrol, make_course, make_group, make_room, make_session, make_student
from tests.recognition_service.living import living_view

RULES = MatchingSettings().rules(Family.DLIB)
STUDENTS = ["anna", "ben", "carl", "dora"]
_vectors = np.random.default_rng(8).normal(size=(10, 128))
PEOPLE = 0.57 * _vectors / np.linalg.norm(_vectors, axis=1, keepdims=True)
"""Encodings about 0.8 apart; the first four are the students', the others strangers'."""


def face(person: int, distance: float = 0.3, *, left: float = 0.0) -> Face:
    """A face of a person at a distance from the enrolled encoding."""
    direction = np.random.default_rng(person + int(left)).normal(size=128)
    encoding = PEOPLE[person] + distance * direction / np.linalg.norm(direction)
    box = np.array([left, 0, left + 80, 80], np.float32)
    return Face(box, 1.0, np.zeros((5, 2), np.float32), encoding.astype(np.float32), 100.0)


def gallery(*students: int) -> Gallery:
    encodings = {STUDENTS[number]: PEOPLE[number : number + 1].astype(np.float32) for number in students}
    return Gallery.from_encodings(encodings, model="test", encoding_size=128)


def living(time: datetime, faces: Sequence[Face]) -> list[FaceView]:
    """Pixels of living faces, as they are at that time."""
    return [living_view(time.timestamp(), left=float(face.box[0])) for face in faces]


class Clock:
    """A clock that stands still unless moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Scene:
    """A room with a flow, a timetable, a database and an outbox, in a folder."""

    def __init__(self, folder: Path, students: Sequence[str] = STUDENTS) -> None:
        self._engine: sa.Engine = create_database_engine(f"sqlite:///{folder / 'attendance.db'}")
        make_tables(self._engine)
        self.sessions = session_factory(self._engine)
        with self.sessions.begin() as db:
            self.room = make_room(db)
            self.students = [make_student(db, student) for student in students]
        self.timetable = Timetable(self.sessions, 0.001)
        self.outbox = Outbox(folder / "outbox.db")
        self.matcher = Matcher(gallery(0, 1, 2, 3), RULES)
        self.clock = Clock()
        self.flow = self.new_flow()

    def new_flow(self) -> CameraFlow:
        return CameraFlow(7, self.room.id, self.timetable, lambda: self.matcher, self.outbox, RULES, clock=self.clock)

    def add(self, starts_at: datetime = NINE, minutes: int = 90, *, students: range = range(3)) -> int:
        """Add a session whose roster is these students, anna, ben and carl unless told otherwise."""
        with self.sessions.begin() as db:
            course = make_course(db)
            enrol(db, course, *[self.students[number] for number in students])
            ends_at = starts_at + timedelta(minutes=minutes)
            return make_session(db, course, self.room, starts_at=starts_at, ends_at=ends_at).id

    def add_of_group(self, members: range, *, others: range, starts_at: datetime = NINE) -> int:
        """Add a session of a group of a course that others take as well."""
        with self.sessions.begin() as db:
            course = make_course(db)
            of_group = tuple(self.students[number] for number in members)
            enrol(db, course, *of_group, *[self.students[number] for number in others])
            group = make_group(db, course, members=of_group)
            return make_session(db, course, self.room, starts_at=starts_at, group=group).id

    def present(self) -> set[str]:
        """Who is recorded, in whatever session, when the stream has ended; not who is held."""
        self.flow.finish()
        return {student for _, student in self.stored()}

    def see(
        self,
        time: datetime,
        *faces: Face,
        views: Sequence[FaceView] | None = None,
        plan: FramePlan | None = None,
        origin: Origin = Origin.LIVE,
    ) -> list[SeenFace]:
        """What the flow makes of a frame with these faces; they are of the living unless their pixels are given."""
        plan = plan or self.flow.plan(time)
        assert plan is not None
        pixels = living(time, faces) if views is None else views
        return self.flow.observe(plan, time, faces, views=pixels, origin=origin)

    def confirm(self, *people: int, at: datetime = NINE) -> None:
        """Three frames, half a second apart, of people side by side."""
        for frame in range(3):
            self.see(at + timedelta(seconds=0.5 * frame), *[face(person, left=200.0 * person) for person in people])

    def stored(self) -> dict[tuple[int, str], Sighting]:
        """Of those confirmed."""
        return {(seen.session_id, seen.index_number): seen for _, seen in self.outbox.pending(1000) if not seen.held}

    def held(self) -> dict[str, set[str]]:
        """Who is held when the stream has ended, and why."""
        self.flow.finish()
        return {seen.index_number: set(seen.held) for _, seen in self.outbox.pending(1000) if seen.held}

    def close(self) -> None:
        self.timetable.close()
        self.outbox.close()
        self._engine.dispose()
