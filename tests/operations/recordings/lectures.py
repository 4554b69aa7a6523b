"""A term's recordings made by FFmpeg (PyAV): coloured squares that move their eyes, for the engine of colours."""

import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.access.tokens import hash_token
from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import (
    ApiToken,
    Attendance,
    AttendanceEvidence,
    Camera,
    Course,
    Observation,
    Room,
    Student,
    TokenRole,
)
from attendance.gallery.format import publish
from attendance.settings import Settings
from attendance.settings.families import Family, traits_of
from operations.recordings.assembling import AskedSitting, Bulk, Engine
from operations.recordings.names import NamePattern
from operations.recordings.running import RunReport
from operations.recordings.videos import Choices, find_videos
from tests.databases import make_tables
from tests.factories import enrol, make_camera, make_course, make_room, make_session, make_student
from tests.recognition_service.engines import GOOD, MODEL, SIZE, alive, build, encoding_of, picture

if TYPE_CHECKING:
    import av

COLOURS = {"red": (200, 60, 60), "green": (60, 200, 60), "blue": (60, 60, 200), "violet": (160, 60, 160)}
PATTERN = "{room}_%Y-%m-%dT%H-%M-%S%z.*"
TOKEN = "op_of_the_night"
FPS = 10
LONG_SINCE_S = 3600
NINE = datetime(2025, 3, 3, 9, tzinfo=UTC)


@dataclass(frozen=True)
class Scene:
    """Who is seen for how long."""

    seconds: float
    student: str | None
    corner: int = GOOD


def write_clip(
    path: Path,
    scenes: Sequence[Scene],
    *,
    codec: str = "libx264",
    fps: float = FPS,
    gop: int = 20,
    uneven: bool = False,
    created: str | None = None,
) -> Path:
    """A video of scenes, with a key frame every `gop` pictures; uneven: with a variable frame rate."""
    import av  # noqa: PLC0415 - an extra

    with av.open(str(path), "w") as file:
        if created is not None:
            file.metadata["creation_time"] = created
        stream = cast("av.VideoStream", file.add_stream(codec, rate=int(fps)))
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.gop_size = gop
        stream.bit_rate = 2_000_000
        if codec == "libx264":
            stream.options = {"crf": "8", "preset": "ultrafast", "bf": "1", "sc_threshold": "0"}
        places = _places(scenes, fps, uneven=uneven)
        for number, (at, scene) in enumerate(places):
            colour = None if scene.student is None else COLOURS[scene.student]
            image = alive(picture(colour, corner=scene.corner, seed=number), int(2 * at))
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = round(at * fps)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    age(path)
    return path


def _places(scenes: Sequence[Scene], fps: float, *, uneven: bool) -> Iterator[tuple[float, Scene]]:
    begins, number = 0.0, 0
    for scene in scenes:
        while number / fps < begins + scene.seconds - 1e-9:
            if not uneven or number % 7 not in (2, 3, 5):
                yield number / fps, scene
            number += 1
        begins += scene.seconds


def age(path: Path) -> None:
    """Make a file one that nobody has changed for an hour."""
    stat = path.stat()
    os.utime(path, (stat.st_atime, stat.st_mtime - LONG_SINCE_S))


def damage(path: Path, first: float, last: float) -> None:
    """Put noise between two shares of a file's length."""
    content = bytearray(path.read_bytes())
    begins, ends = (int(share * len(content)) for share in (first, last))
    content[begins:ends] = random.Random(1).randbytes(ends - begins)
    path.write_bytes(content)
    age(path)


