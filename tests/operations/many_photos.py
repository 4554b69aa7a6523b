"""Photos by the thousand, made from the demo's: its people and what lies half-way between two of them."""

import hashlib
import itertools
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.faces import find_faces
from attendance.face_engine.interface import FaceEngine
from attendance.face_engine.opencv_engine import OpenCvEngine
from attendance.gallery.provenance import Provenance
from attendance.gallery.store import Store
from attendance.settings.families import DLIB_MODEL
from operations.demo.classroom import cut_portrait
from operations.demo.people import ENROLLED, STRANGERS, Portrait
from operations.demo.pictures import fetch_pictures

ENROLLED_AT = datetime(2025, 10, 1, 9, tzinfo=UTC)
_SIDE = 200
"""Pixels of a photo's edge."""
_POINTS = np.array([(126, 80), (110, 80), (74, 80), (90, 80), (100, 112)], np.float32)
"""Where the five landmarks of a face are put: the corners of the eyes, from the outer ones in, and the nose."""


def students(photos: int) -> dict[str, int]:
    """For each index number how many of so many photos are the student's."""
    people = len(_pairs())
    return {f"{500_000 + number}": photos // people + (number < photos % people) for number in range(people)}


def write_many(folder: Path, photos: int) -> Store:
    """Write photos, and make the store of one whom dlib's models enrolled from them; its encodings are made up.

    Args:
        folder: made if it is missing.
        photos: how many there are of all students together.
    """
    encodings, provenance = {}, {}
    for number, (student, count) in enumerate(students(photos).items()):
        origins = []
        own = folder / student
        own.mkdir(parents=True, exist_ok=True)
        for place in range(count):
            path = own / f"{place}.jpg"
            path.write_bytes(_photo(_person(number), np.random.default_rng((number, place))))
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            source = f"folder:{student}/{path.name}"
            origins.append(Provenance(source, digest, ENROLLED_AT, DLIB_MODEL, 0.9, str(path)))
        encodings[student] = np.random.default_rng(number).normal(0, 0.1, (count, 128))
        provenance[student] = origins
    return Store({}).with_students(encodings, provenance)


def _pairs() -> list[tuple[int, int]]:
    """Whose faces are blended; the same twice: nobody's are."""
    own = range(len(ENROLLED) + len(STRANGERS))
    return [*zip(own, own, strict=True), *itertools.combinations(own, 2)]


def _person(number: int) -> NDArray[np.uint8]:
    one, other = (_upright()[place] for place in _pairs()[number])
    return np.asarray(cv2.addWeighted(one, 0.5, other, 0.5, 0), np.uint8)


@cache
def _upright() -> list[NDArray[np.uint8]]:
    """The demo's faces, all with their landmarks at the same places."""
    pictures = fetch_pictures()
    engine = OpenCvEngine(precision="fp32", encoder_precision="fp32", threads=1)
    try:
        return [_aligned(engine, pictures, (one.photos or (one.seen,))[0]) for one in (*ENROLLED, *STRANGERS)]
    finally:
        engine.close()


def _aligned(engine: FaceEngine, pictures: Path, portrait: Portrait | None) -> NDArray[np.uint8]:
    assert portrait is not None
    image = cv2.resize(cut_portrait(pictures, portrait), (320, 320), interpolation=cv2.INTER_CUBIC)
    (found,) = find_faces(engine, [np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)])
    move, _ = cv2.estimateAffinePartial2D(np.asarray(found[0].landmarks, np.float32), _POINTS)
    return np.asarray(cv2.warpAffine(image, move, (_SIDE, _SIDE), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _photo(face: NDArray[np.uint8], chance: np.random.Generator) -> bytes:
    """A JPEG of somebody, held and lit in another way each time."""
    move = cv2.getRotationMatrix2D((_SIDE / 2, _SIDE / 2), chance.uniform(-10, 10), chance.uniform(0.85, 1.1))
    move[0, 1] += chance.uniform(-0.06, 0.06)
    move[:, 2] = move[:, 2] + chance.uniform(-8, 8, 2)
    moved = cv2.warpAffine(face, move, (_SIDE, _SIDE), borderMode=cv2.BORDER_REPLICATE)
    image: NDArray[np.float64] = np.asarray(moved, np.float64)
    turned = image[:, ::-1] if chance.random() < 0.5 else image
    lit = (turned - 128) * chance.uniform(0.8, 1.15) + 128 + chance.uniform(-20, 20)
    noisy = lit + chance.normal(0, chance.uniform(1, 6), image.shape)
    quality = int(chance.integers(70, 96))
    done, data = cv2.imencode(".jpg", np.clip(noisy, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()
