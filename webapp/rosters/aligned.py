"""A CSV file whose lines stand on numbers that are given: those that they have in another file."""

import csv
import io
from collections.abc import Sequence

from attendance.tables.columns import LEFT_OUT
from webapp.imports.kinds import Kind
from webapp.imports.together import ImportFile
from webapp.tools.languages import say


class Aligned:
    """A file for one of our imports, word for word: nothing in it is for a spreadsheet.

    Numbers of lines are those of a text editor; the header is line 1. Lines that nothing stands on are empty, and
    imports pass over them.
    """

    def __init__(self, *columns: str) -> None:
        """Begin a file with these columns."""
        self._columns = columns
        self._lines: dict[int, Sequence[str]] = {}
        self._further: list[Sequence[str]] = []

    def put(self, number: int, *cells: str) -> None:
        """Write a line of this number; of two the last counts."""
        self._lines[number] = (*cells, "")

    def leave_out(self, number: int, reason: str) -> None:
        """Write why a line is left out: the import says so, too."""
        self._lines[number] = (*("" for _ in self._columns), say(reason))

    def append(self, *cells: str) -> None:
        """Write a line behind all others."""
        self._further.append((*cells, ""))

    def data(self) -> bytes:
        """The file."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow((*self._columns, LEFT_OUT.name))
        at = 2
        for number in sorted(self._lines):
            buffer.write("\n" * (number - at))
            writer.writerow(self._lines[number])
            at = number + 1
        writer.writerows(self._further)
        return buffer.getvalue().encode()

    def as_import(self, kind: Kind, name: str) -> ImportFile | None:
        """The file for an import; None where it has no line."""
        return ImportFile(kind, name, self.data()) if self._lines or self._further else None
