"""Files for the account that runs the system, and nobody else, whatever umask the account has.

What programs keep is about people: encodings, names, attendance, tokens, pictures. Each program calls `keep_private`
first, so that what it or a library makes is owner-only; where a file may be there from before, or is made by a process
that is no program of ours, the functions below say it once more.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keep_private() -> None:
    """From now on this process and those that it starts make files and folders for their own account only."""
    os.umask(_OTHERS)


def make_private_folder(folder: Path) -> None:
    """Make a folder, and those above it, for this account only; one that is there is left as it is."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def group_may_read(folder: Path) -> int:
    """The permission bit of a folder's group to read in it; 0: its group may not, as of every folder that we make."""
    return folder.stat().st_mode & stat.S_IRGRP


def make_private_file(path: Path) -> None:
    """Make an empty file unless it is there; either way it is for this account only.

    SQLite gives the files that it lays beside a database the permissions of the database.

    Raises:
        OSError: it cannot be made or opened, or belongs to somebody else.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        if os.fstat(descriptor).st_mode & _OTHERS:
            os.fchmod(descriptor, PRIVATE_FILE)
    finally:
        os.close(descriptor)


def close_to_others(*paths: Path) -> None:
    """Take away what others may do with files that are there; those of another account are left as they are."""
    for path in paths:
        with suppress(FileNotFoundError, PermissionError):
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & _OTHERS:
                path.chmod(mode & ~_OTHERS)
