"""Threads: their names, as the system knows them, and how long they wait for each other."""

import sys
import threading
from contextlib import suppress
from pathlib import Path

_LONGEST = 15
"""Bytes that Linux keeps of a name."""

SWITCH_S = 0.0005
"""Longest that a thread with Python's lock keeps others waiting. With Python's own 5 ms cores idle while an answer of
the engine waits for a thread that matches faces."""


def switch_soon() -> None:
    """Let the threads of this process take turns more often than Python's setting, as its networks need."""
    sys.setswitchinterval(SWITCH_S)


def name_thread(name: str) -> None:
    """Name the calling thread for `top -H`, perf and the benchmarks; threads that a library starts in it inherit it.

    Python itself tells the system no names before 3.14. Where there is no /proc, nothing happens.

    Args:
        name: of which the first 15 bytes are kept.
    """
    with suppress(OSError):
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_bytes(name.encode()[:_LONGEST])
