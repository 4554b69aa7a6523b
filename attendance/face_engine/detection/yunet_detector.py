"""YuNet over batches: frames of any size, at the scale that the smallest face wanted asks for."""

import math
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.detection.tile_detector import no_faces
from attendance.face_engine.detection.yunet_bands import GRID, WORK_PIXELS, anchors_in_bands
from attendance.face_engine.detection.yunet_decoding import YuNetFaces, suppress
from attendance.face_engine.detection.yunet_refinement import find_faces_exactly
from attendance.face_engine.interface import FaceBoxes, Image
from attendance.face_engine.pieces import Known, Pieces, Search, finished, of_images
from attendance.face_engine.runtimes.runtime import Session, run_each

SCORE_LIMIT = 0.3
"""A face's score reaches it. At 0.6, OpenCV's usual choice, one face of 16 to 28 pixels in ten is lost."""
SQUARE_SIDE = 0.78
"""Side of the square that dlib's detector draws, over the height of YuNet's box (`python -m benchmarks.yunet_map`)."""
SQUARE_SHIFT = (-0.045, -0.01)
"""How far its centre lies right of and below that of YuNet's box, over the same height."""
LARGEST_BOX = 400
"""Pixels in the searched frame: larger boxes are left to a coarser search. From 700 on YuNet sees parts of faces."""
COARSER = 4
"""How much smaller the frame of each further search is."""
_ROOM_FOR_LARGE = 480
"""Pixels: a frame whose shorter side is longer is searched again, coarser."""
_LEAST_LARGE = 0.75 * LARGEST_BOX
"""Pixels in the searched frame: from here on a face may come from either of two searches; the better one stays. Smaller
boxes of a coarser search do not count."""
_PART_OF_FACE = 0.8
"""A box of which so much lies in a face found by a coarser search, with a better score, is a part of that face."""
_SMALLEST_SIDE = 12
"""Pixels; no face fits into less."""
_HALF = 0.5
_MOST_TOGETHER = 32
"""Frames in one call on a GPU."""
_PIXELS_TOGETHER = 64_000_000
"""Pixels of frames in one call on a GPU."""

Tell: TypeAlias = Callable[[int, YuNetFaces | None], None]
"""Is told what was found in an image, by its place, as soon as it is known; None: it is too small for a face."""


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
        return finished(self.detect_in_pieces(images, scale, {}))

    def detect_in_pieces(self, images: Sequence[Image], scale: float, known: Known) -> Search:
        """The same; stops after each call of the network. `known` is given the faces of each image as it is done."""

        def tell(place: int, found: YuNetFaces | None) -> None:
            known[place] = _squares(found, scale)

        yield from self._search(images, scale, tell)
        return [known[place] for place in range(len(images))]

    def search(self, images: Sequence[Image], scale: float) -> list[YuNetFaces | None]:
        """The faces of each image, in pixels of the scaled one; None for one that is too small for a face.

        YuNet knows faces of up to some 500 pixels; what is larger it sees in parts. So frames in which there is room
        for such are searched again at a quarter of the scale, which costs a sixteenth.
        """
        return _every(partial(self._search, images, scale), len(images))

    def search_once(self, images: Sequence[Image], scale: float) -> list[YuNetFaces | None]:
        """What YuNet says of each image at one scale, as `cv2.FaceDetectorYN` does; see `search`."""
        return _every(partial(self._search_once, images, scale), len(images))

    def _search(self, images: Sequence[Image], scale: float, tell: Tell, *, least_height: float = 0.0) -> Pieces[None]:
        # The coarser search, which takes a sixteenth, comes first: then each image is done as soon as it was searched.
        coarser: dict[int, YuNetFaces | None] = {}
        large = [place for place, image in enumerate(images) if min(image.shape[:2]) * scale > _ROOM_FOR_LARGE]
        if large:
            work = self._search(
                [images[place] for place in large],
                scale / COARSER,
                lambda at, found: coarser.update({large[at]: found}),
                least_height=_LEAST_LARGE / COARSER,
            )
            yield from of_images(work, large)

        def finish(place: int, found: YuNetFaces | None) -> None:
            tell(place, _merged(found, coarser[place]) if place in coarser else found)

        yield from self._search_once(images, scale, finish, least_height=least_height)

    def _search_once(
        self, images: Sequence[Image], scale: float, tell: Tell, *, least_height: float = 0.0
    ) -> Pieces[None]:
        by_size: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for place, image in enumerate(images):
            if min(image.shape[:2]) * scale >= _SMALLEST_SIDE:
                by_size[image.shape[:2]].append(place)
            else:
                tell(place, None)
        for size, places in by_size.items():
            pixels = math.prod(size) * scale**2
            if not self._together and pixels <= WORK_PIXELS / 2:
                yield from self._search_abreast(images, scale, places, tell, least_height)
                continue
            step = max(1, min(_MOST_TOGETHER, round(_PIXELS_TOGETHER / pixels))) if self._together else 1
            for start in range(0, len(places), step):
                part = places[start : start + step]
                fitted = [fit_frame(images[place], scale) for place in part]
                frames = np.stack(fitted) if len(fitted) > 1 else fitted[0][None]
                every = yield from of_images(anchors_in_bands(self._session, frames, work_pixels=WORK_PIXELS), part)
                for place, frame, anchors in zip(part, frames, every, strict=True):
                    work = self._decided(frame, anchors, least_height)
                    tell(place, (yield from of_images(work, [place])))

    def _search_abreast(
        self,
        images: Sequence[Image],
        scale: float,
        places: Sequence[int],
        tell: Tell,
        least_height: float,
    ) -> Pieces[None]:
        """Find the faces of images of one size, of which the network looks at some while those before are decided."""
        frames: dict[int, Image] = {}

        def fit(place: int) -> Image:
            frames[place] = fit_frame(images[place], scale)
            return frames[place][None]

        with closing(run_each(self._session, [partial(fit, place) for place in places])) as answers:
            for place, anchors in zip(places, answers, strict=True):
                work = self._decided(frames.pop(place), anchors[0], least_height)
                tell(place, (yield from of_images(work, [place])))
                yield [place]

    def _decided(
        self, frame: Image, anchors: NDArray[np.float32], least_height: float
    ) -> Generator[None, None, YuNetFaces]:
        return find_faces_exactly(frame, anchors, self._exact, limit=self._limit, least_height=least_height)


