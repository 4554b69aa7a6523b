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
import trustme

ROOT = Path(__file__).parents[3]
HEAD, OTHER, THIRD, FOURTH = (f"127.0.0.{number}" for number in range(2, 6))
_OBJECTS = 100_000_000
"""Bytes of each node's store of objects; the least that Ray takes is 75 MB."""
_START_S = 90


class NodeError(Exception):
    """A node does not start; what it said."""


class Certificates:
    """An authority of the cluster, and what Ray is told of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()

    def environment(self, address: str) -> dict[str, str]:
        """Of a machine at an address: its certificate and key."""
        own = self._authority.issue_cert(address, "127.0.0.1", "localhost")
        names = {part: self._folder / f"{address}.{part}" for part in ("cert", "key", "authority")}
        own.cert_chain_pems[0].write_to_path(names["cert"])
        own.private_key_pem.write_to_path(names["key"])
        self._authority.cert_pem.write_to_path(names["authority"])
        return {
            "RAY_USE_TLS": "1",
            "RAY_TLS_SERVER_CERT": str(names["cert"]),
            "RAY_TLS_SERVER_KEY": str(names["key"]),
            "RAY_TLS_CA_CERT": str(names["authority"]),
        }


class Nodes:
    """Nodes, two at first. `kill` one, `start` one."""

    def __init__(self, folder: Path, *, client: bool = False, tls: bool = False, mode: str = "token") -> None:
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.token = secrets.token_urlsafe(32)
        self.port, self._client_port = _free_port(HEAD), _free_port("127.0.0.1")
        self._client = client
        self._mode = mode
        self.certificates = Certificates(folder) if tls else None

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "RAY_AUTH_MODE": self._mode,
            "RAY_AUTH_TOKEN": self.token,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": str(_START_S),  # of a client's own server; 30 by itself
            "RAY_automatic_object_spilling_enabled": "0",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
        }

    @property
    def head(self) -> str:
        """The head's address, which takes no clients."""
        return f"ray:{HEAD}:{self.port}"

    @property
    def on(self) -> str:
        """As the option of the command."""
        return f"ray://{HEAD}:{self._client_port}" if self._client else self.head

    def environment_of(self, address: str) -> dict[str, str]:
        """Of a node, or of a program at its address."""
        secured = {} if self.certificates is None else self.certificates.environment(address)
        return {**self.environment, **secured}

    def stranger(self) -> Certificates:
        """An authority that the cluster does not know."""
        folder = self._folder / "stranger"
        folder.mkdir(exist_ok=True)
        return Certificates(folder)

    def half_a_stranger(self, stranger: Certificates) -> dict[str, str]:
        """Of a program that trusts the cluster, and has a certificate that the cluster does not know."""
        authority = "RAY_TLS_CA_CERT"
        return stranger.environment(HEAD) | {authority: self.environment_of(HEAD)[authority]}

    def start(
        self,
        address: str,
        *,
        processors: int = 1,
        environment: Mapping[str, str] | None = None,
        wait: bool = True,
    ) -> None:
        """Start a node, the head first.

        Args:
            address: of it, on loopback.
            processors: that it says it has.
            environment: of it alone.
            wait: until it has started.

        Raises:
            NodeError: it does not start.
        """
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
                env={**self.environment_of(address), **(environment or {})},
                cwd=self._folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if wait:
            self._wait_for(address)

    def has_started(self, address: str) -> bool:
        """Whether a node says that it is one of the cluster's."""
        return b"Ray runtime started" in (self._folder / f"{address}.log").read_bytes()

    def _wait_for(self, address: str) -> None:
        log = self._folder / f"{address}.log"
        until = time.monotonic() + _START_S
        while not self.has_started(address):
            if time.monotonic() > until or self._processes[address].poll() is not None:
                raise NodeError(f"the node {address} does not start:\n{log.read_text(errors='replace')[-3000:]}")
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
def two_nodes(*, client: bool = False, processors: int = 1, tls: bool = False, mode: str = "token") -> Iterator[Nodes]:
    """The cluster, for as long as the block lasts; nothing of it stays, on the disk or in memory.

    Args:
        client: whether the head has a server of Ray's clients.
        processors: that each node says it has.
        tls: whether they speak it.
        mode: whom they let in, as Ray's RAY_AUTH_MODE.
    """
    pytest.importorskip("ray", reason="Ray is not installed (extra ray; `make install-dev` brings it)")
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # paths of Unix sockets are short
    nodes = Nodes(folder, client=client, tls=tls, mode=mode)
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
