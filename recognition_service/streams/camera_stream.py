"""One open stream of one camera: frames in, one result each out, in the order in which the flow saw them.

Everything is bounded: frames in flight by the window, results not yet taken by a queue that stops the reading of frames
when it is full, and the time a client may take to read a result.
"""

import asyncio
import functools
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import structlog

from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.access.auth import CameraIdentity
from recognition_service.access.throttle import TokenBucket
from recognition_service.errors import (
    CaptureTimeError,
    GrownFrameError,
    InternalServiceError,
    OverloadedError,
    ServiceError,
    UnavailableError,
    UnchangedError,
)
from recognition_service.evidence.observing import Sight
from recognition_service.evidence.seen import SeenFace
from recognition_service.evidence.timetable import TimetableUnavailable
from recognition_service.outbox.store import OutboxError
from recognition_service.replies import duration, outcome_name, recognized_frame, refused_frame
from recognition_service.streams.examining import ExaminedFrame, FrameExaminer
from recognition_service.streams.requests import capture_time_of
from recognition_service.streams.state import Window
from recognition_service.streams.tools import StreamRefusedError, StreamTools
from recognition_service.telemetry.sources import CameraState
from recognition_service.telemetry.tracing import FrameTrace, traceparent_of

_LONGEST_WRITE_S = 30.0
_BURST_S = 2.0

log = structlog.get_logger()

Context = grpc.aio.ServicerContext[pb.StreamFramesRequest, pb.StreamFramesResponse]


@dataclass(frozen=True, slots=True)
class _InLine:
    sequence: int
    arrived: float
    trace: FrameTrace
    work: "asyncio.Task[ExaminedFrame | ServiceError]"
    counted: asyncio.Event
    """Set when the frame's evidence has been counted, or it has none."""