def _every(search: Callable[[Tell], Pieces[None]], count: int) -> list[YuNetFaces | None]:
    """What a search of so many images tells of each, without a pause."""
    found: dict[int, YuNetFaces | None] = {}
    finished(search(found.__setitem__))
    return [found[place] for place in range(count)]


def _merged(fine: YuNetFaces | None, coarse: YuNetFaces | None) -> YuNetFaces | None:
    """The faces of two searches of one image, in pixels of the finer one."""
    if fine is None or coarse is None:
        return fine
    heights = coarse.boxes[:, 3] * COARSER
    large = heights >= _LEAST_LARGE
    small = fine.boxes[:, 3] <= LARGEST_BOX
    # Between the centres of pixels of both scales lie (COARSER - 1) / 2 pixels of the finer one.
    shift = np.float32((COARSER - 1) / 2)
    boxes = coarse.boxes[large] * np.float32(COARSER)
    boxes[:, :2] += shift
    small &= ~_parts(fine.boxes, fine.scores, boxes, coarse.scores[large])
    together = YuNetFaces(
        np.concatenate([fine.boxes[small], boxes]),
        np.concatenate([fine.scores[small], coarse.scores[large]]),
        np.concatenate([fine.points[small], coarse.points[large] * np.float32(COARSER) + shift]),
        np.concatenate([fine.anchors[small], coarse.anchors[large]]),
    )
    order = np.argsort(-together.scores, kind="stable")
    return suppress(
        YuNetFaces(together.boxes[order], together.scores[order], together.points[order], together.anchors[order])
    )


def _parts(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], faces: NDArray[np.float32], better: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Which boxes are parts of large faces; shape (boxes,)."""
    inner, outer = boxes[:, None], faces[None]
    ends = np.minimum(inner[..., :2] + inner[..., 2:], outer[..., :2] + outer[..., 2:])
    common = np.maximum(ends - np.maximum(inner[..., :2], outer[..., :2]), 0).prod(axis=-1)
    covered = common > _PART_OF_FACE * inner[..., 2:].prod(axis=-1)
    found: NDArray[np.bool_] = (covered & (scores[:, None] < better[None])).any(axis=1)
    return found


def fit_frame(image: Image, scale: float) -> Image:
    """The image scaled, with black to the right and below up to sides that are multiples of 32 pixels."""
    if scale == 1:
        below, right = (-side % GRID for side in image.shape[:2])
        if not below and not right:
            return image
        return np.asarray(cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_CONSTANT), np.uint8)
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    frame = np.empty((height + -height % GRID, width + -width % GRID, 3), np.uint8)
    frame[height:], frame[:height, width:] = 0, 0
    # Above a half each pixel is between two of the image's, and averaging them takes four times as long.
    interpolation = cv2.INTER_AREA if scale <= _HALF else cv2.INTER_LINEAR
    if scale < _HALF and 1 / scale % 1 and not image.shape[0] % 2 and not image.shape[1] % 2:
        # Averaging over parts of pixels is slow: whole ones first, and parts in a quarter of them.
        image = np.asarray(cv2.resize(image, None, fx=_HALF, fy=_HALF, interpolation=cv2.INTER_AREA), np.uint8)
    # Straight into its place: a frame half as large again is 14 MB, and copying them takes as long as the scaling.
    cv2.resize(image, (width, height), dst=frame[:height, :width], interpolation=interpolation)
    return frame


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
