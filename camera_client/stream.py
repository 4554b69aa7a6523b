"""One call of StreamFrames: frames out as the window allows, answers in, and a watch over both."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import grpc
import structlog

from camera_client.backoff import Backoff
from camera_client.counts import Counts, outcome_name
from camera_client.waiting import WaitingFrame, WaitingFrames
from protos.attendance.v1 import attendance_pb2 as pb

# Answers after which the same frame may fare better later.
_WORTH_SENDING_AGAIN = frozenset({pb.FRAME_OUTCOME_OVERLOADED, pb.FRAME_OUTCOME_EXPIRED, pb.FRAME_OUTCOME_UNAVAILABLE})
# The capture time decides the class session; grace periods are minutes, so this much is worth a warning.
_CLOCK_WARNING_S = 30.0
_WATCH_INTERVAL_S = 0.5

Call = Any  # grpc.aio.StreamStreamCall: its stubs and its code disagree on the type of the end of a stream

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class StreamError(Exception):
    """A call ended before its time.

    Attributes:
        code: gRPC's.
        details: the service's or gRPC's words.
    """

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(f"{code.name}: {details}")
        self.code = code
        self.details = details


class GaveUpError(Exception):
    """Nothing has come of the frames for as long as the user wanted to wait; the message is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """How long a camera waits for what, seconds.

    Attributes:
        open_s: for the service to admit the camera.
        answer_s: for the answer to any one frame.
        drain_s: for the last answers, once it sends no more.
        give_up_s: for progress, while frames or connections fail; None: for ever.
        resends: times that one frame is sent again (a number, not seconds).
    """

    open_s: float = 30.0
    answer_s: float = 60.0
    drain_s: float = 10.0
    give_up_s: float | None = None
    resends: int = 20


@dataclass(slots=True)
class Run:
    """What the calls of one run share: they follow each other, and go on where the last one ended.

    Attributes:
        camera: the camera's name.
        waiting: frames to send.
        counts: what became of them.
        limits: how long to wait.
        backoff: waits after a frame that could not be dealt with.
        clean: a text of the service as it may be shown.
        sequence: numbers of frames, rising over all calls.
        stopping: set by whoever wants the run to end soon.
        trouble_since: event loop's time since which nothing succeeds; None while all is well.
    """

    camera: str
    waiting: WaitingFrames
    counts: Counts
    limits: StreamLimits
    backoff: Backoff = field(default_factory=Backoff)
    clean: Callable[[str], str] = str
    sequence: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    trouble_since: float | None = None

    def trouble(self) -> None:
        """Note that something failed."""
        if self.trouble_since is None:
            self.trouble_since = asyncio.get_running_loop().time()

    def progress(self) -> None:
        """Note that a frame was dealt with."""
        self.trouble_since = None
        self.backoff.reset()

    @property
    def given_up(self) -> bool:
        """Whether the trouble lasts longer than the user wants to wait."""
        if self.limits.give_up_s is None or self.trouble_since is None:
            return False
        return asyncio.get_running_loop().time() - self.trouble_since > self.limits.give_up_s

    def retry_later(self, frame: WaitingFrame) -> None:
        """Let a frame that was not dealt with wait again, unless it had its chances or may be lost."""
        if not self.waiting.keep_all:
            self.counts.lost += 1
        elif frame.attempts >= self.limits.resends:
            self.counts.given_up += 1
            log.error("frame_given_up", frame=frame.frame.label, attempts=frame.attempts + 1)
        else:
            frame.attempts += 1
            self.waiting.put_back([frame])


@dataclass(frozen=True, slots=True)
class _InFlight:
    frame: WaitingFrame
    sent_at: float


