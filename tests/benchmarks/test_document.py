import pytest

from benchmarks.document import TABLES, document_of, filled, marks, results_of


@pytest.mark.parametrize("name", TABLES)
def test_the_document_holds_what_was_measured_last(name: str) -> None:
    text = document_of(name).read_text("utf-8")
    assert filled(text, name, results_of(name)) == text, "run `python -m benchmarks.document`"
    assert [text.count(mark) for mark in marks(name)] == [1, 1]


@pytest.mark.parametrize("name", TABLES)
def test_only_what_is_between_the_marks_is_replaced(name: str) -> None:
    results, (begin, end) = results_of(name), marks(name)
    once = filled(f"# Above\n{begin}\nold\n{end}\nbelow\n", name, results)
    assert once == f"# Above\n{begin}\n\n{TABLES[name](results)}\n\n{end}\nbelow\n"
    assert filled(once, name, results) == once


BEGIN, END = marks("matching")


@pytest.mark.parametrize("text", ["", f"{BEGIN} no end", f"{END} the wrong way round {BEGIN}"])
def test_a_document_without_a_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no place for the tables"):
        filled(text, "matching", results_of("matching"))
