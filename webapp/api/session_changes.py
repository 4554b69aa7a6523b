"""Adding single class sessions, moving and changing, cancelling, restoring and deleting them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from flask import Response, abort, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session

from attendance.database.audiences import TAKES_PLACE
from attendance.database.models import ClassSession
from attendance.tables.fields import SESSION_NOTE
from webapp.account.bearer import may_part
from webapp.account.permissions import Permission, needs
from webapp.account.reach import reach_session
from webapp.api.resource import Fields, moment, no_content
from webapp.api.session_parts import EARLY, GRACE, audiences_field, minutes_field, parts_of, plan, rooms_field, slot_of
from webapp.api.sessions import SessionFields, answer_session, sessions, stored_session
from webapp.api.texts import text_field, text_or_none
from webapp.api.writing import (
    IF_MATCH,
    MAY_MATCH,
    DeletionConfirmed,
    Written,
    require_confirmation,
    require_match,
    revision,
    write,
)
from webapp.changes.errors import ChangeError
from webapp.changes.sessions import (
    SessionValues,
    add_sessions,
    change_session,
    entries_of,
    locked_session,
    restore_session,
    values_of,
)
from webapp.changes.sessions import cancel_session as cancel
from webapp.changes.sessions import delete_sessions as remove_sessions
from webapp.tools.class_sessions.schedule import DEFAULT_MINUTES
from webapp.tools.storage import database

__all__ = ["sessions"]  # with the addresses that change them

_ADMINISTRATORS = frozenset({"audiences", "early_minutes", "grace_minutes"})
"""What of a session only administrators change, as on the dashboard."""


class NewSession(Fields):
    """A session to be added."""

    starts_at = moment(required=True, metadata={"description": "A whole minute."})
    ends_at = moment(required=True, metadata={"description": "A whole minute, within twelve hours."})
    room_ids = rooms_field(required=True)
    audiences = audiences_field(required=True)
    early_minutes = minutes_field(EARLY, load_default=DEFAULT_MINUTES)
    grace_minutes = minutes_field(GRACE, load_default=DEFAULT_MINUTES)
    note = text_or_none(SESSION_NOTE, about="For those who open the register.")


class SessionChange(Fields):
    """What a session is to be; what is left out stays."""

    starts_at = moment(metadata={"description": "A whole minute."})
    ends_at = moment(metadata={"description": "A whole minute, within twelve hours."})
    room_ids = rooms_field()
    note = text_or_none(SESSION_NOTE, about="For those who open the register.")
    audiences = audiences_field()
    early_minutes = minutes_field(EARLY)
    grace_minutes = minutes_field(GRACE)


class Cancellation(Fields):
    """Why a session does not take place."""

    reason = text_field(SESSION_NOTE, optional=True)


@sessions.route("/sessions", methods=["POST"])
@needs(Permission.ADMINISTER, scope="timetable")
@sessions.arguments(NewSession)
@sessions.alt_response(200, schema=SessionFields)
@sessions.response(201, SessionFields)
def make_session(asked: dict[str, Any]) -> Written:
    """Add a session; one that is there, and is so already, is answered (200). 409 where a room is taken then."""

    def work(db: Session) -> tuple[ClassSession, bool, list[str]]:
        wanted = SessionValues(slot=slot_of(asked["starts_at"], asked["ends_at"]), **parts_of(asked))
        there = _like(db, wanted)
        if there is not None:
            return there, False, []
        notes = plan(db, wanted.slot, wanted.room_ids)
        _series, (session,) = add_sessions(db, [wanted.slot], wanted)
        return session, True, notes

    session, new, notes = write(work)
    location = url_for("Sessions.get_session", session_id=session.id) if new else None
    return answer_session(session, status=201 if new else 200, location=location, notes=notes)


@sessions.route("/sessions/<int:session_id>", methods=["PATCH"])
@needs(Permission.PLAN)
@sessions.doc(parameters=[IF_MATCH])
@sessions.arguments(SessionChange)
@sessions.response(200, SessionFields)
def patch_session(asked: dict[str, Any], session_id: int) -> Written:
    """Move a session, or change it otherwise; its register follows, and imports leave alone what was moved.

    Whom it is for, and its minutes, want the scope `timetable`.
    """
    session = reach_session(session_id)
    if _ADMINISTRATORS & asked.keys() and not may_part("timetable"):
        abort(403, gettext("The token lacks the scope “%(scope)s”.", scope="timetable"))

    def work(db: Session) -> list[str]:
        _looked_at(db, session)
        before, notes = values_of(session), []
        wanted = replace(before, **parts_of(asked))
        if {"starts_at", "ends_at"} & asked.keys():
            starts_at = asked.get("starts_at", before.slot.starts_at)
            ends_at = asked.get("ends_at", before.slot.ends_at)
            if (starts_at, ends_at) != (before.slot.starts_at, before.slot.ends_at):
                wanted = replace(wanted, slot=slot_of(starts_at, ends_at))
        if (wanted.slot, wanted.room_ids) != (before.slot, before.room_ids):
            notes = plan(db, wanted.slot, wanted.room_ids, moving=session)
        change_session(db, session, wanted)
        return notes

    notes = write(work, administers=False)
    database().expire(session)  # its rooms and courses may be others now
    return answer_session(session, notes=notes)


@sessions.route("/sessions/<int:session_id>", methods=["DELETE"])
@needs(Permission.ADMINISTER, scope="timetable")
@sessions.doc(parameters=[IF_MATCH])
@sessions.arguments(DeletionConfirmed, location="query")
@sessions.response(204)
def delete_session(asked: dict[str, Any], session_id: int) -> Response:
    """Delete a session with its register; a timetable that is imported again does not bring it back."""
    session = reach_session(session_id)

    def work(db: Session) -> None:
        _looked_at(db, session)
        require_confirmation(entries_of(db, [session_id]), session.course.code, asked["confirm"])
        remove_sessions(db, [session])

    write(work)
    return no_content()


@sessions.route("/sessions/<int:session_id>/cancel", methods=["POST"])
@needs(Permission.PLAN)
@sessions.doc(parameters=[MAY_MATCH])
@sessions.arguments(Cancellation)
@sessions.response(200, SessionFields)
def cancel_session(asked: dict[str, Any], session_id: int) -> Written:
    """Let a session not take place; imports of the timetable leave it so."""
    return _changed(session_id, lambda db, session: cancel(db, session, asked.get("reason") or ""))


@sessions.route("/sessions/<int:session_id>/restore", methods=["POST"], endpoint="restore_session")
@needs(Permission.PLAN)
@sessions.doc(parameters=[MAY_MATCH])
@sessions.response(200, SessionFields)
def restore(session_id: int) -> Written:
    """Let a cancelled session take place after all; 409 where a room is not free any more."""

    def change(db: Session, session: ClassSession) -> None:
        planned = restore_session(db, session)
        if planned.problems or not planned.slots:
            raise ChangeError("", " ".join(planned.problems), conflict=True)

    return _changed(session_id, change)


def _changed(session_id: int, change: Callable[[Session, ClassSession], None]) -> Written:
    session = reach_session(session_id)

    def work(db: Session) -> None:
        _looked_at(db, session, optional=True)
        change(db, session)

    write(work, administers=False)
    return answer_session(session)


def _looked_at(db: Session, session: ClassSession, *, optional: bool = False) -> None:
    """Lock a session, and hold what the request looked at against what it is now."""
    db.expire(session)
    require_match(revision(stored_session(locked_session(db, session))), optional=optional)


def _like(db: Session, wanted: SessionValues) -> ClassSession | None:
    """A session that takes place and is what is wanted already."""
    same_time = (ClassSession.starts_at == wanted.slot.starts_at, ClassSession.ends_at == wanted.slot.ends_at)
    there = (ClassSession.room_id == wanted.room_ids[0], ClassSession.course_id == wanted.audiences[0].course_id)
    query = sa.select(ClassSession).where(TAKES_PLACE, *same_time, *there).order_by(ClassSession.id)
    return next((session for session in db.scalars(query).all() if values_of(session) == wanted), None)
