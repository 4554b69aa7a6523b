"""The camera that films everything here: what a sensor and JPEG do to a scene."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.interface import Image

SIZE = (960, 540)
"""Width and height of a frame."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """How one sequence is filmed."""

    face: float
    """Width of the face in the frame, pixels."""
    rate: float
    """Frames a second."""
    noise: float
    """Standard deviation, grey levels."""
    light: float
    """Share of the brightness."""
    quality: int
    """Of the JPEG."""


FACES = (36.0, 56.0, 90.0, 130.0)
RATES = (1.0, 2.0, 4.0)


def conditions(chance: np.random.Generator) -> Conditions:
    """Any that a lecture room may have."""
    return Conditions(
        face=float(chance.choice(FACES)),
        rate=float(chance.choice(RATES)),
        noise=float(chance.uniform(1.5, 4.5)),
        light=float(chance.uniform(0.55, 1.0)),
        quality=int(chance.integers(75, 93)),
    )


def filmed(scene: Image, how: Conditions, chance: np.random.Generator) -> Image:
    """The scene as the service gets it."""
    lit = scene.astype(np.float32) * (how.light * float(chance.uniform(0.98, 1.02)))
    noisy = np.clip(lit + chance.normal(0, how.noise, scene.shape), 0, 255).astype(np.uint8)
    return recompressed(noisy, how.quality)


def recompressed(image: Image, quality: int) -> Image:
    """Through JPEG and back."""
    done, data = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise SystemExit("no JPEG can be made")
    back = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(back[:, :, ::-1])


def room(chance: np.random.Generator) -> Image:
    """A room with a wall that is not all of one shade, a board, and desks."""
    width, height = SIZE
    coarse = chance.normal(0, 1, (height // 12, width // 12, 1)).astype(np.float32)
    wall = 150 + 14 * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    scene = np.repeat(wall[:, :, np.newaxis], 3, axis=2) * np.array([1.0, 0.97, 0.9])
    for _ in range(14):  # posters, shelves, people's backs
        x, y = int(chance.integers(0, width)), int(chance.integers(0, height))
        w, h = (int(value) for value in chance.integers(20, 160, 2))
        shade = chance.uniform(30, 230, 3)
        scene[y : y + h, x : x + w] = 0.3 * scene[y : y + h, x : x + w] + 0.7 * shade
    return np.asarray(np.clip(scene, 0, 255), np.uint8)


def placed(scene: Image, plane: Image, corners: NDArray[np.float64], *, shadow: bool = False) -> Image:
    """The scene with a flat thing in it.

    Args:
        scene: RGB.
        plane: what it shows.
        corners: where its corners are in the scene: upper left, upper right, lower right, lower left, pixels.
        shadow: whether it darkens the scene around it a little.
    """
    height, width = plane.shape[:2]
    small = np.sqrt(cv2.contourArea(corners.astype(np.float32)) / (height * width))
    if small < 0.7:  # averaged first, as a lens does
        size = max(2, round(width * small * 1.2)), max(2, round(height * small * 1.2))
        plane = np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.uint8)
        height, width = plane.shape[:2]
    own = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(own, corners.astype(np.float32))
    size = scene.shape[1], scene.shape[0]
    laid = cv2.warpPerspective(plane, matrix, size, flags=cv2.INTER_LINEAR).astype(np.float32)
    solid = cv2.warpPerspective(np.ones((height, width), np.float32), matrix, size)[:, :, np.newaxis]
    below = scene.astype(np.float32)
    if shadow:
        below *= 1 - 0.25 * cv2.GaussianBlur(solid, (0, 0), 9)[:, :, np.newaxis]
    return (below + solid * (laid - below)).astype(np.uint8)
