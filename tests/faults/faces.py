"""Real faces for faults: pictures of 320 x 240 pixels of one person each, and the encodings that enrol them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.faces import find_faces
from attendance.face_engine.factory import create_engine
from attendance.gallery.format import publish
from attendance.settings.families import traits_of
from attendance.settings.model import EngineSettings
from operations.demo.classroom import write_photos
from operations.demo.people import ENROLLED, LATE, ON_TIME, OTHER_COURSE, STRANGERS, VISIBLE, Portrait

STUDENTS = frozenset(person.index_number for person in ON_TIME + LATE)
"""Those of the roster whom a camera can see."""
OTHERS = frozenset(person.index_number for person in OTHER_COURSE + STRANGERS)
"""Those whom a camera can see and who are on nobody's roster; a stranger's index number is empty."""
UPSAMPLE = 0
_HEIGHT, _WIDTH, _HEAD = 240, 320, 200


@dataclass(frozen=True)
class Faces:
    """What cameras of these tests send, and whom the service knows."""

    frames: Mapping[str, bytes]
    """A JPEG of each person in sight, by index number."""
    encodings: Mapping[str, NDArray[np.float32]]
    """Of the enrolled, (k, size) each."""
    model: str

    def publish(self, folder: Path, without: frozenset[str] = frozenset()) -> str:
        """Publish an index of the enrolled, but for some; gives its version."""
        rows = {student: rows for student, rows in self.encodings.items() if student not in without}
        size = next(iter(self.encodings.values())).shape[1]
        return publish(folder, rows, model=self.model, traits=traits_of(self.model), encoding_size=size)[0].version


def make_faces(pictures: Path, work: Path) -> Faces:
    """Cut the pictures and encode the photos, with the engine that the service uses unless told otherwise."""
    write_photos(pictures, work)
    seen = {person.index_number: _seen(pictures, person.seen) for person in VISIBLE if person.seen is not None}
    photos = [
        (person.index_number, _framed(_read(path)))
        for person in ENROLLED
        for path in sorted((work / person.index_number).iterdir())
    ]
    engine = create_engine(**EngineSettings(upsample=UPSAMPLE).arguments())
    try:
        found = find_faces(engine, [np.ascontiguousarray(photo[..., ::-1]) for _, photo in photos], upsample=UPSAMPLE)
        model = engine.info.model
    finally:
        engine.close()
    rows: dict[str, list[NDArray[np.float32]]] = {}
    for (student, _), faces in zip(photos, found, strict=True):
        rows.setdefault(student, []).extend(face.encoding for face in faces)
    encodings = {student: np.stack(own) for student, own in rows.items()}
    return Faces({student: _jpeg(_framed(head)) for student, head in seen.items()}, encodings, model)


def _read(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image, np.uint8)


def _seen(pictures: Path, portrait: Portrait) -> NDArray[np.uint8]:
    image = _read(pictures / portrait.picture)
    half = portrait.width // 2
    x, y = portrait.centre
    padded = cv2.copyMakeBorder(image, half, half, half, half, cv2.BORDER_REPLICATE)
    return np.asarray(padded[y : y + 2 * half, x : x + 2 * half], np.uint8)


def _framed(head: NDArray[np.uint8]) -> NDArray[np.uint8]:
    frame = np.full((_HEIGHT, _WIDTH, 3), 150, np.uint8)
    left, top = (_WIDTH - _HEAD) // 2, (_HEIGHT - _HEAD) // 2
    frame[top : top + _HEAD, left : left + _HEAD] = cv2.resize(head, (_HEAD, _HEAD), interpolation=cv2.INTER_AREA)
    return frame


def _jpeg(frame: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 90])
    assert done
    return bytes(data)
