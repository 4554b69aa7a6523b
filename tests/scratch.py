"""Where tests write: in memory where there is room. A pytest plugin.

Every commit of SQLite, and every table that MariaDB makes, waits for the disk. The tests make hundreds of databases; on
a disk that others use too, waiting for it took more time than the tests themselves.
"""

import os
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux keeps files in memory
NEEDED = 6 * 1024**3
"""Bytes that must be free in it, and in memory: a run's largest moment, with a reserve."""
_ROOT = "PYTEST_DEBUG_TEMPROOT"  # pytest's own name for where its temporary folders are


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Let `tmp_path` be in memory, unless somebody said where it is."""
    if _ROOT not in os.environ and has_room(MEMORY):
        os.environ[_ROOT] = str(MEMORY)


def has_room(folder: Path) -> bool:
    """Whether a folder is in memory, takes programs, and has room for a run."""
    try:
        state = os.statvfs(folder)
    except OSError:
        return False
    runs_programs = not state.f_flag & os.ST_NOEXEC
    return folder.is_mount() and runs_programs and min(state.f_bavail * state.f_frsize, _available()) >= NEEDED


def _available() -> int:
    """Bytes of memory that programs can still get: proc(5), MemAvailable."""
    lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
