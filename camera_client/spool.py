"""Frames on disk while the service is away: bounded in bytes and in time, and whole whenever the program is killed.

One file a frame, `<capture time in microseconds since 1970>-<CRC-32>.jpg`, which appears under its name when it is
complete. What a power cut leaves of a file is told by the sum in its name. Files are not synced one by one: that would
wear out a memory card to save, after a power cut, the last half minute (Linux writes back what is 30 s old).
"""

import bisect
import contextlib
import hashlib
import os
import re
import shutil
import stat
import sys
import threading
import time
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from attendance.errors import AttendanceError
from camera_client.frames import CapturedFrame
from camera_client.thinning import frames_to_drop

_NAME = re.compile(r"(-?[0-9]{1,18})-([0-9a-f]{8})\.jpg")
_PART = ".part"
_LOCK = "lock"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BLOCK_BYTES = 4096
"""What file systems usually hand out at a time; a smaller file takes as much."""
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
        age_s: frames are deleted after so many seconds on disk.
    """

    total_bytes: int
    free_bytes: int
    age_s: float


@dataclass(frozen=True, slots=True, order=True)
class StoredFrame:
    """A frame on disk.

    Attributes:
        captured_us: capture time, microseconds since 1970, UTC.
        check: CRC-32 of the JPEG.
        taken_bytes: what it takes on disk.
        stored_at: when it was stored, seconds since 1970.
    """

    captured_us: int
    check: int
    taken_bytes: int
    stored_at: float

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.captured_us}-{self.check:08x}.jpg"

    @property
    def captured_at(self) -> datetime:
        """When it was captured, UTC."""
        return _EPOCH + timedelta(microseconds=self.captured_us)


def folder_of(parent: Path, camera: str) -> Path:
    """The folder of a camera's spool; names that differ never share one, whatever signs they contain."""
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", camera)[:40]
    return parent / f"{readable}-{hashlib.sha256(camera.encode()).hexdigest()[:8]}"


class Spool:
    """The frames in one folder. Safe to use from several threads; the folder belongs to one program at a time."""

    def __init__(self, folder: Path, limits: SpoolLimits, *, now: Callable[[], float] = time.time) -> None:
        """Take the folder over, with the frames that an earlier run left in it.

        Args:
            folder: made if it does not exist; only this user may read it from now on.
            limits: what it is bounded by.
            now: the clock, seconds since 1970.

        Raises:
            SpoolError: the folder cannot be used, or another program uses it.
        """
        self._folder = folder
        self._limits = limits
        self._now = now
        self._guard = threading.Lock()
        self._frames: list[StoredFrame] = []
        self._bytes = 0
        self._troubled = False
        self._looked_at = self._next_old_at = 0.0
        self.stored = 0
        """Frames stored by this program."""
        self.thinned = 0
        """Frames deleted to make room."""
        self.expired = 0
        """Frames deleted because of their age."""
        self.damaged = 0
        """Frames that could not be read back."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            self._lock = _locked(folder / _LOCK)
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
        }

    def keep(self, frame: CapturedFrame) -> bool:
        """Store a frame, at the cost of old ones if need be; False when the disk does not take it."""
        size = -(-len(frame.jpeg) // _BLOCK_BYTES) * _BLOCK_BYTES
        captured_us = (frame.captured_at - _EPOCH) // timedelta(microseconds=1)
        with self._guard:
            now = self._now()
            self._delete_old(now)
            stored = StoredFrame(captured_us, zlib.crc32(frame.jpeg), size, now)
            try:
                problem = self._make_room(size)
                if problem is None:
                    self._write(stored, frame.jpeg)
            except OSError as error:
                problem = error.strerror or type(error).__name__
            if problem is not None:
                self._tell_trouble(problem)
                return False
            self._troubled = False
            self._add(stored)
            self.stored += 1
        return True

    def read_oldest(self) -> tuple[StoredFrame, CapturedFrame] | None:
        """The frame captured first, which stays on disk; frames that are damaged are deleted on the way to it."""
        with self._guard:
            self._delete_old(self._now())
            while self._frames:
                stored = self._frames[0]
                jpeg = self._read(stored)
                if jpeg is not None:
                    return stored, CapturedFrame(
                        stored.captured_at, jpeg, f"spooled {stored.captured_at:%d %b %H:%M:%S}"
                    )
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
            self._delete_old(self._now())

    def close(self) -> None:
        """Let another program use the folder. The frames stay."""
        os.close(self._lock)

    def _take_over(self) -> None:
        for entry in sorted(os.scandir(self._folder), key=lambda entry: entry.name):
            if entry.name.endswith(_PART):  # its writer was killed
                Path(entry.path).unlink()
                continue
            match = _NAME.fullmatch(entry.name)
            if match is None or not entry.is_file(follow_symlinks=False):
                continue
            status = entry.stat(follow_symlinks=False)
            size = -(-status.st_size // _BLOCK_BYTES) * _BLOCK_BYTES
            self._add(StoredFrame(int(match[1]), int(match[2], 16), size, status.st_mtime))
        self._delete_old(self._now())

    def _add(self, stored: StoredFrame) -> None:
        place = bisect.bisect_left(self._frames, _identity(stored), key=_identity)
        if place < len(self._frames) and _identity(self._frames[place]) == _identity(stored):
            self._bytes -= self._frames.pop(place).taken_bytes  # the same picture again: its file was replaced
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
            [stored.captured_us for stored in self._frames], [stored.taken_bytes for stored in self._frames], excess
        )
        if places:
            self._delete([self._frames[place] for place in places])
            self.thinned += len(places)
            log.info("spool_thinned", deleted=len(places), frames=len(self._frames), bytes=self._bytes)

    def _delete_old(self, now: float) -> None:
        if self._looked_at <= now < self._next_old_at:
            return
        # A time in the future is that of a clock which was set back since; such a frame would never grow old.
        old = [stored for stored in self._frames if abs(now - stored.stored_at) > self._limits.age_s]
        if old:
            self._delete(old)
            self.expired += len(old)
            log.warning("spooled_frames_too_old", deleted=len(old), frames=len(self._frames))
        first = min((stored.stored_at for stored in self._frames), default=now)
        self._looked_at, self._next_old_at = now, first + self._limits.age_s

    def _delete(self, those: Collection[StoredFrame]) -> None:
        gone = {_identity(stored) for stored in those}
        self._frames = [stored for stored in self._frames if _identity(stored) not in gone]
        for stored in those:
            self._forget(stored)

    def _delete_one(self, stored: StoredFrame) -> None:
        place = bisect.bisect_left(self._frames, _identity(stored), key=_identity)
        if place < len(self._frames) and _identity(self._frames[place]) == _identity(stored):
            self._forget(self._frames.pop(place))

    def _forget(self, stored: StoredFrame) -> None:
        self._bytes -= stored.taken_bytes
        try:
            (self._folder / stored.name).unlink(missing_ok=True)
        except OSError as error:
            log.error("spooled_frame_not_deleted", file=stored.name, reason=error.strerror)

    def _write(self, stored: StoredFrame, jpeg: bytes) -> None:
        path = self._folder / stored.name
        part = path.with_suffix(_PART)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
            with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
                file.write(jpeg)
            os.utime(part, (stored.stored_at, stored.stored_at))
            part.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise

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
    return stored.captured_us, stored.check


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
