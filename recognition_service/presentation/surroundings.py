"""What is around a face: the border of a screen or of a sheet of paper, and a background that moves with the face.

A *border* is a rectangle that closes around the face, upright or askew: on all four sides the same change from dark to
bright, or from bright to dark. What is behind a head (a door, a board, a window) closes on three sides at most: the
fourth is behind neck and shoulders.

A *plane* is a face that has moved while the room has not, and whose own background has moved with it. Behind a head the
wall stays.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from recognition_service.presentation.views import AROUND, AROUND_SIDE, FaceView

_FACE = AROUND_SIDE / AROUND
"""Pixels of a face's box in its surroundings."""
_ANGLES = (-12.0, -8.0, -4.0, 0.0, 4.0, 8.0, 12.0)
"""Degrees by which a rectangle may be askew."""
_EDGE = 60.0
"""Sobel response over three pixels of surroundings that is an edge: a step of fifteen grey levels."""
_SLACK = 3
"""Pixels by which a side may wander: perspective, and what lies between two of the angles."""
_CLOSED = 0.88
"""Share of each side that must be an edge of one kind."""
_MIDDLE = (AROUND_SIDE - 1) / 2
_NEAREST = 0.42 * _FACE
"""From the middle to a side, at least: hair and cheeks have edges too."""

_MOVED = 0.25
"""Boxes by which a face must have moved."""
_STILL_SCENE = 6.0
"""Grey levels: the median difference of two scenes between which the camera has not moved."""
_WITH, _AGAINST = 0.9, 0.6
"""Correlation of what is beside the head: with the face's movement, and with none."""
_LEAST_CONTRAST = 5.0


def has_border(view: FaceView) -> bool:
    """Whether a rectangle closes around the face."""
    around = cv2.GaussianBlur(view.around, (0, 0), 1.0)
    if float(around.std()) < _LEAST_CONTRAST:
        return False
    return any(_closes(_turned(around, angle)) for angle in _ANGLES)


def moves_as_plane(before: FaceView, after: FaceView) -> bool | None:
    """Whether a face's background has moved with it while the room has stood still.

    Args:
        before: a view of the face.
        after: another one, of the same track.

    Returns:
        None where it cannot be told: the face has hardly moved, the camera has, or there is nothing to see beside it.
    """
    shift = np.subtract(after.centre, before.centre)
    ratio = after.side / before.side
    if np.abs(shift).max() < _MOVED * before.side or not 0.8 < ratio < 1.25:
        return None
    if not _stands_still(before, after):
        return None
    beside = _beside()
    first = before.around.astype(np.float32)
    second = after.around.astype(np.float32)
    if float(first[beside].std()) < _LEAST_CONTRAST:
        return None
    together = _correlation(first, second, beside)
    # As the wall would be: in the second view it has moved against the face.
    pixels = AROUND_SIDE / (AROUND * after.side)
    matrix = np.array([[ratio, 0, 0], [0, ratio, 0]], np.float32)
    matrix[:, 2] = _MIDDLE - ratio * _MIDDLE + shift * pixels
    seen = cv2.warpAffine(np.ones_like(second), matrix, (AROUND_SIDE, AROUND_SIDE), borderValue=0) > 0.99
    wall = cv2.warpAffine(second, matrix, (AROUND_SIDE, AROUND_SIDE), borderMode=cv2.BORDER_REPLICATE)
    both = beside & seen
    if int(both.sum()) < int(beside.sum()) / 3:
        return None
    return together >= _WITH and _correlation(first, np.asarray(wall, np.float32), both) <= _AGAINST


def _turned(around: "cv2.typing.MatLike", angle: float) -> "cv2.typing.MatLike":
    if not angle:
        return around
    matrix = cv2.getRotationMatrix2D((_MIDDLE, _MIDDLE), angle, 1.0)
    return cv2.warpAffine(around, matrix, (AROUND_SIDE, AROUND_SIDE), borderMode=cv2.BORDER_REPLICATE)