class CameraStream:
    """A camera's call while it is open."""

    def __init__(self, camera: CameraIdentity, context: Context, tools: StreamTools) -> None:
        """Begin.

        Raises:
            StreamRefusedError: the camera's zones cannot be read.
        """
        self.camera = camera
        self.frames = 0
        """Frames received."""
        self.heard = True
        """Whether the camera has been heard of since this was last set to False."""
        self._last_frame: datetime | None = None
        self._settings = settings = tools.settings
        self._window = Window(settings.window)
        self._rate = TokenBucket(settings.max_camera_rate, max(_BURST_S * settings.max_camera_rate, settings.window))
        self._confirmed: set[tuple[int, str]] = set()  # at most the rosters of the sessions seen
        self._context = context
        self._traceparent = traceparent_of(context.invocation_metadata())
        self._tools = tools
        self._flow = tools.flow_of(camera)
        self._examiner = FrameExaminer(camera, self._flow, tools)
        self._in_flight = 0
        self._in_line: asyncio.Queue[_InLine | None] = asyncio.Queue()  # at most the window's frames
        self._newest_counted = asyncio.Event()  # of the newest frame in line
        self._newest_counted.set()
        # A reply, and whether it gives a place in the window back.
        self._replies: asyncio.Queue[tuple[pb.StreamFramesResponse, bool] | None] = asyncio.Queue(2 * settings.window)
        self._ended: asyncio.Future[pb.StreamClosing] = asyncio.get_running_loop().create_future()

    @property
    def state(self) -> CameraState:
        """How the stream stands; may be read from any thread."""
        return CameraState(
            name=self.camera.name,
            last_frame=self._last_frame,
            in_flight=self._in_flight,
            window=self._window.size,
            clock_skew_s=self._examiner.clock_skew_s,
            blind=self.sight is not None and self.sight.blind_since is not None,
        )

    @property
    def sight(self) -> Sight | None:
        """Whether the camera sees; None while it is not known."""
        return self._flow.sight

    async def run(self) -> None:
        """Serve the call until the camera ends it or `close` or `refuse` is called.

        Raises:
            StreamRefusedError: the call must end with that status.
        """
        await self._context.write(
            pb.StreamFramesResponse(
                opened=pb.StreamOpened(
                    room=self.camera.room or "", window=self._settings.window, service_time=datetime.now(UTC)
                )
            )
        )
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(group))
                group.create_task(self._observe())
                group.create_task(self._write())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def finish(self) -> None:
        """Have the flow store its last sightings; what cannot be stored is logged."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._tools.executor, self._flow.finish)
        except OutboxError as error:
            log.error("last_sightings_not_stored", camera=self.camera.name, reason=str(error))

    async def forget(self, student: str) -> None:
        """Forget what was seen of a student who is erased; see `CameraFlow.forget`."""
        self._confirmed = {one for one in self._confirmed if one[1] != student}
        await asyncio.get_running_loop().run_in_executor(self._tools.executor, self._flow.forget, student)
        self._confirmed = {one for one in self._confirmed if one[1] != student}

    def take_zones(self, text: str | None) -> None:
        """Look where the camera's zones say from the next frame on; such as cannot be read change nothing.

        Args:
            text: as the camera's row has it.
        """
        self.camera = replace(self.camera, zones=text)
        try:
            self._examiner.take_zones(self.camera)
        except StreamRefusedError as error:
            log.error("zones_not_read", camera=self.camera.name, reason=str(error))

    def close(self, reason: str, reconnect_after_s: float) -> None:
        """End the call soon: tell the camera, take no more frames, answer those in flight."""
        if not self._ended.done():
            self._ended.set_result(pb.StreamClosing(reason=reason, reconnect_after=duration(reconnect_after_s)))

    def refuse(self, error: StreamRefusedError) -> None:
        """End the call at once with a status."""
        if not self._ended.done():
            self._ended.set_exception(error)
            self._ended.exception()  # asyncio would call it forgotten if the call ends by itself now

    async def _read(self, group: asyncio.TaskGroup) -> None:
        while (request := await self._next_request()) is not None:
            self.frames += 1
            self.heard = True
            self._last_frame = datetime.now(UTC)
            self._tools.metrics.frame_received()
            if not self.camera.plays_recordings:
                self._tools.health.frame(self.camera.id, self._examiner.clock_skew_s)
            arrived = asyncio.get_running_loop().time()
            if request.camera != self.camera.name:
                raise StreamRefusedError(
                    grpc.StatusCode.PERMISSION_DENIED,
                    f"a frame names the camera {request.camera[:80]!r}, but the token is that of {self.camera.name!r}",
                )
            if (error := self._too_much()) is not None:
                await self._answer(refused_frame(request.sequence, error), arrived, counted=False)
                continue
            self._show(request)
            self._in_flight += 1
            trace = self._tools.tracing.frame(self.camera.name, request.sequence, self._traceparent)
            before, self._newest_counted = self._newest_counted, asyncio.Event()
            work = group.create_task(self._prepare(request, arrived, trace, before))
            self._in_line.put_nowait(_InLine(request.sequence, arrived, trace, work, self._newest_counted))
        if self._ended.done():
            await self._replies.put((pb.StreamFramesResponse(closing=self._ended.result()), False))
        self._in_line.put_nowait(None)

    def _show(self, request: pb.StreamFramesRequest) -> None:
        """Hand a live frame to whoever hangs the camera."""
        if request.replayed or request.recording or not self._tools.aiming.wants(self.camera.id):
            return
        try:
            captured_at = capture_time_of(request)
        except CaptureTimeError:
            captured_at = None
        self._tools.aiming.offer(self.camera, request.jpeg, captured_at)

    def _too_much(self) -> OverloadedError | None:
        """Why the camera's frame is one too many. A window that was shrunk is not held against frames on their way."""
        if self._in_flight >= self._settings.window:
            return OverloadedError(f"more than {self._settings.window} frames without a result: wait for results")
        if not self._rate.take():
            return OverloadedError(f"more than {self._settings.max_camera_rate:g} frames a second: send fewer")
        return None

    async def _next_request(self) -> pb.StreamFramesRequest | None:
        """The next frame; None when the camera has no more or the call is to end."""
        if self._ended.done():
            self._ended.result()
            return None
        read = asyncio.ensure_future(self._context.read())
        first: set[asyncio.Future[Any]] = {read, self._ended}
        try:
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not read.done():
                read.cancel()
        if self._ended.done():
            self._ended.result()  # raises what `refuse` was given
            return None
        request = read.result()
        return request if isinstance(request, pb.StreamFramesRequest) else None

    async def _prepare(
        self, request: pb.StreamFramesRequest, arrived: float, trace: FrameTrace, before: asyncio.Event
    ) -> ExaminedFrame | ServiceError:
        """All that is done for a frame before its evidence is counted; `before` is set when its predecessor's is."""
        try:
            return await self._examiner.examine(request, arrived, trace, before)
        except GrownFrameError as error:
            log.warning("frames_have_grown", camera=self.camera.name, reason=str(error))
            self.close(str(error), 0.0)
            return error
        except ServiceError as error:
            return error
        except TimetableUnavailable as error:
            return UnavailableError(str(error))
        except Exception:
            return self._unknown_error("frame_failed", request.sequence)

    async def _observe(self) -> None:
        """Count the frames' evidence in the order of their arrival, and answer them."""
        while (item := await self._in_line.get()) is not None:
            work = await item.work
            if isinstance(work, ExaminedFrame):
                with item.trace.stage("match and store"):
                    result = await self._count(work, item.sequence)
            else:
                result = refused_frame(item.sequence, work)
            item.trace.end(outcome_name(result.outcome))
            item.counted.set()
            await self._answer(result, item.arrived, counted=True)
        await self._replies.put(None)

    async def _count(self, work: ExaminedFrame, sequence: int) -> pb.FrameResult:
        session_id = work.plan.session_id
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            if work.faces is None:
                again = functools.partial(self._flow.unchanged, work.capture_time, origin=work.origin, look=work.look)
                await loop.run_in_executor(self._tools.executor, again)
                raise UnchangedError("the frame shows what the last one examined showed")
            observe = functools.partial(
                self._flow.observe,
                work.plan,
                work.capture_time,
                work.faces,
                views=work.views,
                origin=work.origin,
                look=work.look,
                choice=work.choice,
                layouts=work.layouts,
            )
            seen: list[SeenFace] = await loop.run_in_executor(self._tools.executor, observe)
        except OutboxError as error:
            log.error("sightings_not_stored", camera=self.camera.name, reason=str(error))
            return refused_frame(
                sequence, UnavailableError("the service cannot store what it sees; its log says why"), session_id
            )
        except ServiceError as error:
            return refused_frame(sequence, error, session_id)
        except Exception:
            return refused_frame(sequence, self._unknown_error("evidence_failed", sequence), session_id)
        self._tools.metrics.stage("match", loop.time() - began)
        confirmed = {(session_id, face.match.student) for face in seen if face.confirmed and face.match.student}
        self._tools.metrics.faces_seen(seen, len(confirmed - self._confirmed))
        self._confirmed |= confirmed
        return recognized_frame(sequence, session_id, seen)

    async def _answer(self, result: pb.FrameResult, arrived: float, *, counted: bool) -> None:
        taken = asyncio.get_running_loop().time() - arrived
        result.latency.FromTimedelta(timedelta(seconds=taken))
        result.window = self._window.answer(self._tools.pipeline.load)
        self._tools.metrics.frame_answered(result.outcome, taken)
        self._tools.statistics.outcomes[result.outcome] += 1
        log.debug("frame_answered", camera=self.camera.name, sequence=result.sequence, outcome=result.outcome)
        await self._replies.put((pb.StreamFramesResponse(result=result), counted))

    async def _write(self) -> None:
        while (reply := await self._replies.get()) is not None:
            message, counted = reply
            if counted:
                # Before the writing: a camera that has the result may send its next frame at once.
                self._in_flight -= 1
            try:
                async with asyncio.timeout(_LONGEST_WRITE_S):
                    await self._context.write(message)
            except TimeoutError:
                raise StreamRefusedError(
                    grpc.StatusCode.ABORTED, "the camera does not read the results of its frames"
                ) from None

    def _unknown_error(self, event: str, sequence: int) -> InternalServiceError:
        log.exception(event, camera=self.camera.name, sequence=sequence)
        return InternalServiceError("something failed on this frame; the service's log says why")
