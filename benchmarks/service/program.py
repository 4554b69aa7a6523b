"""The service as a program that is started, watched and stopped."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from operations.demo.programs import free_port

_PATIENCE_S = 120.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Service:
    """`attendance serve` with its own log file; leaving the block stops it."""

    def __init__(self, environ: dict[str, str], log: Path) -> None:
        """Say how it is set.

        Args:
            environ: settings, besides the addresses.
            log: where its output goes.
        """
        self.address = f"127.0.0.1:{free_port(0)}"
        self._metrics = f"127.0.0.1:{free_port(0)}"
        self._log = log
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ATTENDANCE_")}
        self._environ = clean | environ
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
                raise SystemExit(f"The service did not start:\n{self._log.read_text(errors='replace')}")
            time.sleep(0.1)
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(_PATIENCE_S)

    @property
    def cpu_s(self) -> float:
        """Processor time that it and its children took until now, seconds."""
        return sum(_cpu_s(pid) for pid in self._pids())

    @property
    def memory_mib(self) -> float:
        """Memory of its own that is resident now; files that are mapped do not count."""
        return sum(_own_memory_mib(pid) for pid in self._pids())

    def engine_s(self) -> float:
        """How long batches were in the engine until now, seconds."""
        return self.total("attendance_stage_seconds_sum", stage="engine")

    def total(self, name: str, **labels: str) -> float:
        """The sum of what the service's metrics say under a name now, with these labels."""
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


def own_cpu_s() -> float:
    """Processor time of this process's ended children, seconds."""
    times = os.times()
    return times.children_user + times.children_system


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _own_memory_mib(pid: int) -> float:
    found = re.search(r"RssAnon:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0
