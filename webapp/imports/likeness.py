"""What is new in a file and hardly told apart from what is there, or from an earlier line: it may be damaged."""

import unicodedata
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Course, Room, Student
from attendance.tables.index_numbers import likeness, likeness_key
from attendance.texts import english
from webapp.imports.plan import ImportPlan, RecordKind

_THERE, _PLANNED = 0, -1


class _Like:
    """Finds, for a name that is new, one that is hardly told apart from it.

    Use: `begin` with each batch, `question` for each new name of it, `settle` when the batch is done.
    """

    record: ClassVar[RecordKind]
    _model: ClassVar[type[Any]]
    _name: ClassVar[str]
    """Of the model's column that holds what lines call it."""
    _question: ClassVar[str] = ""
    _there: ClassVar[str] = english("which is there already")

    def __init__(self, plan: ImportPlan | None = None) -> None:
        self._plan = plan or ImportPlan()
        # For each key the first name with it, and its line.
        self._known: dict[str, tuple[str, int]] | None = None
        self._fresh: dict[str, tuple[str, int]] = {}

    def begin(self, db: Session) -> None:
        """Begin a batch, perhaps one that is done again."""
        if self._known is None:
            self._known = {self._key(name): (name, _PLANNED) for name in self._plan.planned(self.record)}
            self._known |= {self._key(name): (name, _THERE) for name in db.scalars(sa.select(self._called))}
        self._fresh = {}

    def question(self, name: str, line: int) -> str:
        """What must be asked about a name that a line adds; "" if nothing."""
        key = self._key(name)
        found = (self._known or {}).get(key) or self._fresh.setdefault(key, (name, line))
        other, other_line = found
        if other == name:
            return ""
        where = {_THERE: self._there, _PLANNED: english("of an earlier file")}.get(
            other_line, english("on line %(line)s", line=other_line)
        )
        return self._sentence(name, other, where)

    def hint(self, name: str) -> str:
        """A question that names one like it that is there, "" if none is."""
        found = (self._known or {}).get(self._key(name))
        return "" if found is None or found[0] == name else english("Did you mean %(name)s?", name=found[0])

    def settle(self) -> None:
        """What the last batch added counts as known."""
        if self._known is not None:
            self._known |= self._fresh
        self._fresh = {}

    @property
    def _called(self) -> Any:
        return getattr(self._model, self._name)

    def _key(self, name: str) -> str:
        """The same for names that people take for one: without capitals, spaces and marks."""
        folded = unicodedata.normalize("NFKC", name).casefold()
        return "".join(letter for letter in folded if letter.isalnum()) or folded

    def _sentence(self, name: str, other: str, where: str) -> str:
        return english(self._question, name=name, other=other, where=where)


class LikeNumbers(_Like):
    """Of index numbers."""

    record = RecordKind.STUDENTS
    _model, _name = Student, "index_number"
    _there = english("who is there already")

    def _key(self, name: str) -> str:
        return likeness_key(name)

    def _sentence(self, name: str, other: str, where: str) -> str:
        return likeness(name, other, where)


class LikeCourses(_Like):
    """Of course codes."""

    record = RecordKind.COURSES
    _model, _name = Course, "code"
    _question = english("%(name)s is like %(other)s, %(where)s. Is this another course?")


class LikeRooms(_Like):
    """Of rooms' names."""

    record = RecordKind.ROOMS
    _model, _name = Room, "name"
    _question = english("%(name)s is like %(other)s, %(where)s. Is this another room?")


def numbers_like(db: Session, index_number: str) -> list[str]:
    """Index numbers of other students that are hardly told apart from this one."""
    key = likeness_key(index_number)
    numbers = db.scalars(sa.select(Student.index_number).order_by(Student.index_number))
    return [number for number in numbers if likeness_key(number) == key and number != index_number]
