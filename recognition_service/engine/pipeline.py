"""From compressed bytes to faces: checks, decoding off the loop, the batcher, the engine. One for all calls."""

import asyncio
import functools
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import Face, Image, ImageError, ImageTooLargeError
from recognition_service.engine.batcher import Batcher
from recognition_service.engine.looks import shows_nothing
from recognition_service.engine.similarity import Thumbnail, thumbnail
from recognition_service.engine.work import Wanted
from recognition_service.errors import ExpiredError, InvalidImageError, TooLargeError
from recognition_service.telemetry.metrics import Metrics
from recognition_service.telemetry.tracing import NOT_TRACED, FrameTrace

_SURELY_FOUND = 80
"""Pixels from which dlib's detector finds every face (see docs/performance.md), and enough to be named."""


@dataclass(frozen=True, slots=True)
class FoundFaces:
    """The faces of one picture."""

    faces: list[Face]
    """Best first."""
    width: int
    height: int
    blank: bool = False
    """The picture shows nothing: it is black, white, or all of one shade."""


class Pipeline:
    """Finds faces in compressed pictures. Decoded pictures waiting are bounded by the batcher's queue."""

    def __init__(
        self,
        batcher: Batcher[Image, list[Face]],
        decoders: Executor,
        metrics: Metrics,
        *,
        max_bytes: int,
        max_pixels: int,
        smallest_face: int | None = None,
    ) -> None:
        """Prepare.

        Args:
            batcher: whose buckets are (height, width, `Wanted`).
            decoders: threads that decode.
            metrics: told how long decoding takes.
            max_bytes: the largest file accepted.
            max_pixels: the largest picture accepted.
            smallest_face: width in pixels of the smallest face wanted in pictures that may be reduced, when a call does
                not say; None: the engine says, and none is reduced.
        """
        self._batcher = batcher
        self._decoders = decoders
        self._metrics = metrics
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._smallest_face = smallest_face

    @property
    def load(self) -> float:
        """How full the queue is, from 0 to 1."""
        return self._batcher.load

    async def thumbnail(self, jpeg: bytes) -> Thumbnail:
        """A frame's thumbnail, made where frames are decoded.

        Raises:
            ServiceError: the frame cannot be used.
        """
        self._check_bytes(jpeg)
        make = functools.partial(thumbnail, jpeg, max_pixels=self._max_pixels)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._decoders, make)
        except ImageTooLargeError as error:
            raise TooLargeError(str(error)) from None
        except ImageError as error:
            raise InvalidImageError(str(error)) from None

    async def find(
        self,
        data: bytes,
        *,
        lane: Hashable,
        upsample: int | None,
        deadline: float,
        formats: Sequence[str],
        priority: int = 1,
        reducible: bool = False,
        smallest_face: int | None = None,
        trace: FrameTrace = NOT_TRACED,
    ) -> FoundFaces:
        """Find the faces of one picture.

        Args:
            data: the file's bytes.
            lane: whose picture it is, for fairness.
            upsample: times it is doubled before detection; None: the engine's setting and, where that says nothing,
                what the smallest face wanted asks for.
            deadline: the loop's time after which no work is begun on it, unless the batcher defers.
            formats: accepted file formats, "JPEG", "PNG".
            priority: pictures of a smaller number go first.
            reducible: whether only faces of the smallest width wanted are looked for. Boxes, landmarks and the size are
                those of the picture as it was sent, up to a rounding of its size to a multiple of the reduction.
            smallest_face: that width, of a picture that is reducible; None: the pipeline's.
            trace: gets a span for decoding, and one for waiting for a batch and its work.

        Raises:
            ServiceError: it cannot be used, or not now; the branch and the message say why.
        """
        self._check_bytes(data)
        loop = asyncio.get_running_loop()
        smallest = (smallest_face or self._smallest_face) if reducible else None
        reduction = reduction_for(smallest)
        wanted = Wanted(upsample, smallest_searched(smallest))
        # The place comes first, so that no more pictures are decoded than may wait.
        with self._batcher.reserve(lane, priority) as place:
            with trace.stage("decode"):
                arguments = data, formats, reduction, deadline, loop.time
                image, blank = await loop.run_in_executor(self._decoders, self._decode, *arguments)
            height, width = image.shape[:2]
            with trace.stage("wait and find faces"):
                faces = await place.submit(image, bucket=(height, width, wanted), deadline=deadline)
        if reduction > 1:
            faces = [replace(face, box=face.box * reduction, landmarks=face.landmarks * reduction) for face in faces]
        return FoundFaces(faces, width * reduction, height * reduction, blank)

    def _check_bytes(self, data: bytes) -> None:
        if len(data) > self._max_bytes:
            raise TooLargeError(f"the image has {len(data):,} bytes; at most {self._max_bytes:,} are accepted")

    def _decode(
        self, data: bytes, formats: Sequence[str], reduction: int, deadline: float, clock: Callable[[], float]
    ) -> tuple[Image, bool]:
        """The picture, and whether it shows nothing."""
        began = clock()
        if began > deadline and not self._batcher.defers:
            raise ExpiredError("the frame waited longer than its deadline to be decoded")
        try:
            image = decode_image(data, max_pixels=self._max_pixels, formats=formats, reduce=reduction)
        except ImageTooLargeError as error:
            raise TooLargeError(str(error)) from None
        except ImageError as error:
            raise InvalidImageError(str(error)) from None
        self._metrics.stage("decode", clock() - began)
        return image, shows_nothing(image)


def reduction_for(smallest_face: int | None) -> int:
    """By how much pictures may be reduced, 1, 2, 4 or 8, so that the smallest face wanted is still found."""
    return next((by for by in (8, 4, 2) if smallest_face is not None and smallest_face >= by * _SURELY_FOUND), 1)


def smallest_searched(smallest_face: int | None) -> int | None:
    """The smallest face wanted, in pixels of pictures as the engine gets them; None: any."""
    return None if smallest_face is None else smallest_face // reduction_for(smallest_face)
