"""systemd accepts the units, finds them well confined, and they start commands that there are."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from attendance.settings import load_settings
from deploy.installer.answers import Answers
from deploy.installer.places import SOURCE, UNIT_USERS, USER, Places
from deploy.installer.site import write_egress, write_units
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


def test_every_unit_has_an_account_of_its_own() -> None:
    users = {name: _unit(name).values("User") for name in SERVICES}
    assert {name: found[0].removeprefix("attendance").removeprefix("-") for name, found in users.items()} == {
        "attendance-backup.service": "backup",
        "attendance-gallery.service": "",  # the operators' account, who work on the gallery, too
        "attendance-post.service": "post",
        "attendance-purge.service": "purge",
        "attendance-serve@.service": "serve",
        "attendance-web.service": "web",
    }
    made = {USER, *UNIT_USERS}
    assert {user for found in users.values() for user in found} == made, "the installer makes them"
    # The group of the gallery's account reads published indexes: recognition services belong to it and nobody else.
    groups = {name: _unit(name).values("Group") for name in SERVICES}
    assert {name for name, found in groups.items() if found == [USER]} == {
        "attendance-gallery.service",
        "attendance-serve@.service",
    }
    assert all(_unit(name).values("SupplementaryGroups") == [] for name in SERVICES)
    assert all(_unit(name).values("UMask") == ["0077"] for name in SERVICES)


def test_every_unit_keeps_its_files_in_a_folder_of_its_own() -> None:
    folders = {name: _unit(name).values("StateDirectory") for name in SERVICES}
    assert folders == {
        "attendance-backup.service": ["attendance/backups"],
        "attendance-gallery.service": ["attendance"],
        "attendance-post.service": ["attendance/post"],
        "attendance-purge.service": [],
        "attendance-serve@.service": ["attendance/serve"],
        "attendance-web.service": ["attendance/web"],
    }
    for name, (*found,) in folders.items():
        modes = _unit(name).values("StateDirectoryMode")
        assert modes == ([] if not found else ["0711"] if found == ["attendance"] else ["0700"])


def test_every_unit_is_given_its_own_secrets_only() -> None:
    database, web, post = (f"/etc/attendance/{name}.env" for name in ("secrets", "web", "post"))
    assert {name: _environment_files(name) for name in SERVICES} == {
        "attendance-backup.service": [database],
        "attendance-gallery.service": [database],
        "attendance-post.service": [database, web, f"-{post}"],
        "attendance-purge.service": [database],
        "attendance-serve@.service": [database, "/etc/attendance/serve-1.env"],
        "attendance-web.service": [database, web],
    }


def test_nothing_but_the_worker_of_mail_reaches_out() -> None:
    for name in SERVICES:
        rules = _unit(name).values("IPAddressDeny"), _unit(name).values("IPAddressAllow")
        assert rules == (([], []) if name == "attendance-post.service" else (["any"], ["localhost"])), name


def test_where_the_database_is_elsewhere_units_are_let_out_to_it(tmp_path: Path) -> None:
    places, folder = Places(tmp_path), tmp_path / "etc" / "systemd" / "system"
    write_egress(places, Answers(host="h", database=""))
    let_out = {
        path.parent.name.removesuffix(".d"): Unit(path).values("IPAddressDeny") for path in folder.rglob("*.conf")
    }
    confined = {name for name in SERVICES if _unit(name).values("IPAddressDeny")}
    assert let_out == {name: [""] for name in confined}, "an empty value takes the rule back"
    write_egress(places, Answers(host="h"))
    assert list(folder.rglob("*.conf")) == []


def test_services_have_outboxes_of_their_own() -> None:
    path = SOURCE / "deploy" / "systemd" / "attendance-serve@.service"
    outboxes = {line for number in "12" for line in Unit(path, number).values("Environment") if "OUTBOX" in line}
    assert len(outboxes) == 2


def test_units_that_need_no_encodings_see_none() -> None:
    for name in ("web", "post", "backup", "purge"):
        assert _unit(f"attendance-{name}.service").values("InaccessiblePaths") == ["-/var/lib/attendance/gallery"]


def _unit(name: str) -> Unit:
    return Unit(SOURCE / "deploy" / "systemd" / name, "1")


def _environment_files(name: str) -> list[str]:
    return _unit(name).values("EnvironmentFile")
