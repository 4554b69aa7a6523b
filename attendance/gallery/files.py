"""Files that appear whole or not at all, and folders that one writer at a time may change."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attendance.private_files import PRIVATE_FILE


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path` while the block runs, waiting for whoever holds it.

    The lock belongs to the process: killed, it lets go. The empty file stays behind. Not to be nested.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write_durably(path: Path, *parts: bytes | memoryview) -> None:
    """Write a file, of one part or several, for this account only and wait until the disk has it."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE_FILE)
    with os.fdopen(handle, "wb") as file:
        # The mode above counts for a new file only.
        os.fchmod(file.fileno(), PRIVATE_FILE)
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


def replace_durably(path: Path, data: bytes, *, mode: int = PRIVATE_FILE) -> None:
    """Put `data` in the place of a file at once: a reader, or a machine that lost power, finds the old or the new.

    The caller holds a lock: the new file is first written beside it under a fixed name, so that one left by a killed
    writer is overwritten by the next and no biometric data lie about.
    """
    new = _unfinished(path)
    try:
        write_durably(new, data)
        new.chmod(mode)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    sync(path.parent)


def remove_unfinished(path: Path) -> None:
    """Delete what a killed writer of this file left beside it; the caller holds the lock."""
    _unfinished(path).unlink(missing_ok=True)


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def sync(path: Path) -> None:
    """Wait until the disk has a file's contents, or the names in a folder."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sizes_of(folder: Path, names: Iterable[str]) -> dict[str, int]:
    """The size of each of these files, bytes.

    Raises:
        OSError: one is missing.
    """
    return {name: (folder / name).stat().st_size for name in names}


@contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock file `path` while the block runs, unless somebody else does; gives whether it is held."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
