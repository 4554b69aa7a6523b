"""A private MariaDB server, for tests and benchmarks."""

import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql


@dataclass
class MariaDb:
    """A private MariaDB server."""

    host: str
    port: int
    password: str
    command: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start it on its data. In a thread that lives long: the server ends with the thread that began it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stderr=log)

    def wait(self) -> None:
        """Wait until it answers."""
        assert self.process is not None
        _wait_until_answers(self, self.process, self.log)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it as an operator would, or with another signal."""
        assert self.process is not None
        self.process.send_signal(number)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def url(self, database: str) -> str:
        """The address of one of its databases, over TCP."""
        return f"mysql+pymysql://attendance:{self.password}@{self.host}:{self.port}/{database}"

    def connect(self) -> "pymysql.Connection[Any]":
        """A connection of its administrator; closed at the end of a `with`."""
        return pymysql.connect(host=self.host, port=self.port, user="attendance", password=self.password)

    def execute(self, *statements: str) -> None:
        """Run statements as its administrator."""
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


def find_program(names: list[str]) -> str | None:
    """The path of the first of these programs that is installed, also where only administrators look; or None."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return next((found for name in names if (found := shutil.which(name, path=path))), None)


def start_server(folder: Path, require_program: Callable[[list[str], str], str]) -> MariaDb:
    """Make a server's data in a folder and start it on a free port of loopback; it ends with this thread.

    Args:
        folder: for the data, the socket and the log.
        require_program: gives the path of the first of some programs, or ends with the Debian package that has it.

    Raises:
        RuntimeError: it was not made, or did not start.
    """
    server = require_program(["mariadbd"], "mariadb-server-core")
    install = require_program(["mariadb-install-db"], "mariadb-server-core")
    port, password = _free_port(), secrets.token_urlsafe(12)
    me = ["--user=root"] if os.geteuid() == 0 else []
    common = ["--no-defaults", f"--datadir={folder / 'data'}", *me]
    # Two at once get in each other's way; tests run in several processes.
    with (Path(tempfile.gettempdir()) / f"mariadb-install-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run([install, *common, "--skip-test-db"], check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{install} ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    setup = folder / "setup.sql"
    setup.write_text(
        f"CREATE USER IF NOT EXISTS attendance@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        "GRANT ALL ON *.* TO attendance@'127.0.0.1' WITH GRANT OPTION;\n"
    )
    options = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder / 'socket'}", "--skip-name-resolve"]
    options += [f"--pid-file={folder / 'pid'}", f"--init-file={setup}", "--innodb-buffer-pool-size=64M"]
    # The tests are about what is written, not about power cuts of this machine: nothing waits for the disk. Making the
    # tables takes a tenth of the time then.
    options += ["--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--innodb-log-file-size=16M"]
    options += ["--loose-innodb-flush-method=nosync", "--loose-innodb-doublewrite=0", "--loose-sync-frm=0"]
    # util-linux's setpriv: the server ends with this process, however that ends.
    with_us = [require_program(["setpriv"], "util-linux"), "--pdeathsig", "TERM"]
    own = MariaDb("127.0.0.1", port, password, [*with_us, server, *common, *options], folder / "log")
    own.begin()
    try:
        own.wait()
    except BaseException:
        own.stop()
        raise
    return own


def _wait_until_answers(server: MariaDb, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            server.execute("SELECT 1")
        except pymysql.err.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"MariaDB did not start: {log.read_text(errors='replace')[-2000:]}") from None
            time.sleep(0.1)
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
