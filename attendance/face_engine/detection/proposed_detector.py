"""dlib's detector where YuNet proposes: dlib's float32 score decides, but only near faces that YuNet thinks possible.

dlib's network over the pyramid of a doubled frame costs ten times what YuNet costs. A face that dlib would find lies at
a known place of a known level of its pyramid once YuNet's box is known, give or take. There the network runs in float32
on pieces of the very tile that the exact search uses, so what is found has dlib's box and dlib's score.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.detection.bands import FIRST_CELL, REACH
from attendance.face_engine.detection.decoding import CELL_OFFSET, CELL_STRIDE, Candidates, decide, round_half_away
from attendance.face_engine.detection.parts import in_parts, search_in_parts
from attendance.face_engine.detection.pyramid import POINT_OFFSET, RATE, TileLayout, boxes_in_image
from attendance.face_engine.detection.tile_detector import DetectorGeometry, no_faces
from attendance.face_engine.detection.tiles import fill_tile, upsample_image, upsampled_layout
from attendance.face_engine.detection.yunet_detector import YuNetDetector
from attendance.face_engine.interface import FaceBoxes, Image
from attendance.face_engine.pieces import Known, Search, finished, of_images
from attendance.face_engine.runtimes.runtime import Session

_THRESHOLD = 0.0
_WINDOW = 7
"""Cells a side around where the face should be, in which it is looked for."""
_LEVELS = 1
"""Levels above and below the nearest one that are looked at, too."""
_PATCH_CELLS = 2 * REACH + _WINDOW
_PATCH_SIDE = CELL_STRIDE * (_PATCH_CELLS - 1) + FIRST_CELL
"""Pixels."""
_MOST_PATCHES = 16
_SMALLEST_SIDE = 12


@dataclass(frozen=True, slots=True)
class _Spot:
    """A window of cells in the middle of a patch of the tile."""

    top: int
    left: int
    """The patch's first cell."""
    row: int
    column: int
    """The window's first cell."""


