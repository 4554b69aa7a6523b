"""Lecturers and the courses they teach from a CSV file."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.passwords import NO_PASSWORD
from attendance.database.models import Account, AccountRole, Role
from attendance.tables import columns, fields
from attendance.tables.errors import LineError
from attendance.tables.reading import Column, Line
from attendance.texts import english
from webapp.imports.enrolments import other_name
from webapp.imports.finders import CourseFinder
from webapp.imports.plan import ImportPlan
from webapp.imports.report import Outcome, Result
from webapp.imports.run import Importer, Numbered, refused
from webapp.imports.students import write_rows

_EMAIL = Column("email", english("With it the lecturer signs in."), aliases=("e_mail", "mail"), rule=fields.EMAIL)
_NAME = Column(
    "name",
    english("As students know the lecturer, up to %(longest)s characters.", longest=fields.PERSON_NAME.longest),
    aliases=("lecturer", "full_name"),
    rule=fields.PERSON_NAME,
)
_COURSE_CODE = replace(
    columns.COURSE_CODE,
    meaning=english("The code of a course that the lecturer teaches. One line for each course; empty for none."),
    required=False,
)


@dataclass(frozen=True)
class LecturerRecord:
    """A line of the file."""

    email: str
    name: str
    course_code: str


class LecturerImporter(Importer[LecturerRecord]):
    """Adds lecturers, who have no password yet, and joins them to courses. None becomes administrator."""

    columns = (_EMAIL, _NAME, _COURSE_CODE)

    def __init__(self, plan: ImportPlan | None = None) -> None:
        super().__init__(plan)
        self._courses = CourseFinder(self.plan)
        self._added: dict[str, str] = {}
        self._adding: dict[str, str] = {}

    def parse(self, line: Line, present: frozenset[str]) -> LecturerRecord:
        """Check the fields of a line."""
        return LecturerRecord(
            email=line.text(_EMAIL),
            name=line.text(_NAME),
            course_code=line.optional_text(_COURSE_CODE) or "",
        )

    def key(self, record: LecturerRecord) -> tuple[Hashable, str, str]:
        """Lecturer and course."""
        words = (
            english("%(email)s with %(course_code)s", email=record.email, course_code=record.course_code)
            if record.course_code
            else record.email
        )
        return (record.email, record.course_code), words, "email"

    def handle(self, db: Session, batch: Sequence[Numbered[LecturerRecord]], *, apply: bool) -> list[Outcome]:
        """A few statements, whatever the size of the batch."""
        courses = self._courses.find(db, {item.record.course_code for item in batch} - {""})
        known = _known(db, [item.record.email for item in batch])
        there = _teaching(db, [row.id for row in known.values()])
        names = {**self._added, **{email: row.name for email, row in known.items()}}
        new: dict[str, str] = {}
        teach: list[tuple[str, int]] = []
        outcomes = []
        for item in batch:
            record = item.record
            try:
                course_id = self._courses.require(courses, record.course_code) if record.course_code else None
            except LineError as error:
                outcomes.append(refused(item.line, error))
                continue
            is_new = record.email not in names
            if is_new:
                new[record.email] = names[record.email] = record.name
            row = known.get(record.email)
            joins = course_id is not None and (row is None or (row.id, course_id) not in there)
            if joins and course_id is not None:
                teach.append((record.email, course_id))
            note = other_name(record.email, names[record.email], record.name)
            outcomes.append(
                Outcome(item.line, Result.ADDED if is_new or joins else Result.UNCHANGED, note, records=int(is_new))
            )
        self._adding = new
        if apply:
            self._write(db, new, teach)
        return outcomes

    def settle(self) -> None:
        """Remember the lecturers of the last batch."""
        self._added.update(self._adding)
        self._adding = {}

    def notes(self) -> list[str]:
        """How new lecturers get in."""
        if not self._added:
            return []
        return [
            english(
                "New lecturers have no password yet. Make a link for each, with which they set one: the list of "
                "lecturers has a button for it."
            )
        ]

    def _write(self, db: Session, new: dict[str, str], teach: Sequence[tuple[str, int]]) -> None:
        write_rows(
            db,
            Account,
            [{"email": email, "name": name, "password_hash": NO_PASSWORD} for email, name in new.items()],
        )
        ids = {email: row.id for email, row in _known(db, [email for email, _ in teach]).items()}
        rows = [{"account_id": ids[email], "role": Role.LECTURER, "course_id": course} for email, course in teach]
        write_rows(db, AccountRole, rows)


def _known(db: Session, emails: Sequence[str]) -> dict[str, Any]:
    query = sa.select(Account.email, Account.id, Account.name).where(Account.email.in_(set(emails)))
    return {row.email: row for row in db.execute(query)}


def _teaching(db: Session, lecturers: Sequence[int]) -> set[tuple[int, int]]:
    query = sa.select(AccountRole.account_id, AccountRole.course_id).where(
        AccountRole.account_id.in_(lecturers), AccountRole.course_id.is_not(None)
    )
    return {(row.account_id, row.course_id) for row in db.execute(query)}
