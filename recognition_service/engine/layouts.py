"""Colour layouts: what is seen at a face's place, so coarse that it costs nothing, to notice that it is something else.

A layout is the mean colours of a grid laid over head and shoulders, as in the Colour Layout Descriptor of MPEG-7
(ISO/IEC 15938-3), without its transform. It says nothing of whose face it is. Hair, clothes and what is behind them are
in it, so that whoever takes a seat changes it, and so does the light, a hand before the face, or a head that turns.
"""

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.interface import Image

Layout = NDArray[np.float32]
"""Mean colours, shape (GRID, GRID, 3), RGB."""

LookAtPlaces: TypeAlias = Callable[[NDArray[np.float32]], list[Layout]]
"""Gives the layouts at boxes of a frame, shape (n, 4), pixels, in order."""

GRID = 8
"""Cells of a side: of a face of 24 pixels each is the mean of 4 x 5 of them."""
_BESIDE, _ABOVE, _BELOW = 0.25, 0.25, 0.5
"""Boxes beyond the face's that are looked at: hair and shoulders."""
_SAMPLED = 32
"""Of a large face every second pixel is read, or fewer, so that no fewer than so many of a side are left. In a clip
with a moving camera layouts of one person in two frames were then 1.64 apart in the middle, of two people 14.9; with
twice as many 1.57 and 15.0."""


def layouts_of(image: Image, boxes: NDArray[np.float32]) -> list[Layout]:
    """The layouts of faces of a frame.

    Args:
        image: RGB, uint8, shape (height, width, 3).
        boxes: shape (n, 4): left, top, right, bottom, pixels.

    Returns:
        One a face, in order. Of a face that is not in the picture it is of zeros.
    """
    return [_layout(image, *(float(edge) for edge in box)) for box in boxes]


def apart(one: Layout, other: Layout) -> float:
    """How different two layouts are, grey levels: the mean difference of their cells, when both are as bright as one.

    Each colour's mean is taken away first: light that grows evenly is no other person.
    """
    change = one - other
    return float(np.abs(change - change.mean(axis=(0, 1))).mean())


def _layout(image: Image, left: float, top: float, right: float, bottom: float) -> Layout:
    width, height = right - left, bottom - top
    low, high = max(0, int(top - _ABOVE * height)), max(0, int(bottom + _BELOW * height) + 1)
    first, end = max(0, int(left - _BESIDE * width)), max(0, int(right + _BESIDE * width) + 1)
    part = image[low:high, first:end]
    if not part.size:
        return np.zeros((GRID, GRID, 3), np.float32)
    step = max(1, min(part.shape[:2]) // _SAMPLED)
    part = np.ascontiguousarray(part[::step, ::step])
    return np.asarray(cv2.resize(part.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA), np.float32)
