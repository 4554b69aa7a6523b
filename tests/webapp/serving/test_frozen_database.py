"""A database that takes connections and says nothing: monitoring is told within two seconds, by `attendance web`."""

import fcntl
import select
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from attendance.database.access.links import PATH
from tests.webapp.running import environ_for, running_dashboard

WITHIN_S = 2.0
PENDING_BYTE = 0x40000000
"""Of the file; whoever holds it lets nobody begin to read: https://www.sqlite.org/src/file/src/os.h"""


@contextmanager
def frozen(server: Any) -> Iterator[None]:
    """MariaDB stopped by a signal: the system still takes connections for it."""
    server.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)


def asked(address: str) -> tuple[int, float]:
    """The status of the health page, and after how many seconds it came."""
    begun = time.monotonic()
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=30) as answer:  # noqa: S310 - our own address
            return answer.status, time.monotonic() - begun
    except urllib.error.HTTPError as error:
        error.close()
        return error.code, time.monotonic() - begun


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_a_frozen_mariadb(
    site_settings: Any, engine: sa.Engine, database_url: str, mariadb_server: Any, tmp_path: Any
) -> None:
    engine.dispose()
    environ = environ_for(site_settings, ATTENDANCE_DATABASE_URL=database_url, ATTENDANCE_WEB_SECRET_KEY="k" * 48)
    with running_dashboard(environ, tmp_path / "log") as address:
        assert asked(address)[0] == 200
        with frozen(mariadb_server):
            for _ in range(3):
                status, seconds = asked(address)
                assert (status, seconds < WITHIN_S) == (503, True), seconds
        assert asked(address)[0] == 200, "it goes on by itself"


@contextmanager
def pages_asked_for(address: str, many: int) -> Iterator[None]:
    """As many visitors as given wait for a page that needs the database."""
    host, port = address.removeprefix("http://").split(":")
    request = f"GET {PATH}?link=x HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    with ExitStack() as stack:
        visitors = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(many)]
        for visitor in visitors:
            visitor.sendall(request)
        answered, _, _ = select.select(visitors, [], [], 0.5)
        assert not answered, "they wait for the database"
        yield


def test_all_threads_wait_for_a_locked_file(site_settings: Any, tmp_path: Any) -> None:
    file = site_settings.data.directory / "attendance.db"
    environ = environ_for(site_settings, ATTENDANCE_WEB_THREADS="2")
    with running_dashboard(environ, tmp_path / "log") as address:
        assert asked(address)[0] == 200
        with file.open("r+b") as other:
            fcntl.lockf(other, fcntl.LOCK_EX, 1, PENDING_BYTE)
            with pages_asked_for(address, 6):
                status, seconds = asked(address)
        assert (status, seconds < WITHIN_S) == (503, True), seconds
        assert asked(address)[0] == 200, "it goes on by itself"


def test_a_locked_file(site_settings: Any, tmp_path: Any) -> None:
    file = site_settings.data.directory / "attendance.db"
    with running_dashboard(environ_for(site_settings), tmp_path / "log") as address:
        assert asked(address)[0] == 200
        with file.open("r+b") as other:
            fcntl.lockf(other, fcntl.LOCK_EX, 1, PENDING_BYTE)
            status, seconds = asked(address)
        assert (status, seconds < WITHIN_S) == (503, True), seconds
        assert asked(address)[0] == 200, "it goes on by itself"
