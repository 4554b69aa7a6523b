"""From compressed bytes to faces: checks, decoding off the loop, the batcher, the engine. One for all calls."""

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import TypeVar, cast

import numpy as np

from attendance.face_engine.interface import DetectedFace, Face, FaceBoxes, ImageError, ImageTooLargeError
from attendance.zones import EVERYWHERE, Zones
from recognition_service.engine.batcher import Batcher
from recognition_service.engine.decoding import Decoded, decode, reduction_for, smallest_searched
from recognition_service.engine.found import DetectedFaces, FoundFaces
from recognition_service.engine.layouts import Layout, layouts_of
from recognition_service.engine.regions import NOBODY, Regions
from recognition_service.engine.similarity import Thumbnail, thumbnail
from recognition_service.engine.work import Encoding, FacesOfImage, Found, Job, Wanted
from recognition_service.errors import (
    ExpiredError,
    GrownFrameError,
    InvalidImageError,
    OverloadedError,
    RequestError,
    ServiceError,
    TooLargeError,
    UnavailableError,
)
from recognition_service.presentation.views import FaceView, views_of
from recognition_service.telemetry.metrics import Metrics
from recognition_service.telemetry.tracing import NOT_TRACED, FrameTrace

FACES_GATHERED_S = 0.1
"""How long faces wait for others that are to be encoded while the engine is at work: one by itself takes as long as
three of eight together (two cores of an Intel Xeon with AMX)."""

Prepared = TypeVar("Prepared")
AnyFace = TypeVar("AnyFace", Face, DetectedFace)


