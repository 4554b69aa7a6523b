"""The demo as a newcomer runs it: real programs, real faces, the register over HTTP."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from operations.demo.people import ABSENT, CLASS_ABSENT, CLASS_ON_TIME, LATE, OTHER_COURSE, UNRECOGNISABLE, Person
from operations.demo.running import DemoError, is_right, run_demo


def _rows(statuses: dict[str, tuple[Person, ...]]) -> list[dict[str, str]]:
    return [
        {"Index number": person.index_number, "Student": person.name, "Status": status, "First seen": ""}
        for status, people in statuses.items()
        for person in people
    ]


RIGHT = {"Present": CLASS_ON_TIME, "Late": LATE, "Absent": CLASS_ABSENT, "Not recorded": UNRECOGNISABLE}


def _once(folder: Path, environ: dict[str, str]) -> str:
    """The demo's class session, judged; what it said."""
    command = [sys.executable, "-m", "operations.cli", "demo", "--once", "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Exactly the right people are present" in done.stdout
    for person in CLASS_ON_TIME + LATE + CLASS_ABSENT + UNRECOGNISABLE:
        assert person.name in done.stdout
    for person in OTHER_COURSE:
        assert person.name not in done.stdout
    assert "the check for photos is off until its last act" in done.stdout
    assert f"Held for a person's word, and not entered: {ABSENT[0].name}" in done.stdout
    return done.stdout


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ATTENDANCE_")}


@pytest.mark.exhaustive  # CI runs `make demo ONCE=1` itself
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("opencv_models")
def test_demo_once_runs_on_the_family_opencv_says_so_and_ends_well(tmp_path: Path) -> None:
    said = _once(tmp_path / "demo", _environ())
    assert said.count("Faces are told apart by the models of family opencv") == 1
    assert "family dlib" not in said


@pytest.fixture
def nowhere(tmp_path: Path, pictures: Path) -> dict[str, str]:
    """A machine that has the demo's pictures and no model files, whose index and proxy nobody answers for."""
    cache = tmp_path / "cache"
    (cache / "class-attendance").mkdir(parents=True)
    (cache / "class-attendance" / "pictures").symlink_to(pictures.parent)
    kept = {name: value for name, value in _environ().items() if not name.startswith("PIP_")}
    kept = {name: value for name, value in kept.items() if name.lower() != "no_proxy"}
    closed = "http://127.0.0.1:9"
    proxies = {name: closed for one in ("http_proxy", "https_proxy") for name in (one, one.upper())}
    index = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": f"{closed}/simple"}
    return kept | proxies | index | {"XDG_CACHE_HOME": str(cache)}


@pytest.mark.exhaustive  # a minute; the next test runs the steps that differ
@pytest.mark.timeout(600)
def test_demo_once_without_sources_runs_on_dlib_and_says_so_in_one_line(
    tmp_path: Path, nowhere: dict[str, str]
) -> None:
    _fetch(nowhere)
    said = _once(tmp_path / "demo", nowhere)
    about = [line.strip() for line in said.splitlines() if "opencv" in line]
    assert len(about) == 1, said
    assert about[0].startswith(
        "Family opencv, which knows smaller faces, is not used: its detector and encoder are not"
    )
    assert about[0].endswith("`attendance models fetch` gets them.")
    assert said.count("Faces are told apart by the models of family dlib") == 1


def _fetch(environ: dict[str, str]) -> None:
    """What `make install`, and so `make demo`, does first."""
    command = [sys.executable, "-m", "operations.cli", "models", "fetch"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("The models opencv could not be had: the system runs with dlib.") == 1
    assert "the package index: ERROR" in done.stdout
    assert "cannot be reached" in done.stdout
    assert done.stderr == ""


def test_without_sources_nothing_fails_and_the_first_enrolment_takes_dlib(
    tmp_path: Path, nowhere: dict[str, str]
) -> None:
    """The demo's steps that differ, without its minute of class."""
    _fetch(nowhere)
    there = nowhere | {"ATTENDANCE_DATA_DIRECTORY": str(tmp_path / "data")}
    asked = "from attendance.models_in_use import models_in_use as find; from attendance.settings import load_settings"
    command = [sys.executable, "-c", f"{asked}; found = find(load_settings()); print(found.family); print(found.note)"]
    family, note = subprocess.run(command, capture_output=True, text=True, check=True, env=there).stdout.splitlines()
    assert family == "dlib"
    assert note.endswith("`attendance models fetch` gets them.")


def test_the_right_register_is_recognised() -> None:
    assert is_right(_rows(RIGHT), print)


@pytest.mark.parametrize(
    "wrong",
    [
        {"Present": CLASS_ON_TIME + OTHER_COURSE, "Late": LATE, "Absent": CLASS_ABSENT},
        {"Present": CLASS_ON_TIME[1:], "Late": LATE, "Absent": CLASS_ABSENT + CLASS_ON_TIME[:1]},
        {"Present": CLASS_ON_TIME + LATE, "Absent": CLASS_ABSENT},
        {"Present": CLASS_ON_TIME, "Late": LATE},
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
