"""What a service under load needs: rooms with cameras and sessions, a published gallery, frames, certificates."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.database.access.tokens import hash_token, new_token
from attendance.database.engine import create_database_engine, session_factory, upgrade
from attendance.database.models import ApiToken, Camera, ClassSession, Course, Enrolment, Room, Student, TokenRole
from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.faces import find_faces
from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import FaceEngine
from attendance.face_engine.opencv_engine import OpenCvEngine
from attendance.gallery.format import publish
from attendance.settings.families import Family, traits_of
from benchmarks.matching.people import PHOTOS, measure_people
from benchmarks.service import scenes
from operations.demo.classroom import write_frames, write_photos
from operations.demo.people import ENROLLED, ROSTER
from operations.demo.pictures import fetch_pictures

UPSAMPLE = 0
FULL, SMALL = (960, 540), (384, 216)
"""Width and height of the frames; in small ones most faces are too small to be found, as in a room nearly empty."""
_FRAMES = range(8, 28)
_FILLING_FRAMES = 50
_QUALITY = 85
_MAX_PIXELS = 50_000_000
_SMALLEST = {"door": scenes.DOOR_FACE, "seat": scenes.SEAT_FACE}
"""Of the cameras that are set to look for larger faces than others."""


@dataclass(frozen=True)
class Campus:
    """Everything on disk."""

    folder: Path
    tokens: dict[str, str]
    """Of each camera, by its name."""
    monitoring: str
    """Token for the service's state."""
    encodings: int
    family: Family = Family.DLIB
    """Of the models that the gallery was made with."""

    @property
    def frames(self) -> Path:
        """JPEG frames of a lecture room with two to eight people."""
        return self.folder / "frames"

    @property
    def small_frames(self) -> Path:
        """The same, small."""
        return self.folder / "small-frames"

    @property
    def hall(self) -> Path:
        """Frames of a hall with twenty students who stay where they are, where there are halls."""
        return self.folder / "hall"

    @property
    def filling(self) -> Path:
        """Frames of that hall while it fills, one student a frame, some of whom move."""
        return self.folder / "filling"

    @property
    def door(self) -> Path:
        """Frames of a door with two people who walk, where there are halls."""
        return self.folder / "door"

    @property
    def large(self) -> Path:
        """A frame of 16 megapixels."""
        return self.folder / "large"

    @property
    def certificates(self) -> Path:
        """A trial authority's."""
        return self.folder / "tls"

    @property
    def database_url(self) -> str:
        """With the register."""
        return f"sqlite:///{self.folder / 'attendance.db'}"

    def room_of(self, camera: str) -> str:
        """The name of a camera's room."""
        return f"Hall {camera}"

    @property
    def environ(self) -> dict[str, str]:
        """Settings of the service."""
        settings = {
            "ATTENDANCE_DATA_DIRECTORY": str(self.folder),
            "ATTENDANCE_DATABASE_URL": self.database_url,
            "ATTENDANCE_GALLERY_INDEX": str(self.folder / "index"),
            "ATTENDANCE_MATCHING_PRESENTATION": "off",  # cameras show pictures
        }
        if self.family is Family.DLIB:
            settings["ATTENDANCE_ENGINE_UPSAMPLE"] = str(UPSAMPLE)
        return settings


def make_campus(
    folder: Path,
    *,
    cameras: int,
    students: int,
    certificates: bool = True,
    family: Family = Family.DLIB,
    doors: int = 0,
    seats: int = 0,
    halls: bool = False,
) -> Campus:
    """Write it all.

    Args:
        folder: an empty one.
        cameras: each in a room of its own, in which a session runs for the next hours.
        students: enrolled besides those of the demo, with invented encodings, five each.
        certificates: whether there is a trial authority.
        family: dlib or opencv.
        doors: cameras besides, which are set to look for faces as large as those of people who walk through a door.
        seats: the same for the faces of people on seats.
        halls: whether the students are those of a hall, with frames of it and of a door, in place of the demo's.
    """
    pictures = fetch_pictures(print)
    _write_frames(pictures, folder)
    counts = {"camera": cameras, "door": doors, "seat": seats}
    engine: FaceEngine = AcceleratedEngine() if family is Family.DLIB else OpenCvEngine()
    seated: list[scenes.Seated] = []
    try:
        if halls:
            seated = scenes.cast(engine, pictures)
            scenes.write_hall(seated, folder / "hall")
            scenes.write_hall(seated, folder / "filling", frames=_FILLING_FRAMES, sway=8.0, arriving=True)
            scenes.write_door(seated, folder / "door")
        people = scenes.gallery_of(seated) or _enrol(pictures, folder, engine)
        roster = tuple(people) if halls else tuple(person.index_number for person in ROSTER)
        campus = furnish(folder, engine, people | _invented(engine, students), roster, counts)
    finally:
        engine.close()
    make_ca = [
        sys.executable,
        "-m",
        "operations.cli",
        "tls",
        "make-test-ca",
        str(folder / "tls"),
        "--host",
        "127.0.0.1",
    ]
    if certificates:
        subprocess.run(make_ca, check=True, capture_output=True)
    return campus


