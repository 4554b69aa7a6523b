"""A lecture hall made of real faces: rows of faces of known sizes in a 1080p frame."""

import cv2
import numpy as np

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.interface import Image
from benchmarks.pictures import face_crops

WIDTH, HEIGHT = 1920, 1080
FACES, SMALLEST, LARGEST = 40, 14, 80
COLUMNS = 8
_FACE = 100
"""Pixels of the faces that are scaled down."""


def make_hall(engine: AcceleratedEngine) -> tuple[Image, list[int]]:
    """The frame, and the width in pixels of each of its faces, the smallest first, from the back row to the front.

    Faces are scaled by averaging, as a lens and a sensor do, on a background with the noise of a camera.
    """
    generator = np.random.default_rng(0)
    crops = [crop[120:340, 40:280] for crop in face_crops(engine, _FACE)]
    frame = np.clip(generator.normal(105, 4, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)
    widths = [round(width) for width in np.linspace(SMALLEST, LARGEST, FACES)]
    for place, width in enumerate(widths):
        scale = width / _FACE
        patch = cv2.resize(crops[place % len(crops)], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        row, column = divmod(place, COLUMNS)
        left = column * (WIDTH // COLUMNS) + int(generator.integers(0, WIDTH // COLUMNS - patch.shape[1] + 1))
        top = row * (HEIGHT // (FACES // COLUMNS)) + int(generator.integers(0, 20))
        frame[top : top + patch.shape[0], left : left + patch.shape[1]] = patch
    return frame, widths
