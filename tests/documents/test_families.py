"""The documents name the families' numbers as they are."""

import re
from pathlib import Path

import pytest

from attendance.settings.families import DLIB, OPENCV, FamilyNumbers

DOCS = Path(__file__).parents[2] / "docs"
KEYS = {
    "`threshold`": "threshold",
    "`campus_threshold`": "campus_threshold",
    "`margin`": "margin",
    "`vote_span`": "vote_span",
    "`rejoin_distance`": "rejoin_distance",
    "smallest face named, pixels": "smallest_named",
    "a vote counts in full from, pixels": "clear_width",
}


@pytest.mark.parametrize(("column", "numbers"), [(1, DLIB), (2, OPENCV)])
def test_the_table_of_distances(column: int, numbers: FamilyNumbers) -> None:
    rows = [line.strip("| ").split(" | ") for line in (DOCS / "accuracy.md").read_text("utf-8").splitlines()]
    told = {KEYS[row[0]]: float(row[column]) for row in rows if row[0] in KEYS}
    assert told == {key: getattr(numbers, key) for key in KEYS.values()}


@pytest.mark.parametrize(
    ("row", "one", "two"),
    [("like another student", "like_another", "doubtfully_like_another"), ("same picture", "same_picture", None),
     ("unlike own photos", "unlike_own", None)],
)  # fmt: skip
def test_the_table_of_enrolments_bounds(row: str, one: str, two: str | None) -> None:
    lines = (DOCS / "enrolment.md").read_text("utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith(f"| {row} | distance")]
    keys = [key for key in (one, two) if key]
    expected = [getattr(numbers, key) for key in keys for numbers in (DLIB, OPENCV)]
    assert [float(number) for number in re.findall(r"\d+\.\d+", line)][: len(expected)] == expected


def test_the_smallest_faces() -> None:
    for name in ("camera.md", "attendance-rules.md"):
        text = " ".join((DOCS / name).read_text("utf-8").split())
        pattern = r"narrower than (\d+) pixels \((?:family dlib|opencv: (\d+))\)(?: or (\d+) \(family opencv\))?"
        found = re.search(pattern + r"[^.]* are counted", text)
        assert found is not None, name
        small = [float(number) for number in found.groups() if number]
        assert small == [DLIB.smallest_named, OPENCV.smallest_named], name
