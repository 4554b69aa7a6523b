"""Owner-only files: what each program makes, under umasks that would let everybody read it."""

import os
import sqlite3
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from attendance.database.engine import create_database_engine, current_revision, upgrade
from attendance.gallery.store import Store
from attendance.private_files import make_private_file
from attendance.settings.families import DLIB_MODEL
from operations.demo.programs import free_port
from tests.stores import write_store

PATIENCE_S = 60.0
MADE = {
    "attendance.db",
    "backups/*.sqlite",
    "gallery/index/CURRENT",
    "gallery/index/versions/*/encodings.npy",
    "gallery/index/versions/*/labels.json",
    "gallery/index/versions/*/manifest.json",
    "outbox.db",
    "web-secret-key",
    "trial/*.key",
    "trial/*.pem",
}
"""What the commands below leave, at least."""


class Installation:
    """Commands as programs of their own, under a umask."""

    def __init__(self, data: Path, umask: int) -> None:
        self.data = data
        self._umask = umask
        self.port = free_port(0)
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("ATTENDANCE_")} | {
            "ATTENDANCE_DATA_DIRECTORY": str(data),
            "ATTENDANCE_SERVICE_LISTEN": "127.0.0.1:0",
            "ATTENDANCE_SERVICE_METRICS_LISTEN": "off",
            "ATTENDANCE_WEB_LISTEN": f"127.0.0.1:{self.port}",
            "ATTENDANCE_ENGINE_CACHE": str(data / "no models here"),
        }

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "operations.cli", *words],
            env=self.environ,
            umask=self._umask,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str) -> str:
        with self.start(*words) as process:
            output, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, output
        return output

    def files(self) -> dict[str, int]:
        """Every file and folder, and what others may do with it."""
        return {
            str(path.relative_to(self.data)): stat.S_IMODE(path.stat().st_mode) & 0o077
            for path in self.data.rglob("*")
            if path.exists()
        }

    def run_until(self, ready: Callable[[], bool], *words: str) -> dict[str, int]:
        """The files while a command runs that only a signal ends."""
        with self.start(*words) as process:
            try:
                deadline = time.monotonic() + PATIENCE_S
                while not ready():
                    assert time.monotonic() < deadline
                    assert process.poll() is None, process.communicate()
                    time.sleep(0.1)
                return self.files()
            finally:
                process.kill()

    def answers(self) -> bool:
        """Whether the dashboard shows its first page."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/signin", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@pytest.mark.long("eight programs, one after the other")
@pytest.mark.parametrize("umask", [0o000, pytest.param(0o022, marks=pytest.mark.exhaustive)], ids=["000", "022"])
def test_everything_that_commands_make_is_for_the_owner_only(tmp_path: Path, umask: int) -> None:
    data = tmp_path / "data"
    site = Installation(data, umask)
    site.run("db", "upgrade")
    site.run("lecturer", "add", "--email", "ada@example.edu", "--name", "Ada", "--admin", "--generate")
    site.run("camera", "add", "front", "--room", "Hall", "--create-room")
    write_store(data / "gallery" / "encodings.pickle", Store({"1001": np.full((1, 128), 0.1)}, DLIB_MODEL))
    site.run("index", "build")
    site.run("db", "backup")
    site.run("tls", "make-test-ca", str(data / "trial"), "--host", "localhost")
    found = site.run_until((data / "outbox.db").exists, "serve")
    found |= site.run_until(site.answers, "web")
    assert {"attendance.db-wal", "attendance.db-shm", "outbox.db"} <= found.keys()
    assert [name for name, mode in (found | site.files()).items() if mode] == []
    assert [pattern for pattern in MADE if not list(data.glob(pattern))] == []


def test_a_database_that_others_could_read_is_closed_to_them_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "attendance.db"
    before = os.umask(0o000)
    try:
        engine = create_database_engine(f"sqlite:///{path}")
        upgrade(engine)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, "even where no program of ours set the umask"
        engine.dispose()
        path.chmod(0o644)
        with closing(sqlite3.connect(path)) as other:  # who opened it before keeps its log beside it
            other.execute("SELECT count(*) FROM student").fetchone()
            assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o644}
            assert current_revision(engine) is not None
            assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
        engine.dispose()
    finally:
        os.umask(before)


def test_a_private_file_keeps_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"kept")
    path.chmod(0o666)
    make_private_file(path)
    assert path.read_bytes() == b"kept"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
