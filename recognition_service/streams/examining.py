"""Examining a camera's frames: when they were taken, what they show, and whom, before anything of it is counted."""

import asyncio
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
import structlog

from attendance.database.models import Origin
from attendance.face_engine.interface import DetectedFace, Face
from attendance.zones import Zones, ZonesError, parse
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.access.auth import CameraIdentity
from recognition_service.engine.found import DetectedFaces, FoundFaces
from recognition_service.engine.layouts import Layout
from recognition_service.engine.looks import Look, picture_digest
from recognition_service.engine.regions import Regions
from recognition_service.engine.similarity import LastExamined, masked
from recognition_service.errors import CaptureTimeError, NoSessionError
from recognition_service.evidence.flow import CameraFlow
from recognition_service.evidence.following import FaceChoice
from recognition_service.evidence.frame_plan import FramePlan
from recognition_service.presentation.views import FaceView
from recognition_service.streams.encoding import encode_chosen
from recognition_service.streams.requests import capture_time_of, origin_of, priority_of
from recognition_service.streams.state import ClockSkew
from recognition_service.streams.tools import StreamRefusedError, StreamTools
from recognition_service.telemetry.tracing import FrameTrace

_GROWTH = 4
"""The first frame of a call says how large its frames are: none has more than so many times its pixels."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ExaminedFrame:
    """What a frame shows, to be counted."""

    plan: FramePlan
    capture_time: datetime
    faces: Sequence[Face | DetectedFace] | None
    """None: the frame shows what the last one examined showed, and was not examined."""
    origin: Origin
    look: Look
    views: Sequence[FaceView | None] = ()
    choice: FaceChoice | None = None
    """Which of the faces are encoded; None: all are."""
    layouts: Sequence[Layout] | None = None
    """As for `CameraFlow.observe`."""


class FrameExaminer:
    """Examines the frames of one call of a camera."""

    def __init__(self, camera: CameraIdentity, flow: CameraFlow, tools: StreamTools) -> None:
        """Begin.

        Raises:
            StreamRefusedError: the camera's zones cannot be read.
        """
        self._camera = camera
        self._flow = flow
        self._tools = tools
        self._skew = ClockSkew()
        self._settings = settings = tools.settings
        self._last_examined = LastExamined(settings.skip_unchanged_s)
        self._regions = Regions(settings.full_look_s) if settings.full_look_s else None
        self._most_pixels: int | None = None
        self._zones = _zones_of(camera)
        self._in_health = not camera.plays_recordings
        self._origin_of = functools.partial(origin_of, plays_recordings=camera.plays_recordings)

    @property
    def clock_skew_s(self) -> float | None:
        """How far the camera's clock is ahead, seconds; None while no live frame has come."""
        return self._skew.seconds

    def take_zones(self, camera: CameraIdentity) -> None:
        """Look where the camera's zones say from the next frame on.

        Raises:
            StreamRefusedError: they cannot be read; nothing changes.
        """
        self._zones = _zones_of(camera)
        self._last_examined.forget()
        if self._regions is not None:
            self._regions.forget()
        log.info("zones_changed", camera=camera.name, share=round(self._zones.share(), 3))

    async def examine(
        self, request: pb.StreamFramesRequest, arrived: float, trace: FrameTrace, before: asyncio.Event
    ) -> ExaminedFrame:
        """Do all that is done for a frame before its evidence is counted.

        Args:
            request: the frame.
            arrived: the loop's time at which it did.
            trace: gets spans.
            before: set when the evidence of the camera's frame before is counted.

        Raises:
            ServiceError: it cannot be used.
            TimetableUnavailable: as for `CameraFlow.plan`.
        """
        capture_time = capture_time_of(request)
        live = self._judge_clock(request, capture_time)
        plan, digest = await asyncio.get_running_loop().run_in_executor(
            self._tools.executor, self._plan, capture_time, request.jpeg
        )
        if plan is None:
            raise NoSessionError(f"no class session counts in {self._camera.room} at the capture time")
        turn: dict[str, Any] = {
            "lane": self._camera.id,
            "priority": priority_of(plan, live=live),
            "deadline": arrived + self._tools.deadline_s,
        }
        pipeline, thumbnail, zones = self._tools.pipeline, None, self._zones
        if self._settings.skip_unchanged_s:
            thumbnail = masked(await pipeline.thumbnail(request.jpeg, most_pixels=self._most_pixels, **turn), zones)
            if self._last_examined.shows(thumbnail, capture_time):
                await pipeline.wait_turn(**turn)
                look = Look(digest, self._last_examined.blank)
                return ExaminedFrame(plan, capture_time, None, self._origin_of(request), look)
        measured = live and self._in_health and self._tools.health.wants_look(self._camera.id)
        how: dict[str, Any] = {
            "upsample": self._camera.upsample,
            "smallest_face": self._camera.smallest_face,
            "formats": ("JPEG",),
            "most_pixels": self._most_pixels,
            "zones": zones,
            "measured": measured,
            "trace": trace,
        }
        origin = self._origin_of(request)

        def examined(picture: FoundFaces | DetectedFaces, faces: Sequence[Face | DetectedFace]) -> Look:
            if thumbnail is not None and zones == self._zones:
                self._last_examined.examined(thumbnail, capture_time, blank=picture.blank)
            self._take_in(picture, faces, live=live)
            return Look(digest, picture.blank)

        if not self._flow.follows and self._regions is None:
            views, layouts = self._tools.keeps_views, self._tools.follows
            narrowest = self._tools.rules.smallest_named
            found = await pipeline.find(
                request.jpeg, reducible=True, narrowest=narrowest, views=views, layouts=layouts, **how, **turn
            )
            faces: list[Face | DetectedFace] = [*found.faces, *found.narrow]
            look = examined(found, faces)
            return ExaminedFrame(plan, capture_time, faces, origin, look, found.views, layouts=found.layouts)
        how |= {"regions": self._regions, "captured": capture_time}
        async with pipeline.detect(request.jpeg, **how, **turn) as detected:
            await before.wait()
            chosen = await encode_chosen(
                detected,
                self._flow,
                self._tools,
                plan=plan,
                capture_time=capture_time,
                origin=origin,
                trace=trace,
            )
            look = examined(detected, detected.faces)
        return ExaminedFrame(plan, capture_time, chosen.faces, origin, look, chosen.views, chosen.choice)

    def _take_in(
        self, picture: FoundFaces | DetectedFaces, faces: Sequence[Face | DetectedFace], *, live: bool
    ) -> None:
        """Note what an examined picture says of the camera."""
        if self._most_pixels is None:
            self._most_pixels = _GROWTH * picture.width * picture.height
        if picture.picture is not None:
            self._tools.health.looked(self._camera.id, picture.picture)
        if live and self._in_health:
            self._tools.health.faces(self._camera.id, [float(face.box[3] - face.box[1]) for face in faces])

    def _plan(self, capture_time: datetime, jpeg: bytes) -> tuple[FramePlan | None, bytes]:
        """The sessions that count, and the digest of the picture where there are any."""
        plan = self._flow.plan(capture_time)
        return plan, b"" if plan is None else picture_digest(jpeg)

    def _judge_clock(self, request: pb.StreamFramesRequest, capture_time: datetime) -> bool:
        """Measure the camera's clock, and tell whether the frame is a live one.

        Raises:
            CaptureTimeError: the frame is from the future, a live one from the past, or kept by a camera whose live
                frames are.
        """
        now = datetime.now(UTC)
        if not request.replayed:
            self._skew.add(capture_time, now)
        ahead = (capture_time - now).total_seconds()
        if ahead > self._settings.max_clock_ahead_s:
            raise CaptureTimeError(
                f"the frame was captured {ahead:,.0f} s in the future: set the camera's clock (at most "
                f"{self._settings.max_clock_ahead_s:g} s are accepted)"
            )
        if not request.replayed and -ahead > self._settings.max_clock_behind_s:
            raise CaptureTimeError(
                f"the frame was captured {-ahead:,.0f} s ago, and does not say that it was kept on a disk: set the "
                f"camera's clock (at most {self._settings.max_clock_behind_s:g} s are accepted)"
            )
        behind_s, ahead_s = self._settings.max_clock_behind_s, self._settings.max_clock_ahead_s
        if request.replayed and not request.recording and not self._skew.may_be_within(behind_s, ahead_s):
            raise CaptureTimeError("the frame was kept by a camera whose clock is wrong: set the camera's clock")
        return not request.replayed and -ahead <= self._settings.replay_age_s


def _zones_of(camera: CameraIdentity) -> Zones:
    """Where in the camera's picture faces count.

    Raises:
        StreamRefusedError: what its row has cannot be read; without its masks nobody must be looked for.
    """
    try:
        return parse(camera.zones)
    except ZonesError as error:
        raise StreamRefusedError(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"the zones of the camera {camera.name} cannot be read; draw them anew on the dashboard: {error}",
        ) from None
