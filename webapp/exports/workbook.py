"""Sheets as a workbook of Excel (Office Open XML), written a row at a time: its size costs disk, not memory."""

import errno
import shutil
import tempfile
import threading
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any, Self

from flask import abort
from flask_babel import gettext
from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from webapp.exports.sheets import Cell, CellKind, Sheet, SheetColumn, spoken
from webapp.tools.template_tools import whole_percent
from webapp.tools.times import local

MOST_ROWS = 1_048_576
"""Of a sheet, header included (Excel's specifications and limits); more go on in a further sheet."""
_LONGEST_NAME = 31
_LONGEST_TEXT = 32_767
_FORBIDDEN_IN_NAMES = str.maketrans(dict.fromkeys("[]:*?/\\", " "))
_NARROWEST, _WIDEST = 8, 48
_LARGE_ROWS = 50_000
_LARGE_AT_ONCE = threading.BoundedSemaphore(2)
"""A large workbook takes a core for minutes: of one process no more are made at once, small ones aside."""
_MEASURED_ROWS = 500
"""The first ones decide how wide columns are."""
_A4 = 9
_LEFT_BEHIND = timedelta(days=1)
_PREFIX = "export-"
_BLOCK_BYTES = 65_536
_NUMBER_FORMATS = {
    CellKind.WHOLE: "0",
    CellKind.NUMBER: "General",
    CellKind.SHARE: "0%",
    CellKind.DAY: "yyyy-mm-dd",
    CellKind.CLOCK: "hh:mm",
    CellKind.CLOCK_SECONDS: "hh:mm:ss",
    CellKind.MOMENT: "yyyy-mm-dd hh:mm:ss",
}
_WIDTHS = {
    CellKind.SHARE: 5,
    CellKind.WHOLE: 6,
    CellKind.NUMBER: 6,
    CellKind.DAY: 11,
    CellKind.CLOCK: 6,
    CellKind.CLOCK_SECONDS: 9,
    CellKind.MOMENT: 19,
}


@dataclass(frozen=True)
class WrittenWorkbook:
    """A workbook on disk, until it is closed.

    Attributes:
        folder: its own.
        size: bytes.
    """

    folder: Path
    size: int

    def blocks(self) -> Iterator[bytes]:
        """Its bytes, in pieces."""
        with self._file.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                yield block

    def close(self) -> None:
        """Delete it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _file(self) -> Path:
        return self.folder / "workbook.xlsx"


def write_workbook(sheets: Iterable[Sheet], place: Path) -> WrittenWorkbook:
    """Write a workbook; whoever asks closes it.

    Args:
        sheets: each becomes one of its own, or several when it is longer than Excel's sheets are.
        place: in which it gets a folder of its own, that only this user reads; a folder that a stopped program left
            there a day ago is deleted.

    Raises:
        werkzeug.exceptions.ServiceUnavailable: the disk is full, or others make large workbooks just now.
    """
    _sweep(place)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    try:
        path = folder / "workbook.xlsx"
        with _Rows() as rows:
            _write((replace(sheet, rows=rows.counted(sheet.rows)) for sheet in sheets), path, folder)
        return WrittenWorkbook(folder, path.stat().st_size)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            abort(503, gettext("The server's disk has no room for this workbook. Take the file as CSV instead."))
        raise


def sheet_name(wanted: str, taken: set[str]) -> str:
    """A name that Excel takes, like the one wanted, and not among those taken (in small letters)."""
    text = "".join(" " if unicodedata.category(c).startswith("C") else c for c in wanted.translate(_FORBIDDEN_IN_NAMES))
    text = " ".join(text.split()).strip("' ") or gettext("Sheet")
    if text.lower() == "history":  # Excel keeps this name for itself
        text = "History_"
    name, number = _shortened(text, _LONGEST_NAME), 1
    while name.lower() in taken:
        number += 1
        name = f"{_shortened(text, _LONGEST_NAME - len(f' ({number})'))} ({number})"
    return name


class _Rows:
    """The rows of one workbook, counted; from the first too many on it holds one of the places for large ones."""

    def __init__(self) -> None:
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._count >= _LARGE_ROWS:
            _LARGE_AT_ONCE.release()

    def counted(self, rows: Iterable[Sequence[Cell]]) -> Iterator[Sequence[Cell]]:
        for row in rows:
            if self._count + 1 == _LARGE_ROWS and not _LARGE_AT_ONCE.acquire(blocking=False):
                abort(
                    503,
                    gettext("Other large workbooks are being made just now. Try again in some minutes, or take CSV."),
                )
            self._count += 1
            yield row


def _sweep(place: Path) -> None:
    before = time.time() - _LEFT_BEHIND.total_seconds()
    for folder in place.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.stat().st_mtime < before:
                shutil.rmtree(folder, ignore_errors=True)


def _shortened(text: str, units: int) -> str:
    """The beginning of a text, of at most so many UTF-16 code units, which Excel counts."""
    while len(text.encode("utf-16-le")) > 2 * units:
        text = text[:-1]
    return text.strip("' ")


def _write(sheets: Iterable[Sheet], path: Path, folder: Path) -> None:
    options = {"constant_memory": True, "tmpdir": str(folder), "strings_to_formulas": False, "strings_to_urls": False}
    book = Workbook(str(path), options)
    book.use_zip64()
    heading = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    formats = {kind: book.add_format({"num_format": text}) for kind, text in _NUMBER_FORMATS.items()}
    try:
        taken: set[str] = set()
        for sheet in sheets:
            for part in _parts(sheet):
                name = sheet_name(spoken(part.name), taken)
                taken.add(name.lower())
                _write_sheet(book.add_worksheet(name), part, heading, formats)
    except BaseException:
        with suppress(Exception):
            book.close()  # lets go of its files
        raise
    book.close()


def _parts(sheet: Sheet) -> Iterator[Sheet]:
    """The sheet, or one after another of Excel's length; each begins with the header."""
    rows = iter(sheet.rows)
    while True:
        yield replace(sheet, rows=islice(rows, MOST_ROWS - 1))
        following = next(rows, None)
        if following is None:
            return
        rows = chain([following], rows)


