"""Folders are looked through with all below them, and what is refused there is named."""

import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from operations.cli.main import attendance
from operations.recordings.folders import videos_below
from tests.operations.recordings.lectures import NINE, Scene, Term

ROOT = Path(__file__).parents[3]
RED = [Scene(2, "red")]


def as_other_accounts(words: list[str]) -> "subprocess.CompletedProcess[str]":
    """The command without root's right to pass over permissions, if root runs the tests."""
    without = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    return subprocess.run(
        [*without, sys.executable, "-m", "operations.cli", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_folders_and_files_that_are_refused_are_named(lectures: Term, command: list[str]) -> None:
    session = lectures.session("Hall", NINE)
    lectures.clip("Hall", NINE, RED)
    closed, names = lectures.folder / "closed", lectures.folder / "names"
    for folder in (closed, names):
        (folder / "deeper").mkdir(parents=True)
        for file in ("lecture.mp4", "notes.txt", "deeper/lecture.mp4"):
            (folder / file).touch()
    (lectures.folder / "behind").symlink_to(names / "deeper")
    closed.chmod(0o000)
    names.chmod(0o444)  # what is in it may be listed, and no more
    try:
        done = as_other_accounts([*command, "--dry-run"])
    finally:
        closed.chmod(0o755)
        names.chmod(0o755)
    assert done.returncode == 1, done.stderr
    assert f"session {session}, 2025-03-03 10:00" in done.stdout
    assert [line for line in done.stdout.splitlines() if line.startswith("left out")] == [
        f"left out  {lectures.folder}/{name}: {why}: Permission denied"
        for name, why in (
            ("behind", "cannot be read"),
            ("closed", "what is in this folder cannot be seen"),
            ("names/deeper", "what is in this folder cannot be seen"),
            ("names/lecture.mp4", "cannot be read"),
        )
    ]


def test_linked_folders_are_looked_through_once_and_loops_end(tmp_path: Path) -> None:
    place, archive = tmp_path / "videos", tmp_path / "archive"
    for folder in (place / "real" / "deep", place / ".trash", archive / "2024"):
        folder.mkdir(parents=True)
    for file in (
        place / "b.mp4",
        place / "real" / "a.MKV",
        place / "real" / "deep" / "c.mov",
        archive / "2024" / "d.ts",
    ):
        file.touch()
    (place / "real" / "notes.txt").touch()
    (place / ".trash" / "e.mp4").touch()
    (place / ".f.mp4").touch()
    (place / "again").symlink_to(place / "real")
    (place / "linked").symlink_to(archive)
    (archive / "2024" / "loop").symlink_to(archive)
    (place / "real" / "deep" / "up").symlink_to(place)
    (place / "itself").symlink_to(place / "itself")
    (place / "gone").symlink_to(tmp_path / "nowhere")
    (place / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    assert [(str(path.relative_to(place)), why) for path, why in videos_below(place)] == [
        ("b.mp4", None),
        ("gone.mp4", "cannot be read: No such file or directory"),
        ("linked/2024/d.ts", None),
        ("real/a.MKV", None),
        ("real/deep/c.mov", None),
    ]


def test_a_linked_folder_s_recording_is_taken(lectures: Term, command: list[str], tmp_path: Path) -> None:
    session = lectures.session("Hall", NINE)
    clip = lectures.clip("Hall", NINE, RED)
    archive = tmp_path / "archive"
    archive.mkdir()
    clip.rename(archive / clip.name)
    (lectures.folder / "linked").symlink_to(archive)
    done = CliRunner().invoke(attendance, [*command, "--dry-run"])
    assert done.exit_code == 0, done.output
    assert f"session {session}, 2025-03-03 10:00" in done.output