def _closes(around: "cv2.typing.MatLike") -> bool:
    """Whether an upright rectangle closes around the middle."""
    across = cv2.Sobel(around, cv2.CV_32F, 1, 0, ksize=3)
    down = cv2.Sobel(around, cv2.CV_32F, 0, 1, ksize=3)
    return any(
        _side_by_side(
            _spread(sign * across > _EDGE, upright=True),
            _spread(-sign * across > _EDGE, upright=True),
            _spread(sign * down > _EDGE, upright=False),
            _spread(-sign * down > _EDGE, upright=False),
        )
        for sign in (1.0, -1.0)
    )


def _spread(edges: NDArray[np.bool_], *, upright: bool) -> NDArray[np.float32]:
    """Edges, widened across their side, so that one that wanders still counts in one line."""
    shape = (1, _SLACK) if upright else (_SLACK, 1)
    return cv2.dilate(edges.astype(np.uint8), np.ones(shape, np.uint8)).astype(np.float32)


def _side_by_side(
    left: NDArray[np.float32], right: NDArray[np.float32], top: NDArray[np.float32], bottom: NDArray[np.float32]
) -> bool:
    near, far = math.floor(_MIDDLE - _NEAREST), math.ceil(_MIDDLE + _NEAREST)
    # Beside the face first: few columns are edges over the whole height of it.
    face = slice(near, far)
    lefts = np.flatnonzero(left[face, 2:near].mean(axis=0) >= _CLOSED) + 2
    rights = np.flatnonzero(right[face, far:-2].mean(axis=0) >= _CLOSED) + far
    tops = np.flatnonzero(top[2:near, face].mean(axis=1) >= _CLOSED) + 2
    bottoms = np.flatnonzero(bottom[far:-2, face].mean(axis=1) >= _CLOSED) + far
    if not (lefts.size and rights.size and tops.size and bottoms.size):
        return False
    sums = [np.vstack([np.zeros(AROUND_SIDE), one.cumsum(axis=0)]) for one in (left, right)]
    rows = [np.hstack([np.zeros((AROUND_SIDE, 1)), one.cumsum(axis=1)]) for one in (top, bottom)]
    for upper in tops:
        for lower in bottoms:
            height = lower - upper
            good_left = lefts[(sums[0][lower, lefts] - sums[0][upper, lefts]) >= _CLOSED * height]
            good_right = rights[(sums[1][lower, rights] - sums[1][upper, rights]) >= _CLOSED * height]
            for one in good_left:
                for other in good_right:
                    width = other - one
                    if (
                        rows[0][upper, other] - rows[0][upper, one] >= _CLOSED * width
                        and rows[1][lower, other] - rows[1][lower, one] >= _CLOSED * width
                    ):
                        return True
    return False


def _stands_still(before: FaceView, after: FaceView) -> bool:
    """Whether the camera has not moved: most of the scene is as it was."""
    if before.scene.shape != after.scene.shape:
        return False
    if float(before.scene.std()) < _LEAST_CONTRAST:
        return False
    change = before.scene.astype(np.int16) - after.scene.astype(np.int16)
    moved = float(np.median(np.abs(change - np.median(change))))
    return moved <= _STILL_SCENE and _apart(before, after)


def _apart(before: FaceView, after: FaceView) -> bool:
    """Whether there is a room beyond what is around the face."""
    longer = float(max(before.scene.shape))
    return AROUND * max(before.side, after.side) * before.scale < 0.8 * longer


def _beside() -> NDArray[np.bool_]:
    """Beside the head, above the shoulders: nearer there is hair, and a print is seldom much wider."""
    at = (np.arange(AROUND_SIDE) - _MIDDLE) / _FACE
    columns = (np.abs(at) > 0.7) & (np.abs(at) < 1.05)
    rows = (at > -1.0) & (at < 1 / 3)
    beside: NDArray[np.bool_] = rows[:, np.newaxis] & columns[np.newaxis]
    return beside


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32], where: NDArray[np.bool_]) -> float:
    """Largest correlation over small shifts: boxes are exact to a few pixels."""
    best = -1.0
    first = one[where] - one[where].mean()
    for down in (-4, -2, 0, 2, 4):
        for across in (-4, -2, 0, 2, 4):
            second = np.roll(other, (down, across), axis=(0, 1))[where]
            second = second - second.mean()
            norm = math.sqrt(float((first**2).sum()) * float((second**2).sum()))
            best = max(best, float((first * second).sum()) / norm if norm > 0 else -1.0)
    return best
