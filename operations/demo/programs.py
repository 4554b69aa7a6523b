"""Starting the demo's programs, waiting until they answer, and stopping them."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from attendance.errors import AttendanceError

_LAST_LINES = 15


class ProgramError(AttendanceError):
    """A program of the demo ended or did not answer; the message holds the end of its log."""


class Programs:
    """The programs of the demo; leaving the block stops them, last started first."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in reversed(self._running):
            self.stop(name)

    def start(self, name: str, arguments: list[str], environ: Mapping[str, str]) -> None:
        """Start `attendance ARGUMENTS` with its output in the log of that name."""
        with self._log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "operations.cli", *arguments],
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches the demo alone, which then stops the programs in their order.
                start_new_session=True,
            )

    def stop(self, name: str) -> None:
        """End a program as an operator would, and by force if it does not."""
        process = self._running[name]
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self, name: str) -> None:
        """End a program at once, as a power cut would."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def wait_until(self, ready: Callable[[], bool], what: str, *, timeout_s: float) -> None:
        """Wait until `ready()` is true.

        Raises:
            ProgramError: a program ended meanwhile with an error, or the time ran out.
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                ends = "\n".join(self._tail(name) for name in self._running)
                raise ProgramError(f"No answer in {timeout_s:.0f} s: {what}\n{ends}")
            time.sleep(0.2)

    def check(self) -> None:
        """Look whether every program runs or has ended well.

        Raises:
            ProgramError: one has ended with an error.
        """
        for name, process in self._running.items():
            if process.poll() not in (None, 0):
                raise ProgramError(
                    f"The {name} ended with exit status {process.returncode}. Its last lines:\n{self._tail(name)}"
                )

    def has_ended(self, name: str) -> bool:
        """Whether the program has ended."""
        return self._running[name].poll() is not None

    def _log(self, name: str) -> Path:
        return self._logs / f"{name.replace(' ', '-')}.log"

    def _tail(self, name: str) -> str:
        lines = self._log(name).read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {name}: {line}" for line in lines[-_LAST_LINES:])


def free_port(preferred: int) -> int:
    """Give `preferred` if nobody listens there on loopback, else a port that is free now."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ProgramError("No free port on 127.0.0.1")
