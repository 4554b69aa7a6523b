"""What is known of the time in each start of the machine from which frames are on disk.

Within one start, the time since it tells how old a frame is and when it was captured, whatever the clock did. Of a
start that has ended, that is known only if it was written down: one small file beside the frames.
"""

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from camera_client.clock import CameraClock, Moment
from camera_client.spool.stored import write_whole

_FILE = "clock.json"
_INTERVAL_US = 60_000_000
"""So much of the machine's uptime may be forgotten when it loses its power."""


@dataclass(frozen=True, slots=True)
class MachineStart:
    """One start of the machine.

    Attributes:
        name: see `Moment.start`.
        offset_us: what to add to the time since then, for microseconds since 1970.
        known: whether a time server or the service said so; else it is what the clock happened to show.
        uptime_us: how long it lasted at least.
    """

    name: str
    offset_us: int
    known: bool
    uptime_us: int


class Starts:
    """The starts of the machine from which frames are in a folder, the present one among them."""

    def __init__(self, folder: Path, clock: CameraClock) -> None:
        """Read what earlier programs wrote down; a file that cannot be read says nothing."""
        self._file = folder / _FILE
        self._clock = clock
        self._written: MachineStart | None = None
        found = _read(self._file)
        self._before = next((start for start in found if start.name == clock.machine.start), None)
        self._ended = [start for start in found if start.name != clock.machine.start]

    def time_us(self, moment: Moment) -> int | None:
        """When a moment was, microseconds since 1970; None for one of a start whose time nobody knew."""
        if moment.start == self._clock.machine.start:
            return self._clock.offset_us + moment.uptime_us
        start = next((one for one in self._ended if one.name == moment.start), None)
        return start.offset_us + moment.uptime_us if start is not None and start.known else None

    def least_age_us(self, moment: Moment) -> int:
        """How long ago a moment is at least, microseconds, by the machine's uptimes since; no clock is asked."""
        age = self._clock.machine.uptime_us()
        if moment.start == self._clock.machine.start:
            return age - moment.uptime_us
        for start in reversed(self._ended):
            if start.name == moment.start:
                return age + max(0, start.uptime_us - moment.uptime_us)
            age += start.uptime_us
        return age

    def note(self) -> None:
        """Write down what is known, if that is new or a minute old. A disk that does not take it is no matter."""
        now = self._now()
        old = self._written
        new = old is None or (now.offset_us, now.known) != (old.offset_us, old.known)
        if old is not None and not new and now.uptime_us - old.uptime_us < _INTERVAL_US:
            return
        text = json.dumps([asdict(start) for start in (*self._ended, now)])
        with contextlib.suppress(OSError):
            write_whole(self._file, text.encode(), sync=True)
            self._written = now

    def forget(self) -> None:
        """No frames are left that it could be needed for."""
        self._ended = []
        self._written = self._before = None
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)

    def _now(self) -> MachineStart:
        clock, before = self._clock, self._before
        known = clock.known
        # What an earlier program of this start knew is better than a clock of which nobody knows.
        offset_us = before.offset_us if before is not None and before.known and not known else clock.offset_us
        known = known or (before is not None and before.known)
        return MachineStart(clock.machine.start, offset_us, known, clock.machine.uptime_us())


def _read(file: Path) -> list[MachineStart]:
    try:
        return [
            MachineStart(str(one["name"]), int(one["offset_us"]), bool(one["known"]), int(one["uptime_us"]))
            for one in json.loads(file.read_bytes())
        ]
    except (OSError, ValueError, TypeError, KeyError):
        return []