class FrameStream:
    """One call, from its opening to its end."""

    def __init__(self, call: Call, run: Run) -> None:
        self._call = call
        self._run = run
        self._loop = asyncio.get_running_loop()
        self._started_at = self._loop.time()
        self._in_flight: dict[int, _InFlight] = {}
        self._opened: pb.StreamOpened | None = None
        self._closing: pb.StreamClosing | None = None
        self._ending_since: float | None = None
        self._paused_until = 0.0
        self._why_cancelled: Exception | None = None
        self._last_outcome = ""

    async def converse(self) -> pb.StreamClosing | None:
        """Send what waits and take the answers, until all is sent and answered, or the run is to stop.

        Frames without an answer wait again, or are lost, as the run wants it.

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
            if self._closing is None and not self._nothing_left():
                raise StreamError(error.code(), self._run.clean(error.details() or "")) from None
        finally:
            self._call.cancel()
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            for unanswered in self._in_flight.values():
                self._run.retry_later(unanswered.frame)
        return self._verdict()

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
            if self._may_send() and (frame := self._run.waiting.take()) is not None:
                if not await self._send_one(frame):
                    return
                continue
            if self._sent_all():
                break
            pause = self._paused_until - self._loop.time()
            try:
                await asyncio.wait_for(changed.wait(), pause if pause > 0 else None)
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
        if self._opened is None or self._loop.time() < self._paused_until:
            return False
        return len(self._in_flight) < max(1, self._opened.window)

    async def _send_one(self, frame: WaitingFrame) -> bool:
        sequence = next(self._run.sequence)
        request = pb.StreamFramesRequest(camera=self._run.camera, sequence=sequence, jpeg=frame.frame.jpeg)
        request.capture_time.FromDatetime(frame.frame.captured_at)
        self._in_flight[sequence] = _InFlight(frame, self._loop.time())
        self._run.counts.sent += 1
        self._run.counts.resent += frame.attempts > 0
        try:
            await self._call.write(request)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return False  # the call is over; reading from it says why
        return True

    async def _receive(self) -> None:
        while (message := await self._call.read()) is not grpc.aio.EOF:
            match message.WhichOneof("event"):
                case "opened":
                    self._admit(message.opened)
                case "result":
                    self._take(message.result)
                case "closing":
                    self._closing = message.closing
                    self._ending_since = self._loop.time()
            self._run.waiting.changed.set()

    def _admit(self, opened: pb.StreamOpened) -> None:
        self._opened = opened
        self._run.counts.connections += 1
        theirs = opened.service_time.ToDatetime(tzinfo=UTC) if opened.HasField("service_time") else datetime.now(UTC)
        ahead = (datetime.now(UTC) - theirs).total_seconds()
        log.info("stream_opened", room=opened.room, window=opened.window, clock_ahead_s=round(ahead, 3))
        if abs(ahead) > _CLOCK_WARNING_S:
            log.warning(
                "clock_differs",
                clock_ahead_s=round(ahead, 1),
                advice="set this camera's clock (NTP): frames are counted for the class of their capture time",
            )

    def _take(self, result: pb.FrameResult) -> None:
        sent = self._in_flight.pop(result.sequence, None)
        if sent is None:
            log.debug("answer_without_frame", sequence=result.sequence)
            return
        run = self._run
        detail = run.clean(result.detail)
        run.counts.answer(result, self._loop.time() - sent.sent_at, detail)
        self._tell_change(outcome_name(result.outcome), detail)
        if run.waiting.keep_all and result.outcome in _WORTH_SENDING_AGAIN:
            run.trouble()
            run.retry_later(sent.frame)
            if self._loop.time() >= self._paused_until:
                self._paused_until = self._loop.time() + run.backoff.next_wait()
        else:
            run.progress()

    def _tell_change(self, outcome: str, detail: str) -> None:
        """Log the first answer and every one that differs from the one before."""
        if outcome != self._last_outcome:
            write = log.info if outcome in {"recognized", "no_session"} else log.warning
            write("frames_answered", outcome=outcome, detail=detail)
            self._last_outcome = outcome

    async def _watch(self) -> None:
        """End a call on which nothing happens that should."""
        limits = self._run.limits
        while True:
            now = self._loop.time()
            if self._sent_all():
                self._ending_since = self._ending_since or now
                if self._opened is None:
                    self._cancel(StreamError(grpc.StatusCode.CANCELLED, "stopped"))
            if self._ending_since is not None and now - self._ending_since > limits.drain_s:
                self._cancel(StreamError(grpc.StatusCode.DEADLINE_EXCEEDED, "the last answers did not come"))
            if self._opened is None and now - self._started_at > limits.open_s:
                self._cancel(
                    StreamError(grpc.StatusCode.DEADLINE_EXCEEDED, f"not admitted within {limits.open_s:.0f} s")
                )
            oldest = min((sent.sent_at for sent in self._in_flight.values()), default=now)
            if now - oldest > limits.answer_s:
                self._cancel(
                    StreamError(grpc.StatusCode.DEADLINE_EXCEEDED, f"a frame had no answer for {limits.answer_s:.0f} s")
                )
            if self._run.given_up:
                self._cancel(GaveUpError())
            await asyncio.sleep(_WATCH_INTERVAL_S)
