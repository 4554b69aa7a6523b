"""Students, and the account for which a program asks."""

from typing import Any

import marshmallow as ma
import sqlalchemy as sa
from flask import abort

from attendance.database.models import Student
from webapp.account.bearer import access_token
from webapp.account.permissions import Access, Permission, needs
from webapp.account.reach import reach_student, reachable_student
from webapp.api.paging import Listing, ListPart, by_id, list_of, part_of_query
from webapp.api.resource import Fields, Resource, identifier, moment
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
@students.response(200, StudentFields)
def get_student(student_id: int) -> Student:
    """A student."""
    return reach_student(student_id)
