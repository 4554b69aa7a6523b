"""Class sessions: when and where they are, whom they are for, and what was observed of them."""

from dataclasses import asdict
from typing import Any

import marshmallow as ma
import sqlalchemy as sa

from attendance.database.audiences import audiences_of, parts, rooms_of, session_ids_of_courses, sessions_in_rooms
from attendance.database.conclusions import basis_of, unnamed_people, watched_minutes
from attendance.database.decisions import watched_of
from attendance.database.models import ClassSession, Closing, SessionState, utc_now
from webapp.account.permissions import Permission, needs
from webapp.account.reach import reach_session, reachable
from webapp.api.paging import Listing, ListPart, by_id, by_moment, list_of, part_of_query
from webapp.api.resource import Fields, Resource, asked_identifier, identifier, moment
from webapp.api.writing import Written, answered, notes_field
from webapp.changes.sessions import values_of
from webapp.tools.class_sessions.phases import Phase, phase_of
from webapp.tools.class_sessions.watching import RoomFault, troubles
from webapp.tools.class_sessions.words import rooms_by_id
from webapp.tools.storage import database

sessions = Resource("Sessions", "Meetings of courses, what was observed of them, and changing them.")


class RoomOfSession(Fields):
    """A room that a session is held in."""

    id = identifier(required=True)
    name = ma.fields.String(required=True)


class AudienceFields(Fields):
    """A course, or a group of one, that a session is for."""

    course_id = identifier(required=True)
    group_id = identifier(required=True, allow_none=True)


class SessionFields(Fields):
    """A class session."""

    id = identifier(required=True)
    starts_at = moment(required=True)
    ends_at = moment(required=True)
    early_minutes = ma.fields.Integer(required=True)
    grace_minutes = ma.fields.Integer(required=True)
    state = ma.fields.Enum(SessionState, by_value=True, required=True)
    phase = ma.fields.Enum(Phase, by_value=True, required=True, metadata={"description": "Where it stands now."})
    cancelled_reason = ma.fields.String(required=True, allow_none=True)
    note = ma.fields.String(required=True, allow_none=True)
    series_id = identifier(required=True, allow_none=True)
    planned_at = moment(required=True, allow_none=True, metadata={"description": "When its series has it start."})
    closed_at = moment(required=True, allow_none=True, metadata={"description": "When its register was completed."})
    rooms = ma.fields.List(ma.fields.Nested(RoomOfSession), required=True)
    audiences = ma.fields.List(ma.fields.Nested(AudienceFields), required=True)
    notes = notes_field()


class AskedSessions(ListPart):
    """Which sessions."""

    course_id = asked_identifier("Those of a course.")
    room_id = asked_identifier("Those in a room.")
    series_id = asked_identifier("Those of a series.")
    starts_from = moment(metadata={"description": "Those that start then or later."})
    starts_before = moment(metadata={"description": "Those that start earlier."})
    state = ma.fields.Enum(SessionState, by_value=True, metadata={"description": "Those of a state."})


class MinuteFields(Fields):
    """What was observed in a minute; numbers of faces are the largest in one frame."""

    at = moment(required=True)
    watched = ma.fields.Boolean(required=True, metadata={"description": "In each room, by each of its cameras."})
    live = ma.fields.Boolean(required=True, metadata={"description": "The same by frames that came at once."})
    blind = ma.fields.Boolean(required=True, metadata={"description": "A camera's pictures showed nothing."})
    away = ma.fields.Boolean(required=True, metadata={"description": "A camera sent nothing, or there is none."})
    seen = ma.fields.Integer(required=True, allow_none=True)
    named = ma.fields.Integer(required=True, allow_none=True)


class TroubleFields(Fields):
    """Why a room of a session that takes place now is not watched."""

    room = ma.fields.String(required=True)
    fault = ma.fields.Enum(RoomFault, by_value=True, required=True)
    cameras = ma.fields.String(required=True)
    since = moment(required=True, allow_none=True)


