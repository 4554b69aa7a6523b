"""What the calls of one run share."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import structlog

from camera_client.backoff import Backoff
from camera_client.clock import CameraClock
from camera_client.counts import Counts
from camera_client.spool.replay import Replay
from camera_client.waiting import WaitingFrame, WaitingFrames

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """How long a camera waits for what, seconds.

    Attributes:
        open_s: for the service to admit the camera.
        answer_s: for the answer to any one frame.
        quiet_s: for the service to say anything at all that it owes, before its silence counts as absence and frames
            are spooled. Longer than a service that lives lets a frame wait.
        drain_s: for the last answers, once it sends no more.
        give_up_s: for progress, while frames or connections fail; None: for ever.
        resends: times that one frame is sent again (a number, not seconds).
    """

    open_s: float = 30.0
    answer_s: float = 60.0
    quiet_s: float = 15.0
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
        replay: the frames of the spool; None without one.
        clock: tells when frames were captured.
        recorded: whether the frames are those of a recording, so that their times tell nothing of this machine's clock.
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
    replay: Replay | None = None
    clock: CameraClock = field(default_factory=CameraClock)
    recorded: bool = False
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

    def spool_from_now(self, spooling: bool) -> None:
        """Spool what is captured, because the service is away, or no longer do so."""
        if self.replay is not None and spooling != self.waiting.diverted:
            self.waiting.divert(spooling)
            log.info("spooling_starts" if spooling else "spooling_ends", frames=len(self.replay.spool))

    def as_event(self) -> dict[str, object]:
        """What became of the frames, as fields of a log event."""
        return self.counts.as_event() | ({} if self.replay is None else self.replay.spool.as_event())

    def retry_later(self, frame: WaitingFrame) -> None:
        """Let a frame that was not dealt with wait again or be spooled, unless it had its chances or may be lost."""
        if not self.waiting.keep_all:
            if self.replay is None or not self.replay.spool.keep(frame.frame):
                self.counts.lost += 1
        elif frame.attempts >= self.limits.resends:
            self.counts.given_up += 1
            log.error("frame_given_up", frame=frame.frame.label, attempts=frame.attempts + 1)
        else:
            frame.attempts += 1
            self.waiting.put_back([frame])