class Term:
    """An installation on disk, and its recordings."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        token = folder / "recorder.token"
        token.write_text(TOKEN)
        recordings = settings.recordings.model_copy(
            update={"token_file": token, "stretch_s": 4.0, "rate": 2.0, "settle_s": 600}
        )
        self.settings = settings.model_copy(update={"recordings": recordings})
        self.folder = folder / "videos"
        self.folder.mkdir(exist_ok=True)
        self.database = create_database_engine(settings.database_url)
        make_tables(self.database)
        self.sessions: sessionmaker[Session] = session_factory(self.database)
        with self.sessions.begin() as db:
            course = make_course(db, "PHY1")
            enrol(db, course, *(make_student(db, name) for name in ("red", "green", "blue")))
            enrol(db, make_course(db, "LAW1"), make_student(db, "violet"))
            db.add(ApiToken(name="night run", role=TokenRole.RECORDER, token_hash=hash_token(TOKEN)))
        self.publish()

    def publish(self, *extra: str) -> None:
        rows = {student: encoding_of(colour)[np.newaxis] for student, colour in COLOURS.items() if student not in extra}
        publish(self.settings.index_path, rows, model=MODEL, traits=traits_of(MODEL), encoding_size=SIZE)

    def session(self, room: str, starts_at: datetime, minutes: float = 1.0, *, early_minutes: int = 0) -> int:
        """A class session of the course; the room and its camera are made with the first."""
        with self.sessions.begin() as db:
            course = db.scalars(sa.select(Course).where(Course.code == "PHY1")).one()
            found = db.scalar(sa.select(Room).where(Room.name == room))
            if found is None:
                found = make_room(db, room)
                make_camera(db, name=f"camera of {room}", room=found)
            session = make_session(
                db, course, found, starts_at=starts_at, ends_at=starts_at + timedelta(minutes=minutes)
            )
            session.early_minutes = early_minutes
            return session.id

    def camera(self, room: str) -> int:
        with self.sessions() as db:
            return db.scalars(sa.select(Camera.id).join(Room).where(Room.name == room)).one()

    def clip(
        self, room: str, starts_at: datetime, scenes: Sequence[Scene], suffix: str = ".mp4", **how: object
    ) -> Path:
        name = f"{room}_{starts_at:%Y-%m-%dT%H-%M-%SZ}{suffix}"
        return write_clip(self.folder / name, scenes, **how)  # type: ignore[arg-type]

    @property
    def engine(self) -> Engine:
        return Engine(build, build().info, self.settings.matching.rules(Family.DLIB))

    def run(self, on: str = "local:2", *, place: Path | None = None, again: bool = False) -> RunReport:
        """One run over the folder, to its end."""
        with self.sessions() as db:
            choices = Choices(NamePattern(PATTERN))
            videos, left = find_videos(db, place or self.folder, choices, self.settings.institution)
        bulk = Bulk(self.settings, self.database, AskedSitting(on, self.settings.recordings.rate, again), self.engine)
        with bulk.prepared(videos, left, print) as (work, _):
            report = work.go()
        assert bulk.undelivered() == 0
        return report

    def register(self) -> list[tuple[object, ...]]:
        """All that the recordings made of the register: entries, evidence, and minutes watched."""
        with self.sessions() as db:
            entries = db.execute(
                sa.select(
                    Attendance.session_id,
                    Student.index_number,
                    Attendance.status,
                    Attendance.first_seen,
                    Attendance.last_seen,
                    Attendance.confidence,
                    Attendance.origin,
                )
                .join(Student)
                .order_by(Attendance.session_id, Student.index_number)
            )
            evidence = db.execute(
                sa.select(
                    AttendanceEvidence.uid, AttendanceEvidence.frames, AttendanceEvidence.first_frame_at
                ).order_by(AttendanceEvidence.uid)
            )
            minutes = db.execute(
                sa.select(Observation.room_id, Observation.hour, Observation.watched, Observation.counts).order_by(
                    Observation.room_id, Observation.hour
                )
            )
            return [tuple(row) for rows in (entries, evidence, minutes) for row in rows]

    def seen(self) -> set[tuple[int, str]]:
        """Sessions, and who was seen in them."""
        with self.sessions() as db:
            rows = db.execute(
                sa.select(Attendance.session_id, Student.index_number)
                .join(Student)
                .where(Attendance.first_seen.is_not(None))
            )
            return {(session, student) for session, student in rows}


@contextmanager
def term(folder: Path, settings: Settings) -> Iterator[Term]:
    """A term, for as long as the block lasts."""
    made = Term(folder, settings)
    try:
        yield made
    finally:
        made.database.dispose()


def twelve(made: Term) -> None:
    """Twelve clips of every kind that can be taken, of 8 to 16 seconds."""
    codecs = (("libx264", ".mp4"), ("libx264", ".mkv"), ("mpeg4", ".avi"), ("libx264", ".mov"))
    for number in range(12):
        room, starts = f"R{number % 3}", NINE + timedelta(hours=number)
        codec, suffix = codecs[number % len(codecs)]
        made.session(room, starts)
        students = list(COLOURS)[number % 3 :] + list(COLOURS)[: number % 3]
        scenes = [Scene(4 + number % 3, students[0]), Scene(1, None), Scene(5, students[1]), Scene(2, students[0])]
        made.clip(room, starts, scenes, suffix, codec=codec, uneven=codec == "libx264" and number % 2 == 0)
