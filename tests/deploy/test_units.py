"""systemd accepts the units, finds them well confined, and they start commands that there are."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from attendance.settings import load_settings
from deploy.installer.places import SOURCE, Places
from deploy.installer.site import write_units
from operations.cli.main import COMMANDS
from tests.deploy.units import Unit

UNITS = sorted(path.name for path in (SOURCE / "deploy" / "systemd").iterdir())
SERVICES = [name for name in UNITS if name.endswith(".service")]
LARGEST_EXPOSURE = 2.0
"""Of ten, as systemd counts: it calls 2 OK, and gives a service without any confinement 9.6."""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path)
    write_units(places)
    command = places.at("/opt/attendance/current/venv/bin/attendance")
    command.parent.mkdir(parents=True)
    command.symlink_to(Path(sys.prefix) / "bin" / "attendance")
    return places


def test_systemd_accepts_every_unit(places: Places, require_program: Callable[[list[str], str], str]) -> None:
    analyze = require_program(["systemd-analyze"], "systemd")
    files = [str(places.at(f"/etc/systemd/system/{name}")) for name in UNITS]
    done = subprocess.run([analyze, "verify", "--man=no", *files], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "attendance" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_is_confined(places: Places, name: str, require_program: Callable[[list[str], str], str]) -> None:
    analyze = require_program(["systemd-analyze"], "systemd")
    words = [analyze, "security", "--offline=true", "--no-pager", str(places.at(f"/etc/systemd/system/{name}"))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert exposure, done.stdout + done.stderr
    assert float(exposure[1]) <= LARGEST_EXPOSURE, done.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_starts_a_command_that_there_is(name: str) -> None:
    unit = Unit(SOURCE / "deploy" / "systemd" / name, "1")
    program, command, *rest = unit.command
    assert program == "/opt/attendance/current/venv/bin/attendance"
    assert command in COMMANDS
    words = [word for word in rest if not word.startswith(("-", "/")) and not word.isdigit()]
    done = subprocess.run(
        [sys.executable, "-m", "operations.cli", command, *words, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert all(word in done.stdout for word in rest if word.startswith("--"))


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_names_settings_that_there_are(name: str, tmp_path: Path) -> None:
    unit = Unit(SOURCE / "deploy" / "systemd" / name, "1")
    words = [(name, value) for name, _, value in (line.partition("=") for line in unit.values("Environment"))]
    config = tmp_path / "attendance.toml"
    config.touch()
    load_settings(dict(words) | {"ATTENDANCE_CONFIG": str(config)})
    assert unit.values("User") == ["attendance"]
    assert unit.values("EnvironmentFile")[0] == "/etc/attendance/secrets.env"


def test_services_have_outboxes_of_their_own() -> None:
    path = SOURCE / "deploy" / "systemd" / "attendance-serve@.service"
    outboxes = {line for number in "12" for line in Unit(path, number).values("Environment") if "OUTBOX" in line}
    assert len(outboxes) == 2


def test_the_dashboard_sees_no_encodings() -> None:
    unit = Unit(SOURCE / "deploy" / "systemd" / "attendance-web.service")
    assert unit.values("InaccessiblePaths") == ["-/var/lib/attendance/gallery"]


def test_only_the_worker_of_mail_is_given_the_password_of_the_mail_server() -> None:
    given = {name for name in SERVICES for file in _environment_files(name) if file == "-/etc/attendance/post.env"}
    assert given == {"attendance-post.service"}


def _environment_files(name: str) -> list[str]:
    return Unit(SOURCE / "deploy" / "systemd" / name, "1").values("EnvironmentFile")
