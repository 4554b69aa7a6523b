"""The list of what was tried: each line names tests, and they exist."""

import re

import pytest

from docs.from_code.__main__ import ROOT
from tests.documents.named_tests import require_tests

SECTION = (ROOT / "docs" / "security.md").read_text("utf-8").split("## What was tried")[1].split("\n## ")[0]
LINES = [
    cells
    for line in SECTION.splitlines()
    if line.startswith("| ")
    and not line.startswith("| **")
    and "" not in (cells := re.split(r" \| ", line.removeprefix("| ").removesuffix(" |")))
][1:]
"""What was tried, what happened, tests; without the heading, and without those of parts."""


@pytest.mark.parametrize("line", LINES, ids=[line[0][:60] for line in LINES])
def test_what_is_said_to_be_held_names_tests_that_exist(line: list[str]) -> None:
    tried, happened, tests = line
    assert happened
    require_tests(tests, of=tried)


def test_every_kind_of_attack_is_in_it() -> None:
    assert len(LINES) > 30
    assert sum("**mended**" in happened for _, happened, _ in LINES) > 10
