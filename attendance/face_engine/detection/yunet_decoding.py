"""From YuNet's anchors to boxes, scores and points: the decoding of OpenCV's `FaceDetectorYN` (`face_detect.cpp`)."""

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.models.opencv_export import STRIDES

OVERLAP = 0.3
"""Boxes that share more than this (area in common over area of both) are one face; `FaceDetectorYN`'s default."""
MOST_CANDIDATES = 5000
"""Anchors that suppression looks at, the best ones; `FaceDetectorYN`'s default."""
POINTS = 5
_BOX, _POINTS = slice(2, 6), slice(6, 16)


@dataclass(frozen=True, slots=True, eq=False)
class YuNetFaces:
    """The faces of one frame as YuNet has them, best first."""

    boxes: NDArray[np.float32]
    """Shape (n, 4): left, top, width, height, pixels of the frame that was searched."""
    scores: NDArray[np.float32]
    """Shape (n,), from 0 to 1."""
    points: NDArray[np.float32]
    """Shape (n, 5, 2): right eye, left eye, tip of the nose, right and left corner of the mouth; x, y, pixels."""
    anchors: NDArray[np.int64]
    """Shape (n,): which anchor of its search each is of."""


@functools.lru_cache(maxsize=16)
def anchor_cells(width: int, height: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where the anchors of a frame are.

    Args:
        width: of the frame, a multiple of 32, pixels.
        height: the same.

    Returns:
        Cells, float32 (anchors, 2), column and row in their level, and strides, float32 (anchors,), pixels.
    """
    cells, strides = [], []
    for stride in STRIDES:
        rows, columns = np.indices((height // stride, width // stride), np.float32)
        cells.append(np.stack([columns.ravel(), rows.ravel()], axis=1))
        strides.append(np.full(rows.size, stride, np.float32))
    return np.concatenate(cells), np.concatenate(strides)


def anchor_scores(anchors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The scores of anchors, sqrt(cls * obj).

    Args:
        anchors: one frame's output of `opencv_export.export_yunet`, shape (16, anchors).

    Returns:
        float32 (anchors,), from 0 to 1.
    """
    both = np.clip(anchors[0], 0, 1) * np.clip(anchors[1], 0, 1)
    scores: NDArray[np.float32] = np.sqrt(both, out=both)
    return scores


def decode(
    anchors: NDArray[np.float32], scores: NDArray[np.float32], places: NDArray[np.int64], *, width: int, height: int
) -> YuNetFaces:
    """Decode some anchors, without suppression.

    Args:
        anchors: one frame's output, shape (16, anchors).
        scores: of all anchors.
        places: which anchors, best first.
        width: of the frame, a multiple of 32, pixels.
        height: the same.
    """
    cells, strides = anchor_cells(width, height)
    cells, strides = cells[places], strides[places, None]
    values = anchors[:, places].T
    offsets = values[:, _BOX]
    centres = (cells + offsets[:, :2]) * strides
    sides = np.exp(offsets[:, 2:]) * strides
    points = (values[:, _POINTS].reshape(-1, POINTS, 2) + cells[:, None]) * strides[:, None]
    return YuNetFaces(np.concatenate([centres - sides / 2, sides], axis=1), scores[places], points, places)


def best_first(scores: NDArray[np.float32], limit: float) -> NDArray[np.int64]:
    """The anchors whose scores reach a limit, best first, at most `MOST_CANDIDATES`."""
    places = np.nonzero(scores >= limit)[0]
    return places[np.argsort(-scores[places], kind="stable")][:MOST_CANDIDATES]


def suppress(found: YuNetFaces) -> YuNetFaces:
    """Keep the best of faces that overlap, as `cv2.dnn.NMSBoxes` does on boxes cut down to whole numbers."""
    if not len(found.scores):
        return found
    whole = np.trunc(found.boxes).astype(np.int32)
    # The limit on scores was applied before.
    kept = np.asarray(cv2.dnn.NMSBoxes(whole.tolist(), found.scores.tolist(), 0.0, OVERLAP), np.int64).reshape(-1)
    return YuNetFaces(found.boxes[kept], found.scores[kept], found.points[kept], found.anchors[kept])