class ObservationFields(Fields):
    """What was observed of a session."""

    basis = ma.fields.Enum(
        Closing,
        by_value=True,
        required=True,
        allow_none=True,
        metadata={"description": "What its entries rest on; null: its register is open."},
    )
    watched_minutes = ma.fields.Integer(required=True)
    known_minutes = ma.fields.Integer(required=True, metadata={"description": "All, once it is over."})
    unnamed_people = ma.fields.Float(
        required=True, metadata={"description": "People seen and not named: the median over the watched minutes."}
    )
    minutes = ma.fields.List(ma.fields.Nested(MinuteFields), required=True)
    troubles = ma.fields.List(ma.fields.Nested(TroubleFields), required=True)


@sessions.route("/sessions")
@needs(Permission.READ)
@sessions.arguments(AskedSessions, location="query")
@sessions.response(200, list_of(SessionFields))
def list_sessions(asked: dict[str, Any]) -> Listing:
    """Sessions of the courses that the token reaches, the first one first."""
    during = [
        *([ClassSession.starts_at >= asked["starts_from"]] if "starts_from" in asked else []),
        *([ClassSession.starts_at < asked["starts_before"]] if "starts_before" in asked else []),
        *([ClassSession.state == asked["state"]] if "state" in asked else []),
        *([ClassSession.series_id == asked["series_id"]] if "series_id" in asked else []),
    ]

    def wanted(column: Any) -> sa.ColumnElement[bool]:
        only = column == asked["course_id"] if "course_id" in asked else sa.true()
        return sa.and_(reachable(column), only)

    theirs = session_ids_of_courses(wanted, *during)
    query = sa.select(ClassSession).join(theirs, theirs.c.session_id == ClassSession.id).options(*parts())
    if "room_id" in asked:
        there = sessions_in_rooms(lambda column: column == asked["room_id"], *during)
        query = query.join(there, there.c.session_id == ClassSession.id)
    keys = [by_moment(ClassSession.starts_at, lambda session: session.starts_at), by_id(ClassSession.id)]
    part, status, headers = part_of_query(database(), query, keys, asked)
    return {**part, "items": [shown_session(session) for session in part["items"]]}, status, headers


@sessions.route("/sessions/<int:session_id>")
@needs(Permission.READ)
@sessions.response(200, SessionFields)
def get_session(session_id: int) -> Written:
    """A session."""
    return answer_session(reach_session(session_id))


@sessions.route("/sessions/<int:session_id>/observation")
@needs(Permission.READ)
@sessions.response(200, ObservationFields)
def get_observation(session_id: int) -> dict[str, Any]:
    """Minute by minute, whether the session was watched, and how many faces were seen."""
    session, db, now = reach_session(session_id), database(), utc_now()
    basis = basis_of(session)
    minutes = [] if basis is Closing.BEFORE_OBSERVATION or now < session.opens_at else watched_of(db, session)
    until = min(session.ends_at, max(now, session.starts_at))
    watched, known = watched_minutes(minutes, session.starts_at, until)
    return {
        "basis": basis,
        "watched_minutes": watched,
        "known_minutes": known,
        "unnamed_people": float(unnamed_people(session, minutes)),
        "minutes": [
            {
                "at": minute.at,
                "watched": minute.watched,
                "live": minute.watched_live,
                "blind": minute.blind,
                "away": minute.away,
                "seen": None if minute.counts is None else minute.counts.seen,
                "named": None if minute.counts is None else minute.counts.named,
            }
            for minute in minutes
        ],
        "troubles": troubles(db, [session], now)[session.id],
    }


def answer_session(session: ClassSession, **more: Any) -> Written:
    """A session with its tag."""
    return answered(SessionFields, shown_session(session), stored_session(session), **more)


def stored_session(session: ClassSession) -> Any:
    """What of a session a tag tells apart: what people change of it, and not where it stands now."""
    return [asdict(values_of(session)), session.state.value, session.cancelled_reason]


def shown_session(session: ClassSession) -> dict[str, Any]:
    """A session, loaded with its parts."""
    names = rooms_by_id(session)
    plain = (
        "id", "starts_at", "ends_at", "early_minutes", "grace_minutes", "state", "cancelled_reason", "note",
        "series_id", "planned_at", "closed_at",
    )  # fmt: skip
    return {
        **{name: getattr(session, name) for name in plain},
        "phase": phase_of(session, utc_now()),
        "rooms": [{"id": room_id, "name": names[room_id].name} for room_id in rooms_of(session)],
        "audiences": [audience._asdict() for audience in audiences_of(session)],
    }
