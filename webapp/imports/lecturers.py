"""Lecturers, assistants and heads of departments, and what they are of, from a CSV file."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.passwords import NO_PASSWORD
from attendance.database.access.roles import Reach, give_role, role_details
from attendance.database.audit.noting import note
from attendance.database.consent import actor_of
from attendance.database.models import Account, AccountRole, AuditAction, Role
from attendance.tables import columns, fields
from attendance.tables.errors import LineError
from attendance.tables.reading import Column, Line
from attendance.texts import english
from webapp.imports.enrolments import other_name
from webapp.imports.finders import CourseFinder, DepartmentFinder
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
_ROLE = Column(
    "role",
    english(
        "lecturer, assistant (only takes the registers of the course) or head (of a department). Empty: lecturer; who "
        "has another role in the course keeps it."
    ),
    required=False,
    rule=fields.ROLE_WORD,
)
_DEPARTMENT = replace(
    columns.DEPARTMENT, meaning=english("The name of the department that a head is of. Of others it is passed over.")
)

_ROLES = {"lecturer": Role.LECTURER, "assistant": Role.ASSISTANT, "head": Role.DEPARTMENT}
_WORDS = {role: word for word, role in _ROLES.items()}


@dataclass(frozen=True)
class LecturerRecord:
    """A line of the file.

    Attributes:
        course_code: "" for none.
        role: None: the line says nothing.
        department: of a head; else "".
        passed_over: the line names the department of somebody who heads none, as lists of a staff office do.
    """

    email: str
    name: str
    course_code: str
    role: Role | None
    department: str
    passed_over: bool = False


@dataclass(frozen=True)
class _Wanted:
    """A role that a line wants somebody to have."""

    email: str
    role: Role
    reach: Reach


class LecturerImporter(Importer[LecturerRecord]):
    """Adds lecturers, who have no password yet, and gives them roles. None becomes administrator."""

    columns = (_EMAIL, _NAME, _COURSE_CODE, _ROLE, _DEPARTMENT)

    def __init__(self, plan: ImportPlan | None = None) -> None:
        super().__init__(plan)
        self._courses = CourseFinder(self.plan)
        self._departments = DepartmentFinder(self.plan)
        self._added: dict[str, str] = {}
        self._adding: dict[str, str] = {}
        self._passed_over = self._passing_over = 0

    def parse(self, line: Line, present: frozenset[str]) -> LecturerRecord:
        """Check the fields of a line."""
        role = _read_role(line.optional_text(_ROLE) or "")
        department = line.optional_text(_DEPARTMENT) or ""
        heads = role is Role.DEPARTMENT
        record = LecturerRecord(
            email=line.text(_EMAIL),
            name=line.text(_NAME),
            course_code=line.optional_text(_COURSE_CODE) or "",
            role=role,
            department=department if heads else "",
            passed_over=bool(department) and not heads,
        )
        _require_place(record)
        return record

    def key(self, record: LecturerRecord) -> tuple[Hashable, str, str]:
        """Lecturer and where the role is held."""
        place = record.course_code or record.department
        words = english("%(email)s with %(place)s", email=record.email, place=place) if place else record.email
        return (record.email, record.course_code, record.department), words, "email"

    def handle(self, db: Session, batch: Sequence[Numbered[LecturerRecord]], *, apply: bool) -> list[Outcome]:
        """A few statements, whatever the size of the batch."""
        courses = self._courses.find(db, {item.record.course_code for item in batch} - {""})
        departments = self._departments.find(db, {item.record.department for item in batch} - {""})
        known = _known(db, [item.record.email for item in batch])
        there = _held(db, [row.id for row in known.values()])
        names = {**self._added, **{email: row.name for email, row in known.items()}}
        new: dict[str, str] = {}
        given: list[_Wanted] = []
        outcomes = []
        for item in batch:
            record = item.record
            try:
                reach = self._reach(record, courses, departments)
            except LineError as error:
                outcomes.append(refused(item.line, error))
                continue
            is_new = record.email not in names
            if is_new:
                new[record.email] = names[record.email] = record.name
            row = known.get(record.email)
            former = None if row is None or reach is None else there.get((row.id, reach))
            wanted = record.role or former or Role.LECTURER
            gets = reach is not None and wanted is not former
            if reach is not None and gets:
                given.append(_Wanted(record.email, wanted, reach))
            note = other_name(record.email, names[record.email], record.name)
            result = Result.ADDED if is_new or gets else Result.UNCHANGED
            if gets and former is not None:
                result = Result.UPDATED
                note = english(
                    "%(email)s was %(former)s of %(course)s and is %(role)s now",
                    email=record.email,
                    former=_WORDS[former],
                    course=record.course_code,
                    role=_WORDS[wanted],
                )
            outcomes.append(Outcome(item.line, result, note, records=int(is_new)))
        self._adding = new
        self._passing_over = sum(item.record.passed_over for item in batch)
        if apply:
            self._write(db, new, given, there)
        return outcomes

    def _reach(self, record: LecturerRecord, courses: dict[str, int], departments: dict[str, int]) -> Reach | None:
        """Where the line wants somebody to have a role; None: nowhere.

        Raises:
            LineError: the course or the department is not there.
        """
        if record.department:
            return Reach(department_id=self._departments.require(departments, record.department))
        if record.course_code:
            return Reach(course_id=self._courses.require(courses, record.course_code))
        return None

    def settle(self) -> None:
        """Remember what the notes on the last batch say."""
        self._added.update(self._adding)
        self._passed_over += self._passing_over
        self._adding, self._passing_over = {}, 0

    def notes(self) -> list[str]:
        """How new lecturers get in, and what was passed over."""
        notes: list[str] = []
        if self._added:
            notes.append(
                english(
                    "New lecturers have no password yet. Make a link for each, with which they set one: the list of "
                    "lecturers has a button for it."
                )
            )
        if self._passed_over:
            notes.append(
                english(
                    "Lines with a department of somebody who is no head of it: %(lines)s. It was passed over. To make "
                    "somebody its head, write head under role.",
                    lines=self._passed_over,
                )
            )
        return notes

    def _write(
        self,
        db: Session,
        new: dict[str, str],
        given: Sequence[_Wanted],
        there: Mapping[tuple[int, Reach], Role],
    ) -> None:
        people = [{"email": email, "name": name, "password_hash": NO_PASSWORD} for email, name in new.items()]
        write_rows(db, Account, people)
        ids = {email: row.id for email, row in _known(db, [one.email for one in given]).items()}
        rows, actor = [], actor_of(self.plan.recorder)
        for email in new:
            note(db, AuditAction.ACCOUNT_ADDED, actor=actor, subject=email)
        for one in given:
            account_id = ids[one.email]
            details = role_details(db, one.role, one.reach)
            note(db, AuditAction.ROLE_GIVEN, actor=actor, subject=one.email, details=details)
            if (account_id, one.reach) in there:
                give_role(db, account_id, one.role, one.reach)
            else:
                place = {"department_id": one.reach.department_id, "course_id": one.reach.course_id}
                rows.append({"account_id": account_id, "role": one.role, **place})
        write_rows(db, AccountRole, rows)


def _read_role(text: str) -> Role | None:
    if text and text not in _ROLES:
        sentence = english(
            "role '%(text)s' is none of %(roles)s. Administrators are made by hand.",
            text=text,
            roles=", ".join(_ROLES),
        )
        raise LineError(sentence, "role")
    return _ROLES[text] if text else None


def _require_place(record: LecturerRecord) -> None:
    """Refuse a role without the place where it is held, or with another."""
    if record.role is Role.DEPARTMENT and not record.department:
        raise LineError(english("A head needs a department. Write its name under department."), "department")
    if record.department and record.course_code:
        sentence = english("A line gives one role: of the department or in the course. Write two lines.")
        raise LineError(sentence, "course_code")
    if record.role is Role.ASSISTANT and not record.course_code:
        raise LineError(english("An assistant needs a course."), "course_code")


def _known(db: Session, emails: Sequence[str]) -> dict[str, Any]:
    query = sa.select(Account.email, Account.id, Account.name).where(Account.email.in_(set(emails)))
    return {row.email: row for row in db.execute(query)}


def _held(db: Session, account_ids: Sequence[int]) -> dict[tuple[int, Reach], Role]:
    """The roles of accounts in departments and courses, by account and place."""
    query = sa.select(AccountRole.account_id, AccountRole.department_id, AccountRole.course_id, AccountRole.role)
    query = query.where(AccountRole.account_id.in_(account_ids), AccountRole.everywhere.is_(None))
    return {(account, Reach(department, course)): role for account, department, course, role in db.execute(query)}
