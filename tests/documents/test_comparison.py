"""The table of features beside Moodle Attendance: each line names tests, and they exist."""

import re

import pytest

from docs.from_code.__main__ import ROOT
from tests.documents.named_tests import require_tests

TEXT = (ROOT / "docs" / "comparison.md").read_text("utf-8")
SHOWN, MISSING = (
    [
        re.split(r" \| ", line.strip("| "))
        for line in section.splitlines()
        if line.startswith("| ") and "|---" not in line
    ]
    for section in TEXT.split("\n## ")[1:]
)
LINES = SHOWN[1:]
"""What it is, how here, how there, tests; without the heading."""


@pytest.mark.parametrize("line", LINES, ids=[line[0] for line in LINES])
def test_what_is_said_to_be_here_names_tests_that_exist(line: list[str]) -> None:
    feature, here, there, tests = line
    assert "" not in (here, there)
    require_tests(tests, of=feature)


def test_what_is_not_here_is_said_too() -> None:
    assert len(LINES) > 20
    assert len(MISSING) > 10
    assert {len(line) for line in MISSING[1:]} == {3}
    assert {line[0] for line in LINES} & {line[0] for line in MISSING} == set()


def test_what_one_asks_for_first_is_in_it() -> None:
    features = {line[0] for line in LINES}
    assert {"statuses of one's own", "matrix", "absentee report", "warnings by mail", "export"} <= features
