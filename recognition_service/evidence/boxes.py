"""Where faces can have gone between two frames, told from their boxes."""

import numpy as np
from numpy.typing import NDArray

_SPEED, _REACH = 8.0, 5.0
"""A face moves at most so many of its own widths a second (1.4 m/s, a walk, at 0.17 m, a face), and is looked for at
most so many widths away."""
_SIZE_RATIO = 2.0
"""A face grows or shrinks at most by this between two sightings near each other."""


def overlaps_of(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of each of n boxes with each of m, shape (n, m).

    Args:
        boxes: shape (n, 4): left, top, right, bottom, pixels.
        others: shape (m, 4).
    """
    low = np.maximum(boxes[:, np.newaxis, :2], others[np.newaxis, :, :2])
    high = np.minimum(boxes[:, np.newaxis, 2:], others[np.newaxis, :, 2:])
    sides = np.maximum(high - low, 0.0)
    shared = sides[..., 0] * sides[..., 1]
    areas = [(of[:, 2] - of[:, 0]) * (of[:, 3] - of[:, 1]) for of in (boxes, others)]
    together = areas[0][:, np.newaxis] + areas[1] - shared
    overlaps: NDArray[np.float32] = np.divide(shared, together, out=np.zeros_like(shared), where=together > 0)
    return overlaps


def reachable(
    boxes: NDArray[np.float32], others: NDArray[np.float32], seconds: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Whether each of n faces can have come from each of m boxes in the seconds since those, shape (n, m).

    Args:
        boxes: shape (n, 4): left, top, right, bottom, pixels.
        others: shape (m, 4).
        seconds: shape (m,).
    """
    widths = (boxes[:, 2] - boxes[:, 0])[:, np.newaxis], others[:, 2] - others[:, 0]
    small, large = np.minimum(*widths), np.maximum(*widths)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2, (others[:, :2] + others[:, 2:]) / 2
    apart = np.linalg.norm(centres[0][:, np.newaxis] - centres[1], axis=2)
    within: NDArray[np.bool_] = apart <= np.minimum(1.0 + _SPEED * seconds, _REACH) * large
    plausible: NDArray[np.bool_] = within & (small > 0) & (large <= _SIZE_RATIO * small)
    return plausible


def resized(boxes: NDArray[np.float32], sizes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes about the same centres with other widths and heights.

    Args:
        boxes: shape (n, 4).
        sizes: shape (n, 2).
    """
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)


def touched(boxes: NDArray[np.float32], others: NDArray[np.float32], beside: float) -> NDArray[np.bool_]:
    """Whether each of n faces is touched by each of m others it could be mistaken for by its place, shape (n, m).

    What is so much narrower that no face shrinks as much is none of those: somebody far behind, or what the detector
    takes for a face on a shoulder.

    Args:
        boxes: shape (n, 4): left, top, right, bottom, pixels.
        others: shape (m, 4).
        beside: share of a face's width and height by which it reaches further.
    """
    widths = [of[:, 2] - of[:, 0] for of in (boxes, others)]
    large_enough = _SIZE_RATIO * widths[1] >= widths[0][:, np.newaxis]
    near: NDArray[np.bool_] = (overlaps_of(_grown(boxes, beside), _grown(others, beside)) > 0) & large_enough
    return near


def _grown(boxes: NDArray[np.float32], by: float) -> NDArray[np.float32]:
    """Boxes that reach further on every side, by this share of their widths and heights.

    Args:
        boxes: shape (n, 4).
        by: share.
    """
    reach = by * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - reach, boxes[:, 2:] + reach], axis=1)
