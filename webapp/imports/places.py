"""Courses and rooms from a CSV file."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Course, Room
from attendance.tables import fields
from attendance.tables.reading import Column, Line
from attendance.texts import english
from webapp.imports.likeness import LikeCourses, LikeRooms
from webapp.imports.plan import ImportPlan, RecordKind
from webapp.imports.report import Outcome, Result
from webapp.imports.run import Importer, Numbered
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


class CourseImporter(Importer[CourseRecord]):
    """Adds courses; gives those already there the name of the file."""

    columns = (_CODE, _NAME)

    def __init__(self, plan: ImportPlan | None = None) -> None:
        super().__init__(plan)
        self._like = LikeCourses(self.plan)
        self._adding: dict[str, str] = {}

    def parse(self, line: Line, present: frozenset[str]) -> CourseRecord:
        """Check the fields of a line."""
        return CourseRecord(line.text(_CODE), line.text(_NAME))

    def key(self, record: CourseRecord) -> tuple[Hashable, str, str]:
        """The code."""
        return record.code, english("Course %(code)s", code=record.code), "code"

    def handle(self, db: Session, batch: Sequence[Numbered[CourseRecord]], *, apply: bool) -> list[Outcome]:
        """Three statements or four, whatever the size of the batch."""
        self._like.begin(db)
        query = sa.select(Course.id, Course.code, Course.name).where(
            Course.code.in_([one.record.code for one in batch])
        )
        known = {row.code: (row.id, row.name) for row in db.execute(query)}
        known |= {code: (one.id, one.name) for code, one in self.plan.planned(RecordKind.COURSES).items()}
        self._adding = {}
        changed, outcomes = [], []
        for item in batch:
            record = item.record
            if record.code not in known:
                self._adding[record.code] = record.name
                question = self._like.question(record.code, item.line)
                outcomes.append(Outcome(item.line, Result.ADDED, records=1, question=question))
            elif (former := known[record.code][1]) != record.name:
                changed.append({"id": known[record.code][0], "name": record.name})
                words = english(
                    "%(code)s is already there; the name changes from %(former)s to %(name)s",
                    code=record.code,
                    former=former,
                    name=record.name,
                )
                outcomes.append(Outcome(item.line, Result.UPDATED, words))
            else:
                outcomes.append(Outcome(item.line, Result.UNCHANGED))
        if apply:
            write_rows(db, Course, [{"code": code, "name": name} for code, name in self._adding.items()], changed)
        return outcomes

    def settle(self) -> None:
        """Remember the courses of the last batch."""
        self.plan.remember(RecordKind.COURSES, self._adding.items())
        self._like.settle()
