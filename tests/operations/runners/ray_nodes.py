"""A Ray cluster of two nodes on loopback, with a token, in processes that are ended with all that they started."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HEAD, OTHER = "127.0.0.2", "127.0.0.3"
_OBJECTS = 100_000_000
"""Bytes of each node's store of objects; the least that Ray takes is 75 MB."""
_START_S = 90.0


class Nodes:
    """Two nodes. `kill` one, `start` one."""

    def __init__(self, folder: Path, *, client: bool = False) -> None:
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.token = secrets.token_urlsafe(32)
        self.port, self._client_port = _free_port(HEAD), _free_port("127.0.0.1")
        self._client = client

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.token,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_automatic_object_spilling_enabled": "0",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
        }

    @property
    def on(self) -> str:
        """As the option of the command."""
        return f"ray://{HEAD}:{self._client_port}" if self._client else f"ray:{HEAD}:{self.port}"

    def start(self, address: str, *, processors: int = 1, environment: Mapping[str, str] | None = None) -> None:
        """Start a node, the head first."""
        words = ["start", "--block", "--disable-usage-stats", f"--node-ip-address={address}"]
        words += [f"--num-cpus={processors}", f"--object-store-memory={_OBJECTS}"]
        if address == HEAD:
            words += ["--head", f"--port={self.port}", "--include-dashboard=false", f"--temp-dir={self._folder}"]
            words += [f"--ray-client-server-port={self._client_port}"] if self._client else []
        else:
            words += [f"--address={HEAD}:{self.port}"]
        with (self._folder / f"{address}.log").open("wb") as log:
            self._processes[address] = subprocess.Popen(
                [sys.executable, "-c", "from ray.scripts.scripts import main; main()", *words],
                env={**self.environment, **(environment or {})},
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_for(address)

    def _wait_for(self, address: str) -> None:
        log = self._folder / f"{address}.log"
        until = time.monotonic() + _START_S
        while b"Ray runtime started" not in log.read_bytes():
            if time.monotonic() > until or self._processes[address].poll() is not None:
                raise RuntimeError(f"the node {address} does not start:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.2)

    def kill(self, address: str) -> None:
        """Kill a node with all that it started, as a power cut would."""
        process = self._processes.pop(address)
        session = process.pid
        for pid in [*of_session(session), session]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(30)
        until = time.monotonic() + 20
        while of_session(session) and time.monotonic() < until:
            time.sleep(0.1)

    def close(self) -> None:
        for address in list(self._processes):
            self.kill(address)


@contextmanager
def two_nodes(*, client: bool = False, processors: int = 1) -> Iterator[Nodes]:
    """The cluster, for as long as the block lasts; nothing of it stays, on the disk or in memory."""
    pytest.importorskip("ray", reason="Ray is not installed (extra ray; `make install-dev` brings it)")
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # paths of Unix sockets are short
    nodes = Nodes(folder, client=client)
    try:
        nodes.start(HEAD, processors=processors)
        nodes.start(OTHER, processors=processors)
        yield nodes
    finally:
        nodes.close()
        shutil.rmtree(folder, ignore_errors=True)


def of_session(session: int) -> list[int]:
    """The processes of a session: Ray's are of that of `ray start`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(ProcessLookupError, PermissionError):
                if os.getsid(int(entry.name)) == session:
                    found.append(int(entry.name))
    return found


def _free_port(address: str) -> int:
    with socket.socket() as one:
        one.bind((address, 0))
        return int(one.getsockname()[1])
