"""Excuses of students: reading, giving and taking them back."""

from typing import Any

import marshmallow as ma
from flask import Response, abort

from attendance.database.excuses import ExcuseError, NewExcuse, give_excuse, take_back_excuse
from attendance.database.models import Excuse
from attendance.tables.fields import EXCUSE_REASON, EXCUSE_REFERENCE
from webapp.account.identity import current_account, is_admin
from webapp.account.permissions import Permission, needs
from webapp.account.reach import reach_student
from webapp.api.paging import Listing, ListPart, by_id, list_of, part_of_items
from webapp.api.resource import Fields, Resource, day, identifier, moment, no_content
from webapp.api.texts import text_field
from webapp.records.excuses import courses_to_excuse, excuses_of, may_take_back
from webapp.tools.languages import say_error
from webapp.tools.problems import refuse
from webapp.tools.storage import database
from webapp.tools.times import day_bounds, start_of_day

excuses = Resource("Excuses", "Excuses of students for a time, of one course, several or all.")


class ExcuseFields(Fields):
    """An excuse. Sessions that start in its time are covered."""

    id = identifier(required=True)
    student_id = identifier(required=True)
    course_id = identifier(required=True, allow_none=True, metadata={"description": "null: of every course."})
    starts_at = moment(required=True)
    ends_at = moment(required=True)
    reason = ma.fields.String(required=True)
    reference = ma.fields.String(required=True, allow_none=True)


class GivenExcuse(Fields):
    """An excuse to be given."""

    first_day = day(required=True, metadata={"description": "At the institution."})
    last_day = day(required=True, metadata={"description": "Included."})
    course_ids = ma.fields.List(
        identifier(),
        load_default=None,
        allow_none=True,
        validate=ma.validate.Length(min=1, max=100),
        metadata={
            "description": "Of which courses, an excuse each. Without it: of all that the student takes and the token "
            "reaches; for an administrator's token, of every course."
        },
    )
    reason = text_field(EXCUSE_REASON)
    reference = text_field(EXCUSE_REFERENCE, optional=True, about="Of a paper that proves it.")


class GivenExcuses(Fields):
    """The excuses that were given, or were there already."""

    items = ma.fields.List(ma.fields.Nested(ExcuseFields), required=True)


@excuses.route("/students/<int:student_id>/excuses")
@needs(Permission.READ)
@excuses.arguments(ListPart, location="query")
@excuses.response(200, list_of(ExcuseFields))
def list_excuses(asked: dict[str, Any], student_id: int) -> Listing:
    """A student's excuses, of every course and of those that the token reaches."""
    return part_of_items(excuses_of(reach_student(student_id)), by_id(Excuse.id), asked)


@excuses.route("/students/<int:student_id>/excuses", methods=["POST"])
@needs(Permission.EXCUSE)
@excuses.arguments(GivenExcuse)
@excuses.response(201, GivenExcuses)
def add_excuse(asked: dict[str, Any], student_id: int) -> dict[str, Any]:
    """Excuse a student; registers of closed sessions follow at once."""
    student = reach_student(student_id)
    reached = [course.id for course in courses_to_excuse(student)]
    wanted: list[int] | None = asked["course_ids"]
    if not reached and not is_admin():
        abort(404)
    if wanted is None:
        meant = None if is_admin() else reached
    elif not set(wanted) <= set(reached):
        refuse("json", course_ids="The student takes no such course, or the token does not reach it.")
    else:
        meant = sorted(set(wanted))
    new = NewExcuse(
        student_id=student.id,
        course_ids=meant,
        starts_at=start_of_day(asked["first_day"]),
        ends_at=day_bounds(asked["last_day"])[1],
        reason=asked["reason"],
        reference=asked.get("reference") or "",
    )
    try:
        return {"items": give_excuse(database(), new, account_id=current_account().id)}
    except ExcuseError as error:
        refuse("json", last_day=say_error(error))


@excuses.route("/students/<int:student_id>/excuses/<int:excuse_id>", methods=["DELETE"])
@needs(Permission.EXCUSE)
@excuses.response(204)
def take_back(student_id: int, excuse_id: int) -> Response:
    """Take an excuse back and undo what it did."""
    student, excuse = reach_student(student_id), database().get(Excuse, excuse_id)
    if excuse is None or excuse.student_id != student.id or not may_take_back(excuse):
        abort(404)
    take_back_excuse(database(), excuse_id, account_id=current_account().id)
    return no_content()