def furnish(
    folder: Path,
    engine: FaceEngine,
    gallery: Mapping[str, NDArray[np.float32]],
    roster: Sequence[str],
    counts: Mapping[str, int],
) -> Campus:
    """Write what the service needs besides frames: a published gallery, and a database.

    Args:
        folder: for both.
        engine: made the encodings.
        gallery: encodings, shape (n, d), by index number.
        roster: index numbers of those whom a session in each camera's room expects.
        counts: how many cameras of each kind: camera, door, seat.
    """
    manifest, _ = publish(
        folder / "index",
        gallery,
        model=engine.info.model,
        traits=traits_of(engine.info.model),
        encoding_size=engine.info.encoding_size,
    )
    names = [f"{kind}-{number:03d}" for kind, count in counts.items() for number in range(count)]
    tokens = {name: new_token("cam") for name in names}
    campus = Campus(folder, tokens, new_token("api"), int(manifest.encodings), Family(engine.info.family))
    _write_database(campus, roster)
    return campus


def _write_frames(pictures: Path, folder: Path) -> None:
    every = folder / "every-frame"
    write_frames(pictures, every)
    for name, size in (("frames", FULL), ("small-frames", SMALL)):
        own = folder / name
        own.mkdir()
        for number in _FRAMES:
            frame = cv2.imread(str(every / f"{number:05d}.jpg"), cv2.IMREAD_COLOR)
            if frame is None:
                raise SystemExit(f"{every} has no frame {number}")
            small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(own / f"{number:05d}.jpg"), small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    first = (folder / "frames" / f"{_FRAMES[0]:05d}.jpg").read_bytes()
    scenes.write_large(decode_image(first, max_pixels=_MAX_PIXELS), folder / "large")


def _invented(engine: FaceEngine, students: int) -> dict[str, NDArray[np.float32]]:
    """Encodings of students who are never seen."""
    invented = measure_people(engine).draw(students * PHOTOS)
    if engine.info.family == Family.OPENCV:
        invented /= np.linalg.norm(invented, axis=1, keepdims=True)
    return {f"9{place:06d}": invented[place * PHOTOS : (place + 1) * PHOTOS] for place in range(students)}


def _enrol(pictures: Path, folder: Path, engine: FaceEngine) -> dict[str, NDArray[np.float32]]:
    """The encodings of the demo's students."""
    photos = folder / "photos"
    write_photos(pictures, photos)
    rows: dict[str, NDArray[np.float32]] = {}
    for person in ENROLLED:
        files = sorted((photos / person.index_number).iterdir())
        images = [decode_image(path.read_bytes(), max_pixels=_MAX_PIXELS) for path in files]
        found = find_faces(engine, images, upsample=UPSAMPLE)
        rows[person.index_number] = np.stack([face.encoding for faces in found for face in faces])
    return rows


def _write_database(campus: Campus, roster: Sequence[str]) -> None:
    engine = create_database_engine(campus.database_url)
    upgrade(engine)
    now = datetime.now(UTC)
    with session_factory(engine).begin() as db:
        course = Course(code="CS101", name="Introduction to Computing")
        students = [
            Student(index_number=number, name=f"Student {number}", consent_given_at=now, consent_means="benchmark")
            for number in roster
        ]
        rooms = [Room(name=campus.room_of(name)) for name in campus.tokens]
        role = TokenRole.MONITORING
        db.add_all([course, *students, *rooms])
        db.add(ApiToken(name="benchmark", role=role, token_hash=hash_token(campus.monitoring)))
        db.flush()
        db.add_all(Enrolment(course_id=course.id, student_id=student.id) for student in students)
        for room, (name, token) in zip(rooms, campus.tokens.items(), strict=True):
            smallest = next((face for kind, face in _SMALLEST.items() if name.startswith(kind)), None)
            db.add(Camera(name=name, room_id=room.id, token_hash=hash_token(token), smallest_face=smallest))
            starts, ends = now - timedelta(minutes=30), now + timedelta(hours=6)
            db.add(ClassSession(course_id=course.id, room_id=room.id, starts_at=starts, ends_at=ends))
    engine.dispose()
