"""bash completes the command: groups without importing a room, and names of files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from operations.cli.main import COMMANDS, attendance

# What bash does when Tab is pressed; `complete` and `compopt` are asked to tell what they were told.
_PRESS_TAB = """
compopt() { echo "$2"; }
eval "$(_ATTENDANCE_COMPLETE=bash_source attendance)"
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
$(complete -p attendance | sed -E 's/.*-F ([^ ]+).*/\\1/') attendance
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def press_tab(tmp_path: Path):
    """`press_tab("camera", "ad")`: what bash offers for the last word."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    program = tmp_path / "attendance"
    program.write_text(f"#!{sys.executable}\nfrom operations.cli.main import main\nmain()\n")
    program.chmod(0o755)
    (tmp_path / "students.csv").touch()
    environ = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(Path(__file__).parents[3]),
        # A wrong setting and secrets that cannot be read do not matter to a key press.
        "ATTENDANCE_SERVICE_WINDOW": "0",
    }

    def press(*words: str) -> list[str]:
        done = subprocess.run(
            [bash, "--norc", "-c", _PRESS_TAB, "bash", "attendance", *words],
            env=environ, cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stderr == ""
        return done.stdout.split("\n")[:-1]

    return press


def test_bash_completes_commands_sub_commands_options_and_files(press_tab) -> None:
    assert press_tab("") == sorted(COMMANDS)
    assert press_tab("camera", "re") == ["remove", "revoke"]
    assert press_tab("db", "restore", "") == ["default", ""], "bash's own, names of files"


def test_completing_imports_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_WORDS", "attendance ")
    monkeypatch.setenv("COMP_CWORD", "1")
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    done = CliRunner().invoke(attendance, prog_name="attendance", env={"_ATTENDANCE_COMPLETE": "bash_complete"})
    assert [line.removeprefix("plain,") for line in done.stdout.splitlines()] == sorted(COMMANDS)


def test_a_part_that_is_not_installed_offers_nothing_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "webapp"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "flask", None)
    monkeypatch.setenv("COMP_WORDS", "attendance web zz")
    monkeypatch.setenv("COMP_CWORD", "2")
    done = CliRunner().invoke(attendance, prog_name="attendance", env={"_ATTENDANCE_COMPLETE": "bash_complete"})
    assert (done.exit_code, done.output) == (0, "\n")
