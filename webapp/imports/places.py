"""Courses and rooms from a CSV file."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Course, Room
from attendance.tables import columns, fields
from attendance.tables.errors import LineError
from attendance.tables.reading import Column, Line
from attendance.texts import Text, english
from webapp.imports.finders import DepartmentFinder
from webapp.imports.likeness import LikeCourses, LikeRooms
from webapp.imports.plan import ImportPlan, RecordKind
from webapp.imports.report import Outcome, Result
from webapp.imports.run import Importer, Numbered, refused
from webapp.imports.students import write_rows

_ROOM = Column(
    "name",
    english("What people call the room, up to %(longest)s characters.", longest=fields.ROOM_NAME.longest),
    aliases=("room", "room_name"),
    rule=fields.ROOM_NAME,
)
_CODE = Column(
    "code",
    english(
        "What tells the course from others, up to %(longest)s characters, like MAT101.",
        longest=fields.COURSE_CODE.longest,
    ),
    aliases=("course_code", "course"),
    rule=fields.COURSE_CODE,
)
_NAME = Column(
    "name",
    english("What the course is called, up to %(longest)s characters.", longest=fields.COURSE_NAME.longest),
    aliases=("course_name", "title"),
    rule=fields.COURSE_NAME,
)
_DEPARTMENT = replace(
    columns.DEPARTMENT,
    meaning=english("The name of the department that the course belongs to. Empty leaves what is recorded."),
)


class RoomImporter(Importer[str]):
    """Adds rooms by their names."""

    columns = (_ROOM,)

    def __init__(self, plan: ImportPlan | None = None) -> None:
        super().__init__(plan)
        self._like = LikeRooms(self.plan)
        self._adding: list[str] = []

    def parse(self, line: Line, present: frozenset[str]) -> str:
        """The room's name."""
        return line.text(_ROOM)

    def key(self, record: str) -> tuple[Hashable, str, str]:
        """The name."""
        return record, english("Room %(name)s", name=record), "name"

    def handle(self, db: Session, batch: Sequence[Numbered[str]], *, apply: bool) -> list[Outcome]:
        """Two or three statements, whatever the size of the batch."""
        self._like.begin(db)
        names = [item.record for item in batch]
        there = (
            set(db.scalars(sa.select(Room.name).where(Room.name.in_(names))))
            | self.plan.planned(RecordKind.ROOMS).keys()
        )
        self._adding = [name for name in names if name not in there]
        outcomes = []
        for item in batch:
            if item.record in there:
                outcomes.append(Outcome(item.line, Result.UNCHANGED))
                continue
            question = self._like.question(item.record, item.line)
            outcomes.append(Outcome(item.line, Result.ADDED, records=1, question=question))
        if apply:
            write_rows(db, Room, [{"name": name} for name in self._adding])
        return outcomes

    def settle(self) -> None:
        """Remember the rooms of the last batch."""
        self.plan.remember(RecordKind.ROOMS, [(name, name) for name in self._adding])
        self._like.settle()


@dataclass(frozen=True)
class CourseRecord:
    """A line of the file."""

    code: str
    name: str
    department: str  # "" for none


@dataclass(frozen=True)
class _Known:
    id: int
    name: str
    department_id: int | None


class CourseImporter(Importer[CourseRecord]):
    """Adds courses; gives those already there the name and the department of the file."""

    columns = (_CODE, _NAME, _DEPARTMENT)

    def __init__(self, plan: ImportPlan | None = None) -> None:
        super().__init__(plan)
        self._like = LikeCourses(self.plan)
        self._departments = DepartmentFinder(self.plan)
        self._adding: dict[str, CourseRecord] = {}

    def parse(self, line: Line, present: frozenset[str]) -> CourseRecord:
        """Check the fields of a line."""
        return CourseRecord(line.text(_CODE), line.text(_NAME), line.optional_text(_DEPARTMENT) or "")

    def key(self, record: CourseRecord) -> tuple[Hashable, str, str]:
        """The code."""
        return record.code, english("Course %(code)s", code=record.code), "code"

    def handle(self, db: Session, batch: Sequence[Numbered[CourseRecord]], *, apply: bool) -> list[Outcome]:
        """A few statements, whatever the size of the batch."""
        self._like.begin(db)
        departments = self._departments.find(db, {item.record.department for item in batch} - {""})
        known = self._known(db, [item.record.code for item in batch])
        self._adding = {}
        new: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        outcomes = []
        for item in batch:
            record = item.record
            try:
                department = self._departments.require(departments, record.department) if record.department else None
            except LineError as error:
                outcomes.append(refused(item.line, error))
                continue
            former = known.get(record.code)
            if former is None:
                self._adding[record.code] = record
                new.append({"code": record.code, "name": record.name, "department_id": department})
                question = self._like.question(record.code, item.line)
                outcomes.append(Outcome(item.line, Result.ADDED, records=1, question=question))
                continue
            after = replace(former, name=record.name, department_id=department or former.department_id)
            if after == former:
                outcomes.append(Outcome(item.line, Result.UNCHANGED))
                continue
            changed.append({"id": after.id, "name": after.name, "department_id": after.department_id})
            outcomes.append(Outcome(item.line, Result.UPDATED, _difference(record, former, after)))
        if apply:
            write_rows(db, Course, new, changed)
        return outcomes

    def settle(self) -> None:
        """Remember the courses of the last batch."""
        self.plan.remember(RecordKind.COURSES, [(code, record.name) for code, record in self._adding.items()])
        self._like.settle()

    def _known(self, db: Session, codes: Sequence[str]) -> dict[str, _Known]:
        query = sa.select(Course.code, Course.id, Course.name, Course.department_id).where(Course.code.in_(codes))
        known = {row.code: _Known(row.id, row.name, row.department_id) for row in db.execute(query)}
        planned = self.plan.planned(RecordKind.COURSES).items()
        return known | {code: _Known(one.id, one.name, None) for code, one in planned}


def _difference(record: CourseRecord, former: _Known, after: _Known) -> Text:
    values = {"code": record.code, "former": former.name, "name": after.name, "department": record.department}
    if after.department_id == former.department_id:
        return english("%(code)s is already there; the name changes from %(former)s to %(name)s", **values)
    if after.name == former.name:
        return english("%(code)s is already there; it goes to the department %(department)s", **values)
    return english(
        "%(code)s is already there; the name changes from %(former)s to %(name)s and it goes to the department "
        "%(department)s",
        **values,
    )
