"""When frames were captured, whatever the machine's clock does: it may be wrong, and jump when it is set.

A frame's time decides for which class it counts. So each moment is noted by a clock that nobody can set, the time since
the machine was started; what time that was is worked out when the frame is sent, because more is known by then.
"""

import ctypes
import sys
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOLERANCE_US = 2_000_000
"""Clocks that differ by no more than a slow network may delay an answer are taken for equal."""
WORTH_A_WARNING_S = 30.0
"""Grace periods are minutes, so this much may decide who is late."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # Linux, proc_sys_kernel(5): another one after each start
_NAME_LENGTH = 12
_TIME_ERROR = 5  # adjtimex(2): the clock is kept by no time server
_TIMEX_BYTES = 512  # more than struct timex has anywhere; zeros ask and change nothing


def microseconds(moment: datetime) -> int:
    """An aware time as microseconds since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def time_at(since_1970_us: int) -> datetime:
    """The time, UTC, so many microseconds after 1970."""
    return EPOCH + timedelta(microseconds=since_1970_us)


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment that no setting of the clock moves.

    Attributes:
        start: which start of the machine; hexadecimal.
        uptime_us: microseconds since then, the machine's sleep included.
    """

    start: str
    uptime_us: int


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What the clocks show.

    Attributes:
        at: the wall clock, UTC.
        moment: the same by the time since the machine's start; None for a time that is not that of its reading, such as
            a place in a recording.
    """

    at: datetime
    moment: Moment | None = None


class MachineClock:
    """The clocks of this machine."""

    def __init__(self) -> None:
        """Find out which start of the machine this is."""
        self.start = _this_start()

    def uptime_us(self) -> int:
        """Microseconds since the machine's start."""
        if sys.platform == "linux":
            return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
        return time.monotonic_ns() // 1000

    def now(self) -> datetime:
        """The wall clock, UTC."""
        return datetime.now(UTC)

    def synchronised(self) -> bool:
        """Whether the system says that a time server keeps the wall clock; never where it cannot be asked."""
        if sys.platform != "linux":
            return False
        try:
            state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
        except (OSError, AttributeError):
            return False
        return 0 <= int(state) < _TIME_ERROR

    def read(self) -> ClockReading:
        """What both show now."""
        return ClockReading(self.now(), Moment(self.start, self.uptime_us()))


@cache
def _this_start() -> str:
    """Which start of the machine this is; where the system does not tell, each program counts as one.

    Found out once: the frames of a source and the spool that keeps them have clocks of their own.
    """
    try:
        return uuid.UUID(_BOOT_ID.read_text("ascii").strip()).hex[:_NAME_LENGTH]
    except (OSError, ValueError):
        return uuid.uuid4().hex[:_NAME_LENGTH]


class CameraClock:
    """The best that is known of the time: this machine's clock, or the service's where that is the surer one.

    A clock that a time server keeps is believed. Any other is, until a service says that it differs; then the service's
    time goes on from when it was told. Where two clocks that should be right differ, the service refuses live frames,
    and kept ones wait (`disputed`).
    """

    def __init__(self, machine: MachineClock | None = None) -> None:
        """Start with this machine's clock; `machine` gives another's."""
        self.machine = MachineClock() if machine is None else machine
        self._service_us: int | None = None
        self._offset_us = self._wall_us()

    def compare(self, service_time: datetime) -> float:
        """Take in the service's time, which it has just told; by how many seconds the wall clock is ahead of it."""
        self._service_us = microseconds(service_time) - self.machine.uptime_us()
        return self._ahead_us() / 1e6

    @property
    def known(self) -> bool:
        """Whether anybody said what time it is: a time server, or the service."""
        return self._service_us is not None or self.machine.synchronised()

    @property
    def disputed(self) -> bool:
        """Whether a time server keeps the clock, and the service's is another."""
        return abs(self._ahead_us()) > WORTH_A_WARNING_S * 1e6 and self.machine.synchronised()

    @property
    def offset_us(self) -> int:
        """What to add to the time since the machine's start, for microseconds since 1970.

        It moves when the clock is set, and not with what a time server corrects little by little: the same moment has
        the same time each time that it is asked for.
        """
        follows_service = abs(self._ahead_us()) > TOLERANCE_US and not self.machine.synchronised()
        offset = self._wall_us() if self._service_us is None or not follows_service else self._service_us
        if abs(offset - self._offset_us) > TOLERANCE_US:
            self._offset_us = offset
        return self._offset_us

    def now_us(self) -> int:
        """The time, microseconds since 1970."""
        return self.offset_us + self.machine.uptime_us()

    def time_of(self, captured_at: datetime, moment: Moment | None) -> datetime:
        """When a frame was captured, by what is known now.

        Args:
            captured_at: what the wall clock showed.
            moment: when that was; None where `captured_at` is no reading of the clock.
        """
        if moment is None or moment.start != self.machine.start:
            return captured_at
        return time_at(settled(microseconds(captured_at), self.offset_us + moment.uptime_us))

    def _wall_us(self) -> int:
        return microseconds(self.machine.now()) - self.machine.uptime_us()

    def _ahead_us(self) -> int:
        return 0 if self._service_us is None else self._wall_us() - self._service_us


def settled(shown_us: int, known_us: int) -> int:
    """What the clock showed where it was right, so that a frame sent twice has one time, else the known time."""
    return shown_us if abs(known_us - shown_us) <= TOLERANCE_US else known_us
