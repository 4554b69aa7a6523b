"""How another system calls courses, groups and people, so that it is understood when it names nothing else."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import (
    Account,
    Course,
    CourseGroup,
    Department,
    ExternalIdentity,
    ExternalKind,
    Student,
    utc_now,
)
from attendance.tables import columns, fields
from attendance.tables.errors import LineError
from attendance.tables.reading import Column, Line
from attendance.texts import english
from webapp.imports.plan import ImportPlan, RecordKind
from webapp.imports.report import Outcome, Result
from webapp.imports.run import Importer, Numbered
from webapp.imports.students import write_rows

EXTERNAL_ID = fields.TextRule(255, identifier=True)
SYSTEM = fields.TextRule(120, identifier=True)

_SYSTEM = Column("system", english("Which system it is."), rule=SYSTEM)
_KIND = Column(
    "kind",
    english("What it is: %(kinds)s.", kinds=", ".join(kind.value for kind in ExternalKind)),
    rule=fields.ROLE_WORD,
)
_EXTERNAL = Column("external_id", english("What the system calls it."), rule=EXTERNAL_ID)
_COURSE = replace(columns.COURSE_CODE, required=False)
_GROUP = Column("group", english("The group of the course."), required=False, rule=fields.GROUP_NAME)
_EMAIL = Column("email", english("Of an account."), required=False, rule=fields.EMAIL)

Ids = Mapping[str, int | None]
_NOTHING: dict[str, int | None] = dict.fromkeys(("department_id", "course_id", "group_id", "student_id", "account_id"))


@dataclass(frozen=True)
class IdentityRecord:
    """A line of the file; of the names those of its kind."""

    system: str
    kind: ExternalKind
    external_id: str
    department: str
    course_code: str
    group: str
    index_number: str
    email: str


class IdentityImporter(Importer[IdentityRecord]):
    """Keeps what another system calls what is here, or what an earlier file of the import adds."""

    def __init__(self, *, rule: fields.TextRule = fields.INDEX_NUMBER, plan: ImportPlan | None = None) -> None:
        super().__init__(plan)
        self._number = replace(columns.index_number_column(rule), required=False)
        self.columns = (_SYSTEM, _KIND, _EXTERNAL, columns.DEPARTMENT, _COURSE, _GROUP, self._number, _EMAIL)

    def parse(self, line: Line, present: frozenset[str]) -> IdentityRecord:
        """Check the fields of a line."""
        word = line.text(_KIND)
        if word not in {kind.value for kind in ExternalKind}:
            raise LineError(english("kind '%(kind)s' is none that there is.", kind=word), "kind")
        named = (columns.DEPARTMENT, _COURSE, _GROUP, self._number, _EMAIL)
        return IdentityRecord(
            line.text(_SYSTEM),
            ExternalKind(word),
            line.text(_EXTERNAL),
            *(line.optional_text(column) or "" for column in named),
        )

    def key(self, record: IdentityRecord) -> tuple[Hashable, str, str]:
        """System, kind and what it is called."""
        words = english("%(kind)s %(id)s", kind=record.kind.value, id=record.external_id)
        return (record.system, record.kind, record.external_id), words, "external_id"

    def handle(self, db: Session, batch: Sequence[Numbered[IdentityRecord]], *, apply: bool) -> list[Outcome]:
        """Some statements, whatever the size of the batch."""
        records = [item.record for item in batch]
        found = _Found(db, records, self.plan)
        known = _known(db, records)
        outcomes, new, changed = [], list[dict[str, Any]](), list[dict[str, Any]]()
        for item in batch:
            record = item.record
            ids = found.ids_of(record)
            if ids is None:
                text = english("%(id)s is the identity of what is not there.", id=record.external_id)
                outcomes.append(Outcome(item.line, Result.REFUSED, text, "external_id"))
                continue
            row = known.get((record.system, record.kind, record.external_id))
            if row is not None and {name: getattr(row, name) for name in _NOTHING} == ids:
                outcomes.append(Outcome(item.line, Result.UNCHANGED))
            elif row is not None:
                changed.append({"id": row.id, **ids, "noted_at": utc_now()})
                text = english("%(id)s means another one now", id=record.external_id)
                outcomes.append(Outcome(item.line, Result.UPDATED, text))
            else:
                mine = {"system": record.system, "kind": record.kind, "external_id": record.external_id}
                new.append({**mine, **ids, "noted_at": utc_now()})
                outcomes.append(Outcome(item.line, Result.ADDED, records=1))
        if apply:
            write_rows(db, ExternalIdentity, new, changed)
        return outcomes


class _Found:
    """What the lines of a batch name, by the names; while trying, also what earlier files would add (ids below 0)."""

    def __init__(self, db: Session, records: Sequence[IdentityRecord], plan: ImportPlan) -> None:
        def ids(column: Any, wanted: set[str], planned: RecordKind | None = None) -> dict[str, int]:
            rows = db.execute(sa.select(column, column.class_.id).where(column.in_(wanted - {""})))
            there = {name: one.id for name, one in plan.planned(planned).items()} if planned else {}
            return there | {row[0]: row[1] for row in rows}

        self._trying = not plan.applies
        self._departments = ids(Department.name, {one.department for one in records}, RecordKind.DEPARTMENTS)
        self._courses = ids(Course.code, {one.course_code for one in records}, RecordKind.COURSES)
        self._students = ids(Student.index_number, {one.index_number for one in records}, RecordKind.STUDENTS)
        self._accounts = ids(Account.email, {one.email for one in records})
        groups = sa.select(CourseGroup.course_id, CourseGroup.name, CourseGroup.id)
        groups = groups.where(CourseGroup.course_id.in_(set(self._courses.values())))
        self._groups = {(course, name): group for course, name, group in db.execute(groups)}

    def ids_of(self, record: IdentityRecord) -> Ids | None:
        """The columns of a row for a line; None where what it names is not there.

        A group or an account that an earlier file would add is not told from one that nobody adds while trying: it
        counts as there.
        """
        missing = -1 if self._trying else None
        course = self._courses.get(record.course_code)
        by_kind: dict[ExternalKind, dict[str, int | None]] = {
            ExternalKind.DEPARTMENT: {"department_id": self._departments.get(record.department)},
            ExternalKind.COURSE: {"course_id": course},
            ExternalKind.CLASS: {"course_id": course},
            ExternalKind.STUDENT: {"student_id": self._students.get(record.index_number)},
            ExternalKind.ACCOUNT: {"account_id": self._accounts.get(record.email, missing if record.email else None)},
        }
        ids = by_kind[record.kind]
        if record.kind is ExternalKind.CLASS and record.group:
            ids["group_id"] = self._groups.get((course or 0, record.group), missing)
        return None if None in ids.values() else _NOTHING | ids


def _known(db: Session, records: Sequence[IdentityRecord]) -> dict[tuple[str, ExternalKind, str], ExternalIdentity]:
    query = sa.select(ExternalIdentity).where(
        ExternalIdentity.system.in_({one.system for one in records}),
        ExternalIdentity.external_id.in_({one.external_id for one in records}),
    )
    return {(row.system, row.kind, row.external_id): row for row in db.scalars(query)}