class Pipeline:
    """Finds faces in compressed pictures. Decoded pictures waiting are bounded by the batcher's queue."""

    def __init__(
        self,
        batcher: Batcher[Job, Found],
        decoders: Executor,
        metrics: Metrics,
        *,
        max_bytes: int,
        max_pixels: int,
        expected_s: Callable[[int, int, Wanted], float],
        expected_of_faces_s: Callable[[int], float] = lambda _: 0.0,
        smallest_face: int | None = None,
        crops: bool = False,
    ) -> None:
        """Prepare.

        Args:
            batcher: whose buckets are (height, width, `Wanted`) and (`Encoding`,).
            decoders: threads that decode.
            metrics: told how long decoding takes.
            max_bytes: the largest file accepted.
            max_pixels: the largest picture accepted.
            expected_s: how long the engine will need for a picture of that height and width, seconds.
            expected_of_faces_s: how long for encoding so many faces by themselves; 0: not known beforehand.
            smallest_face: width in pixels of the smallest face wanted in pictures that may be reduced, when a call does
                not say; None: the engine says, and none is reduced.
            crops: whether views hold what a liveness model looks at.
        """
        self._crops = crops
        self._expected_s = expected_s
        self._expected_of_faces_s = expected_of_faces_s
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

    async def thumbnail(
        self, jpeg: bytes, *, lane: Hashable, priority: int, deadline: float, most_pixels: int | None = None
    ) -> Thumbnail:
        """A frame's thumbnail, made where frames are decoded; what it costs is the lane's. Arguments as for `find`.

        Raises:
            ServiceError: the frame cannot be used.
        """
        self._check_bytes(jpeg)
        make = functools.partial(thumbnail, jpeg, max_pixels=self._most(most_pixels))
        try:
            return await self._prepared(make, lane, priority)
        except ServiceError:
            await self.wait_turn(lane=lane, priority=priority, deadline=deadline)
            raise

    async def wait_turn(self, *, lane: Hashable, priority: int, deadline: float) -> None:
        """Wait for a lane's turn, for a frame that needs no engine: it has cost something, and others go first.

        Past its deadline, and where the queue is full, nobody waits any more.
        """
        with suppress(ExpiredError, OverloadedError, UnavailableError), self._batcher.reserve(lane, priority) as place:
            await place.wait_turn(deadline=deadline)

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
        narrowest: float = 0.0,
        most_pixels: int | None = None,
        views: bool = False,
        layouts: bool = False,
        zones: Zones = EVERYWHERE,
        measured: bool = False,
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
            narrowest: width in pixels of the narrowest face that is encoded.
            most_pixels: what the sender may send, where that is less than the pipeline accepts.
            views: whether the pixels of the faces are wanted, too.
            layouts: whether it is wanted what is seen at their places.
            zones: where in the picture faces count; what they leave out is not searched.
            measured: whether it is wanted how bright and sharp the picture is.
            trace: gets a span for decoding, and one for waiting for a batch and its work.

        Raises:
            ServiceError: it cannot be used, or not now; the branch and the message say why.
        """
        smallest = (smallest_face or self._smallest_face) if reducible else None
        reduction = reduction_for(smallest)
        wanted = Wanted(upsample, smallest_searched(smallest), zones, narrowest=narrowest / reduction)
        work = functools.partial(
            decode,
            data,
            formats=formats,
            reduction=reduction,
            most_pixels=self._most(most_pixels),
            measured=measured,
        )
        decoded, found = await self._looked_at(
            data, work=work, wanted=wanted, lane=lane, priority=priority, deadline=deadline, trace=trace
        )
        together = cast("list[Face | DetectedFace]", found)
        faces = [face for face in together if isinstance(face, Face)]
        narrow = [face for face in together if isinstance(face, DetectedFace)]
        seen: Sequence[FaceView] = ()
        if views and faces:
            cut = functools.partial(views_of, decoded.image, faces, crops=self._crops)
            seen = await self._prepared(cut, lane, priority)
        laid_out: Sequence[Layout] | None = [] if layouts else None
        if layouts and faces:
            look = functools.partial(layouts_of, decoded.image, np.stack([face.box for face in faces]))
            laid_out = await self._prepared(look, lane, priority)
        height, width = decoded.image.shape[:2]
        return FoundFaces(
            [_enlarged(face, reduction) for face in faces],
            width * reduction,
            height * reduction,
            decoded.blank,
            [_enlarged(face, reduction) for face in narrow],
            seen,
            decoded.picture,
            laid_out,
        )

    @asynccontextmanager
    async def detect(
        self,
        data: bytes,
        *,
        lane: Hashable,
        upsample: int | None,
        deadline: float,
        formats: Sequence[str],
        priority: int = 1,
        smallest_face: int | None = None,
        most_pixels: int | None = None,
        zones: Zones = EVERYWHERE,
        regions: Regions | None = None,
        captured: datetime | None = None,
        measured: bool = False,
        trace: FrameTrace = NOT_TRACED,
    ) -> AsyncIterator[DetectedFaces]:
        """Find the faces of one picture, which may be reduced, without encoding them; arguments as for `find`.

        Whatever `encode` needs is kept until the context is left. It takes a place in the queue, which is its own
        however full that is, so that others' pictures wait undecoded meanwhile. With a camera's `regions`, and the time
        at which the picture was `captured`, only what has changed is searched.

        Raises:
            ServiceError: as for `find`.
        """
        smallest = smallest_face or self._smallest_face
        reduction = reduction_for(smallest)
        wanted = Wanted(upsample, smallest_searched(smallest), zones, encoded=False)
        work = functools.partial(
            decode,
            data,
            formats=formats,
            reduction=reduction,
            most_pixels=self._most(most_pixels),
            measured=measured,
            narrow=None
            if regions is None or captured is None
            else functools.partial(regions.search, captured=captured, zones=zones),
        )
        decoded, found = await self._looked_at(
            data, work=work, wanted=wanted, lane=lane, priority=priority, deadline=deadline, trace=trace
        )
        boxes, image = cast("FaceBoxes", found), decoded.image
        if regions is not None and decoded.search is not None:
            boxes = regions.found(decoded.search, boxes)
        with self._batcher.reserve(lane, priority, again=True) as place:
            height, width = image.shape[:2]
            yield DetectedFaces(
                [_enlarged(face, reduction) for face in boxes.faces()],
                width * reduction,
                height * reduction,
                decoded.blank,
                decoded.picture,
                lane,
                priority,
                image,
                boxes,
                reduction,
                place,
            )

    async def encode(
        self,
        detected: DetectedFaces,
        places: Sequence[int],
        *,
        views: bool = False,
        trace: FrameTrace = NOT_TRACED,
    ) -> tuple[list[Face], Sequence[FaceView]]:
        """Encode some of the faces that were found in a picture; begun is begun: no deadline ends it.

        Args:
            detected: what `detect` gave, while its context is open.
            places: of the faces, one at least.
            views: as for `find`.
            trace: gets a span for waiting for a batch and its work.

        Returns:
            The faces, in the order of `places`, and their pixels where those were wanted.

        Raises:
            ServiceError: the engine failed, or the service stops.
        """
        lane, priority, image = detected.lane, detected.priority, detected.image
        place, detected.place = detected.place, None
        job = FacesOfImage(image, detected.boxes.chosen(places))
        expected = self._expected_of_faces_s(len(places))
        with trace.stage("wait and encode faces"), place or self._batcher.reserve(lane, priority, again=True) as held:
            # It has waited for a batch before: faces that come while the engine is at work make one, others need none.
            found = await held.submit(
                job, bucket=(Encoding(),), expected=expected, prompt=True, gathers_s=FACES_GATHERED_S
            )
        faces = cast("list[Face]", found)
        seen: Sequence[FaceView] = ()
        if views:
            seen = await self._prepared(functools.partial(views_of, image, faces, crops=self._crops), lane, priority)
        return [_enlarged(face, detected.reduction) for face in faces], seen

    async def _looked_at(
        self,
        data: bytes,
        *,
        work: Callable[[], Decoded],
        wanted: Wanted,
        lane: Hashable,
        priority: int,
        deadline: float,
        trace: FrameTrace,
    ) -> tuple[Decoded, Found]:
        """The picture, and what the engine finds in it."""
        self._check_bytes(data)
        # The place comes first, so that no more pictures are decoded than may wait.
        with self._batcher.reserve(lane, priority) as place:
            with trace.stage("decode"):
                try:
                    in_time = functools.partial(self._in_time, work, deadline, asyncio.get_running_loop().time)
                    decoded = await self._prepared(in_time, lane, priority)
                except (RequestError, GrownFrameError):
                    with suppress(ExpiredError, OverloadedError):
                        await place.wait_turn(deadline=deadline)
                    raise
            height, width = decoded.image.shape[:2]
            areas = None if decoded.search is None else decoded.search.areas
            if areas is not None:
                wanted = replace(wanted, areas=areas)
            expected = self._expected_s(height, width, wanted)
            with trace.stage("wait and find faces"):
                if areas == ():
                    await place.wait_turn(deadline=deadline)
                    return decoded, NOBODY
                # Areas are a frame's own: it shares its batch with nobody, and needs not wait for others.
                return decoded, await place.submit(
                    decoded.image,
                    bucket=(height, width, wanted),
                    deadline=deadline,
                    expected=expected,
                    prompt=areas is not None,
                )

    async def _prepared(self, work: Callable[[], Prepared], lane: Hashable, priority: int) -> Prepared:
        """Do what comes before the engine, where frames are decoded, at the lane's expense.

        Raises:
            ServiceError: the frame cannot be used.
        """
        prepared, took = await asyncio.get_running_loop().run_in_executor(self._decoders, _timed, work)
        self._batcher.charge(lane, took, priority)
        if isinstance(prepared, ImageTooLargeError):
            if prepared.pixels is not None and prepared.pixels <= self._max_pixels:
                raise GrownFrameError(
                    f"the frame has {prepared.pixels:,} pixels, many more than the call began with: connect again"
                )
            raise TooLargeError(str(prepared))
        if isinstance(prepared, ImageError):
            raise InvalidImageError(str(prepared))
        if isinstance(prepared, Exception):
            try:
                raise prepared
            finally:
                del prepared  # an error that knows this frame, which knows it, would stay in memory for a while
        return prepared

    def _most(self, most_pixels: int | None) -> int:
        return self._max_pixels if most_pixels is None else min(most_pixels, self._max_pixels)

    def _check_bytes(self, data: bytes) -> None:
        if len(data) > self._max_bytes:
            raise TooLargeError(f"the image has {len(data):,} bytes; at most {self._max_bytes:,} are accepted")

    def _in_time(self, work: Callable[[], Decoded], deadline: float, clock: Callable[[], float]) -> Decoded:
        began = clock()
        if began > deadline and not self._batcher.defers:
            raise ExpiredError("the frame waited longer than its deadline to be decoded")
        decoded = work()
        self._metrics.stage("decode", clock() - began)
        return decoded


def _enlarged(face: AnyFace, by: int) -> AnyFace:
    """A face of a reduced picture, in pixels of the picture itself."""
    if by == 1:
        return face
    if isinstance(face, Face):
        return replace(face, box=face.box * by, landmarks=face.landmarks * by)
    return replace(face, box=face.box * by)


def _timed(work: Callable[[], Prepared]) -> tuple[Prepared | Exception, float]:
    """What the work gives, or why the frame cannot be used, and what that took of a processor, seconds.

    Not how long it took: a camera does not pay for the processors that others had meanwhile.
    """
    began = time.thread_time()
    try:
        return work(), time.thread_time() - began
    except (ServiceError, ImageError) as error:
        return error, time.thread_time() - began
