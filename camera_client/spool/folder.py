"""The folder of a camera's spool: bounded in bytes and in time, and whole whenever the program is killed.

One file a frame, whose name says when it was captured (`StoredFrame`), and which appears under it when it is complete.
What a power cut leaves of a file is told by the sum in its name. Files are not synced one by one: that would wear out a
memory card to save, after a power cut, the last half minute (Linux writes back what is 30 s old).
"""

import bisect
import hashlib
import os
import re
import shutil
import stat
import sys
import threading
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import structlog

from attendance.errors import AttendanceError
from camera_client.clock import CameraClock, Moment, microseconds, settled, time_at
from camera_client.frames import CapturedFrame
from camera_client.spool.starts import Starts
from camera_client.spool.stored import FoundName, StoredFrame, read_name, taken_bytes, write_whole
from camera_client.spool.thinning import frames_to_drop

_PART = ".part"
_LOCK = "lock"
_SPARE = 8
"""When there is no room, one part in so many is freed at once: to choose well costs more than to delete."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class SpoolError(AttendanceError):
    """There can be no spool in this folder; the message is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """How much may lie on disk, and for how long.

    Attributes:
        total_bytes: most that the frames take.
        free_bytes: least that stays free on the disk, whoever fills it.
        age_s: frames are deleted after so many seconds, by a clock that nobody can set.
    """

    total_bytes: int
    free_bytes: int
    age_s: float


def folder_of(parent: Path, camera: str) -> Path:
    """The folder of a camera's spool; names that differ never share one, whatever signs they contain."""
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", camera)[:40]
    return parent / f"{readable}-{hashlib.sha256(camera.encode()).hexdigest()[:8]}"


