"""Series: sessions that belong together, as a timetable has them."""

import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date, time
from typing import Any

import marshmallow as ma
import sqlalchemy as sa
from flask import Response, abort, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session

from attendance.database.audiences import TAKES_PLACE, parts
from attendance.database.models import ClassSession, SeriesOrigin, SessionSeries, utc_now
from attendance.tables.fields import SERIES_UID
from webapp.account.permissions import Permission, needs
from webapp.account.reach import reachable
from webapp.api.paging import Listing, ListPart, by_id, list_of, part_of_query
from webapp.api.resource import Fields, Flag, Resource, asked_identifier, day, identifier, moment, no_content
from webapp.api.session_parts import EARLY, GRACE, audiences_field, minutes_field, parts_of, plan, rooms_field
from webapp.api.texts import RuledText
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
    write,
)
from webapp.changes.errors import ChangeError, refuse_taken
from webapp.changes.sessions import SessionValues, add_sessions, change_session, delete_sessions, entries_of, values_of
from webapp.tools.class_sessions.planning import Times, plan_series
from webapp.tools.class_sessions.schedule import DEFAULT_MINUTES, ScheduleError, Slot, slot_on, weekly_days
from webapp.tools.languages import say_error
from webapp.tools.storage import database
from webapp.tools.times import local, zone

_CLOCK = re.compile("(?:[01][0-9]|2[0-3]):[0-5][0-9]")

series = Resource("Series", "Sessions that belong together, as a timetable has them.")


class SeriesFields(Fields):
    """A series of sessions."""

    id = identifier(required=True)
    uid = ma.fields.String(required=True, metadata={"description": "Its identity, of the file that it came from."})
    external = ma.fields.Boolean(required=True, metadata={"description": "Whether the file gave the uid."})
    origin = ma.fields.Enum(SeriesOrigin, by_value=True, required=True)
    course_id = identifier(required=True)
    group_id = identifier(required=True, allow_none=True)


class SeriesDetailFields(SeriesFields):
    """A series, and when it goes on."""

    to_come = ma.fields.Integer(required=True, metadata={"description": "Sessions that take place and have not begun."})
    next_at = moment(required=True, allow_none=True, metadata={"description": "When the next of them begins."})
    notes = notes_field()


class AskedSeries(ListPart):
    """Which series."""

    course_id = asked_identifier("Those of a course.")
    uid = ma.fields.String(metadata={"description": "The one of this uid."})


class ClockTime(ma.fields.String):
    """A time of day at the institution, like 09:00."""

    def __init__(self, **arguments: Any) -> None:
        metadata = {"description": "At the institution, like 09:00.", "pattern": f"^{_CLOCK.pattern}$"}
        super().__init__(metadata=metadata, **arguments)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> Any:
        text = super()._deserialize(value, attr, data, **more)
        if not _CLOCK.fullmatch(text):
            raise ma.ValidationError("Not a valid time.")
        return time.fromisoformat(text)


class NewSeries(Fields):
    """A session a week, to be added."""

    uid = RuledText(SERIES_UID, metadata={"description": "Its identity in the timetable's own system."})
    first_day = day(required=True)
    until = day(required=True, metadata={"description": "The last day, at most 60 weeks later."})
    start = ClockTime(required=True)
    end = ClockTime(required=True)
    room_ids = rooms_field(required=True)
    audiences = audiences_field(required=True)
    early_minutes = minutes_field(EARLY, load_default=DEFAULT_MINUTES)
    grace_minutes = minutes_field(GRACE, load_default=DEFAULT_MINUTES)
    leave_out = Flag(
        load_default=False, metadata={"description": "Leave days out on which a room is taken; `notes` names them."}
    )


class SeriesChange(Fields):
    """What the sessions of a series that have not begun are to be; what is left out stays."""

    start = ClockTime()
    end = ClockTime()
    room_ids = rooms_field()
    audiences = audiences_field()
    early_minutes = minutes_field(EARLY)
    grace_minutes = minutes_field(GRACE)


@series.route("/series")
@needs(Permission.READ)
@series.arguments(AskedSeries, location="query")
@series.response(200, list_of(SeriesFields))
def list_series(asked: dict[str, Any]) -> Listing:
    """Series, by their ids."""
    query = sa.select(SessionSeries).where(reachable(SessionSeries.course_id))
    if "course_id" in asked:
        query = query.where(SessionSeries.course_id == asked["course_id"])
    if "uid" in asked:
        query = query.where(SessionSeries.uid == asked["uid"])
    return part_of_query(database(), query, [by_id(SessionSeries.id)], asked)


@series.route("/series/<int:series_id>")
@needs(Permission.READ)
@series.response(200, SeriesDetailFields)
def get_series(series_id: int) -> Written:
    """A series."""
    query = sa.select(SessionSeries).where(SessionSeries.id == series_id, reachable(SessionSeries.course_id))
    found = database().scalar(query)
    if found is None:
        abort(404)
    return _answer(database(), found)


