"""A dry run says what the run does, also of files whose header says too little, or that are still being written."""

import os
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import pytest
from click.testing import CliRunner

from operations.cli.main import attendance
from operations.recordings.stretches import header_length, length_of
from tests.operations.recordings.lectures import NINE, Scene, Term, age, write_clip

RED_AND_GREEN = [Scene(6, "red"), Scene(6, "green")]

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]


class _Pipe:
    """A file to which FFmpeg cannot go back, to write into its header how long it became."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, content: bytes) -> int:
        return self._file.write(content)


def write_live(path: Path) -> Path:
    """Red and green for six seconds each, in Matroska as it is written to a pipe."""
    import av  # noqa: PLC0415 - an extra

    whole = write_clip(path.with_name("whole.mp4"), RED_AND_GREEN)
    with (
        av.open(str(whole)) as source,
        path.open("wb") as file,
        av.open(_Pipe(file), "w", format="matroska") as live,
    ):
        stream = live.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:  # the last one holds nothing
                packet.stream = stream
                live.mux(packet)
    whole.unlink()
    age(path)
    return path


def test_a_header_without_a_length_has_the_packets_read(tmp_path: Path) -> None:
    live = write_live(tmp_path / "live.mkv")
    assert header_length(live) == 0
    assert length_of(live) == pytest.approx(12, abs=0.2)


def test_all_sessions_of_a_recording_written_live_are_named(lectures: Term, command: list[str]) -> None:
    first = lectures.session("Hall", NINE + timedelta(seconds=2), 0.05)
    second = lectures.session("Hall", NINE + timedelta(seconds=8), 0.05)
    write_live(lectures.folder / f"Hall_{NINE:%Y-%m-%dT%H-%M-%SZ}.mkv")
    done = CliRunner().invoke(attendance, [*command, "--dry-run"])
    assert done.exit_code == 0, done.output
    assert "(by its name), 0:00:12" in done.output
    assert [line.split(",")[0].strip() for line in done.output.splitlines()[1:]] == [
        f"session {first}",
        f"session {second}",
    ]
    assert lectures.run().left == []
    assert lectures.seen() == {(first, "red"), (second, "green")}


def test_a_file_that_may_still_be_growing_is_named_as_the_run_names_it(lectures: Term, command: list[str]) -> None:
    lectures.session("Hall", NINE)
    growing = lectures.clip("Hall", NINE, RED_AND_GREEN)
    os.utime(growing)
    done = CliRunner().invoke(attendance, [*command, "--dry-run"])
    assert done.exit_code == 1
    assert f"left out  {growing}: it was changed " in done.output
    assert "may still be growing: left for a later run" in done.output
    assert "session" not in done.output
    (left,) = lectures.run().left
    assert left.path == str(growing)
    assert "may still be growing: left for a later run" in left.why
