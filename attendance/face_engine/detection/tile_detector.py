"""dlib's CNN detector over batches: frames of one size together, as many at a time as memory allows."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.detection.decoding import CELL_STRIDE, Candidates, decide, find_candidates
from attendance.face_engine.detection.parts import cut_part, merge_parts, plan_parts, shrink_whole
from attendance.face_engine.detection.pyramid import TileLayout, tile_layout
from attendance.face_engine.detection.refinement import FIRST_CELL, REACH, Refiner
from attendance.face_engine.detection.tiles import fill_tile, upsample_image, upsampled_size
from attendance.face_engine.interface import FaceBoxes, Image
from attendance.face_engine.models.dlib_file import Network
from attendance.face_engine.runtimes.runtime import Session

_SMALLEST_SIDE = 12
"""Pixels. Below it dlib's network does not fit into the tile, and no face into the image."""
_THRESHOLD = 0.0
"""A window with a raw score above it is a face, as for dlib's Python module."""
_KEPT_BUFFERS = 4
_MOST_BANDS = 3
"""A tile of up to so many times the pixels of one call is run in bands; a larger frame is searched in parts."""


@dataclass(frozen=True, slots=True)
class DetectorGeometry:
    """What the detector's weights file says beside its weights."""

    means: NDArray[np.float32]
    """Shape (3,): mean red, green, blue."""
    window: tuple[int, int]
    """Width and height of the detection window, pixels."""
    overlap: float
    """Boxes that overlap more than this are one face."""

    @classmethod
    def of(cls, network: Network) -> "DetectorGeometry":
        """The geometry of a detector's file."""
        width, height, overlap, _ = network.loss_numbers
        return cls(np.array(network.means, np.float32), (int(width), int(height)), overlap)


class TileDetector:
    """Finds faces with a session that maps tiles to score maps."""

    def __init__(
        self, session: Session, geometry: DetectorGeometry, *, work_pixels: int, refiner: Refiner | None = None
    ) -> None:
        """Use a session.

        Args:
            session: tile, float32 (n, height, width, 3), to scores, float32 (n, 1, rows, columns).
            geometry: of the weights in the session.
            work_pixels: most pixels of tiles in one call of the session. A larger tile is run in bands of rows, which
                changes nothing in its scores; a frame of more than three times as many is searched in parts.
            refiner: makes the session's scores exact where they matter; None: they are.
        """
        self._session = session
        self._geometry = geometry
        self._work_pixels = work_pixels
        self._refiner = refiner
        self._buffers: OrderedDict[tuple[TileLayout, int], NDArray[np.float32]] = OrderedDict()

    def detect(self, images: Sequence[Image], upsample: int) -> list[FaceBoxes]:
        """Find the faces of each image, which may differ in size; checked RGB images, contiguous."""
        found: list[FaceBoxes] = [no_faces()] * len(images)
        for layout, places in self._batches(images, upsample):
            together = [images[place] for place in places]
            if layout.width * layout.height > _MOST_BANDS * self._work_pixels:
                answers = [self._detect_in_parts(image, upsample) for image in together]
            else:
                answers = self._run(together, layout, upsample)
            for place, boxes in zip(places, answers, strict=True):
                found[place] = boxes
        return found

    def _detect_in_parts(self, image: Image, upsample: int) -> FaceBoxes:
        height, width = image.shape[:2]
        plan = plan_parts(
            width, height, upsample=upsample, work_pixels=self._work_pixels, window=min(self._geometry.window)
        )
        parts = []
        for part in plan.parts:
            layout = tile_layout(*reversed(upsampled_size(part.height, part.width, upsample)))
            parts += self._run([cut_part(image, part)], layout, upsample)
        (overview,) = self._run([shrink_whole(image, plan)], tile_layout(*plan.overview), 0)
        return merge_parts(plan, width, height, parts, overview, overlap=self._geometry.overlap)

    def _batches(self, images: Sequence[Image], upsample: int) -> Iterator[tuple[TileLayout, list[int]]]:
        by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
        for place, image in enumerate(images):
            if min(image.shape[:2]) << upsample >= _SMALLEST_SIDE:
                by_size[upsampled_size(image.shape[0], image.shape[1], upsample)].append(place)
        for (height, width), places in by_size.items():
            layout = tile_layout(width, height)
            together = max(1, self._work_pixels // (layout.width * layout.height))
            for start in range(0, len(places), together):
                yield layout, places[start : start + together]

    def _run(self, images: list[Image], layout: TileLayout, upsample: int) -> list[FaceBoxes]:
        tiles = self._buffer(layout, len(images))
        for image, tile in zip(images, tiles, strict=True):
            fill_tile(upsample_image(image, upsample), layout, self._geometry.means, tile)
        scores = self._scores(tiles)
        margin = self._refiner.margins.unclear if self._refiner is not None else 0.0
        candidates = [self._candidates(one, layout, margin) for one in scores]
        if self._refiner is not None:
            rows, columns = scores.shape[1:]
            self._refiner.refine(tiles, (rows, columns), candidates, threshold=_THRESHOLD)
        return [decide(one, upsample=upsample, threshold=_THRESHOLD) for one in candidates]

    def _scores(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """The score maps of tiles, float32 (n, rows, columns), in bands of rows where a tile is too large for one call.

        A band has the rows on both sides that its scores depend on, so that it gives what the whole tile gives.
        """
        count, height, width, _ = tiles.shape
        if count * height * width <= self._work_pixels:
            return self._session.run(tiles)[:, 0]
        rows = (height - FIRST_CELL) // CELL_STRIDE + 1
        step = max(1, self._work_pixels // (width * CELL_STRIDE) - 2 * REACH - FIRST_CELL // CELL_STRIDE)
        bands = []
        for first in range(0, rows, step):
            last = min(first + step, rows)
            above, below = max(first - REACH, 0), min(last + REACH, rows)
            band = np.ascontiguousarray(tiles[:, above * CELL_STRIDE : (below - 1) * CELL_STRIDE + FIRST_CELL])
            bands.append(self._session.run(band)[:, 0, first - above : last - above])
        return np.concatenate(bands, axis=1)

    def _candidates(self, scores: NDArray[np.float32], layout: TileLayout, margin: float) -> Candidates:
        return find_candidates(
            scores,
            layout,
            window=self._geometry.window,
            overlap=self._geometry.overlap,
            threshold=_THRESHOLD - margin,
            exact=self._refiner is None,
        )

    def _buffer(self, layout: TileLayout, count: int) -> NDArray[np.float32]:
        """Tiles with zeros between the levels, used again: only the levels are ever written."""
        key = (layout, count)
        if key not in self._buffers:
            while len(self._buffers) >= _KEPT_BUFFERS:
                self._buffers.popitem(last=False)
            self._buffers[key] = np.zeros((count, layout.height, layout.width, 3), np.float32)
        self._buffers.move_to_end(key)
        return self._buffers[key]


def no_faces() -> FaceBoxes:
    """The answer for an image without faces."""
    return FaceBoxes(np.empty((0, 4), np.float32), np.empty(0, np.float32))