class ProposedDetector:
    """Finds dlib's faces near YuNet's."""

    def __init__(
        self, proposer: YuNetDetector, exact: Session, geometry: DetectorGeometry, *, work_pixels: int
    ) -> None:
        """Use both networks.

        Args:
            proposer: YuNet at a low limit.
            exact: dlib's detector in float32: tile, float32 (n, height, width, 3), to scores (n, 1, rows, columns).
            geometry: of the weights in it.
            work_pixels: bounds memory: a frame whose pyramid has more than three times as many is searched in parts.
        """
        self._proposer = proposer
        self._exact = exact
        self._geometry = geometry
        self._work_pixels = work_pixels

    def detect(self, images: Sequence[Image], upsample: int) -> list[FaceBoxes]:
        """Find the faces of each image, which may differ in size; checked RGB images, contiguous."""
        return finished(self.detect_in_pieces(images, upsample, {}))

    def detect_in_pieces(self, images: Sequence[Image], upsample: int, known: Known) -> Search:
        """The same; stops after each call of a network."""
        found = []
        for place, image in enumerate(images):
            known[place] = yield from of_images(self._search(image, upsample), [place])
            found.append(known[place])
        return found

    def _search(self, image: Image, upsample: int) -> Generator[object, None, FaceBoxes]:
        if min(image.shape[:2]) << upsample < _SMALLEST_SIDE:
            return no_faces()
        if not in_parts(upsampled_layout(image, upsample), self._work_pixels):
            return (yield from self._search_whole(image, upsample))
        return (
            yield from search_in_parts(
                image,
                upsample,
                self._search_whole,
                work_pixels=self._work_pixels,
                window=min(self._geometry.window),
                overlap=self._geometry.overlap,
            )
        )

    def _search_whole(self, image: Image, upsample: int) -> Generator[object, None, FaceBoxes]:
        (proposed,) = yield from self._proposer.detect_in_pieces([image], 1.0, {})
        if not len(proposed.scores):
            return no_faces()
        doubled = upsample_image(image, upsample)
        scale = np.array([doubled.shape[1] / image.shape[1], doubled.shape[0] / image.shape[0]] * 2)
        layout = upsampled_layout(image, upsample)
        tile = np.zeros((layout.height, layout.width, 3), np.float32)
        fill_tile(doubled, layout, self._geometry.means, tile)
        patches = _patches(proposed.boxes.astype(np.float64) * scale, layout, self._geometry.window[0])
        rows, columns, scores = yield from self._scores(tile, patches)
        found = np.nonzero(scores > _THRESHOLD)[0]
        rows, columns, scores = rows[found], columns[found], scores[found]
        centres = np.stack([columns, rows], axis=1).astype(np.float64) * CELL_STRIDE + CELL_OFFSET
        windows = round_half_away(boxes_in_image(layout, centres, *self._geometry.window))
        exact = np.full(len(rows), True)
        candidates = Candidates(rows, columns, scores, exact, windows, self._geometry.overlap)
        return decide(candidates, upsample=upsample, threshold=_THRESHOLD)

    def _scores(
        self, tile: NDArray[np.float32], patches: list[_Spot]
    ) -> Generator[None, None, tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
        """Rows, columns and exact scores of all cells in the windows, each once."""
        if min(tile.shape[:2]) < _PATCH_SIDE:
            scores = self._exact.run(tile[None])[0, 0]
            yield
            rows, columns = np.indices(scores.shape).reshape(2, -1)
            return rows, columns, scores.reshape(-1)
        known: dict[tuple[int, int], float] = {}
        for start in range(0, len(patches), _MOST_PATCHES):
            part = patches[start : start + _MOST_PATCHES]
            cut = np.empty((len(part), _PATCH_SIDE, _PATCH_SIDE, 3), np.float32)
            for pixels, patch in zip(cut, part, strict=True):
                top, left = patch.top * CELL_STRIDE, patch.left * CELL_STRIDE
                pixels[:] = tile[top : top + _PATCH_SIDE, left : left + _PATCH_SIDE]
            for scores, patch in zip(self._exact.run(cut)[:, 0], part, strict=True):
                for row in range(patch.row, patch.row + _WINDOW):
                    for column in range(patch.column, patch.column + _WINDOW):
                        known[row, column] = float(scores[row - patch.top, column - patch.left])
            yield
        cells = np.array(sorted(known), np.int64).reshape(-1, 2)
        return cells[:, 0], cells[:, 1], np.array([known[row, column] for row, column in cells.tolist()], np.float32)


def _patches(boxes: NDArray[np.float64], layout: TileLayout, window: int) -> list[_Spot]:
    """Where to look for faces.

    Args:
        boxes: shape (n, 4), pixels of the image that is searched.
        layout: of its tile.
        window: side of the detector's, pixels.
    """
    rows = (layout.height - FIRST_CELL) // CELL_STRIDE + 1
    columns = (layout.width - FIRST_CELL) // CELL_STRIDE + 1
    patches = {}
    for box in boxes:
        centre, side = (box[:2] + box[2:]) / 2, max(float(box[2] - box[0]), 1.0)
        # The largest level is the image itself: smaller faces, too, are found in it or not at all.
        nearest = max(round(np.log(window / side) / np.log(RATE)), 0)
        for depth in range(nearest - _LEVELS, nearest + _LEVELS + 1):
            if not 0 <= depth < len(layout.levels):
                continue
            point = centre
            for _ in range(depth):
                point = (point - POINT_OFFSET) * RATE
            level = layout.levels[depth]
            cell = (
                np.round((point + np.array([level.left, level.top]) - CELL_OFFSET) / CELL_STRIDE).astype(int)
                - _WINDOW // 2
            )
            column, row = (
                int(np.clip(first, 0, count - _WINDOW)) for first, count in zip(cell, (columns, rows), strict=True)
            )
            top, left = (
                max(min(row - REACH, rows - _PATCH_CELLS), 0),
                max(min(column - REACH, columns - _PATCH_CELLS), 0),
            )
            patches[row, column] = _Spot(top, left, row, column)
    return list(patches.values())
