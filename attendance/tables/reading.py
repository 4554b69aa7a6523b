"""A CSV file as people's spreadsheets write it, read record by record, so that one bad line spoils no other."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from attendance.tables.errors import LineError, TableError
from attendance.tables.fields import TextRule, clean, compose, without_direction_marks
from attendance.tables.records import CsvRecord, read_record, read_records
from attendance.texts import english, english_count, english_list

MAX_BYTES = 16_000_000
MAX_LINES = 200_000
_MOST_LINE_ENDS = 5
"""Times `MAX_LINES`: lines of the file, empty ones and those inside of cells among them."""
_DELIMITERS = {",": english("comma"), ";": english("semicolon"), "\t": english("tab"), "|": english("vertical bar")}
# Excel's own line above the header.
_NAMED_SEPARATOR = re.compile(r'"?sep=([,;\t|])"?\s*', re.IGNORECASE)
_SHOWN = 200
_HEAD_BYTES = 64
"""Of a file, in which the names of its columns begin."""

_SAVE_AS = english(
    "Save it again as UTF-8: in Excel choose Save As and the type “CSV UTF-8 (Comma delimited)”; in LibreOffice "
    "choose Save As, tick “Edit filter settings” and take the character set “Unicode (UTF-8)”."
)


@dataclass(frozen=True)
class Column:
    """A column that a file may have.

    Attributes:
        name: as the template names it.
        meaning: what to write there, for the page.
        required: whether a file without it is refused.
        aliases: other names that are understood, in lower case with underscores.
        rule: of its field, where that is text.
        verbatim: whether a value is only trimmed, because it names a file.
    """

    name: str
    meaning: str = ""
    required: bool = True
    aliases: tuple[str, ...] = ()
    rule: TextRule | None = None
    verbatim: bool = False


@dataclass(frozen=True)
class Line:
    """One record of a file, which is one line unless a cell holds line breaks.

    Attributes:
        number: of its first line, as a text editor counts, the header being 1 unless lines stand above it.
        last: of its last line.
        content: the record as it stands in the file, shortened.
        values: cleaned text by column name; "" where the file has nothing.
        broken: columns whose text held a line break, which is a space in `values`.
        error: what keeps the record from being read; `values` is empty then.
    """

    number: int
    last: int
    content: str
    values: dict[str, str]
    broken: frozenset[str] = frozenset()
    error: LineError | None = None

    def text(self, column: Column) -> str:
        """The value of a column that has a rule.

        Raises:
            LineError: it is missing, or the rule refuses it.
        """
        if column.rule is None:
            raise ValueError(f"the column {column.name} has no rule")
        value = column.rule.clean(self.values.get(column.name, ""))
        problem = column.rule.problem(value)
        if problem is None and column.rule.identifier and column.name in self.broken:
            problem = english("holds a line break")
        if problem is not None:
            raise LineError(english("%(column)s %(problem)s.", column=column.name, problem=problem), column.name)
        return value

    def optional_text(self, column: Column) -> str | None:
        """The same, but None where the file has nothing.

        Raises:
            LineError: the rule refuses the value.
        """
        return self.text(column) if self.values.get(column.name) else None


@dataclass(frozen=True)
class Table:
    """A file whose header was understood.

    Attributes:
        present: names of the columns found.
        unused: headings in the file that mean nothing here.
        delimiter: in words, e.g. "comma".
    """

    present: frozenset[str]
    unused: tuple[str, ...]
    delimiter: str
    _physical: Sequence[str]
    _header_end: int
    _places: tuple[Column | None, ...]
    _separator: str
    _headings: tuple[str, ...]

    def lines(self) -> Iterator[Line]:
        """The records below the header that are not empty, cut anew by each call.

        Raises:
            TableError: there are more than `MAX_LINES`.
        """
        records = read_records(self._physical, self._separator, after=self._header_end)
        for count, record in enumerate(records, start=1):
            if count > MAX_LINES:
                raise _too_long()
            yield self._line(record)

    def _line(self, record: CsvRecord) -> Line:
        content = record.content.replace("\n", " \u21b5 ").replace("\0", "\ufffd")
        shown = content if len(content) <= _SHOWN else content[:_SHOWN] + "\u2026"
        try:
            if record.error is not None:
                raise record.error
            self._require_fit(record)
            self._require_no_header(record)
            values, broken = self._values(record)
        except LineError as error:
            return Line(record.first, record.last, shown, {}, error=error)
        return Line(record.first, record.last, shown, values, broken)

    def _require_fit(self, record: CsvRecord) -> None:
        width = len(self._places)
        if any(cell.strip() for cell in record.cells[width:]):
            raise LineError(
                english(
                    "This line has %(cells)s fields, but the first line names %(width)s. A name that holds a "
                    "%(delimiter)s must stand in quotation marks.",
                    cells=len(record.cells),
                    width=width,
                    delimiter=self.delimiter,
                )
            )
        inner = (part for cell in record.cells for part in cell.split("\n")[1:])
        if record.last > record.first and any(map(self._is_swallowed, inner)):
            raise LineError(
                english(
                    "Lines %(first)s to %(last)s stand between two quotation marks, but look like lines of their "
                    "own, so none of them is used. Remove the quotation marks, or the line breaks between them.",
                    first=record.first,
                    last=record.last,
                )
            )

    def _is_swallowed(self, part: str) -> bool:
        """Whether a line inside a cell is a line of its own, most likely, that stray quotation marks swallowed.

        It is if it holds as many delimiters as the header, or, being cut short, everything that a line must have, and
        its codes look like codes and not like words: an address goes "High St, London" on its second line, too.
        """
        delimiters = part.count(self._separator)
        if delimiters >= max(1, len(self._places) - 1):
            return True
        cells = zip(self._places, part.split(self._separator), strict=False)
        values = {column.name: clean(cell).strip('"') for column, cell in cells if column is not None}
        needed = [column for column in self._places if column is not None and column.required]
        codes = [values.get(column.name, "") for column in needed if column.rule and column.rule.identifier]
        return (
            delimiters > 0
            and all(values.get(column.name) for column in needed)
            and bool(codes)
            and all(" " not in code and any(sign.isdigit() or sign == "@" for sign in code) for code in codes)
        )

    def _require_no_header(self, record: CsvRecord) -> None:
        cells = tuple(clean(without_direction_marks(cell)).lower() for cell in record.cells[: len(self._headings)])
        if cells == self._headings:
            raise LineError(
                english("This line names the columns again, as where two files were put together; it is no record.")
            )

    def _values(self, record: CsvRecord) -> tuple[dict[str, str], frozenset[str]]:
        values = {column.name: "" for column in self._places if column}
        broken = set()
        for column, cell in zip(self._places, record.cells, strict=False):
            if column is None:
                continue
            if "\n" in cell.strip():
                self._require_one_line(record, column, cell)
                broken.add(column.name)
            values[column.name] = compose(cell).strip() if column.verbatim else clean(cell)
        return values, frozenset(broken)

    def _require_one_line(self, record: CsvRecord, column: Column, cell: str) -> None:
        if column.verbatim or self._separator in cell:
            lines = {"column": column.name, "first": record.first, "last": record.last}
            raise LineError(
                english(
                    "%(column)s holds a line break (lines %(first)s to %(last)s). Perhaps a quotation mark is missing "
                    "there, or is one too many.",
                    **lines,
                )
                if column.verbatim
                else english(
                    "%(column)s holds a line break and a %(delimiter)s (lines %(first)s to %(last)s). Perhaps a "
                    "quotation mark is missing there, or is one too many.",
                    delimiter=self.delimiter,
                    **lines,
                ),
                column.name,
            )


def read_table_file(path: Path, columns: Sequence[Column]) -> Table:
    """Understand a file of this machine; `read_table` says how.

    Raises:
        TableError: it cannot be read, or `read_table` refuses it; the message names the file.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        return read_table(data, columns)
    except OSError as error:
        raise TableError(english("cannot read %(path)s: %(strerror)s", path=path, strerror=error.strerror)) from None
    except TableError as error:
        raise TableError(english("%(file)s: %(problem)s", file=path, problem=error.args[0])) from None


