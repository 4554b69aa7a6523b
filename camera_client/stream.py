"""One call of StreamFrames: frames out as the window allows, answers in, and a watch over both."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import grpc
import structlog

from attendance.errors import AttendanceError
from camera_client.clock import WORTH_A_WARNING_S
from camera_client.counts import outcome_name
from camera_client.frames import CapturedFrame
from camera_client.run import Run
from camera_client.spool.stored import StoredFrame
from camera_client.waiting import WaitingFrame
from protos.attendance.v1 import attendance_pb2 as pb

# Answers after which the same frame may fare better later.
_WORTH_SENDING_AGAIN = frozenset({pb.FRAME_OUTCOME_OVERLOADED, pb.FRAME_OUTCOME_EXPIRED, pb.FRAME_OUTCOME_UNAVAILABLE})
_WATCH_INTERVAL_S = 0.5
_SHORTEST_PAUSE_S = 0.01

_WRONG_CLOCK = (
    "set this camera's clock (NTP); meanwhile its frames, and those that it kept, have the times of the service's clock"
)
_TWO_CLOCKS = (
    "a time server keeps this camera's clock, and the service's is another: one of them is wrong. The service refuses "
    "frames of other times, and kept frames wait until the clocks agree"
)

# Statuses by which the service says that it does not want this camera's frames; any other may be a fault on the way.
REFUSALS = frozenset(
    {
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INVALID_ARGUMENT,
    }
)

Call = Any  # grpc.aio.StreamStreamCall: its stubs and its code disagree on the type of the end of a stream

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class StreamError(AttendanceError):
    """A call ended before its time.

    Attributes:
        code: gRPC's.
        details: the service's or gRPC's words.
    """

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(f"{code.name}: {details}")
        self.code = code
        self.details = details


class GaveUpError(AttendanceError):
    """Nothing has come of the frames for as long as the user wanted to wait; the message is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class _InFlight:
    origin: WaitingFrame | StoredFrame
    sent_at: float


