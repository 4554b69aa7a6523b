"""Views: what is kept of the pixels of each face of a frame, so that it can be compared with the face before.

A view is small (22 kB), of one size however large the face is, and never leaves the service's memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.interface import Face, Image
from attendance.face_engine.liveness import crop_for

FACE_SIDE = 48
"""Pixels of a face's box in its patch: an eye is then four pixels high, and a face in the last row loses nothing."""
PATCH_SIDE = 72
"""Pixels of the patch: half a face beyond the box together, for faces that turn between two frames."""
AROUND = 4
"""Boxes in the width of the surroundings: a tablet held before a face is about two faces wide."""
AROUND_SIDE = 128
"""Pixels of the surroundings: a face's box has 32 of them."""
SCENE_WIDTH = 96
"""Pixels of the scene."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceView:
    """The pixels of one face of one frame."""

    patch: NDArray[np.uint8]
    """Grey levels of the face, shape (PATCH_SIDE, PATCH_SIDE)."""
    around: NDArray[np.uint8]
    """Grey levels of what is around it, shape (AROUND_SIDE, AROUND_SIDE); beyond the frame its edge goes on."""
    centre: tuple[float, float]
    """Of the box, pixels of the frame as it was decoded."""
    side: float
    """The longer side of the box, the same pixels."""
    scene: NDArray[np.uint8]
    """Grey levels of the whole frame, `SCENE_WIDTH` wide; the same object for all faces of a frame."""
    scale: float
    """Pixels of the scene for one of the frame."""
    crop: NDArray[np.uint8] | None = None
    """What a liveness model looks at; None where there is no model."""


def views_of(image: Image, faces: Sequence[Face], *, crops: bool = False) -> list[FaceView]:
    """The views of the faces of a frame.

    Args:
        image: RGB, uint8, shape (height, width, 3).
        faces: with boxes in its pixels.
        crops: whether what a liveness model looks at is cut too.

    Returns:
        One a face, in order.
    """
    if not faces:
        return []
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, SCENE_WIDTH / grey.shape[1])
    size = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
    scene = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    return [_view(image, grey, face, scene, scale, crops=crops) for face in faces]


def _view(
    image: Image, grey: "cv2.typing.MatLike", face: Face, scene: NDArray[np.uint8], scale: float, *, crops: bool
) -> FaceView:
    left, top, right, bottom = (float(value) for value in face.box)
    side = max(right - left, bottom - top, 1.0)
    centre = (left + right) / 2, (top + bottom) / 2
    return FaceView(
        patch=_cut(grey, centre, side * PATCH_SIDE / FACE_SIDE, PATCH_SIDE),
        around=_cut(grey, centre, side * AROUND, AROUND_SIDE),
        centre=centre,
        side=side,
        scene=scene,
        scale=scale,
        crop=crop_for(image, (left, top, right, bottom)) if crops else None,
    )


def _cut(grey: "cv2.typing.MatLike", centre: tuple[float, float], width: float, side: int) -> NDArray[np.uint8]:
    """A square of the picture, made `side` pixels wide; where it shrinks, pixels are averaged."""
    half = width / 2
    low = np.floor(np.subtract(centre, half)).astype(int)
    high = np.ceil(np.add(centre, half)).astype(int)
    within = np.clip([low, high], 0, (grey.shape[1], grey.shape[0]))
    part = grey[within[0][1] : within[1][1], within[0][0] : within[1][0]]
    if not part.size:
        return np.zeros((side, side), np.uint8)
    if width > 2 * side:  # a sum over whole blocks first: quick, and nothing is skipped
        step = int(width / side)
        part = cv2.resize(part, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
        by = np.divide(part.shape[::-1], within[1] - within[0])
    else:
        by = np.ones(2)
    factor = side / width / by
    shift = side / 2 - (np.asarray(centre) - within[0]) * by * factor
    matrix = np.array([[factor[0], 0, shift[0]], [0, factor[1], shift[1]]])
    cut = cv2.warpAffine(part, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.uint8)