def read_table(data: bytes, columns: Sequence[Column]) -> Table:
    """Understand a file's encoding, delimiter and header; its records are cut later.

    Args:
        data: the file: UTF-8 with or without byte order mark, or UTF-16 with one.
        columns: those it may have; other columns are left unused.

    Raises:
        TableError: it is too large, no text, not in a known encoding, empty, or lacks a required column.
    """
    if len(data) > MAX_BYTES:
        raise TableError(
            english(
                "The file is larger than %(max_bytes)s MB. Split it and import the parts.",
                max_bytes=MAX_BYTES // 1000000,
            )
        )
    physical = _physical_lines(_decode(data))
    place, separator = _header_place(physical, columns)
    if separator is None:
        separator = max(_DELIMITERS, key=lambda mark: _recognised(physical, place, mark, columns))
    header = read_record(physical, place, separator)
    if header.error is not None:
        message = english(
            "Line %(first)s, which should name the columns, cannot be read: %(message)s",
            first=header.first,
            message=header.error.message,
        )
        raise TableError(message)
    headings = [clean(without_direction_marks(cell)) for cell in header.cells]
    while headings and not headings[-1]:
        headings.pop()
    places = tuple(_column_of(heading, columns) for heading in headings)
    _require(places, headings, columns, header.first)
    return Table(
        present=frozenset(column.name for column in places if column),
        unused=tuple(heading for heading, column in zip(headings, places, strict=True) if heading and not column),
        delimiter=_DELIMITERS[separator],
        _physical=physical,
        _header_end=header.last,
        _places=places,
        _separator=separator,
        _headings=tuple(heading.lower() for heading in headings),
    )


