"""What a service under load needs: rooms with cameras and sessions, a published gallery, frames, certificates."""

import subprocess
import sys
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
from attendance.gallery.format import publish
from attendance.settings.families import traits_of
from benchmarks.matching.people import PHOTOS, measure_people
from operations.demo.classroom import write_frames, write_photos
from operations.demo.people import ENROLLED, ROSTER
from operations.demo.pictures import fetch_pictures

UPSAMPLE = 0
FULL, SMALL = (960, 540), (384, 216)
"""Width and height of the frames; in small ones most faces are too small to be found, as in a room nearly empty."""
_FRAMES = range(8, 28)
_QUALITY = 85
_MAX_PIXELS = 50_000_000


@dataclass(frozen=True)
class Campus:
    """Everything on disk."""

    folder: Path
    tokens: dict[str, str]
    """Of each camera, by its name."""
    monitoring: str
    """Token for the service's state."""
    encodings: int

    @property
    def frames(self) -> Path:
        """JPEG frames of a lecture room with two to eight people."""
        return self.folder / "frames"

    @property
    def small_frames(self) -> Path:
        """The same, small."""
        return self.folder / "small-frames"

    @property
    def certificates(self) -> Path:
        """A trial authority's."""
        return self.folder / "tls"

    @property
    def environ(self) -> dict[str, str]:
        """Settings of the service."""
        return {
            "ATTENDANCE_DATA_DIRECTORY": str(self.folder),
            "ATTENDANCE_DATABASE_URL": f"sqlite:///{self.folder / 'attendance.db'}",
            "ATTENDANCE_GALLERY_INDEX": str(self.folder / "index"),
            "ATTENDANCE_ENGINE_UPSAMPLE": str(UPSAMPLE),
            "ATTENDANCE_MATCHING_PRESENTATION": "off",  # cameras show pictures
        }


def make_campus(folder: Path, *, cameras: int, students: int, certificates: bool = True) -> Campus:
    """Write it all.

    Args:
        folder: an empty one.
        cameras: each in a room of its own, in which a session runs for the next hours.
        students: enrolled besides those of the demo, with invented encodings, five each.
        certificates: whether there is a trial authority.
    """
    pictures = fetch_pictures(print)
    _write_frames(pictures, folder)
    engine = AcceleratedEngine()
    try:
        encodings = _publish(pictures, folder, engine, students)
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
    tokens = {f"camera-{number:03d}": new_token("cam") for number in range(cameras)}
    monitoring = new_token("api")
    campus = Campus(folder, tokens, monitoring, encodings)
    _write_database(campus)
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


def _publish(pictures: Path, folder: Path, engine: AcceleratedEngine, students: int) -> int:
    photos = folder / "photos"
    write_photos(pictures, photos)
    rows: dict[str, NDArray[np.float32]] = {}
    for person in ENROLLED:
        files = sorted((photos / person.index_number).iterdir())
        images = [decode_image(path.read_bytes(), max_pixels=_MAX_PIXELS) for path in files]
        found = find_faces(engine, images, upsample=UPSAMPLE)
        rows[person.index_number] = np.stack([face.encoding for faces in found for face in faces])
    invented = measure_people(engine).draw(students * PHOTOS)
    gallery = {f"9{place:06d}": invented[place * PHOTOS : (place + 1) * PHOTOS] for place in range(students)}
    manifest, _ = publish(
        folder / "index",
        rows | gallery,
        model=engine.info.model,
        traits=traits_of(engine.info.model),
        encoding_size=engine.info.encoding_size,
    )
    return int(manifest.encodings)


def _write_database(campus: Campus) -> None:
    engine = create_database_engine(campus.environ["ATTENDANCE_DATABASE_URL"])
    upgrade(engine)
    now = datetime.now(UTC)
    with session_factory(engine).begin() as db:
        course = Course(code="CS101", name="Introduction to Computing")
        students = [
            Student(index_number=person.index_number, name=person.name, consent_given_at=now, consent_means="benchmark")
            for person in ROSTER
        ]
        rooms = [Room(name=f"Hall {name}") for name in campus.tokens]
        role = TokenRole.MONITORING
        db.add_all([course, *students, *rooms])
        db.add(ApiToken(name="benchmark", role=role, token_hash=hash_token(campus.monitoring)))
        db.flush()
        db.add_all(Enrolment(course_id=course.id, student_id=student.id) for student in students)
        for room, (name, token) in zip(rooms, campus.tokens.items(), strict=True):
            db.add(Camera(name=name, room_id=room.id, token_hash=hash_token(token)))
            starts, ends = now - timedelta(minutes=30), now + timedelta(hours=6)
            db.add(ClassSession(course_id=course.id, room_id=room.id, starts_at=starts, ends_at=ends))
    engine.dispose()