@series.route("/series", methods=["POST"])
@needs(Permission.ADMINISTER, scope="timetable")
@series.arguments(NewSeries)
@series.response(201, SeriesDetailFields)
def make_series(asked: dict[str, Any]) -> Written:
    """Add a session a week, without the days of breaks; 409, and none, where a room is taken on a day."""

    def work(db: Session) -> tuple[SessionSeries, list[str]]:
        uid = asked.get("uid")
        refuse_taken(db, "uid", SessionSeries.uid, uid, gettext("There is a series of this uid."))
        given = parts_of(asked)
        planned = plan_series(db, _times(asked), given["room_ids"], zone())
        if not planned.slots or (planned.problems and not asked["leave_out"]):
            raise ChangeError("first_day", " ".join(planned.problems), conflict=True)
        wanted = SessionValues(slot=planned.slots[0], **given)
        made, _sessions = add_sessions(db, planned.slots, wanted, uid=uid)
        return made, [*planned.problems, *planned.notes]

    made, notes = write(work)
    location = url_for("Series.get_series", series_id=made.id)
    return _answer(database(), made, status=201, location=location, notes=notes)


@series.route("/series/<int:series_id>", methods=["PATCH"])
@needs(Permission.ADMINISTER, scope="timetable")
@series.doc(parameters=[IF_MATCH])
@series.arguments(SeriesChange)
@series.response(200, SeriesDetailFields)
def patch_series(asked: dict[str, Any], series_id: int) -> Written:
    """Change the sessions of a series that have not begun and are not cancelled: all of them, or none (409)."""

    def work(db: Session) -> tuple[SessionSeries, list[str]]:
        found, notes = locked(db, SessionSeries, series_id), list[str]()
        to_come = _to_come(db, series_id, lock=True)
        require_match(revision(_stored(found, to_come)))
        for session in to_come:
            before = values_of(session)
            wanted = replace(before, slot=_moved(before.slot, asked), **parts_of(asked))
            if (wanted.slot, wanted.room_ids) != (before.slot, before.room_ids):
                notes += plan(db, wanted.slot, wanted.room_ids, moving=session)
            change_session(db, session, wanted)
        return found, notes

    found, notes = write(work)
    return _answer(database(), found, notes=notes)


@series.route("/series/<int:series_id>", methods=["DELETE"])
@needs(Permission.ADMINISTER, scope="timetable")
@series.doc(parameters=[IF_MATCH])
@series.arguments(DeletionConfirmed, location="query")
@series.response(204)
def delete_series(asked: dict[str, Any], series_id: int) -> Response:
    """Delete the sessions of a series that have not begun; what took place stays, with its registers."""

    def work(db: Session) -> None:
        found = locked(db, SessionSeries, series_id)
        to_come = _to_come(db, series_id, lock=True)
        require_match(revision(_stored(found, to_come)))
        if to_come:
            entries = entries_of(db, [session.id for session in to_come])
            require_confirmation(entries, to_come[0].course.code, asked["confirm"])
            delete_sessions(db, to_come)

    write(work)
    return no_content()


def _to_come(db: Session, series_id: int, *, lock: bool = False) -> Sequence[ClassSession]:
    theirs = (ClassSession.series_id == series_id, TAKES_PLACE, ClassSession.starts_at > utc_now())
    if lock:  # so that nobody changes one of them alone until the transaction ends
        db.execute(sa.select(ClassSession.id).where(*theirs).order_by(ClassSession.id).with_for_update())
    query = sa.select(ClassSession).options(*parts()).where(*theirs)
    ordered = query.order_by(ClassSession.starts_at, ClassSession.id)
    return db.scalars(ordered, execution_options={"populate_existing": True}).unique().all()


def _times(asked: dict[str, Any]) -> Times:
    try:
        days: list[date] = weekly_days(asked["first_day"], asked["until"])
    except ScheduleError as error:
        raise ChangeError("until", say_error(error)) from None
    return Times(days, asked["start"], asked["end"])


def _moved(slot: Slot, asked: dict[str, Any]) -> Slot:
    """A slot with other times on the same day."""
    if not {"start", "end"} & asked.keys():
        return slot
    starts, ends = local(slot.starts_at), local(slot.ends_at)
    start, end = asked.get("start", starts.time()), asked.get("end", ends.time())
    if (start, end) == (starts.time(), ends.time()):
        return slot
    try:
        return slot_on(starts.date(), start, end, zone())
    except ScheduleError as error:
        raise ChangeError("start" if "start" in asked else "end", say_error(error)) from None


def _stored(found: SessionSeries, to_come: Sequence[ClassSession]) -> Any:
    return [found.uid, [asdict(values_of(session)) for session in to_come]]


def _answer(db: Session, found: SessionSeries, **more: Any) -> Written:
    to_come = _to_come(db, found.id)
    plain = ("id", "uid", "external", "origin", "course_id", "group_id")
    shown = {name: getattr(found, name) for name in plain}
    shown |= {"to_come": len(to_come), "next_at": to_come[0].starts_at if to_come else None}
    return answered(SeriesDetailFields, shown, _stored(found, to_come), **more)