def _decode(data: bytes) -> str:
    if not data.strip():
        raise TableError(english("The file is empty."))
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise TableError(
            english(
                "This is a spreadsheet, not a CSV file. Open it and save it as CSV: in Excel choose Save As and the "
                "type “CSV UTF-8 (Comma delimited)”."
            )
        )
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff"))
    # In UTF-16 every plain letter has a NUL beside it, and the names of columns are plain.
    head = data[:_HEAD_BYTES]
    if not marked and head.count(0) * 4 > len(head):
        raise TableError(
            english("The file is not in UTF-8 (it looks like UTF-16 without its mark). %(save_as)s", save_as=_SAVE_AS)
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
        raise TableError(
            english(
                "The file is not in UTF-8 (line %(line)s holds the byte 0x%(data)s), so its letters cannot be told "
                "for certain. %(save_as)s",
                line=line,
                data=format(data[error.start], "02X"),
                save_as=_SAVE_AS,
            )
        ) from None
    return text.removeprefix("\ufeff")


def _physical_lines(text: str) -> list[str]:
    # str.splitlines would also cut at letters such as U+2028.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.count("\n") > _MOST_LINE_ENDS * MAX_LINES:
        raise _too_long()
    return text.split("\n")


def _too_long() -> TableError:
    return TableError(
        english("The file has more than %(max_lines)s lines. Split it and import the parts.", max_lines=MAX_LINES)
    )


def _header_place(physical: Sequence[str], columns: Sequence[Column]) -> tuple[int, str | None]:
    """Where the header begins, and the separator that is named above it."""
    separator = None
    for place, content in enumerate(physical):
        hint = _NAMED_SEPARATOR.fullmatch(content)
        if hint:
            separator = hint[1]
        elif content.strip(" \t,;|\xa0"):
            return place, separator
    expected = ", ".join(column.name for column in columns if column.required)
    raise TableError(
        english("The file is empty. Its first line must name the columns: %(expected)s.", expected=expected)
    )


def _recognised(physical: Sequence[str], place: int, separator: str, columns: Sequence[Column]) -> int:
    cells = read_record(physical, place, separator).cells or physical[place].split(separator)
    headings = (clean(without_direction_marks(cell)).strip('"') for cell in cells)
    return sum(_column_of(heading, columns) is not None for heading in headings)


def _column_of(heading: str, columns: Sequence[Column]) -> Column | None:
    key = "_".join(heading.lower().replace("-", " ").replace("_", " ").split())
    return next((column for column in columns if key == column.name or key in column.aliases), None)


def _require(
    places: Sequence[Column | None], headings: Sequence[str], columns: Sequence[Column], header_line: int
) -> None:
    missing = [column.name for column in columns if column.required and column not in places]
    if missing:
        found = ", ".join(headings)
        found = found if len(found) <= _SHOWN else found[:_SHOWN] + "\u2026"
        raise TableError(
            english_count(
                "The file lacks the column %(columns)s. Line %(line)s must name the columns; it reads: %(found)s",
                "The file lacks the columns %(columns)s. Line %(line)s must name the columns; it reads: %(found)s",
                len(missing),
                columns=english_list(" and ", missing),
                line=header_line,
                found=found,
            )
        )
    twice = next((column for column in places if column and places.count(column) > 1), None)
    if twice:
        raise TableError(english("The column %(column)s is there twice. Remove one of them.", column=twice.name))
