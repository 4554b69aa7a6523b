"""Runs that are stopped, given twice at once, find the disk full, or a file that still grows."""

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.operations.recordings.commands import (
    LARGEST_FILE,
    Listener,
    begin_command,
    expected_register,
    run_command,
    without_ids,
)
from tests.operations.recordings.lectures import NINE, Scene, Term, age, twelve
from tests.operations.runners.ray_nodes import of_session
from tests.recognition_service.engines import SLEEP

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(900)]
LONG = [Scene(15, "red", SLEEP), Scene(15, "green", SLEEP)]


def sittings_done(lectures: Term) -> int:
    """How many the journal has."""
    try:
        with sqlite3.connect(f"file:{lectures.settings.recordings_path / 'journal.db'}?mode=ro", uri=True) as journal:
            return int(journal.execute("SELECT count(*) FROM sitting").fetchone()[0])
    except sqlite3.Error:
        return 0


MOMENTS: dict[str, Callable[[Term, Listener], bool]] = {
    "when it begins": lambda _, said: said.passed_s > 0.5,
    "when the videos are found": lambda _, said: "its name says" in said.text,
    "when processes start": lambda _, said: "answers for it" in said.text,
    "when the first is done": lambda lectures, _: sittings_done(lectures) >= 1,
    "when few are left": lambda lectures, _: sittings_done(lectures) >= 10,
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("times", [1, 3])
def test_sigterm_ends_a_run_at_any_moment_and_the_next_completes_it(
    lectures: Term, command: list[str], tmp_path: Path, moment: str, times: int
) -> None:
    twelve(lectures)
    process = begin_command([*command, "--on", "local:2"])
    said = Listener(process)
    said.until(lambda: MOMENTS[moment](lectures, said))
    for _ in range(times):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
    said.until_it_ends(60)
    assert process.returncode in {130, -signal.SIGTERM}, said.text  # before it is Python at all it just ends
    assert "Traceback" not in said.text
    if process.returncode == 130:
        assert "Stopped. What is done is kept" in said.text
    until_gone(process)
    done = sittings_done(lectures)
    output = run_command([*command, "--on", "local:2"])
    assert f"{12 - done} recordings looked at, {done} done before" in output
    assert without_ids(lectures.register()) == expected_register(tmp_path)


def until_gone(process: "subprocess.Popen[str]") -> None:
    """Wait until nothing that a run started is left."""
    until = time.monotonic() + 60
    while of_session(process.pid):
        assert time.monotonic() < until, "processes of the run are left"
        time.sleep(0.2)


@pytest.mark.parametrize("largest", [0, 8192, 20_000, 45_000, 70_000])
def test_where_the_disk_is_full_the_run_says_so_and_the_next_completes_it(
    lectures: Term, command: list[str], tmp_path: Path, largest: int
) -> None:
    """No file may become larger: so does a disk look that has room for nothing more."""
    twelve(lectures)
    output = run_command([*command, "--on", "local:2"], {LARGEST_FILE: str(largest)}, status=1)
    assert "Traceback" not in output
    assert "disk" in output or "File too large" in output
    run_command([*command, "--on", "local:2"])
    assert without_ids(lectures.register()) == expected_register(tmp_path)


def test_a_file_that_grows_while_it_is_read_is_left_for_a_later_run(lectures: Term, command: list[str]) -> None:
    session = lectures.session("Hall", NINE)
    clip = lectures.clip("Hall", NINE, LONG)
    process = begin_command([*command, "--on", "local:1"])
    said = Listener(process)
    said.until(lambda: "answers for it" in said.text)
    time.sleep(3)
    with clip.open("ab") as file:
        file.write(bytes(1000))
    said.until_it_ends()
    assert process.returncode == 1, said.text
    assert f"{clip}: {clip} was changed while it was read; it is left for a later run" in said.text
    assert lectures.seen() == set()
    assert "may still be growing" in run_command([*command, "--on", "local:1"], status=1)
    age(clip)
    run_command([*command, "--on", "local:2"])
    assert lectures.seen() == {(session, "red"), (session, "green")}


def test_the_note_of_a_run_that_finds_no_room_names_its_folder(tmp_path: Path) -> None:
    """The database's own files are what a full disk refuses first, unless they are there and large enough."""
    words = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
from pathlib import Path
from attendance.errors import told_in_a_sentence
from operations.recordings.journal import alone
with told_in_a_sentence(), alone(Path({str(tmp_path / "runs")!r}), Path("videos")):
    print("ran")
"""
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: {tmp_path / 'runs'} cannot be used: File too large\n"
    assert not (tmp_path / "runs" / "running.json").exists()


def test_a_second_run_meanwhile_is_told_who_the_first_is(lectures: Term, command: list[str]) -> None:
    session = lectures.session("Hall", NINE)
    lectures.clip("Hall", NINE, LONG)
    process = begin_command([*command, "--on", "local:1"])
    said = Listener(process)
    said.until(lambda: "answers for it" in said.text)
    output = run_command([*command, "--on", "local:1"], status=1)
    assert f"another run is under way (process {process.pid} on " in output
    assert f", over {lectures.folder}, since " in output
    said.until_it_ends()
    assert process.returncode == 0, said.text
    assert lectures.seen() == {(session, "red"), (session, "green")}
