"""The files of a OneRoster archive, read: what they say that concerns attendance, with the line each stands on.

Column names are those of the OneRoster 1.2 CSV binding; of 1.1 what differs is understood, too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from attendance.tables.errors import LineError, TableError
from attendance.tables.reading import Column, Line, read_table
from attendance.texts import english
from webapp.imports.roster import REMOVED
from webapp.rosters.archive import Archive


def _columns(required: str, optional: str) -> tuple[Column, ...]:
    named = [(name, True) for name in required.split()] + [(name, False) for name in optional.split()]
    return tuple(Column(name, required=needed, aliases=_ALIASES.get(name, (name.lower(),))) for name, needed in named)


_ALIASES = {"termSourcedIds": ("termsourcedids", "termsourcedid")}
_COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "academicSessions": _columns("sourcedId endDate", "status title type startDate"),
    "orgs": _columns("sourcedId name type", "status parentSourcedId"),
    "courses": _columns("sourcedId title", "status courseCode orgSourcedId"),
    "classes": _columns("sourcedId title courseSourcedId", "status classCode termSourcedIds"),
    "users": _columns(
        "sourcedId givenName familyName",
        "status username identifier email middleName preferredGivenName preferredFamilyName role",
    ),
    "roles": _columns("userSourcedId role", "status"),
    "enrollments": _columns("sourcedId classSourcedId userSourcedId role", "status beginDate endDate"),
}


@dataclass(frozen=True)
class RosterRow:
    """One line of a file.

    Attributes:
        number: of the line in its file, the header being 1.
        values: by the name of the column; "" where the file has nothing.
        problem: why it cannot be read; the values are empty then.
    """

    number: int
    values: Mapping[str, str]
    problem: LineError | None = None

    def __getitem__(self, column: str) -> str:
        return self.values.get(column, "")

    @property
    def id(self) -> str:
        """What the system calls it."""
        return self["sourcedId"]

    @property
    def deleted(self) -> bool:
        """Whether it is there no more."""
        return self["status"].lower() == REMOVED

    def day(self, column: str) -> date | None:
        """A date; None where there is none that can be read."""
        try:
            return date.fromisoformat(self[column][:10])
        except ValueError:
            return None


@dataclass(frozen=True)
class Tables:
    """The rows of each file; none for a file that is absent."""

    rows: Mapping[str, Sequence[RosterRow]] = field(default_factory=dict)

    def of(self, name: str) -> Sequence[RosterRow]:
        """The rows of a file."""
        return self.rows.get(name, ())

    def good(self, name: str) -> Iterator[RosterRow]:
        """Those that could be read."""
        return (row for row in self.of(name) if row.problem is None)


def read_tables(archive: Archive) -> Tables:
    """Read the files of an archive.

    Raises:
        TableError: one cannot be read; the message names it.
    """
    rows: dict[str, list[RosterRow]] = {}
    for name, data in archive.files.items():
        try:
            rows[name] = [_row(line) for line in read_table(data, _COLUMNS[name]).lines()]
        except TableError as error:
            raise TableError(english("%(file)s: %(problem)s", file=f"{name}.csv", problem=error.args[0])) from None
    return Tables(rows)


def _row(line: Line) -> RosterRow:
    return RosterRow(line.number, line.values, line.error)
