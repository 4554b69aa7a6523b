"""A wrong option is told as one before anything is read, and a right one is not tried out."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from operations.cli.main import attendance
from tests.operations.recordings.lectures import NINE, Scene, Term

RED = [Scene(2, "red")]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--on", "moon"], "'moon' is no place to run: local, local:4, ray://HOST:10001 or ray:HOST:6379"),
        (["--on", "local:0"], "'local:0' is no place to run"),
        (["--name", "{foo}"], "the pattern '{foo}' holds '{foo}'; there are {room}"),
        (["--name", "{room}_%Y.mp4"], "a part of a date"),
    ],
)
def test_a_wrong_option_is_a_wrong_command_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    monkeypatch.setenv("ATTENDANCE_NO_SUCH_SETTING", "1")  # it would be told if settings were read
    done = CliRunner().invoke(attendance, ["recordings", "run", str(tmp_path), *words])
    assert done.exit_code == 2
    assert f"Invalid value for '{words[0]}'" in done.output
    assert says in " ".join(done.output.split())


@pytest.mark.parametrize("place", ["local", "local:2", "ray://head:10001", "ray:head:6379"])
def test_where_it_runs_is_not_asked_before_it_is_to_run(lectures: Term, command: list[str], place: str) -> None:
    lectures.session("Hall", NINE)
    lectures.clip("Hall", NINE, RED)
    done = CliRunner().invoke(attendance, [*command, "--on", place, "--dry-run"])
    assert done.exit_code == 0, done.output


def test_converting_a_gallery_asks_where_before_it_loads_models() -> None:
    done = CliRunner().invoke(attendance, ["gallery", "convert", "--on", "moon"])
    assert done.exit_code == 2
    assert "'moon' is no place to run" in done.output
