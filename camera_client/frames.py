"""What a source of frames is, and when its frames are taken."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from attendance.errors import AttendanceError
from camera_client.clock import ClockReading, MachineClock, Moment


class SourceError(AttendanceError):
    """A source gives no frames (any more); the message is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class CapturedFrame:
    """One sampled frame, ready to be sent.

    Attributes:
        captured_at: aware, UTC; decides which class session the frame belongs to.
        jpeg: the image.
        label: what a person would call the frame in its source: a file's name, a place in a video.
        moment: the same as `captured_at` by a clock that nobody can set, so that its time can still be put right; None
            where the time is no reading of this machine's clock.
    """

    captured_at: datetime
    jpeg: bytes
    label: str = ""
    moment: Moment | None = None


class FrameSource(Protocol):
    """Where frames come from."""

    @property
    def name(self) -> str:
        """The source as logs may show it: without passwords."""
        ...

    def frames(self, stop: threading.Event) -> Iterator[CapturedFrame]:
        """The sampled frames, in order of capture; blocks between them, in the thread that iterates.

        Args:
            stop: set by another thread, it ends the iteration soon.

        Raises:
            SourceError: the source gives no frames (any more).
        """
        ...


class SampleGrid:
    """Chooses frames on a steady grid: the first frame of every 1/rate seconds.

    A grid does not drift, whatever the frame rate of the source, and a gap in the source is not made up for.
    """

    # Time stamps such as 0.49999 s of a 29.97 frames/s video belong to the slot that starts at 0.5 s.
    _ROUNDING_S = 1e-3

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._last: int | None = None

    def takes(self, position_s: float) -> bool:
        """Whether the frame at this position (seconds, rising) is the first of its slot."""
        slot = int((position_s + self._ROUNDING_S) * self._rate)
        if self._last is not None and slot <= self._last:
            return False
        self._last = slot
        return True


class Playback:
    """Gives recorded frames their capture times and, when asked, plays them at the speed of the recording."""

    def __init__(
        self,
        *,
        paced: bool,
        start: datetime | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        clock: MachineClock | None = None,
    ) -> None:
        """Prepare to play.

        Args:
            paced: wait until a frame's time has come; otherwise never wait.
            start: aware capture time of the frame at position 0. By default the wall clock: at each frame when paced,
                else at the first frame, from which the others are spaced by their positions.
            monotonic: a clock in seconds.
            clock: this machine's unless given.
        """
        self._paced = paced
        self._start = start
        self._monotonic = monotonic
        self._clock = MachineClock() if clock is None else clock
        self._played_from: float | None = None
        self._wall_start: datetime | None = None

    def time_of(self, position_s: float, stop: threading.Event) -> ClockReading | None:
        """The capture time of the frame at a position, once it is due; None when stopped before."""
        if self._played_from is None:
            self._played_from = self._monotonic() - position_s
            self._wall_start = self._clock.now() - timedelta(seconds=position_s)
        if self._paced:
            early = self._played_from + position_s - self._monotonic()
            if early > 0 and stop.wait(early):
                return None
            if self._start is None:
                return self._clock.read()
        start = self._start or self._wall_start
        return None if start is None else ClockReading(start.astimezone(UTC) + timedelta(seconds=position_s))
