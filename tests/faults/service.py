"""`attendance serve` as a program that faults are done to."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from operations.demo.programs import free_port
from tests.faults.faces import UPSAMPLE

PATIENCE_S = 120.0
_POOLS_OWN = "Exception during reset or similar"
"""SQLAlchemy's word for a connection that it gives up, because its server was killed."""


class ServiceProgram:
    """The service, started, killed and started again on one address. Its log is kept over all its lives."""

    def __init__(self, folder: Path, database_url: str, index: Path, **settings: str) -> None:
        self.address = f"127.0.0.1:{quiet_port()}"
        self.metrics_address = f"127.0.0.1:{quiet_port()}"
        self.lines: list[str] = []
        self.lives = 0
        self._environ = self.environment() | {
            "ATTENDANCE_DATA_DIRECTORY": str(folder),
            "ATTENDANCE_DATABASE_URL": database_url,
            "ATTENDANCE_GALLERY_INDEX": str(index),
            "ATTENDANCE_ENGINE_UPSAMPLE": str(UPSAMPLE),
            "ATTENDANCE_SERVICE_LISTEN": self.address,
            "ATTENDANCE_SERVICE_METRICS_LISTEN": self.metrics_address,
            "ATTENDANCE_SERVICE_MAX_DELAY_MS": "0",
            "ATTENDANCE_SERVICE_MAX_CLOCK_BEHIND_S": "2400",  # lessons of tests began half an hour ago
            "ATTENDANCE_SERVICE_TIMETABLE_REFRESH_S": "0.5",
            "ATTENDANCE_SERVICE_CLOSE_INTERVAL_S": "1",
            "ATTENDANCE_MATCHING_PRESENTATION": "off",  # its cameras show pictures
            "ATTENDANCE_LOG_FORMAT": "json",
            **settings,
        }
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @staticmethod
    def environment(**settings: str) -> dict[str, str]:
        """The environment with these settings, and without any from outside."""
        return {name: value for name, value in os.environ.items() if not name.startswith("ATTENDANCE_")} | settings

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def begin(self, prefix: Sequence[str] = ()) -> None:
        """Start it, not waiting until it serves."""
        self.lives += 1
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "operations.cli", "serve"],
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    async def start(self, prefix: Sequence[str] = ()) -> None:
        """Start it and wait until it serves."""
        said = len(self.lines)
        self.begin(prefix)
        async with asyncio.timeout(PATIENCE_S):
            while not any("listens on" in line for line in self.lines[said:]):
                assert self.running, "".join(self.lines[said:])
                await asyncio.sleep(0.02)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._join()

    async def terminate(self) -> int:
        """End it as systemd would; gives its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        status = await asyncio.to_thread(self._process.wait, PATIENCE_S)
        self._join()
        return status

    def events(self, name: str) -> list[dict[str, Any]]:
        """Log events of a name."""
        return [event for line in tuple(self.lines) if (event := _event(line)).get("event") == name]

    def surprises(self) -> list[str]:
        """Lines of the log that tell of something nobody thought of."""
        unknown = ("frame_failed", "evidence_failed", "call_failed", "committer_failed", "watch_failed")
        return [
            line
            for line in tuple(self.lines)
            if _event(line).get("event") in unknown or ("Traceback" in line and _POOLS_OWN not in line)
        ]

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with process.stdout:
            self.lines.extend(process.stdout)

    def _join(self) -> None:
        assert self._reader is not None
        self._reader.join(PATIENCE_S)


def quiet_port() -> int:
    """A free port below those that Linux gives to clients, so that none takes it while the service is down."""
    chance = random.SystemRandom()
    return next(port for port in iter(lambda: chance.randrange(20_000, 32_000), None) if free_port(port) == port)


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
