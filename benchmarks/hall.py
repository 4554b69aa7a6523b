"""A lecture hall made of real faces: rows of faces of known sizes in a 1080p frame."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.interface import Image
from benchmarks.pictures import face_crops

WIDTH, HEIGHT = 1920, 1080
FACES, SMALLEST, LARGEST = 40, 14, 80
COLUMNS = 8
WIDTHS = tuple(round(width) for width in np.linspace(SMALLEST, LARGEST, FACES))
"""Of the faces in a hall, pixels, from the back row to the front."""
_FACE = 100
"""Pixels of the faces that are scaled down."""


@dataclass(frozen=True, slots=True, eq=False)
class Cutting:
    """A face cut out of a picture, with what is around it."""

    image: Image
    width: float
    """Of the face, pixels."""
    centre: tuple[float, float]
    """Of the face, x and y in the cutting."""


@dataclass(frozen=True, slots=True, eq=False)
class Hall:
    """A frame, and where its faces are."""

    frame: Image
    centres: NDArray[np.float64]
    """Shape (faces, 2): x and y of the middle of each, pixels; the smallest face first."""


def make_hall(engine: AcceleratedEngine) -> Hall:
    """The hall that engines are timed on: five photos of three people, again and again."""
    crops = [crop[120:340, 40:280] for crop in face_crops(engine, _FACE)]
    cuttings = [Cutting(crop, _FACE, (crop.shape[1] / 2, crop.shape[0] / 2 + 10)) for crop in crops]
    return seat((cuttings[place % len(cuttings)] for place in range(FACES)), seed=0)


def seat(cuttings: Iterable[Cutting], *, seed: int) -> Hall:
    """Put a face into each place of a hall.

    Faces are scaled by averaging, as a lens and a sensor do, on a background with the noise of a camera.

    Args:
        cuttings: `FACES` of them, the back row first.
        seed: of where in its place each stands.
    """
    generator = np.random.default_rng(seed)
    frame = np.clip(generator.normal(105, 4, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)
    centres = []
    for place, (width, cutting) in enumerate(zip(WIDTHS, cuttings, strict=True)):
        scale = width / cutting.width
        patch = cv2.resize(cutting.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        row, column = divmod(place, COLUMNS)
        left = column * (WIDTH // COLUMNS) + int(generator.integers(0, WIDTH // COLUMNS - patch.shape[1] + 1))
        top = row * (HEIGHT // (FACES // COLUMNS)) + int(generator.integers(0, 20))
        frame[top : top + patch.shape[0], left : left + patch.shape[1]] = patch
        centres.append((left + scale * cutting.centre[0], top + scale * cutting.centre[1]))
    return Hall(frame, np.array(centres))


def shown_by(hall: Hall, boxes: NDArray[np.float32]) -> NDArray[np.intp]:
    """Which face of the hall each box shows, -1 for what is none; no face twice.

    Args:
        hall: in which they were found.
        boxes: shape (n, 4): left, top, right, bottom; best first.
    """
    shown = np.full(len(boxes), -1, np.intp)
    for place, box in enumerate(boxes):
        apart = np.abs(hall.centres - (box[:2] + box[2:]) / 2).max(axis=1)
        nearest = int(apart.argmin())
        if apart[nearest] < WIDTHS[nearest] / 2 and nearest not in shown:
            shown[place] = nearest
    return shown
