"""From the detector's scores to boxes: dlib's windows, its rounding and its suppression."""

import numpy as np
from numpy.typing import NDArray

from face_engine.interface import FaceBoxes
from face_engine.pyramid import TileLayout, boxes_in_image

CELL_STRIDE = 8
"""Pixels of the tile between two cells of the score map: three strides of two."""
CELL_OFFSET = 14
"""Pixels of the tile: the centre of the first cell's window (`con_::map_output_to_input` through all layers)."""
_UPSAMPLE_OFFSET = np.array([1.25, 0.75, 1.25, 0.75])
"""`pyramid_down<2>::point_down` moves a point by this much."""


def decode_scores(
    scores: NDArray[np.float32],
    layout: TileLayout,
    *,
    window: tuple[int, int],
    overlap: float,
    upsample: int,
    threshold: float = 0.0,
) -> FaceBoxes:
    """The faces in the score map of one tile, as `dlib.cnn_face_detection_model_v1` gives them.

    Args:
        scores: shape (rows, columns), raw.
        layout: the tile's.
        window: width and height of the detection window, pixels of the tile.
        overlap: two boxes that share more than this are one face; see `suppress`.
        upsample: how often the image was doubled before.
        threshold: cells must be above it.

    Returns:
        Boxes of whole numbers in the image before doubling; the right and bottom edges belong to the box.
    """
    rows, columns = np.nonzero(scores > threshold)
    found = scores[rows, columns]
    best_first = np.argsort(-found, kind="stable")
    centres = np.stack([columns, rows], axis=1)[best_first].astype(np.float64) * CELL_STRIDE + CELL_OFFSET
    boxes = round_half_away(boxes_in_image(layout, centres, *window))
    kept = suppress(boxes, overlap)
    boxes = boxes[kept]
    for _ in range(upsample):
        boxes = boxes / 2 - _UPSAMPLE_OFFSET
    return FaceBoxes(round_half_away(boxes).astype(np.float32), found[best_first][kept].astype(np.float32))


def suppress(boxes: NDArray[np.float64], overlap: float) -> NDArray[np.int64]:
    """Keep the best of boxes that overlap (`dlib::test_box_overlap`).

    dlib divides the common area by that of the smallest box around both, not by that of their union.

    Args:
        boxes: shape (n, 4), whole numbers, best first.
        overlap: the share above which two boxes are one face.

    Returns:
        Indices of the kept boxes, int64, best first.
    """
    left, top, right, bottom = boxes.T
    waiting = np.arange(len(boxes))
    kept = []
    while len(waiting):
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        common = _area(
            np.maximum(left[best], left[waiting]),
            np.maximum(top[best], top[waiting]),
            np.minimum(right[best], right[waiting]),
            np.minimum(bottom[best], bottom[waiting]),
        )
        around = _area(
            np.minimum(left[best], left[waiting]),
            np.minimum(top[best], top[waiting]),
            np.maximum(right[best], right[waiting]),
            np.maximum(bottom[best], bottom[waiting]),
        )
        waiting = waiting[~(common / around > overlap)]
    return np.array(kept, np.int64)


def round_half_away(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to the nearest whole number, halves away from zero, as C's `lround` does."""
    return np.copysign(np.floor(np.abs(values) + 0.5), values)


def _area(
    left: NDArray[np.float64], top: NDArray[np.float64], right: NDArray[np.float64], bottom: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.maximum(right - left + 1, 0) * np.maximum(bottom - top + 1, 0)