def _write_sheet(page: Worksheet, sheet: Sheet, heading: Format, formats: dict[CellKind, Format]) -> None:
    widths = [max(_WIDTHS.get(column.kind, 0), *map(len, spoken(column.heading).split())) for column in sheet.columns]
    for place, column in enumerate(sheet.columns):
        page.write_string(0, place, spoken(column.heading), heading)
    last = 0
    for last, row in enumerate(sheet.rows, 1):
        for place, (cell, column) in enumerate(zip(row, sheet.columns, strict=True)):
            _write_cell(page, (last, place), cell, column.kind, formats)
        if last <= _MEASURED_ROWS:
            widths = _widened(widths, sheet.columns, row)
    for place, width in enumerate(widths):
        page.set_column(place, place, min(_WIDEST, max(_NARROWEST, width + 2)))
    page.freeze_panes(1, sheet.frozen)
    page.autofilter(0, 0, last, len(sheet.columns) - 1)
    _set_up_printing(page)


def _widened(widths: Sequence[int], columns: Sequence[SheetColumn], row: Sequence[Cell]) -> list[int]:
    texts = (
        spoken(cell or "") if column.kind is CellKind.TEXT else "" for cell, column in zip(row, columns, strict=True)
    )
    return [max(width, len(text)) for width, text in zip(widths, texts, strict=True)]


def _write_cell(
    page: Worksheet, at: tuple[int, int], cell: Cell, kind: CellKind, formats: dict[CellKind, Format]
) -> None:
    if cell is None or cell == "":
        return
    if kind is CellKind.TEXT:
        # Never `write`, which takes what begins with "=" for a formula.
        page.write_string(*at, spoken(cell)[:_LONGEST_TEXT])
    elif kind in (CellKind.WHOLE, CellKind.NUMBER, CellKind.SHARE):
        page.write_number(*at, _number(cell, kind), formats[kind])
    else:
        page.write_datetime(*at, _time(cell, kind), formats[kind])


def _number(cell: Any, kind: CellKind) -> Any:
    if kind is CellKind.SHARE:
        return whole_percent(cell) / 100
    return round(cell, 2) if kind is CellKind.NUMBER else cell


def _time(cell: Any, kind: CellKind) -> Any:
    """A cell's day, time of day or both, without a zone, as Excel keeps them."""
    if not isinstance(cell, datetime):
        return cell
    here = local(cell).replace(tzinfo=None)
    if kind is CellKind.DAY:
        return here.date()
    if kind is CellKind.MOMENT:
        return here
    return here.time() if kind is CellKind.CLOCK_SECONDS else here.time().replace(second=0)


def _set_up_printing(page: Worksheet) -> None:
    page.set_paper(_A4)
    page.set_landscape()
    page.fit_to_pages(1, 0)  # one page wide, as long as it is
    page.repeat_rows(0)
    page.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
    page.set_footer("&L&A&R&P / &N")
