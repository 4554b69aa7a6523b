"""Threads are known to the system by their names."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from recognition_service.telemetry.threads import name_thread


def test_a_thread_has_the_name_of_its_work() -> None:
    with ThreadPoolExecutor(1, initializer=name_thread, initargs=("a name longer than Linux keeps",)) as pool:
        assert pool.submit(Path("/proc/thread-self/comm").read_text).result() == "a name longer t\n"
