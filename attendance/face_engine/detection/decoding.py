"""From the detector's scores to boxes: dlib's windows, its rounding and its suppression."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.detection.pyramid import TileLayout, boxes_in_image
from attendance.face_engine.interface import FaceBoxes

CELL_STRIDE = 8
"""Pixels of the tile between two cells of the score map: three strides of two."""
CELL_OFFSET = 14
"""Pixels of the tile: the centre of the first cell's window (`con_::map_output_to_input` through all layers)."""
_UPSAMPLE_OFFSET = np.array([1.25, 0.75, 1.25, 0.75])
"""`pyramid_down<2>::point_down` moves a point by this much."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The cells of one tile's score map that may be faces."""

    rows: NDArray[np.int64]
    """Shape (n,)."""
    columns: NDArray[np.int64]
    """Shape (n,)."""
    scores: NDArray[np.float32]
    """Shape (n,), raw; refinement writes into it."""
    exact: NDArray[np.bool_]
    """Shape (n,): whether the score is float32's; refinement writes into it."""
    boxes: NDArray[np.float64]
    """Shape (n, 4): left, top, right, bottom in the image that was searched, whole numbers."""
    overlap: float
    """Two boxes that share more than this are one face; see `suppressed_by`."""


def find_candidates(
    scores: NDArray[np.float32],
    layout: TileLayout,
    *,
    window: tuple[int, int],
    overlap: float,
    threshold: float,
    exact: bool = True,
) -> Candidates:
    """The cells of a score map above a threshold, with their windows' places in the image.

    Args:
        scores: shape (rows, columns), raw.
        layout: the tile's.
        window: width and height of the detection window, pixels of the tile.
        overlap: see `Candidates`.
        threshold: cells must be above it.
        exact: whether the scores are float32's.
    """
    rows, columns = np.nonzero(scores > threshold)
    centres = np.stack([columns, rows], axis=1).astype(np.float64) * CELL_STRIDE + CELL_OFFSET
    boxes = round_half_away(boxes_in_image(layout, centres, *window))
    return Candidates(rows, columns, scores[rows, columns], np.full(len(rows), exact), boxes, overlap)


def decide(candidates: Candidates, *, upsample: int, threshold: float = 0.0) -> FaceBoxes:
    """The faces among the candidates, as `dlib.cnn_face_detection_model_v1` gives them.

    Args:
        candidates: of one tile.
        upsample: how often the image was doubled before.
        threshold: faces' scores are above it.

    Returns:
        Boxes of whole numbers in the image before doubling; the right and bottom edges belong to the box.
    """
    faces = np.nonzero(candidates.scores > threshold)[0]
    faces = faces[np.argsort(-candidates.scores[faces], kind="stable")]
    kept = faces[suppress(candidates.boxes[faces], candidates.overlap)]
    boxes = candidates.boxes[kept]
    for _ in range(upsample):
        boxes = boxes / 2 - _UPSAMPLE_OFFSET
    return FaceBoxes(round_half_away(boxes).astype(np.float32), candidates.scores[kept].astype(np.float32))


def suppress(boxes: NDArray[np.float64], overlap: float) -> NDArray[np.int64]:
    """Keep the best of boxes that overlap.

    Args:
        boxes: shape (n, 4), whole numbers, best first.
        overlap: see `suppressed_by`.

    Returns:
        Indices of the kept boxes, int64, best first.
    """
    waiting = np.arange(len(boxes))
    kept = []
    while len(waiting):
        best, waiting = int(waiting[0]), waiting[1:]
        kept.append(best)
        waiting = waiting[~suppressed_by(boxes, best, waiting, overlap)]
    return np.array(kept, np.int64)


def suppressed_by(
    boxes: NDArray[np.float64], best: int, others: NDArray[np.int64], overlap: float
) -> NDArray[np.bool_]:
    """Which boxes a better one suppresses (`dlib::test_box_overlap`).

    dlib divides the common area by that of the smallest box around both, not by that of their union.

    Args:
        boxes: shape (n, 4), whole numbers.
        best: index of the better one.
        others: indices of the boxes in question.
        overlap: the share above which two boxes are one face.

    Returns:
        Shape of `others`.
    """
    left, top, right, bottom = boxes[others].T
    own_left, own_top, own_right, own_bottom = boxes[best]
    common = _area(
        np.maximum(own_left, left),
        np.maximum(own_top, top),
        np.minimum(own_right, right),
        np.minimum(own_bottom, bottom),
    )
    around = _area(
        np.minimum(own_left, left),
        np.minimum(own_top, top),
        np.maximum(own_right, right),
        np.maximum(own_bottom, bottom),
    )
    suppressed: NDArray[np.bool_] = common / around > overlap
    return suppressed


def round_half_away(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to the nearest whole number, halves away from zero, as C's `lround` does."""
    return np.copysign(np.floor(np.abs(values) + 0.5), values)


def _area(
    left: NDArray[np.float64], top: NDArray[np.float64], right: NDArray[np.float64], bottom: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.maximum(right - left + 1, 0) * np.maximum(bottom - top + 1, 0)
