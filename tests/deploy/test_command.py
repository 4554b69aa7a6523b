"""The command of an installation: where it stands, as whom, and what it needs for a key press."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.installer.places import Places

NOBODY = 65534
_PROGRAM = '#!/bin/sh\necho "$PWD $ATTENDANCE_CONFIG ${ATTENDANCE_DATABASE_URL-none} $*"\ncat students.csv\n'
Type = Callable[..., "subprocess.CompletedProcess[str]"]


def installed(root: Path, *, as_user: str = "") -> Path:
    """The command, in front of a program that says where it is and what it was given."""
    places = Places(root)
    places.write("/opt/attendance/current/venv/bin/attendance", _PROGRAM, mode=0o755)
    places.write("/etc/attendance/secrets.env", 'ATTENDANCE_DATABASE_URL="mysql+pymysql://u:p%24x@h/d"\n', mode=0o600)
    command = places.fill("attendance-command", AS_USER=as_user)
    places.write("/usr/local/bin/attendance", command, mode=0o755)
    for folder in (root, *root.parents, *root.rglob("*")):  # for the other account
        if folder.is_dir() and folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | 0o055)
    return places.at("/usr/local/bin/attendance")


def run(command: Path, *words: str, cwd: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [command, *words], cwd=cwd, env={"PATH": os.environ["PATH"], **environ},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_paths_are_relative_to_where_one_stands(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "students.csv").write_text("240101,Jan Kowalski\n")
    done = run(installed(tmp_path / "root"), "import", "students", "students.csv", cwd=here)
    settings = tmp_path / "root" / "etc" / "attendance" / "attendance.toml"
    first, second = done.stdout.splitlines()
    assert first == f"{here} {settings} mysql+pymysql://u:p%24x@h/d import students students.csv"
    assert second == "240101,Jan Kowalski"
    assert done.stderr == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs as another account")
def test_a_file_that_the_account_may_not_read_is_named_with_what_to_do(tmp_path: Path) -> None:
    command = installed(tmp_path / "root", as_user=f"setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups ")
    here = tmp_path / "here"
    here.mkdir(mode=0o700)
    (here / "students.csv").write_text("240101,Jan Kowalski\n")
    done = run(command, "import", "students", "students.csv", cwd=here)
    assert "Jan Kowalski" not in done.stdout
    said = done.stderr.splitlines()[0]
    assert said == f"attendance: the account attendance, as which this runs, may not read {here / 'students.csv'}."
    (here / "import").touch(mode=0o600)
    here.chmod(0o755)
    (here / "students.csv").chmod(0o644)
    done = run(command, "import", "students", "students.csv", cwd=here)
    assert "Jan Kowalski" in done.stdout
    assert done.stderr == ""


def test_the_doctor_is_told_that_the_dashboard_has_a_secret_and_not_which(tmp_path: Path) -> None:
    command = installed(tmp_path / "root")
    places = Places(tmp_path / "root")
    places.write("/opt/attendance/current/venv/bin/attendance", "#!/bin/sh\nenv\n", mode=0o755)
    for words, secret, told in [
        ("doctor", "ATTENDANCE_OIDC_CLIENT_SECRET=hunter2\n", True),
        ("doctor", "ATTENDANCE_OIDC_CLIENT_SECRET=\n", False),
        ("index", "ATTENDANCE_OIDC_CLIENT_SECRET=hunter2\n", False),
    ]:
        places.write("/etc/attendance/web.env", f"ATTENDANCE_WEB_SECRET_KEY=key\n{secret}", mode=0o600)
        done = run(command, words, cwd=tmp_path)
        assert ("ATTENDANCE_OIDC_CLIENT_SECRET=(in web.env)" in done.stdout.splitlines()) is told
        assert "hunter2" not in done.stdout
        assert "ATTENDANCE_WEB_SECRET_KEY" not in done.stdout
        assert done.stderr == ""


def test_a_shell_that_completes_is_given_no_secret_and_needs_none(tmp_path: Path) -> None:
    command = installed(tmp_path / "root")
    (tmp_path / "students.csv").touch()
    (tmp_path / "root" / "etc" / "attendance" / "secrets.env").unlink()
    done = run(command, "x", cwd=tmp_path, _ATTENDANCE_COMPLETE="bash_complete")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{tmp_path}  none x")
    assert run(command, "x", cwd=tmp_path).returncode == 1
