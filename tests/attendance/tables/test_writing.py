"""CSV that spreadsheets open as it is meant, when it is written."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.tables.writing import csv_lines, neutral


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "=cmd|' /C calc'!A0", "\uff1d1", "\uff201"],
)
def test_a_formula_becomes_text(cell):
    assert neutral(cell) == f"'{cell}"


def test_a_number_is_no_formula():
    assert list(csv_lines(["a", "b", "c"], [[-5, -0.5, "-5"]]))[1:] == ["-5,-0.5,'-5\r\n"]


@pytest.mark.parametrize("cell", ["", "Ada", "2026-11-23", "a=b", "s-1", "94%", "'quoted", "Łukasz, Żak"])
def test_ordinary_text_stays(cell):
    assert neutral(cell) == cell


@given(st.lists(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"])), min_size=1), max_size=5))
def test_what_goes_in_comes_out(rows):
    text = "".join(csv_lines(["a", "b"], rows))
    assert text.startswith("\ufeffa,b\r\n")
    back = list(csv.reader(io.StringIO(text[1:], newline="")))[1:]
    assert [row for row in back if row] == [[neutral(cell) for cell in row] for row in rows]
