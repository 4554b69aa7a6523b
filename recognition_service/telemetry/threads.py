"""Names of threads, as the system knows them."""

import threading
from contextlib import suppress
from pathlib import Path

_LONGEST = 15
"""Bytes that Linux keeps of a name."""


def name_thread(name: str) -> None:
    """Name the calling thread for `top -H`, perf and the benchmarks; threads that a library starts in it inherit it.

    Python itself tells the system no names before 3.14. Where there is no /proc, nothing happens.

    Args:
        name: of which the first 15 bytes are kept.
    """
    with suppress(OSError):
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_bytes(name.encode()[:_LONGEST])
