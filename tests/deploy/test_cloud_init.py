"""The user data for a cloud's machine: what differs is asked for, and what is forgotten is refused and named."""

import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.installer.answers import parse
from tests.deploy.machine import SOURCE, run_installer

FOLDER = SOURCE / "deploy" / "cloud-init"
ANSWERS = {
    "repository": "git@git.example.edu:it/attendance.git",
    "host": "attendance.example.edu",
    "institution": "Queen's & King's | \\ \"College\": #1",
    "timezone": "Africa/Nairobi",
    "admin": "operator@example.edu",
}


def made(*lines: str) -> "subprocess.CompletedProcess[str]":
    """What the script prints for answers that are typed."""
    text = "".join(f"{line}\n" for line in lines)
    return subprocess.run([FOLDER / "make"], input=text, capture_output=True, text=True, check=False)


def installer_words(user_data: str) -> list[str]:
    """The options with which the installer would be run on the new machine."""
    document = yaml.safe_load(user_data)
    shell, option, script = document["runcmd"][1]
    assert (shell, option) == ("sh", "-c")
    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0
    words = shlex.split(script)
    return words[words.index("/opt/attendance/source/deploy/install") + 1 :]


def test_answers_arrive_as_they_were_typed() -> None:
    done = made(*ANSWERS.values())
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("#cloud-config\n")
    given = vars(parse(installer_words(done.stdout)))
    assert {name: given[name] for name in ("host", "institution", "timezone", "admin")} == {
        name: value for name, value in ANSWERS.items() if name != "repository"
    }
    assert f"git clone '{ANSWERS['repository']}'" in done.stdout


def test_a_wrong_answer_is_asked_for_again() -> None:
    _, host, *others = ANSWERS.values()
    done = made("two words", "https://git.example.edu/a.git", "no host", host, others[0], "UTC", *others[1:])
    assert done.returncode == 0
    assert "a zone such as Europe/Warsaw; Etc/UTC, if its clocks show UTC" in done.stderr
    assert "'https://git.example.edu/a.git'" in done.stdout


def test_nothing_is_printed_of_half_the_answers() -> None:
    done = made(ANSWERS["repository"])
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize("forgotten", ["host", "institution", "timezone", "admin"])
def test_a_word_that_was_not_replaced_is_refused(tmp_path: Path, forgotten: str) -> None:
    given = vars(parse(installer_words((FOLDER / "attendance.yaml").read_text())))
    words = {
        name: given[name] if name == forgotten else ANSWERS[name]
        for name in ("host", "institution", "timezone", "admin")
    }
    done = run_installer("--root", tmp_path, *(f"--{name}={value}" for name, value in words.items()))
    assert done.returncode == 1
    assert f"--{forgotten}: " in done.stderr
    assert f"@{'EMAIL' if forgotten == 'admin' else forgotten.upper()}@" in done.stderr
    assert list(tmp_path.iterdir()) == []
