"""The service as a program that is started, watched and stopped; and several of them, as on a large machine."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from prometheus_client.parser import text_string_to_metric_families

from attendance.face_engine.runtimes.runtime import usable_cores
from operations.demo.programs import free_port
from recognition_service.evidence import timetable
from recognition_service.outbox import committer

_PATIENCE_S = 120.0
_TICKS = os.sysconf("SC_CLK_TCK")
_STAGES = {
    "decode": "decoding",
    "face-engine": "engine",
    "flow": "matching and storing",
    "lookup": "database",
    committer.NAME: "database",
    timetable.NAME: "database",
    "cameras": "database",
    "erasures": "database",
    "health": "database",
}
"""What threads do, by the beginnings of their names; the rest is gRPC's own and the libraries'."""
LOOP, OTHERS = "event loop", "gRPC and others"


class Programs(Protocol):
    """What a benchmark asks of one service or of several."""

    @property
    def addresses(self) -> Sequence[str]:
        """Where cameras reach them; a camera always the same."""

    @property
    def cpu_s(self) -> float:
        """Processor time that they and their children took until now, seconds."""

    @property
    def memory_mib(self) -> float:
        """Memory of their own that is resident now; files that are mapped do not count."""

    def cpu_by_stage(self) -> Mapping[str, float]:
        """The processor time by what the threads do that took it; those that have ended count for nothing."""

    def total(self, name: str, **labels: str) -> float:
        """A number of the metrics, e.g. attendance_faces_total, 0 where it is not there."""


class Service:
    """`attendance serve` with its own log file; leaving the block stops it."""

    def __init__(self, environ: Mapping[str, str], log: Path) -> None:
        """Say how it is set.

        Args:
            environ: settings, besides the addresses.
            log: where its output goes.
        """
        self.address = f"127.0.0.1:{free_port(0)}"
        self._metrics = f"127.0.0.1:{free_port(0)}"
        self._log = log
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ATTENDANCE_")}
        self._environ = {**clean, **environ}
        self._environ |= {
            "ATTENDANCE_SERVICE_LISTEN": self.address,
            "ATTENDANCE_SERVICE_METRICS_LISTEN": self._metrics,
            "ATTENDANCE_LOG_LEVEL": "warning",
        }

    def __enter__(self) -> "Service":
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "operations.cli", "serve"],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until = time.monotonic() + _PATIENCE_S
        while "listens on" not in self._log.read_text(errors="replace"):
            if self._process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                raise SystemExit(f"The service did not start:\n{self._log.read_text(errors='replace')}")
            time.sleep(0.1)
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(_PATIENCE_S)

    @property
    def addresses(self) -> Sequence[str]:
        """Its one address."""
        return [self.address]

    @property
    def pid(self) -> int:
        """Of its process, e.g. for a profiler."""
        return self._process.pid

    @property
    def cpu_s(self) -> float:
        """See `Programs`."""
        return sum(cpu_s(pid) for pid in self._pids())

    @property
    def memory_mib(self) -> float:
        """See `Programs`."""
        return sum(_own_memory_mib(pid) for pid in self._pids())

    def cpu_by_stage(self) -> Counter[str]:
        """See `Programs`."""
        stages: Counter[str] = Counter()
        for pid in self._pids():
            for task in Path(f"/proc/{pid}/task").iterdir():
                try:
                    name, seconds = (task / "comm").read_text().strip(), cpu_s(pid, task=task.name)
                except FileNotFoundError:  # the thread has ended meanwhile
                    continue
                stages[LOOP if task.name == str(self.pid) else stage_of(name)] += seconds
        return stages

    def engine_s(self) -> float:
        """How long batches were in the engine until now, seconds."""
        return self.total("attendance_stage_seconds_sum", stage="engine")

    def total(self, name: str, **labels: str) -> float:
        """See `Programs`."""
        with urllib.request.urlopen(f"http://{self._metrics}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def _pids(self) -> list[int]:
        pids = [self._process.pid]
        for pid in pids:  # grows while it is walked
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                pids.extend(int(child) for child in children.read_text().split())
        return pids


class Fleet:
    """Several services on one machine, each with its part of the cores, as `attendance-serve@1`, `@2` and so on are."""

    def __init__(self, environ: Mapping[str, str], folder: Path, count: int) -> None:
        """Say how they are set.

        Args:
            environ: settings, besides what each has of its own.
            folder: for their logs and outboxes.
            count: how many.
        """
        own = {"ATTENDANCE_ENGINE_THREADS": str(engine_threads(count))}
        self.services = [
            Service(
                {**environ, **own, "ATTENDANCE_SERVICE_OUTBOX": str(folder / f"outbox-{number}.db")},
                folder / f"service-{number}.log",
            )
            for number in range(1, count + 1)
        ]
        self._started = ExitStack()

    def __enter__(self) -> "Fleet":
        with ExitStack() as started:
            for service in self.services:
                started.enter_context(service)
            self._started = started.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._started.close()

    @property
    def addresses(self) -> Sequence[str]:
        """See `Programs`."""
        return [service.address for service in self.services]

    @property
    def cpu_s(self) -> float:
        """See `Programs`."""
        return sum(service.cpu_s for service in self.services)

    @property
    def memory_mib(self) -> float:
        """See `Programs`."""
        return sum(service.memory_mib for service in self.services)

    def cpu_by_stage(self) -> Counter[str]:
        """See `Programs`."""
        return sum((service.cpu_by_stage() for service in self.services), Counter())

    def total(self, name: str, **labels: str) -> float:
        """See `Programs`."""
        return sum(service.total(name, **labels) for service in self.services)


def stage_of(thread: str) -> str:
    """What a thread of a service does, by its name as the system knows it; the first thread is the event loop's."""
    return next((stage for start, stage in _STAGES.items() if thread.startswith(start)), OTHERS)


def engine_threads(count: int) -> int:
    """What gives each of so many services its part of the cores; 0, the setting's default: one takes all of them."""
    return max(1, usable_cores() // count) if count > 1 else 0


def cpu_s(pid: int, *, task: str = "") -> float:
    """Processor time of a process, or of one of its threads, until now, seconds.

    Raises:
        FileNotFoundError: it has ended.
    """
    folder = Path(f"/proc/{pid}") / (f"task/{task}" if task else ".")
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _own_memory_mib(pid: int) -> float:
    found = re.search(r"RssAnon:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0
