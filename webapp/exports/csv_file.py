"""Sheets as CSV, in pieces."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from typing import Any

from attendance.tables.writing import csv_lines, csv_rows
from webapp.exports.sheets import Cell, CellKind, Sheet, spoken
from webapp.tools.template_tools import whole_percent
from webapp.tools.times import local

_BLOCK_CHARACTERS = 32_768
"""One piece of the answer; a piece a line would cost more than the lines."""


def csv_blocks(sheets: Iterable[Sheet]) -> Iterator[bytes]:
    """The file, UTF-8, in pieces of some thousand bytes; a sheet of other columns than the last begins anew."""
    waiting: list[str] = []
    size = 0
    for line in _lines(sheets):
        waiting.append(line)
        size += len(line)
        if size >= _BLOCK_CHARACTERS:
            yield "".join(waiting).encode()
            waiting, size = [], 0
    if waiting:
        yield "".join(waiting).encode()


def _lines(sheets: Iterable[Sheet]) -> Iterator[str]:
    last: list[str] | None = None
    for sheet in sheets:
        header = [spoken(column.heading) for column in sheet.columns]
        write = [_WRITERS[column.kind] for column in sheet.columns]
        rows = ([_written(cell, to) for cell, to in zip(row, write, strict=True)] for row in sheet.rows)
        if last is None:
            yield from csv_lines(header, rows)
        elif last == header:
            yield from csv_rows(rows)
        else:
            yield "\r\n"
            yield from csv_rows([header])
            yield from csv_rows(rows)
        last = header


def _written(cell: Cell, write: Callable[[Any], str | float]) -> str | float:
    return "" if cell is None else write(cell)


def _day(value: date | datetime) -> str:
    return (local(value).date() if isinstance(value, datetime) else value).isoformat()


def _number(number: float) -> float:
    """With two decimals at most, and none where it is whole."""
    return int(number) if number == int(number) else round(number, 2)


_WRITERS: dict[CellKind, Callable[[Any], str | float]] = {
    CellKind.TEXT: spoken,
    CellKind.WHOLE: int,
    CellKind.NUMBER: _number,
    # Not as pages write it in a language: a program that reads the file knows one form.
    CellKind.SHARE: lambda share: f"{whole_percent(share)}%",
    CellKind.DAY: _day,
    CellKind.CLOCK: lambda moment: local(moment).strftime("%H:%M"),
    CellKind.CLOCK_SECONDS: lambda moment: local(moment).strftime("%H:%M:%S"),
    CellKind.MOMENT: lambda moment: local(moment).strftime("%Y-%m-%d %H:%M:%S"),
}
