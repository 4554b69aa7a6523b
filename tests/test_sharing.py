"""Which files workers take first."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

QUICK = "import pytest\npytestmark = pytest.mark.quick\ndef test_one(): pass\ndef test_two(): pass\n"
REAL = "def test_one(): pass\n"
BROWSED = (
    "import pytest\n@pytest.fixture\ndef browser(): pass\ndef test_one(browser): pass\ndef test_two(browser): pass\n"
)
LONG = "import pytest\n@pytest.mark.long('why')\ndef test_one(): pass\n"


def test_files_that_take_longest_come_first_and_tests_of_a_file_stay_together(tmp_path: Path) -> None:
    texts = {"a_quick": QUICK, "b_real": REAL, "c_browsed": BROWSED, "d_long": LONG, "e_quick": QUICK}
    for name, text in texts.items():
        (tmp_path / f"test_{name}.py").write_text(text)
    marks = "markers =\n  quick\n  long(why)\n  exhaustive\n"
    (tmp_path / "pytest.ini").write_text(f"[pytest]\n{marks}")
    words = [sys.executable, "-m", "pytest", "-p", "tests.sharing", "--collect-only", "-q", str(tmp_path)]
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(words, check=True, capture_output=True, text=True, cwd=tmp_path, env=environ)
    found = [line.partition(".py::")[0] for line in done.stdout.splitlines() if "::" in line]
    assert found == [
        "test_d_long", "test_c_browsed", "test_c_browsed", "test_b_real", *["test_a_quick"] * 2, *["test_e_quick"] * 2,
    ]  # fmt: skip


def test_this_run_is_in_that_order(request: pytest.FixtureRequest) -> None:
    files = [name for name, _ in itertools.groupby(request.session.items, key=lambda item: item.path)]
    assert len(files) == len(set(files))
