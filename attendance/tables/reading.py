"""A CSV file as people's spreadsheets write it, read line by line, so that one bad line spoils no other."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from attendance.errors import AttendanceError
from attendance.tables.fields import clean

MAX_BYTES = 16_000_000
MAX_LINES = 200_000
_LONGEST_LINE = 10_000
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_SHOWN = 200

_SAVE_AS = (
    "Save it again as UTF-8: in Excel choose Save As and the type \u201cCSV UTF-8 (Comma delimited)\u201d; "
    "in LibreOffice choose Save As, tick \u201cEdit filter settings\u201d and take the character set "
    "\u201cUnicode (UTF-8)\u201d."
)


class ImportRefused(AttendanceError):  # noqa: N818 - it reads as what happened
    """The file as a whole cannot be read; the message is for the person who chose it."""


class LineError(AttendanceError):
    """One line cannot be imported.

    Attributes:
        message: what is wrong, a sentence.
        column: the column at fault, or None for the line as a whole.
    """

    def __init__(self, message: str, column: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.column = column


@dataclass(frozen=True)
class Column:
    """A column that a file may have.

    Attributes:
        name: as the template names it.
        meaning: what to write there, for the page.
        required: whether a file without it is refused.
        aliases: other names that are understood, in lower case with underscores.
    """

    name: str
    meaning: str
    required: bool = True
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """One line of a file.

    Attributes:
        number: as a text editor counts, the header being 1 unless lines stand above it.
        content: the line as it stands in the file, shortened.
        values: cleaned text by column name; "" where the file has nothing.
        error: what keeps the line from being read; `values` is empty then.
    """

    number: int
    content: str
    values: dict[str, str]
    error: LineError | None = None


@dataclass(frozen=True)
class Table:
    """A file whose header was understood.

    Attributes:
        present: names of the columns found.
        unused: headings in the file that mean nothing here.
        delimiter: "comma", "semicolon" or "tab".
    """

    present: frozenset[str]
    unused: tuple[str, ...]
    delimiter: str
    _text: str
    _header_line: int
    _places: tuple[str | None, ...]
    _separator: str

    def lines(self) -> Iterator[Line]:
        """The lines below the header that are not empty, read anew by each call.

        Raises:
            ImportRefused: there are more than `MAX_LINES`.
        """
        count = 0
        for number, content in _numbered(self._text):
            if number <= self._header_line or not content.strip(self._separator + " \t\xa0"):
                continue
            count += 1
            if count > MAX_LINES:
                raise ImportRefused(f"The file has more than {MAX_LINES:,} lines. Split it and import the parts.")
            yield self._line(number, content)

    def _line(self, number: int, content: str) -> Line:
        shown = content if len(content) <= _SHOWN else content[:_SHOWN] + "\u2026"
        try:
            cells = _cells(content, self._separator)
            width = len(self._places)
            if any(cell.strip() for cell in cells[width:]):
                raise LineError(
                    f"This line has {len(cells)} fields, but the first line names {width}. A name that holds a "
                    f"{self.delimiter} must stand in quotation marks."
                )
            values = dict.fromkeys(self.present, "")
            values.update((name, clean(cell)) for name, cell in zip(self._places, cells, strict=False) if name)
        except LineError as error:
            return Line(number, shown.replace("\0", "\ufffd"), {}, error)
        return Line(number, shown, values)


def read_table(data: bytes, columns: Sequence[Column]) -> Table:
    """Understand a file's encoding, delimiter and header; its lines are read later.

    Args:
        data: the file: UTF-8 with or without byte order mark, or UTF-16 with one.
        columns: those it may have; other columns are left unused.

    Raises:
        ImportRefused: it is too large, no text, not in a known encoding, empty, or lacks a required column.
    """
    if len(data) > MAX_BYTES:
        raise ImportRefused(f"The file is larger than {MAX_BYTES // 1_000_000} MB. Split it and import the parts.")
    text = _decode(data)
    number, header, separator = _header(text, columns)
    if separator is None:
        separator = max(_DELIMITERS, key=lambda mark: _recognised(header, mark, columns))
    try:
        headings = [clean(cell) for cell in _cells(header, separator)]
    except LineError as error:
        raise ImportRefused(f"Line {number}, which should name the columns, cannot be read: {error.message}") from None
    while headings and not headings[-1]:
        headings.pop()
    places = tuple(_column_of(heading, columns) for heading in headings)
    _require(places, headings, columns, number)
    return Table(
        present=frozenset(name for name in places if name),
        unused=tuple(heading for heading, name in zip(headings, places, strict=True) if heading and not name),
        delimiter=_DELIMITERS[separator],
        _text=text,
        _header_line=number,
        _places=places,
        _separator=separator,
    )


def _decode(data: bytes) -> str:
    if not data.strip():
        raise ImportRefused("The file is empty.")
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise ImportRefused(
            "This is a spreadsheet, not a CSV file. Open it and save it as CSV: in Excel choose Save As and the type "
            "\u201cCSV UTF-8 (Comma delimited)\u201d."
        )
    try:
        if data.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
            text = data.decode("utf-32")
        elif data.startswith((b"\xff\xfe", b"\xfe\xff")):
            text = data.decode("utf-16")
        else:
            text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ImportRefused(
            f"The file is not in UTF-8 (line {line} holds the byte 0x{data[error.start]:02X}), so its letters cannot "
            f"be told for certain. {_SAVE_AS}"
        ) from None
    # Text with a NUL beside every letter is UTF-16 whose byte order mark got lost.
    if text.count("\0") * 4 > len(text):
        raise ImportRefused(f"The file is not in UTF-8 (it looks like UTF-16 without its mark). {_SAVE_AS}")
    return text.removeprefix("\ufeff")


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    # newline=None reads \n, \r\n and \r alike; str.splitlines would also cut at letters such as U+2028.
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        yield number, line.removesuffix("\n")


def _header(text: str, columns: Sequence[Column]) -> tuple[int, str, str | None]:
    separator = None
    for number, content in _numbered(text):
        if content.lower().startswith("sep=") and content[4:5] in _DELIMITERS and not content[5:].strip():
            separator = content[4]  # Excel's own line above the header
        elif content.strip(" \t,;\xa0"):
            return number, content, separator
    expected = ", ".join(column.name for column in columns if column.required)
    raise ImportRefused(f"The file is empty. Its first line must name the columns: {expected}.")


def _cells(content: str, separator: str) -> list[str]:
    if "\0" in content:
        raise LineError("The line holds a NUL byte, which no text has; the file is damaged here.")
    if len(content) > _LONGEST_LINE:
        raise LineError(f"The line has {len(content):,} characters; a line here never has more than {_LONGEST_LINE:,}.")
    try:
        return next(csv.reader([content], delimiter=separator, strict=True), [])
    except csv.Error:
        raise LineError(
            'The quotation marks do not match. A field that begins with " must end with " on the same line; '
            'a quotation mark inside it is written twice ("").'
        ) from None


def _recognised(header: str, separator: str, columns: Sequence[Column]) -> int:
    return sum(_column_of(cell.strip().strip('"'), columns) is not None for cell in header.split(separator))


def _column_of(heading: str, columns: Sequence[Column]) -> str | None:
    key = "_".join(heading.lower().replace("-", " ").replace("_", " ").split())
    return next((column.name for column in columns if key == column.name or key in column.aliases), None)


def _require(
    places: Sequence[str | None], headings: Sequence[str], columns: Sequence[Column], header_line: int
) -> None:
    missing = [column.name for column in columns if column.required and column.name not in places]
    if missing:
        what = "the column " + missing[0] if len(missing) == 1 else "the columns " + " and ".join(missing)
        found = ", ".join(headings)
        found = found if len(found) <= _SHOWN else found[:_SHOWN] + "\u2026"
        raise ImportRefused(
            f"The file lacks {what}. Line {header_line} must name the columns; it reads: {found}".replace(
                "\0", "\ufffd"
            )
        )
    twice = next((name for name in places if name and places.count(name) > 1), None)
    if twice:
        raise ImportRefused(f"The column {twice} is there twice. Remove one of them.")
