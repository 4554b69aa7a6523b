"""The dates that FFmpeg writes into containers are read as they were written."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from operations.recordings.container_dates import container_date
from tests.operations.recordings.lectures import Scene, write_clip

CREATED = datetime(2025, 3, 3, 9, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_date_is_read(tmp_path: Path, suffix: str) -> None:
    clip = write_clip(tmp_path / f"clip{suffix}", [Scene(1, "red")], created="2025-03-03T09:15:30.000000Z")
    assert container_date(clip) == CREATED


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_no_date_is_none(tmp_path: Path, suffix: str) -> None:
    clip = write_clip(tmp_path / f"clip{suffix}", [Scene(1, "red")], codec="mpeg4")
    assert container_date(clip) is None


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_cut_anywhere_there_is_no_trouble(tmp_path: Path, suffix: str) -> None:
    content = write_clip(tmp_path / f"clip{suffix}", [Scene(1, "red")]).read_bytes()
    cut = tmp_path / f"cut{suffix}"
    for length in [0, 3, 12, *range(20, len(content), max(1, len(content) // 40))]:
        cut.write_bytes(content[:length])
        assert container_date(cut) in (None, CREATED)