class FrameStream:
    """One call, from its opening to its end."""

    def __init__(self, call: Call, run: Run) -> None:
        self._call = call
        self._run = run
        self._loop = asyncio.get_running_loop()
        self._started_at = self._loop.time()
        self._in_flight: dict[int, _InFlight] = {}
        self._opened = False
        self._window = 1
        self._heard_at = self._started_at
        self._closing: pb.StreamClosing | None = None
        self._ending_since: float | None = None
        self._paused_until = 0.0
        self._why_cancelled: Exception | None = None
        self._refused = False
        self._last_outcome = ""

    async def converse(self) -> pb.StreamClosing | None:
        """Send what waits and take the answers, until all is sent and answered, or the run is to stop.

        Frames without an answer wait again, or are spooled or lost, as the run wants it.

        Returns:
            The service's wish to end the call, if that was why it ended.

        Raises:
            StreamError: the call failed.
            GaveUpError: see `StreamLimits.give_up_s`.
        """
        helpers = [asyncio.create_task(self._send()), asyncio.create_task(self._watch())]
        for helper in helpers:
            helper.add_done_callback(self._end_with)
        try:
            await self._receive()
        except asyncio.CancelledError:
            # A call that is cancelled here looks like a task that is cancelled from outside.
            if self._why_cancelled is None:
                raise
        except grpc.aio.AioRpcError as error:
            self._refused = error.code() in REFUSALS
            if self._closing is None and not self._nothing_left():
                raise StreamError(error.code(), self._run.clean(error.details() or "")) from None
        finally:
            self._call.cancel()
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            for unanswered in self._in_flight.values():
                self._give_back(unanswered.origin)
        return self._verdict()

    def _give_back(self, origin: WaitingFrame | StoredFrame) -> None:
        """Deal with a frame that the end of the call leaves without an answer."""
        run = self._run
        if isinstance(origin, StoredFrame):
            planned = self._closing is not None or run.stopping.is_set()
            if not planned and run.replay is not None and run.replay.broke(origin):
                run.counts.given_up += 1
        elif self._refused and not run.waiting.keep_all:
            run.counts.lost += 1  # pictures that the service does not want are not kept
        else:
            run.retry_later(origin)

    def _verdict(self) -> pb.StreamClosing | None:
        if self._closing is not None and not isinstance(self._why_cancelled, GaveUpError):
            return self._closing
        if self._why_cancelled is not None and not self._nothing_left():
            raise self._why_cancelled
        if self._ending_since is None:
            raise StreamError(grpc.StatusCode.UNAVAILABLE, "the service ended the stream")
        return None

    def _nothing_left(self) -> bool:
        """Whether the call may end in any way, because no answer is missing that the camera waits for."""
        return self._ending_since is not None and (not self._in_flight or self._run.stopping.is_set())

    def _end_with(self, helper: asyncio.Task[None]) -> None:
        error = None if helper.cancelled() else helper.exception()
        if error is not None:
            self._cancel(error if isinstance(error, Exception) else RuntimeError(str(error)))

    def _cancel(self, why: Exception) -> None:
        if self._why_cancelled is None:
            self._why_cancelled = why
        self._call.cancel()

    async def _send(self) -> None:
        changed = self._run.waiting.changed
        while not self._sent_all():
            changed.clear()
            looked_at = self._loop.time()
            if self._may_send() and (frame := self._run.waiting.take()) is not None:
                if not await self._send_one(frame, frame.frame):
                    return
                continue
            if self._may_replay() and self._replay_due_in() == 0:
                if not await self._replay_one():
                    return
                continue
            if self._sent_all():
                break
            try:
                await asyncio.wait_for(changed.wait(), self._pause(looked_at))
            except TimeoutError:
                continue
        self._ending_since = self._loop.time()
        with contextlib.suppress(Exception):  # gRPC's own, of several kinds, when the call is over: reading says why
            await self._call.done_writing()

    def _sent_all(self) -> bool:
        if self._run.stopping.is_set() or self._closing is not None:
            return True
        return self._run.waiting.finished and not self._in_flight

    def _may_send(self) -> bool:
        if not self._opened or self._loop.time() < self._paused_until:
            return False
        return len(self._in_flight) < self._window

    def _may_replay(self) -> bool:
        """Whether an old frame may go: one at a time, and never in the last place that a live frame may need."""
        if self._run.replay is None or not self._may_send():
            return False
        alone = not self._in_flight
        return alone or (
            len(self._in_flight) + 1 < self._window
            and not any(isinstance(sent.origin, StoredFrame) for sent in self._in_flight.values())
        )

    def _replay_due_in(self) -> float | None:
        return None if self._run.replay is None else self._run.replay.due_in()

    def _pause(self, looked_at: float) -> float | None:
        """How long there was nothing to send then unless something changes, seconds; None: for ever."""
        pauses = [self._paused_until - looked_at] if looked_at < self._paused_until else []
        if self._may_replay() and (due := self._replay_due_in()) is not None:
            pauses.append(max(due, _SHORTEST_PAUSE_S))
        return min(pauses, default=None)

    async def _replay_one(self) -> bool:
        """Send the oldest frame of the spool; False when the call is over."""
        found = None if self._run.replay is None else await asyncio.to_thread(self._run.replay.take)
        # Reading took a while: a live frame may have come, or the end.
        if found is None or self._sent_all() or not self._may_send() or self._run.waiting.depth:
            return True
        return await self._send_one(*found)

    async def _send_one(self, origin: WaitingFrame | StoredFrame, frame: CapturedFrame) -> bool:
        sequence = next(self._run.sequence)
        replayed = self._run.recorded or isinstance(origin, StoredFrame)
        request = pb.StreamFramesRequest(
            camera=self._run.camera,
            sequence=sequence,
            jpeg=frame.jpeg,
            replayed=replayed,
            recording=self._run.recorded and not isinstance(origin, StoredFrame),
        )
        request.capture_time.FromDatetime(self._run.clock.time_of(frame.captured_at, frame.moment))
        self._in_flight[sequence] = _InFlight(origin, self._loop.time())
        self._run.counts.sent += 1
        self._run.counts.resent += isinstance(origin, WaitingFrame) and origin.attempts > 0
        try:
            await self._call.write(request)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return False  # the call is over; reading from it says why
        return True

    async def _receive(self) -> None:
        while (message := await self._call.read()) is not grpc.aio.EOF:
            self._heard_at = self._loop.time()
            match message.WhichOneof("event"):
                case "opened":
                    self._admit(message.opened)
                case "result":
                    await self._take(message.result)
                case "closing":
                    self._closing = message.closing
                    self._ending_since = self._loop.time()
            self._run.spool_from_now(self._closing is not None)
            self._run.waiting.changed.set()

    def _admit(self, opened: pb.StreamOpened) -> None:
        self._opened = True
        self._window = max(1, opened.window)
        self._run.counts.connections += 1
        clock = self._run.clock
        ahead = clock.compare(opened.service_time.ToDatetime(tzinfo=UTC)) if opened.HasField("service_time") else 0.0
        self._run.counts.clock_ahead_s = round(ahead, 3)
        log.info("stream_opened", room=opened.room, window=opened.window, clock_ahead_s=round(ahead, 3))
        if abs(ahead) > WORTH_A_WARNING_S:
            log.warning(
                "clock_differs",
                clock_ahead_s=round(ahead, 1),
                advice=_TWO_CLOCKS if clock.disputed else _WRONG_CLOCK,
            )

    async def _take(self, result: pb.FrameResult) -> None:
        self._window = result.window or self._window
        sent = self._in_flight.pop(result.sequence, None)
        if sent is None:
            log.debug("answer_without_frame", sequence=result.sequence)
            return
        run = self._run
        detail = run.clean(result.detail)
        run.counts.answer(result, self._loop.time() - sent.sent_at, detail)
        self._tell_change(outcome_name(result.outcome), detail)
        dealt_with = result.outcome not in _WORTH_SENDING_AGAIN
        if run.waiting.keep_all and isinstance(sent.origin, WaitingFrame) and not dealt_with:
            run.trouble()
            run.retry_later(sent.origin)
            if self._loop.time() >= self._paused_until:
                self._paused_until = self._loop.time() + run.backoff.next_wait()
            return
        run.progress()
        if run.replay is None:
            return
        if isinstance(sent.origin, WaitingFrame):
            if result.outcome == pb.FRAME_OUTCOME_UNAVAILABLE:
                await asyncio.to_thread(run.retry_later, sent.origin)
        elif dealt_with:
            run.counts.replayed += 1
            await asyncio.to_thread(run.replay.answered, sent.origin)
        if not dealt_with:
            run.replay.postpone()

    def _tell_change(self, outcome: str, detail: str) -> None:
        """Log the first answer and every one that differs from the one before."""
        if outcome != self._last_outcome:
            write = log.info if outcome in {"recognized", "no_session", "unchanged"} else log.warning
            write("frames_answered", outcome=outcome, detail=detail)
            self._last_outcome = outcome

    async def _watch(self) -> None:
        """End a call on which nothing happens that should."""
        limits = self._run.limits
        while True:
            now = self._loop.time()
            if self._sent_all():
                self._ending_since = self._ending_since or now
                if not self._opened:
                    self._cancel(StreamError(grpc.StatusCode.CANCELLED, "stopped"))
            if self._ending_since is not None and now - self._ending_since > limits.drain_s:
                self._cancel(StreamError(grpc.StatusCode.DEADLINE_EXCEEDED, "the last answers did not come"))
            if not self._opened and now - self._started_at > limits.open_s:
                self._cancel(
                    StreamError(grpc.StatusCode.DEADLINE_EXCEEDED, f"not admitted within {limits.open_s:.0f} s")
                )
            oldest = min((sent.sent_at for sent in self._in_flight.values()), default=now)
            if now - oldest > limits.answer_s:
                self._cancel(
                    StreamError(grpc.StatusCode.DEADLINE_EXCEEDED, f"a frame had no answer for {limits.answer_s:.0f} s")
                )
            if now - max(self._heard_at, oldest if self._opened else 0.0) > limits.quiet_s:
                self._run.spool_from_now(True)
            if self._run.given_up:
                self._cancel(GaveUpError())
            await asyncio.sleep(_WATCH_INTERVAL_S)
