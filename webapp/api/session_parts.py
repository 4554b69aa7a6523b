"""What requests say of sessions: whom they are for, where, and when attendance counts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import marshmallow as ma
from flask_babel import gettext
from sqlalchemy.orm import Session

from attendance.database.audiences import Audience, each_once
from attendance.database.models import ClassSession
from attendance.tables.dates import MOST_MINUTES
from webapp.api.resource import Fields, identifier
from webapp.changes.errors import ChangeError
from webapp.tools.class_sessions.planning import plan_slot
from webapp.tools.class_sessions.schedule import ScheduleError, Slot, checked_slot
from webapp.tools.languages import say_error
from webapp.tools.times import zone

_MOST_PARTS = 50
GRACE = "After the start: who comes later is late."
EARLY = "Before the start: who comes then is present."


class AskedAudience(Fields):
    """A course, or a group of one, that a session is to be for."""

    course_id = identifier(required=True)
    group_id = identifier(load_default=None, allow_none=True)


def audiences_field(**arguments: Any) -> ma.fields.List[Any]:
    """Whom a session is to be for."""
    return ma.fields.List(
        ma.fields.Nested(AskedAudience),
        validate=ma.validate.Length(min=1, max=_MOST_PARTS),
        metadata={"description": "Courses and groups, the first one first."},
        **arguments,
    )


def rooms_field(**arguments: Any) -> ma.fields.List[Any]:
    """Where a session is to be."""
    return ma.fields.List(
        identifier(),
        validate=ma.validate.Length(min=1, max=_MOST_PARTS),
        metadata={"description": "Rooms, the first one first."},
        **arguments,
    )


def minutes_field(about: str, **arguments: Any) -> ma.fields.Integer:
    """Minutes before or after the start of a session."""
    between = ma.validate.Range(min=0, max=MOST_MINUTES)
    return ma.fields.Integer(strict=True, validate=between, metadata={"description": about}, **arguments)


def parts_of(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a body gives of these, as `SessionValues` has it."""
    given = {name: asked[name] for name in ("early_minutes", "grace_minutes") if name in asked}
    if "note" in asked:
        given["note"] = asked["note"] or None
    if "room_ids" in asked:
        given["room_ids"] = tuple(dict.fromkeys(asked["room_ids"]))
    if "audiences" in asked:
        given["audiences"] = each_once(Audience(one["course_id"], one["group_id"]) for one in asked["audiences"])
    return given


def slot_of(starts_at: datetime, ends_at: datetime) -> Slot:
    """The slot from one moment to another.

    Raises:
        ChangeError: it cannot be.
    """
    if any(moment.second or moment.microsecond for moment in (starts_at, ends_at)):
        raise ChangeError("starts_at", gettext("A session begins and ends at a whole minute."))
    try:
        return checked_slot(Slot(starts_at, ends_at), zone())
    except ScheduleError as error:
        raise ChangeError("ends_at", say_error(error)) from None


def plan(db: Session, slot: Slot, room_ids: Sequence[int], *, moving: ClassSession | None = None) -> list[str]:
    """Lock the rooms for a slot; what should be known of it.

    Raises:
        ChangeError: a room is taken then.
    """
    planned = plan_slot(db, slot, room_ids, zone(), moving=moving)
    if planned.problems:
        raise ChangeError("room_ids", " ".join(planned.problems), conflict=True)
    return planned.notes
