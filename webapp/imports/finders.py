"""Finding what a line names: in the database, among what the plan adds, or made because it may be."""

from collections.abc import Iterable
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Course, CourseGroup, Department, Room
from attendance.texts import english, english_list
from webapp.imports.plan import ImportPlan, MissingError, RecordKind


class _Finder:
    """Rows by what lines call them, with a hint for a name that differs in capitals only."""

    record: ClassVar[RecordKind]
    column: ClassVar[str]
    """At fault where there is none."""
    _model: ClassVar[type[Any]]
    _name: ClassVar[str]
    """Of the model's column that holds what lines call it."""
    _sentence: ClassVar[str]

    def __init__(self, plan: ImportPlan | None = None) -> None:
        self._plan = plan or ImportPlan()
        self._hints: dict[str, str] = {}

    def find(self, db: Session, names: Iterable[str]) -> dict[str, int]:
        """The ids of those that are there, by name; below 0 where they would be added. Makes what may be made."""
        wanted = set(names)
        found = self._ids(db, wanted)
        planned = self._plan.planned(self.record)
        found = {name: planned[name].id for name in wanted & planned.keys()} | found
        missing = wanted - found.keys()
        if missing:
            self._look_for_similar(db, missing)
        if missing and self.record in self._plan.create:
            found |= self._make(db, sorted(name for name in missing if name.lower() not in self._hints))
        return found

    def require(self, found: dict[str, int], name: str) -> int:
        """The id of one.

        Raises:
            MissingError: there is none of that name. Of one that is there in other capitals, no other is to be made:
                LineError.
        """
        if name in found:
            return found[name]
        hint = self._hints.get(name.lower())
        sentence = english(self._sentence, name=name)
        if hint is not None:
            guess = english_list(" ", [sentence, english("Did you mean %(name)s?", name=hint)])
            raise MissingError(guess, self.column, self.record, "")
        raise MissingError(sentence, self.column, self.record, name)

    @property
    def _called(self) -> Any:
        return getattr(self._model, self._name)

    def _ids(self, db: Session, names: Iterable[str]) -> dict[str, int]:
        rows = db.execute(sa.select(self._called, self._model.id).where(self._called.in_(set(names))))
        return {row[0]: row[1] for row in rows}

    def _look_for_similar(self, db: Session, missing: set[str]) -> None:
        lowered = {name.lower() for name in missing}
        similar = sa.select(self._called).where(sa.func.lower(self._called).in_(lowered))
        self._hints.update({name.lower(): name for name in db.scalars(similar)})
        planned = self._plan.planned(self.record)
        self._hints.update({name.lower(): name for name in planned if name.lower() in lowered})

    def _make(self, db: Session, names: list[str]) -> dict[str, int]:
        if not names:
            return {}
        self._plan.note_created(self.record, names)
        if self._plan.applies:
            db.execute(sa.insert(self._model), [self._row(name) for name in names])
            return self._ids(db, names)
        self._plan.remember(self.record, [(name, name) for name in names])
        return {name: self._plan.planned(self.record)[name].id for name in names}

    def _row(self, name: str) -> dict[str, Any]:
        raise NotImplementedError


class CourseFinder(_Finder):
    """Courses by their codes. One that is made is called like its code until somebody gives it a name."""

    record = RecordKind.COURSES
    column = "course_code"
    _model, _name = Course, "code"
    _sentence = english("There is no course with the code %(name)s.")

    def _row(self, name: str) -> dict[str, Any]:
        return {"code": name, "name": name}


class DepartmentFinder(_Finder):
    """Departments by their names."""

    record = RecordKind.DEPARTMENTS
    column = "department"
    _model, _name = Department, "name"
    _sentence = english("There is no department called %(name)s.")

    def _row(self, name: str) -> dict[str, Any]:
        return {"name": name}


class RoomFinder(_Finder):
    """Rooms by their names."""

    record = RecordKind.ROOMS
    column = "room"
    _model, _name = Room, "name"
    _sentence = english("There is no room called %(name)s.")

    def _row(self, name: str) -> dict[str, Any]:
        return {"name": name}


def find_groups(db: Session, course_ids: Iterable[int]) -> dict[tuple[int, str], int]:
    """The ids of the groups of courses, by course and name."""
    query = sa.select(CourseGroup.course_id, CourseGroup.name, CourseGroup.id)
    found = db.execute(query.where(CourseGroup.course_id.in_(set(course_ids))))
    return {(course_id, name): group_id for course_id, name, group_id in found}
