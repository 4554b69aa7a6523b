"""What a file's name says, and which patterns are refused."""

from datetime import UTC, datetime, timedelta
from pathlib import PurePath

import pytest

from operations.recordings.names import NamedVideo, NamePattern, PatternError


@pytest.mark.parametrize(
    ("pattern", "name", "said"),
    [
        (
            "{room}_%Y-%m-%d_%H-%M.mp4",
            "Hall A_2025-03-03_09-15.mp4",
            NamedVideo("Hall A", None, datetime(2025, 3, 3, 9, 15)),
        ),
        (
            "%y%m%dT%H%M%S%z-{camera}-*.mkv",
            "250303T091530Z-front-take.2.mkv",
            NamedVideo(None, "front", datetime(2025, 3, 3, 9, 15, 30, tzinfo=UTC)),
        ),
        ("{room}/*/%Y%m%d%H%M%z.*", "R1/cam/202503030915+0130.mov", NamedVideo("R1", None, None)),
        ("{room}.mp4", "R1.mp4", NamedVideo("R1", None, None)),
    ],
)
def test_names_are_read(pattern: str, name: str, said: NamedVideo) -> None:
    found = NamePattern(pattern).read(PurePath(name))
    assert found is not None
    assert (found.room, found.camera) == (said.room, said.camera)
    if said.start is not None:
        assert found.start == said.start


def test_an_offset_in_a_name_counts() -> None:
    found = NamePattern("%Y%m%d%H%M%z.mp4").read(PurePath("202503030915-0130.mp4"))
    assert found is not None
    assert found.start is not None
    assert found.start.utcoffset() == -timedelta(hours=1, minutes=30)


def test_what_is_not_of_the_pattern_is_not_guessed() -> None:
    assert NamePattern("{room}_%Y-%m-%d_%H-%M.mp4").read(PurePath("R1_2025-03-03.mp4")) is None


def test_a_date_that_is_none_is_named() -> None:
    with pytest.raises(PatternError, match=r"R_2025-02-30_09-00\.mp4: its date is none"):
        NamePattern("{room}_%Y-%m-%d_%H-%M.mp4").read(PurePath("R_2025-02-30_09-00.mp4"))


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("{room}_%Y.mp4", "a part of a date"),
        ("{room}_%Q.mp4", "'%Q'"),
        ("{hall}.mp4", "'{hall}'"),
        ("{room}{room}.mp4", "something twice"),
    ],
)
def test_patterns_that_cannot_be_meant_are_refused(pattern: str, why: str) -> None:
    with pytest.raises(PatternError, match=why):
        NamePattern(pattern)
