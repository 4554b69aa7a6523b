"""A frame on disk: what its file's name says, so that it needs no other record."""

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from camera_client.clock import Moment

_NAME = re.compile(r"(-?[0-9]{1,18})-([0-9a-f]{8})(?:-([0-9a-f]{1,32})-(-?[0-9]{1,18})(r?))?\.jpg")
_FIXED = "r"
_BLOCK_BYTES = 4096
"""What file systems usually hand out at a time; a smaller file takes as much."""


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """A frame on disk.

    Attributes:
        captured_us: what the wall clock showed at its capture, microseconds since 1970, UTC.
        check: CRC-32 of the JPEG.
        moment: when it was captured, by a clock that nobody can set; of one whose time is fixed, when it was stored.
        fixed: its time is what `captured_us` says, as of a recording and of frames that earlier versions kept.
        taken_bytes: what it takes on disk.
        place_us: its place in the order of capture.
    """

    captured_us: int
    check: int
    moment: Moment
    fixed: bool
    taken_bytes: int
    place_us: int

    @property
    def name(self) -> str:
        """The name of its file."""
        kind = _FIXED if self.fixed else ""
        return f"{self.captured_us}-{self.check:08x}-{self.moment.start}-{self.moment.uptime_us}{kind}.jpg"

    @property
    def identity(self) -> tuple[int, int]:
        """What no other frame has, in the order of capture."""
        return self.place_us, self.check


@dataclass(frozen=True, slots=True)
class FoundName:
    """What the name of a file in a spool says. Files of before moments were noted have none."""

    captured_us: int
    check: int
    moment: Moment | None
    fixed: bool


def read_name(name: str) -> FoundName | None:
    """What the name of a file says; None of a file that is no frame."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    moment = None if match[3] is None else Moment(match[3], int(match[4]))
    return FoundName(int(match[1]), int(match[2], 16), moment, moment is None or match[5] == _FIXED)


def taken_bytes(size: int) -> int:
    """What a file of so many bytes takes on disk."""
    return -(-size // _BLOCK_BYTES) * _BLOCK_BYTES


def write_whole(path: Path, content: bytes, *, sync: bool = False) -> None:
    """Write a file for this user alone, which appears under its name when it is complete.

    Args:
        path: the file; the same with the suffix ".part" is used meanwhile.
        content: what it holds.
        sync: whether it is to survive a power cut from now on.

    Raises:
        OSError: the disk does not take it; nothing is left of it.
    """
    part = path.with_suffix(".part")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
            file.write(content)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
