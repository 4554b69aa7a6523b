"""From compressed bytes to faces: checks, decoding off the loop, the batcher, the engine. One for all calls."""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from face_engine.images import decode_image
from face_engine.interface import Face, Image, ImageError, ImageTooLargeError
from recognition_service.batcher import Batcher
from recognition_service.errors import ExpiredError, InvalidImageError, TooLargeError
from recognition_service.metrics import Metrics


@dataclass(frozen=True, slots=True)
class FoundFaces:
    """The faces of one picture."""

    faces: list[Face]
    """Best first."""
    width: int
    height: int


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
    ) -> None:
        """Prepare.

        Args:
            batcher: whose buckets are (height, width, upsample).
            decoders: threads that decode.
            metrics: told how long decoding takes.
            max_bytes: the largest file accepted.
            max_pixels: the largest picture accepted.
        """
        self._batcher = batcher
        self._decoders = decoders
        self._metrics = metrics
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels

    @property
    def load(self) -> float:
        """How full the queue is, from 0 to 1."""
        return self._batcher.load

    async def find(
        self,
        data: bytes,
        *,
        lane: Hashable,
        upsample: int | None,
        deadline: float,
        formats: Sequence[str],
        priority: int = 1,
    ) -> FoundFaces:
        """Find the faces of one picture.

        Args:
            data: the file's bytes.
            lane: whose picture it is, for fairness.
            upsample: times it is doubled before detection; None: the engine's setting.
            deadline: the loop's time after which no work is begun on it, unless the batcher defers.
            formats: accepted file formats, "JPEG", "PNG".
            priority: pictures of a smaller number go first.

        Raises:
            ServiceError: it cannot be used, or not now; the branch and the message say why.
        """
        if len(data) > self._max_bytes:
            raise TooLargeError(f"the image has {len(data):,} bytes; at most {self._max_bytes:,} are accepted")
        loop = asyncio.get_running_loop()
        # The place comes first, so that no more pictures are decoded than may wait.
        with self._batcher.reserve(lane, priority) as place:
            image = await loop.run_in_executor(self._decoders, self._decode, data, formats, deadline, loop.time)
            height, width = image.shape[:2]
            faces = await place.submit(image, bucket=(height, width, upsample), deadline=deadline)
        return FoundFaces(faces, width, height)

    def _decode(self, data: bytes, formats: Sequence[str], deadline: float, clock: Callable[[], float]) -> Image:
        began = clock()
        if began > deadline and not self._batcher.defers:
            raise ExpiredError("the frame waited longer than its deadline to be decoded")
        try:
            image = decode_image(data, max_pixels=self._max_pixels, formats=formats)
        except ImageTooLargeError as error:
            raise TooLargeError(str(error)) from None
        except ImageError as error:
            raise InvalidImageError(str(error)) from None
        self._metrics.stage("decode", clock() - began)
        return image
