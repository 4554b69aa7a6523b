"""The demo as a newcomer runs it: real programs, real faces, the register over HTTP."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from operations.demo.people import ABSENT, LATE, ON_TIME, OTHER_COURSE, Person
from operations.demo.running import DemoError, is_right, run_demo


def _rows(statuses: dict[str, tuple[Person, ...]]) -> list[dict[str, str]]:
    return [
        {"Index number": person.index_number, "Student": person.name, "Status": status, "First seen": ""}
        for status, people in statuses.items()
        for person in people
    ]


RIGHT = {"Present": ON_TIME, "Late": LATE, "Absent": ABSENT}


@pytest.mark.exhaustive  # CI runs `make demo ONCE=1` itself
@pytest.mark.timeout(600)
def test_demo_once_prints_the_register_and_ends_well(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "operations.cli", "demo", "--once", "--folder", str(tmp_path / "demo")]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ATTENDANCE_")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Exactly the right people are present" in done.stdout
    for person in ON_TIME + LATE + ABSENT:
        assert person.name in done.stdout
    for person in OTHER_COURSE:
        assert person.name not in done.stdout


def test_the_right_register_is_recognised() -> None:
    assert is_right(_rows(RIGHT), print)


@pytest.mark.parametrize(
    "wrong",
    [
        {"Present": ON_TIME + OTHER_COURSE, "Late": LATE, "Absent": ABSENT},
        {"Present": ON_TIME[1:], "Late": LATE, "Absent": ABSENT + ON_TIME[:1]},
        {"Present": ON_TIME + LATE, "Absent": ABSENT},
        {"Present": ON_TIME, "Late": LATE},
        {},
    ],
    ids=["a stranger to the course", "one missed", "late as present", "absent not written", "empty"],
)
def test_a_wrong_register_is_not(wrong: dict[str, tuple[Person, ...]], capsys: pytest.CaptureFixture[str]) -> None:
    assert not is_right(_rows(wrong), print)
    assert "WRONG" in capsys.readouterr().out


@pytest.mark.real
def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DemoError, match="no demo made"):
        run_demo(tmp_path, once=True, tell=print)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.long("programs that outlive the demo are found only by running it")
@pytest.mark.timeout(300)
def test_demo_stops_its_programs_with_itself(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    command = [sys.executable, "-m", "operations.cli", "demo", "--folder", str(folder)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ATTENDANCE_")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=environ) as running:
        assert running.stdout is not None
        said = []
        for line in running.stdout:
            said.append(line)
            if "Stop with Ctrl-C" in line:
                running.terminate()
        assert running.wait(timeout=60) == 0
    assert "Stopped" in said[-1], "".join(said)
    assert (folder / "logs" / "gallery-worker.log").exists()
    # Every program holds its log open; none is left that does.
    held = [link for link in Path("/proc").glob("[0-9]*/fd/*") if _points_into(link, folder)]
    assert held == []


def _points_into(link: Path, folder: Path) -> bool:
    try:
        return link.readlink().is_relative_to(folder)
    except OSError:
        return False
