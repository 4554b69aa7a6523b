"""Lecturers and the courses they teach from a CSV file."""

import secrets
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from email_validator import EmailNotValidError, validate_email
from sqlalchemy.orm import Session

from attendance.database.models import CourseLecturer, Lecturer, Role
from attendance.database.passwords import hash_password
from attendance.tables.fields import LONGEST_COURSE_CODE, LONGEST_EMAIL, LONGEST_NAME, text_problem
from attendance.tables.reading import Column, Line, LineError
from webapp.imports.enrolments import CourseFinder
from webapp.imports.report import Outcome, Result
from webapp.imports.run import Importer, Numbered, refused, require
from webapp.imports.students import write_rows


@dataclass(frozen=True)
class LecturerRecord:
    """A line of the file."""

    email: str
    name: str
    course_code: str


class LecturerImporter(Importer[LecturerRecord]):
    """Adds lecturers, with a password that nobody knows, and joins them to courses. None becomes administrator."""

    columns = (
        Column("email", "With it the lecturer signs in.", aliases=("e_mail", "mail")),
        Column("name", "As students know the lecturer, up to 120 characters.", aliases=("lecturer", "full_name")),
        Column(
            "course_code",
            "The code of a course that the lecturer teaches. One line for each course; empty for none.",
            required=False,
            aliases=("course", "code"),
        ),
    )

    def __init__(self) -> None:
        self._courses = CourseFinder()
        self._added: dict[str, str] = {}
        self._adding: dict[str, str] = {}
        self._nobodys_password: str | None = None

    def parse(self, line: Line, present: frozenset[str]) -> LecturerRecord:
        """Check the fields of a line."""
        code = line.values.get("course_code", "")
        if code:
            require(code, "course_code", text_problem(code, longest=LONGEST_COURSE_CODE, identifier=True))
        name = line.values["name"]
        return LecturerRecord(
            email=email_of(line),
            name=require(name, "name", text_problem(name, longest=LONGEST_NAME)),
            course_code=code,
        )

    def key(self, record: LecturerRecord) -> tuple[Hashable, str, str]:
        """Lecturer and course."""
        words = f"{record.email} with {record.course_code}" if record.course_code else record.email
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
            kept = names[record.email] != record.name
            note = f"{record.email} is already there as {names[record.email]}; that name stays." if kept else ""
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
        return ["New lecturers have no password yet. Give each one a first password on the lecturer's page."]

    def _write(self, db: Session, new: dict[str, str], teach: Sequence[tuple[str, int]]) -> None:
        if new and self._nobodys_password is None:
            # 256 random bits that are thrown away: one slow hash serves every line.
            self._nobodys_password = hash_password(secrets.token_urlsafe(32))
        write_rows(
            db,
            Lecturer,
            [
                {"email": email, "name": name, "password_hash": self._nobodys_password, "role": Role.LECTURER}
                for email, name in new.items()
            ],
        )
        ids = {email: row.id for email, row in _known(db, [email for email, _ in teach]).items()}
        write_rows(db, CourseLecturer, [{"lecturer_id": ids[email], "course_id": course} for email, course in teach])


def email_of(line: Line) -> str:
    """The line's e-mail address, in lower case.

    Raises:
        LineError: it is missing or none.
    """
    value = line.values["email"].lower()
    require(value, "email", text_problem(value, longest=LONGEST_EMAIL, identifier=True))
    try:
        validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise LineError(f"email {value!r} is no e-mail address.", "email") from None
    return value


def _known(db: Session, emails: Sequence[str]) -> dict[str, Any]:
    query = sa.select(Lecturer.email, Lecturer.id, Lecturer.name).where(Lecturer.email.in_(set(emails)))
    return {row.email: row for row in db.execute(query)}


def _teaching(db: Session, lecturers: Sequence[int]) -> set[tuple[int, int]]:
    query = sa.select(CourseLecturer.lecturer_id, CourseLecturer.course_id).where(
        CourseLecturer.lecturer_id.in_(lecturers)
    )
    return {(row.lecturer_id, row.course_id) for row in db.execute(query)}
