"""Cutting the lines of a CSV file into records, so that a stray quotation mark spoils no more than it must.

A record may span lines: a cell in quotation marks may hold line breaks (RFC 4180). Whether a mark that opens a cell is
meant, or stray, shows at the mark that closes it. So a record is read on over the following lines, but not beyond
`LONGEST_RECORD` characters. If the marks do not match by then, the line on which it began is reported, that line alone,
and reading goes on with the next one.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from attendance.tables.errors import LineError
from attendance.texts import english

LONGEST_RECORD = 10_000
"""Characters."""


@dataclass(frozen=True)
class CsvRecord:
    """What stands between two record ends.

    Attributes:
        first: the number of its first line, as a text editor counts.
        last: the number of its last line.
        content: its text, lines parted by line feeds.
        cells: empty if there is an error.
        error: why it cannot be cut into cells.
    """

    first: int
    last: int
    content: str
    cells: Sequence[str] = ()
    error: LineError | None = None


def read_records(lines: Sequence[str], separator: str, *, after: int = 0) -> Iterator[CsvRecord]:
    """The records that hold more than separators and space.

    Args:
        lines: of the file, without their ends.
        separator: one character.
        after: how many lines to pass over.
    """
    place = after
    while place < len(lines):
        if not lines[place].strip(separator + " \t\xa0"):
            place += 1
            continue
        record = read_record(lines, place, separator)
        yield record
        place = record.last


def read_record(lines: Sequence[str], place: int, separator: str) -> CsvRecord:
    """The record that begins at `place` (0 is the first line)."""
    content, number = lines[place], place + 1
    try:
        _require_readable(content)
        if '"' not in content:
            return CsvRecord(number, number, content, content.split(separator))
        reader = csv.reader(_bounded(lines, place), delimiter=separator, strict=True)
        cells = next(reader)
    except LineError as error:
        return CsvRecord(number, number, content, error=error)
    except csv.Error:
        return CsvRecord(number, number, content, error=_unmatched())
    last = place + reader.line_num
    return CsvRecord(number, last, "\n".join(lines[place:last]), cells)


def _bounded(lines: Sequence[str], place: int) -> Iterator[str]:
    """The lines that one record may have, each with its end."""
    length = 0
    for index in range(place, len(lines)):
        length += len(lines[index]) + 1
        if index > place and (length > LONGEST_RECORD or "\0" in lines[index]):
            return
        yield lines[index] + "\n"


def _require_readable(content: str) -> None:
    if "\0" in content:
        raise LineError(english("The line holds a NUL byte, which no text has; the file is damaged here."))
    if len(content) > LONGEST_RECORD:
        raise LineError(
            english(
                "The line has %(content)s characters; a line here never has more than %(longest_record)s.",
                content=len(content),
                longest_record=LONGEST_RECORD,
            )
        )


def _unmatched() -> LineError:
    return LineError(
        english(
            'The quotation marks do not match. A field that begins with " must end with "; a quotation mark inside '
            'it is written twice ("").'
        )
    )
