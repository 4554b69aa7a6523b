"""What the files of one import may rely on beside the rows of the database.

An import is one file or several, such as courses, students and their enrolments, which are tried and written together.
Trying writes nothing. What earlier lines and files would add is remembered here instead, with ids below 0, which no row
has. So is what nobody's file adds and the person who imports wants made: courses and rooms that lines name.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from attendance.database.consent import BY_COMMAND, Recorder
from attendance.tables.errors import LineError


class RecordKind(StrEnum):
    """What lines name and may not be there; the plural noun."""

    COURSES = "courses"
    DEPARTMENTS = "departments"
    ROOMS = "rooms"
    STUDENTS = "students"


CREATABLE = frozenset({RecordKind.COURSES, RecordKind.DEPARTMENTS, RecordKind.ROOMS})
"""What can be made of the name that a line has for it. A student needs a name beside the number."""


class MissingError(LineError):
    """A line names a course, department, room or student that is not there.

    Attributes:
        record: what.
        name: how the line calls it.
    """

    def __init__(self, message: str, column: str, record: RecordKind, name: str) -> None:
        super().__init__(message, column)
        self.record = record
        self.name = name


@dataclass(frozen=True)
class Planned:
    """What would be added.

    Attributes:
        id: below 0.
        name: a student's or a course's; of a room, what it is called.
    """

    id: int
    name: str


@dataclass
class ImportPlan:
    """Beside the database.

    Attributes:
        create: what may be made where lines name it and it is not there.
        recorder: who records the consents that files say were given.
        applies: whether what is added is written, and so found in the database; `run_import` says so.
    """

    create: frozenset[RecordKind] = frozenset()
    recorder: Recorder = BY_COMMAND
    applies: bool = False
    _planned: dict[RecordKind, dict[str, Planned]] = field(
        default_factory=lambda: {record: {} for record in RecordKind}
    )
    _created: dict[RecordKind, dict[str, None]] = field(default_factory=lambda: {record: {} for record in RecordKind})
    _last_id: int = 0

    def remember(self, record: RecordKind, names: Iterable[tuple[str, str]]) -> None:
        """While trying: what lines would add, as pairs of what others call it and its name."""
        if self.applies:
            return
        for called, name in names:
            if called not in self._planned[record]:
                self._last_id -= 1
                self._planned[record][called] = Planned(self._last_id, name)

    def planned(self, record: RecordKind) -> dict[str, Planned]:
        """What earlier lines and files would add, by what lines call it."""
        return self._planned[record]

    def note_created(self, record: RecordKind, names: Iterable[str]) -> None:
        """What was made, or would be, because lines name it."""
        self._created[record].update(dict.fromkeys(names))

    def take_created(self) -> dict[str, list[str]]:
        """What was noted since the last time, by the noun of `RecordKind`; empty ones are left out."""
        taken = {record.value: list(names) for record, names in self._created.items() if names}
        self._created = {record: {} for record in RecordKind}
        return taken
