"""The check that finds what only tests use."""

from pathlib import Path

import pytest

from tests.unused_names import unused

CODE = """
from enum import StrEnum


class Colour(StrEnum):
    RED = "red"


class Page:
    shown_by_a_template = 1
    shown_by_nobody = 2

    def validate_day(self) -> None: ...


def called() -> "Quoted": ...


def called_by_tests() -> None: ...


class Quoted: ...


class Named: ...


@app.get("/")
def view() -> None: ...


print(called(), getattr(Page, "Named"), Page, Colour)
"""


def test_names_of_templates_texts_and_frameworks_are_used_and_those_of_tests_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "product" / "templates").mkdir(parents=True)
    (tmp_path / "product" / "code.py").write_text(CODE)
    (tmp_path / "product" / "templates" / "page.html").write_text("{% if page.shown_by_a_template %}x{% endif %}")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_code.py").write_text("from product.code import called_by_tests\n\ncalled_by_tests()\n")
    monkeypatch.chdir(tmp_path)
    config = {"paths": ["product"], "exclude": [], "ignore_names": ["validate_*"], "ignore_decorators": ["@app.get"]}
    assert [line.rpartition(": ")[2] for line in unused(config)] == [
        "variable shown_by_nobody",
        "function called_by_tests",
    ]
