import json

import pytest

from benchmarks.matching.document import BEGIN, DOCUMENT, END, RESULTS, filled
from benchmarks.matching.table import tables


def test_the_document_holds_what_was_measured_last() -> None:
    text = DOCUMENT.read_text("utf-8")
    results = json.loads(RESULTS.read_text("utf-8"))
    assert filled(text, results) == text, "run `python -m benchmarks.matching.document`"
    assert text.count(BEGIN) == text.count(END) == 1


def test_only_what_is_between_the_marks_is_replaced() -> None:
    results = json.loads(RESULTS.read_text("utf-8"))
    once = filled(f"# Above\n{BEGIN}\nold\n{END}\nbelow\n", results)
    assert once == f"# Above\n{BEGIN}\n\n{tables(results)}\n\n{END}\nbelow\n"
    assert filled(once, results) == once


@pytest.mark.parametrize("text", ["", f"{BEGIN} no end", f"{END} the wrong way round {BEGIN}"])
def test_a_document_without_a_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no place for the tables"):
        filled(text, json.loads(RESULTS.read_text("utf-8")))
