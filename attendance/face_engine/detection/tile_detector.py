"""dlib's CNN detector over batches: frames of one size together, as many at a time as memory allows."""

from collections import OrderedDict, defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.detection.bands import scores_in_bands
from attendance.face_engine.detection.decoding import Candidates, decide, find_candidates
from attendance.face_engine.detection.parts import in_parts, search_in_parts
from attendance.face_engine.detection.pyramid import TileLayout, tile_layout
from attendance.face_engine.detection.refinement import Refiner
from attendance.face_engine.detection.tiles import fill_tile, upsample_image, upsampled_layout, upsampled_size
from attendance.face_engine.interface import FaceBoxes, Image
from attendance.face_engine.models.dlib_file import Network
from attendance.face_engine.pieces import Known, Search, finished, of_images
from attendance.face_engine.runtimes.runtime import Session

_SMALLEST_SIDE = 12
"""Pixels. Below it dlib's network does not fit into the tile, and no face into the image."""
_THRESHOLD = 0.0
"""A window with a raw score above it is a face, as for dlib's Python module."""
_KEPT_BUFFERS = 4


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
        return finished(self.detect_in_pieces(images, upsample, {}))

    def detect_in_pieces(self, images: Sequence[Image], upsample: int, known: Known) -> Search:
        """The same; stops after each call of the network."""
        found: list[FaceBoxes] = [no_faces()] * len(images)
        for layout, places in self._batches(images, upsample):
            if in_parts(layout, self._work_pixels):
                for place in places:
                    found[place] = yield from of_images(self._detect_in_parts(images[place], upsample), [place])
                    known[place] = found[place]
                continue
            work = self._run([images[place] for place in places], layout, upsample)
            for place, boxes in zip(places, (yield from of_images(work, places)), strict=True):
                found[place] = known[place] = boxes
        return found

    def _detect_in_parts(self, image: Image, upsample: int) -> Generator[object, None, FaceBoxes]:
        return search_in_parts(
            image,
            upsample,
            self._search_part,
            work_pixels=self._work_pixels,
            window=min(self._geometry.window),
            overlap=self._geometry.overlap,
        )

    def _search_part(self, part: Image, upsample: int) -> Generator[None, None, FaceBoxes]:
        (found,) = yield from self._run([part], upsampled_layout(part, upsample), upsample)
        return found

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

    def _run(self, images: list[Image], layout: TileLayout, upsample: int) -> Generator[None, None, list[FaceBoxes]]:
        with self._tiles(layout, len(images)) as tiles:
            for image, tile in zip(images, tiles, strict=True):
                fill_tile(upsample_image(image, upsample), layout, self._geometry.means, tile)
            scores = yield from scores_in_bands(self._session, tiles, work_pixels=self._work_pixels)
            margin = self._refiner.margins.unclear if self._refiner is not None else 0.0
            candidates = [self._candidates(one, layout, margin) for one in scores]
            if self._refiner is not None:
                yield from self._refiner.refine_in_pieces(
                    tiles, scores.shape[1:], candidates, threshold=_THRESHOLD, work_pixels=self._work_pixels
                )
        return [decide(one, upsample=upsample, threshold=_THRESHOLD) for one in candidates]

    def _candidates(self, scores: NDArray[np.float32], layout: TileLayout, margin: float) -> Candidates:
        return find_candidates(
            scores,
            layout,
            window=self._geometry.window,
            overlap=self._geometry.overlap,
            threshold=_THRESHOLD - margin,
            exact=self._refiner is None,
        )

    @contextmanager
    def _tiles(self, layout: TileLayout, count: int) -> Iterator[NDArray[np.float32]]:
        """Tiles with zeros between the levels, used again: only the levels are ever written.

        Nobody else has them meanwhile: other frames may be searched between the pieces of one.
        """
        key = (layout, count)
        tiles = self._buffers.pop(key, None)
        if tiles is None:
            tiles = np.zeros((count, layout.height, layout.width, 3), np.float32)
        try:
            yield tiles
        finally:
            self._buffers[key] = tiles
            self._buffers.move_to_end(key)
            while len(self._buffers) > _KEPT_BUFFERS:
                self._buffers.popitem(last=False)


def no_faces() -> FaceBoxes:
    """The answer for an image without faces."""
    return FaceBoxes(np.empty((0, 4), np.float32), np.empty(0, np.float32))
