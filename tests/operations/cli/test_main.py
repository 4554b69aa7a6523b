"""The command itself: it imports a room only when asked, and says what is missing or wrong in one sentence."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from operations.cli.camera import _COMMANDS as CAMERA_COMMANDS
from operations.cli.main import COMMANDS, attendance

_HELP = """
import sys
from operations.cli.main import attendance
attendance.main(["--help"], standalone_mode=False)
rooms = {"camera_client", "database", "demo", "face_engine", "index_builder", "recognition_service", "webapp"}
print("loaded:", sorted({name.split(".")[0] for name in sys.modules} & (rooms | {"numpy", "sqlalchemy", "grpc"})))
"""


def test_help_imports_no_room() -> None:
    done = subprocess.run([sys.executable, "-c", _HELP], capture_output=True, text=True, check=True)
    assert "loaded: []" in done.stdout
    for name in COMMANDS:
        assert name in done.stdout


@pytest.mark.parametrize("words", [*[(name,) for name in COMMANDS], *[("camera", name) for name in CAMERA_COMMANDS]])
def test_every_command_has_help(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(attendance, [*words, "--help"])
    assert done.exit_code == 0, done.output
    assert "Usage" in done.output


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "webapp"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "flask", None)
    done = CliRunner().invoke(attendance, ["web"])
    assert done.exit_code == 1
    assert "`attendance web` needs the package flask: the dashboard (extra web) is not installed" in done.output
    assert "`make install`" in done.output
    assert "pip install" not in done.output


def test_a_wrong_setting_is_a_sentence_and_status_2() -> None:
    environ = os.environ | {"ATTENDANCE_SERVICE_MAX_BATCH": "0"}
    command = [sys.executable, "-m", "operations.cli", "config"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 2
    assert "ATTENDANCE_SERVICE_MAX_BATCH" in done.stderr
    assert "Traceback" not in done.stderr
