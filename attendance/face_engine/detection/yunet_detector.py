"""YuNet over batches: frames of any size, at the scale that the smallest face wanted asks for."""

from collections import defaultdict
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.detection.tile_detector import no_faces
from attendance.face_engine.detection.yunet_decoding import YuNetFaces
from attendance.face_engine.detection.yunet_refinement import GRID, find_faces_exactly
from attendance.face_engine.interface import FaceBoxes, Image
from attendance.face_engine.runtimes.runtime import Session

SCORE_LIMIT = 0.3
"""A face's score reaches it. At 0.6, OpenCV's usual choice, one face of 16 to 28 pixels in ten is lost."""
SQUARE_SIDE = 0.80
"""Side of the square that dlib's detector draws, over the height of YuNet's box (`python -m benchmarks.yunet_map`)."""
SQUARE_SHIFT = (-0.04, -0.02)
"""How far its centre lies right of and below that of YuNet's box, over the same height."""
_SMALLEST_SIDE = 12
"""Pixels; no face fits into less."""
_MOST_TOGETHER = 32
"""Frames in one call on a GPU."""


class YuNetDetector:
    """Finds faces with a session that maps frames to anchors (`opencv_export.export_yunet`)."""

    def __init__(
        self, session: Session, *, exact: Session | None = None, together: bool = False, limit: float = SCORE_LIMIT
    ) -> None:
        """Use a session.

        Args:
            session: frames, uint8 (n, height, width, 3) RGB, to anchors, float32 (n, 16, anchors).
            exact: the network in float32, where `session` computes in bfloat16; None: `session` is exact.
            together: run frames of one size in one call, which pays on a GPU and costs on a CPU.
            limit: the score, from 0 to 1, that a face reaches.
        """
        self._session = session
        self._exact = exact
        self._together = together
        self._limit = limit

    def detect(self, images: Sequence[Image], scale: float) -> list[FaceBoxes]:
        """Find the faces of each image; checked RGB images, contiguous.

        Args:
            images: sizes may differ.
            scale: what their sides are multiplied by before the search.

        Returns:
            For each image the squares that dlib's detector would draw, in its own pixels, not rounded; scores are
            YuNet's, from 0 to 1.
        """
        return [_squares(found, scale) for found in self.search(images, scale)]

    def search(self, images: Sequence[Image], scale: float) -> list[YuNetFaces | None]:
        """What YuNet says of each image, in pixels of the scaled one; None for one that is too small for a face."""
        found: list[YuNetFaces | None] = [None] * len(images)
        by_size: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for place, image in enumerate(images):
            if min(image.shape[:2]) * scale >= _SMALLEST_SIDE:
                by_size[image.shape[:2]].append(place)
        step = _MOST_TOGETHER if self._together else 1
        for places in by_size.values():
            for start in range(0, len(places), step):
                part = places[start : start + step]
                fitted = [fit_frame(images[place], scale) for place in part]
                frames = np.stack(fitted) if len(fitted) > 1 else fitted[0][None]
                for place, frame, anchors in zip(part, frames, self._session.run(frames), strict=True):
                    found[place] = find_faces_exactly(frame, anchors, self._exact, limit=self._limit)
        return found


def fit_frame(image: Image, scale: float) -> Image:
    """The image scaled, with black to the right and below up to sides that are multiples of 32 pixels."""
    if scale != 1:
        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, (width, height), interpolation=interpolation), np.uint8)
    below, right = (-side % GRID for side in image.shape[:2])
    if below or right:
        image = np.asarray(cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_CONSTANT), np.uint8)
    return image


def _squares(found: YuNetFaces | None, scale: float) -> FaceBoxes:
    if found is None or not len(found.scores):
        return no_faces()
    return FaceBoxes(to_squares(found.boxes, scale), found.scores)


def to_squares(boxes: NDArray[np.float32], scale: float = 1.0) -> NDArray[np.float32]:
    """The squares that dlib's detector draws around the faces in YuNet's boxes.

    Args:
        boxes: shape (n, 4): left, top, width, height in pixels of the scaled image.
        scale: what the image's sides were multiplied by.

    Returns:
        float32 (n, 4): left, top, right, bottom in pixels of the image.
    """
    heights = boxes[:, 3:]
    centres = boxes[:, :2] + boxes[:, 2:] / 2 + heights * np.array(SQUARE_SHIFT, np.float32)
    half = heights * np.float32(SQUARE_SIDE / 2)
    corners = np.concatenate([centres - half, centres + half], axis=1)
    # The centre of a pixel lies half a pixel from its edge at either scale.
    squares: NDArray[np.float32] = ((corners + 0.5) / scale - 0.5).astype(np.float32)
    return squares
