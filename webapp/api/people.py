"""Students, and the account for which a program asks."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import marshmallow as ma
import sqlalchemy as sa
from flask import Response, abort, url_for
from sqlalchemy.orm import Session

from attendance.database.models import Student
from attendance.tables.fields import DECLARED_GROUP, EMAIL, LANGUAGE, PERSON_NAME
from webapp.account.bearer import access_token, may_part
from webapp.account.permissions import Access, Permission, needs
from webapp.account.reach import reach_student, reachable_student
from webapp.api.idempotency import answer_names
from webapp.api.paging import Listing, ListPart, by_id, list_of, part_of_query
from webapp.api.resource import Fields, Resource, identifier, moment, no_content
from webapp.api.texts import IndexNumber, text_field, text_or_none
from webapp.api.writing import (
    IF_MATCH,
    DeletionConfirmed,
    Written,
    answered,
    locked,
    notes_field,
    require_confirmation,
    require_match,
    revision,
    same,
    write,
)
from webapp.changes.students import (
    StudentValues,
    add_student,
    change_student,
    encodings_left_behind_words,
    likeness_words,
    values_of,
    what_student_has,
)
from webapp.changes.students import delete_student as erase
from webapp.tools.names import contains_text
from webapp.tools.storage import database

tokens = Resource("Tokens", "The token that is shown.")
students = Resource("Students", "Students of the courses that the token reaches.")


class TokenFields(Fields):
    """A token, and for whom it acts."""

    name = ma.fields.String(required=True)
    account = ma.fields.String(required=True, metadata={"description": "The e-mail address of the account."})
    scopes = ma.fields.List(ma.fields.String(), required=True)
    course_ids = ma.fields.List(
        identifier(),
        required=True,
        allow_none=True,
        metadata={"description": "The only courses that it is for; null: all that the account reaches."},
    )
    expires_at = moment(required=True)


class StudentFields(Fields):
    """A student."""

    id = identifier(required=True)
    index_number = ma.fields.String(required=True)
    name = ma.fields.String(required=True)


class StudentDetailFields(StudentFields):
    """A student, with what administrators know."""

    email = ma.fields.String(allow_none=True, metadata={"description": "With the scope `students` only, as all below."})
    language = ma.fields.String(allow_none=True, metadata={"description": "Of mail and the own page."})
    declared_group = ma.fields.String(allow_none=True)
    notes = notes_field()


class NewStudent(Fields):
    """A student to be added."""

    index_number = IndexNumber()
    name = text_field(PERSON_NAME)
    email = text_or_none(EMAIL)
    language = text_or_none(LANGUAGE)
    declared_group = text_or_none(DECLARED_GROUP)


class StudentChange(Fields):
    """Who a student is to be; what is left out stays."""

    index_number = IndexNumber(left_out=True)
    name = text_field(PERSON_NAME, left_out=True)
    email = text_or_none(EMAIL)
    language = text_or_none(LANGUAGE)
    declared_group = text_or_none(DECLARED_GROUP)


class StudentFilter(ListPart):
    """Which students."""

    index_number = ma.fields.String(metadata={"description": "The student with this index number."})
    q = ma.fields.String(
        validate=ma.validate.Length(max=120), metadata={"description": "Part of a name or an index number."}
    )


@tokens.route("/token")
@needs(Access.SIGNED_IN)
@tokens.response(200, TokenFields)
def get_token() -> dict[str, Any]:
    """What the token that is shown may, and until when."""
    token = access_token()
    if token is None:
        abort(401)
    return {
        "name": token.name,
        "account": token.account.email,
        "scopes": token.scopes.split(),
        "course_ids": [course.id for course in token.courses] if token.narrowed else None,
        "expires_at": token.expires_at,
    }


@students.route("/students")
@needs(Permission.READ)
@students.arguments(StudentFilter, location="query")
@students.response(200, list_of(StudentFields))
def list_students(asked: dict[str, Any]) -> Listing:
    """Students, by their ids."""
    query = sa.select(Student).where(reachable_student())
    if "index_number" in asked:
        query = query.where(Student.index_number == asked["index_number"])
    if asked.get("q"):
        text = asked["q"]
        query = query.where(sa.or_(contains_text(Student.name, text), contains_text(Student.index_number, text)))
    return part_of_query(database(), query, [by_id(Student.id)], asked)


@students.route("/students/<int:student_id>")
@needs(Permission.READ)
@students.response(200, StudentDetailFields)
def get_student(student_id: int) -> Written:
    """A student."""
    return _answer(reach_student(student_id))


@students.route("/students", methods=["POST"])
@needs(Permission.ADMINISTER, scope="students")
@students.arguments(NewStudent)
@students.alt_response(200, schema=StudentDetailFields)
@students.response(201, StudentDetailFields)
def make_student(asked: dict[str, Any]) -> Written:
    """Add a student; one who is there, and is so already, is answered (200). Consent is recorded elsewhere."""

    def work(db: Session) -> tuple[Student, bool]:
        there = db.scalar(sa.select(Student).where(Student.index_number == asked["index_number"]))
        if there is not None and same(_read(asked), asdict(values_of(there))):
            return there, False
        return add_student(db, StudentValues(**_read(asked))), True

    student, new = write(work)
    answer_names(student.id)
    return _answer(student, status=201 if new else 200, notes=_notes(student) if new else [])


@students.route("/students/<int:student_id>", methods=["PATCH"])
@needs(Permission.ADMINISTER, scope="students")
@students.doc(parameters=[IF_MATCH])
@students.arguments(StudentChange)
@students.response(200, StudentDetailFields)
def patch_student(asked: dict[str, Any], student_id: int) -> Written:
    """Change a student. Face encodings under a former index number are erased; `notes` says so."""

    def work(db: Session) -> tuple[Student, list[str]]:
        student = _locked(db, student_id)
        before = student.index_number
        left_behind = change_student(db, student, replace(values_of(student), **_read(asked)))
        notes = _notes(student) if student.index_number != before else []
        return student, [*notes, *([encodings_left_behind_words()] if left_behind else [])]

    student, notes = write(work)
    return _answer(student, notes=notes)


@students.route("/students/<int:student_id>", methods=["DELETE"])
@needs(Permission.ADMINISTER, scope="students")
@students.doc(parameters=[IF_MATCH])
@students.arguments(DeletionConfirmed, location="query")
@students.response(204)
def delete_student(asked: dict[str, Any], student_id: int) -> Response:
    """Delete a student with every trace in the registers; photos and face encodings are erased, too."""

    def work(db: Session) -> None:
        student = _locked(db, student_id)
        require_confirmation(what_student_has(db, student).entries, student.index_number, asked["confirm"])
        erase(db, student)

    write(work)
    return no_content()


def _read(asked: dict[str, Any]) -> dict[str, Any]:
    """What a body gives: an empty text is none."""
    return {name: value or None for name, value in asked.items()}


def _notes(student: Student) -> list[str]:
    words = likeness_words(database(), student.index_number)
    return [] if words is None else [words]


def _locked(db: Session, student_id: int) -> Student:
    student = locked(db, Student, student_id)
    require_match(revision(asdict(values_of(student))))
    return student


def _answer(student: Student, *, status: int = 200, notes: Sequence[str] | None = None) -> Written:
    stored = asdict(values_of(student))
    details = stored if may_part("students") else {name: stored[name] for name in ("index_number", "name")}
    location = url_for("Students.get_student", student_id=student.id) if status == 201 else None
    shown = {"id": student.id, **details}
    # A tag of what is not shown would let a program guess it: whose e-mail address is this?
    return answered(StudentDetailFields, shown, details, status=status, location=location, notes=notes)
