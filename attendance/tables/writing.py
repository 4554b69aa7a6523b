"""Writing CSV that spreadsheets open as it is meant."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from attendance.tables.index_numbers import FORMULA_STARTS

BYTE_ORDER_MARK = "\ufeff"
_FORMULA_STARTS = (*FORMULA_STARTS, "\t", "\r", "\n")


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[str | float]]) -> Iterator[str]:
    """The file in pieces, a line each: UTF-8 text that starts with a byte order mark, by which Excel knows it.

    A text that a spreadsheet would run as a formula gets an apostrophe in front, which makes it text. A number is none,
    also below zero.
    """
    for line in csv_rows([header]):
        yield BYTE_ORDER_MARK + line
    yield from csv_rows(rows)


def csv_rows(rows: Iterable[Sequence[str | float]]) -> Iterator[str]:
    """The same without header and mark, for what is written bit by bit."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for row in rows:
        writer.writerow([neutral(cell) if isinstance(cell, str) else cell for cell in row])
        yield _drained(buffer)


def neutral(cell: str) -> str:
    """The cell, made text if it could be a formula."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA_STARTS) else cell


def _drained(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
