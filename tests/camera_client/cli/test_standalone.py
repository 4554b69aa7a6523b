"""The camera's program on a machine of its own: its questions, the file it keeps, and the service it installs."""

import os
import pty
import stat
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from camera_client.cli.service import UNIT_TEXT
from camera_client.cli.setup_file import write_setup

TOKEN = "cam_a-token-of-a-camera"
ANSWERS = {"server": "127.0.0.1:9", "name": 'hall-ä "1"', "token": TOKEN, "source": "C:\\films\\x.mp4"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home folder of an account that has nothing."""
    return tmp_path / "home"


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "camera_client.cli.standalone", *words]


def run(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """The program without a terminal."""
    return subprocess.run(
        command(*words), env=environment(home), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[3]), "LANG": "C.UTF-8"}


def in_terminal(home: Path, *words: str, typed: list[str]) -> tuple[int, str]:
    """The program in a terminal, where each answer is typed when it asks; gives its status and what was seen."""
    process, terminal = pty.fork()
    if process == 0:
        os.execve(sys.executable, command(*words), environment(home))  # noqa: S606 - no shell is wanted
    seen = ""
    waiting = list(typed)
    asked = 0
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            seen += os.read(terminal, 4096).decode(errors="replace")
        except OSError:  # the program has ended
            break
        if waiting and seen.rstrip().endswith(":") and len(seen) > asked:
            os.write(terminal, (waiting.pop(0) + "\n").encode())
            asked = len(seen)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), seen


def test_the_first_start_asks_and_keeps_the_answers_to_itself(home: Path) -> None:
    answers = ["no address", "127.0.0.1:50051", "hall-1", TOKEN, "0", ""]
    status, seen = in_terminal(home, "--setup", typed=answers)
    assert status == 0, seen
    assert "host:port is expected" in seen  # and it asked again
    assert TOKEN not in seen
    (file,) = home.rglob("camera.toml")
    assert tomllib.loads(file.read_text())["camera"] == {
        "server": "127.0.0.1:50051",
        "name": "hall-1",
        "token": TOKEN,
        "source": "0",
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_unencrypted_way_over_a_network_is_asked_about(home: Path) -> None:
    status, seen = in_terminal(home, "--setup", typed=["example.edu:50051", "hall-1", TOKEN, "0", "", "n"])
    assert status == 1
    assert "ask the administrator for the file of the certificate authority" in " ".join(seen.split())
    assert not list(home.rglob("camera.toml"))


def test_nobody_to_ask_is_one_sentence(home: Path) -> None:
    done = run(home)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: there is no ")
    assert "nobody to ask" in done.stderr


def test_what_was_kept_is_used_and_options_win(home: Path) -> None:
    file = home / "camera.toml"
    write_setup(file, dict(ANSWERS))
    assert tomllib.loads(file.read_text())["camera"] == ANSWERS
    done = run(home, "--config", str(file), "--source", str(home / "missing.mp4"), "--stop-at-end")
    assert done.returncode == 1
    assert "missing.mp4" in done.stderr
    assert TOKEN not in done.stderr + done.stdout


def test_a_file_with_a_wrong_setting_is_named(home: Path) -> None:
    home.mkdir()
    (home / "camera.toml").write_text("[camera]\nrate = -1\n")
    done = run(home, "--config", str(home / "camera.toml"))
    assert done.returncode == 2
    assert "ATTENDANCE_CAMERA_RATE" in done.stderr


def test_the_service_is_installed_into_another_systems_root_twice_alike(home: Path, tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("a certificate")
    write_setup(home / "camera.toml", {**ANSWERS, "tls_ca": str(authority)})
    root = tmp_path / "root"
    words = ("--config", str(home / "camera.toml"), "--install-service", "--service-root", str(root))
    done = run(home, *words)
    assert done.returncode == 0, done.stderr
    first = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert {str(path.relative_to(root)) for path in first} == {
        "usr/local/bin/attendance-camera",
        "etc/attendance-camera/camera.toml",
        "etc/systemd/system/attendance-camera.service",
        "etc/ssl/certs/attendance-camera-ca.pem",
    }
    kept = root / "etc/attendance-camera/camera.toml"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert tomllib.loads(kept.read_text())["camera"]["tls_ca"] == "/etc/ssl/certs/attendance-camera-ca.pem"
    assert os.access(root / "usr/local/bin/attendance-camera", os.X_OK)
    run(home, *words)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == first


@pytest.mark.parametrize("damaged", [b'[camera]\ntoken = "hunter2', b"\xff\xfe", b""])
def test_a_service_of_a_damaged_file_is_refused_and_nothing_is_installed(
    home: Path, tmp_path: Path, damaged: bytes
) -> None:
    home.mkdir()
    (home / "camera.toml").write_bytes(damaged)
    root = tmp_path / "root"
    done = run(home, "--config", str(home / "camera.toml"), "--install-service", "--service-root", str(root))
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr
    if damaged:
        assert done.returncode == 1
        assert done.stderr.startswith(f"Error: {home / 'camera.toml'} is damaged: ")
        assert not root.exists()


def test_a_service_without_settings_is_refused(home: Path, tmp_path: Path) -> None:
    done = run(home, "--install-service", "--service-root", str(tmp_path / "root"))
    assert done.returncode == 1
    assert "nobody to ask" in done.stderr


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path, require_program: Callable[[list[str], str], str]) -> None:
    analyze = require_program(["systemd-analyze"], "systemd")
    unit = tmp_path / "attendance-camera.service"
    unit.write_text(UNIT_TEXT.replace("/usr/local/bin/attendance-camera", "/bin/true"))
    done = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert str(unit) not in done.stderr