class Spool:
    """The frames in one folder. Safe to use from several threads; the folder belongs to one program at a time."""

    def __init__(self, folder: Path, limits: SpoolLimits, *, clock: CameraClock | None = None) -> None:
        """Take the folder over, with the frames that an earlier run left in it.

        Args:
            folder: made if it does not exist; only this user may read it from now on.
            limits: what it is bounded by.
            clock: says when frames were captured, and how old they are; this machine's unless given.

        Raises:
            SpoolError: the folder cannot be used, or another program uses it.
        """
        self._folder = folder
        self._limits = limits
        self.clock = CameraClock() if clock is None else clock
        self._opened_offset_us = self.clock.offset_us
        self._guard = threading.Lock()
        self._frames: list[StoredFrame] = []
        self._bytes = 0
        self._troubled = False
        self._looked_by = (False, 0)
        self._next_old_us = 0
        self.stored = 0
        """Frames stored by this program."""
        self.thinned = 0
        """Frames deleted to make room."""
        self.expired = 0
        """Frames deleted because of their age."""
        self.damaged = 0
        """Frames that could not be read back."""
        self.without_time = 0
        """Frames of before the machine's start, when nobody knew what time it was."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            self._lock = _locked(folder / _LOCK)
            self._starts = Starts(folder, self.clock)
        except OSError as error:
            raise SpoolError(f"the folder {folder} cannot be used: {error.strerror}") from None
        try:
            self._take_over()
        except OSError as error:
            self.close()
            raise SpoolError(f"the folder {folder} cannot be used: {error.strerror}") from None

    def __len__(self) -> int:
        """Frames on disk."""
        return len(self._frames)

    @property
    def taken_bytes(self) -> int:
        """What the frames take on disk."""
        return self._bytes

    def as_event(self) -> dict[str, object]:
        """The state as fields of a log event."""
        return {
            "spool_frames": len(self),
            "spool_bytes": self._bytes,
            "spool_stored": self.stored,
            "spool_thinned": self.thinned,
            "spool_expired": self.expired,
            "spool_damaged": self.damaged,
            "spool_without_time": self.without_time,
        }

    def keep(self, frame: CapturedFrame) -> bool:
        """Store a frame, at the cost of old ones if need be; False when the disk does not take it."""
        stored = self._to_store(frame)
        with self._guard:
            self._delete_old()
            try:
                problem = self._make_room(stored.taken_bytes)
                if problem is None:
                    write_whole(self._folder / stored.name, frame.jpeg)
            except OSError as error:
                problem = error.strerror or type(error).__name__
            if problem is not None:
                self._tell_trouble(problem)
                return False
            self._troubled = False
            self._add(stored)
            self._starts.note()
            self.stored += 1
        return True

    def read_oldest(self) -> tuple[StoredFrame, CapturedFrame] | None:
        """The frame captured first, which stays on disk; frames that are damaged are deleted on the way to it."""
        with self._guard:
            self._delete_old()
            while self._frames:
                stored = self._frames[0]
                jpeg = self._read(stored)
                if jpeg is not None:
                    captured_at = time_at(self._time_us(stored))
                    return stored, CapturedFrame(captured_at, jpeg, f"spooled {captured_at:%d %b %H:%M:%S}")
                self._delete_one(stored)
                self.damaged += 1
        return None

    def discard(self, stored: StoredFrame) -> None:
        """Delete a frame that is dealt with. One that is gone already is no matter."""
        with self._guard:
            self._delete_one(stored)

    def delete_old(self) -> None:
        """Delete the frames that have been here too long."""
        with self._guard:
            self._delete_old()
            if self._frames:
                self._starts.note()

    def close(self) -> None:
        """Let another program use the folder. The frames stay."""
        os.close(self._lock)

    def _take_over(self) -> None:
        nameless = 0
        for entry in sorted(os.scandir(self._folder), key=lambda entry: entry.name):
            path = Path(entry.path)
            if entry.name.endswith(_PART):  # its writer was killed
                path.unlink()
                continue
            found = read_name(entry.name)
            if found is None or not entry.is_file(follow_symlinks=False):
                continue
            stored = self._found(found, entry.stat(follow_symlinks=False))
            if stored is None:
                path.unlink()
                nameless += 1
                continue
            if found.moment is None:
                path = path.replace(self._folder / stored.name)  # its age counts from now on, at the latest
            self._add(stored)
        if nameless:
            self.without_time += nameless
            log.warning(
                "spooled_frames_without_time",
                deleted=nameless,
                advice="the machine was started again before a time server or the service told what time it was: NTP",
            )
        self._delete_old()

    def _found(self, name: FoundName, status: os.stat_result) -> StoredFrame | None:
        """A frame of an earlier program; None if nobody knew the time when it was captured."""
        moment = name.moment or self._of_earlier_version(status.st_mtime)
        place_us = name.captured_us if name.fixed else self._starts.time_us(moment)
        if place_us is None:
            return None
        return StoredFrame(name.captured_us, name.check, moment, name.fixed, taken_bytes(status.st_size), place_us)

    def _of_earlier_version(self, stored_at: float) -> Moment:
        """When a frame was stored that was kept without a moment; now, if the clock is not known to be right."""
        age_us = self.clock.now_us() - int(1e6 * stored_at) if self.clock.known else 0
        return Moment(self.clock.machine.start, self.clock.machine.uptime_us() - max(0, age_us))

    def _to_store(self, frame: CapturedFrame) -> StoredFrame:
        fixed = frame.moment is None
        moment = frame.moment or Moment(self.clock.machine.start, self.clock.machine.uptime_us())
        captured_us = microseconds(frame.captured_at)
        place_us = captured_us if fixed else self._opened_offset_us + moment.uptime_us
        size = taken_bytes(len(frame.jpeg))
        return StoredFrame(captured_us, zlib.crc32(frame.jpeg), moment, fixed, size, place_us)

    def _time_us(self, stored: StoredFrame) -> int:
        """When a frame was captured, by what is known now."""
        known = None if stored.fixed else self._starts.time_us(stored.moment)
        return stored.captured_us if known is None else settled(stored.captured_us, known)

    def _add(self, stored: StoredFrame) -> None:
        place = bisect.bisect_left(self._frames, stored.identity, key=_identity)
        if place < len(self._frames) and self._frames[place].identity == stored.identity:
            same = self._frames.pop(place)  # the same picture again
            self._bytes -= same.taken_bytes
            if same.name != stored.name:
                (self._folder / same.name).unlink(missing_ok=True)
        self._frames.insert(place, stored)
        self._bytes += stored.taken_bytes

    def _make_room(self, size: int) -> str | None:
        """Delete what the new frame needs, and what others need of the disk; why there is no room for it."""
        free = shutil.disk_usage(self._folder).free
        room = min(self._limits.total_bytes, self._bytes + free - self._limits.free_bytes)
        fits = size <= room
        aim = room - max(size, room // _SPARE) if fits else max(0, room)
        if self._bytes + (size if fits else 0) > room:
            self._thin(self._bytes - aim)
        if fits:
            return None
        if size > self._limits.total_bytes:
            return f"the frame has {size} bytes, the spool {self._limits.total_bytes} (spool_bytes)"
        return f"the disk has {free} bytes free, of which {self._limits.free_bytes} are to stay so (spool_free_bytes)"

    def _thin(self, excess: int) -> None:
        places = frames_to_drop(
            [stored.place_us for stored in self._frames], [stored.taken_bytes for stored in self._frames], excess
        )
        if places:
            self._delete([self._frames[place] for place in places])
            self.thinned += len(places)
            log.info("spool_thinned", deleted=len(places), frames=len(self._frames), bytes=self._bytes)

    def _delete_old(self) -> None:
        uptime_us = self.clock.machine.uptime_us()
        by = self.clock.known, self.clock.offset_us
        if by == self._looked_by and uptime_us < self._next_old_us:
            return
        most_us = int(1e6 * self._limits.age_s)
        ages = [(self._age_us(stored), stored) for stored in self._frames]
        old = [stored for age_us, stored in ages if age_us > most_us]
        if old:
            self._delete(old)
            self.expired += len(old)
            log.warning("spooled_frames_too_old", deleted=len(old), frames=len(self._frames))
        oldest_us = max((age_us for age_us, _ in ages if age_us <= most_us), default=0)
        self._looked_by, self._next_old_us = by, uptime_us + most_us - oldest_us

    def _age_us(self, stored: StoredFrame) -> int:
        """How old a frame is: by the machine's uptime, and by a clock that is known to be right if it was off since."""
        least = self._starts.least_age_us(stored.moment)
        then_us = self._starts.time_us(stored.moment)
        if stored.moment.start == self.clock.machine.start or then_us is None or not self.clock.known:
            return least
        return max(least, self.clock.now_us() - then_us)

    def _delete(self, those: Collection[StoredFrame]) -> None:
        gone = {stored.identity for stored in those}
        self._frames = [stored for stored in self._frames if stored.identity not in gone]
        for stored in those:
            self._forget(stored)

    def _delete_one(self, stored: StoredFrame) -> None:
        place = bisect.bisect_left(self._frames, stored.identity, key=_identity)
        if place < len(self._frames) and self._frames[place].identity == stored.identity:
            self._forget(self._frames.pop(place))

    def _forget(self, stored: StoredFrame) -> None:
        self._bytes -= stored.taken_bytes
        try:
            (self._folder / stored.name).unlink(missing_ok=True)
        except OSError as error:
            log.error("spooled_frame_not_deleted", file=stored.name, reason=error.strerror)
        if not self._frames:
            self._starts.forget()

    def _read(self, stored: StoredFrame) -> bytes | None:
        try:
            jpeg = (self._folder / stored.name).read_bytes()
        except OSError as error:
            log.warning("spooled_frame_skipped", file=stored.name, reason=error.strerror)
            return None
        if not jpeg or zlib.crc32(jpeg) != stored.check:
            log.warning("spooled_frame_skipped", file=stored.name, reason="it is not whole")
            return None
        return jpeg

    def _tell_trouble(self, reason: str) -> None:
        """Log the first of a row of failures."""
        if not self._troubled:
            log.error("frames_not_spooled", folder=str(self._folder), reason=reason)
        self._troubled = True


def _identity(stored: StoredFrame) -> tuple[int, int]:
    return stored.identity


def _locked(path: Path) -> int:
    """Lock a file for this program; the lock ends with it, however it ends.

    Raises:
        SpoolError: another program holds it.
        OSError: the file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, stat.S_IRUSR | stat.S_IWUSR)
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - only there

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - not on Windows

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        os.close(descriptor)
        raise SpoolError(f"another program that runs for this camera uses the folder {path.parent}") from None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
