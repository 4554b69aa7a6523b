"""A lecturer's changes of a session: moving it, making it shorter or longer, cancelling it, and letting it be."""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import StringField, TextAreaField
from wtforms.validators import Optional

from attendance.database.audiences import rooms_of
from attendance.database.models import ClassSession, Room
from attendance.tables.fields import SESSION_NOTE
from webapp.account.permissions import Permission, needs
from webapp.account.reach import course_shown, reach_session
from webapp.admin.forms import options
from webapp.admin.placement_form import PlacementForm, choose, choose_further, offer_further
from webapp.changes.errors import ChangeError
from webapp.changes.sessions import cancel_session, change_session, locked_session, restore_session, values_of
from webapp.register.blueprint import blueprint
from webapp.tools.class_sessions.planning import Series, plan_series
from webapp.tools.class_sessions.schedule import Slot
from webapp.tools.fields import Fits, cleaned
from webapp.tools.languages import say_error
from webapp.tools.storage import begin_change, database
from webapp.tools.times import local, zone


def _text(kind: type[StringField], label: str) -> Any:
    return kind(label, filters=[cleaned(SESSION_NOTE)], validators=[Optional(), Fits(SESSION_NOTE)])


class ChangeForm(PlacementForm):
    """When and where a session is, and a note. `offer_rooms` must fill the lists first."""

    room = choose(lazy_gettext("Room"), lazy_gettext("Choose a room."))
    also_in = choose_further(lazy_gettext("Also in"), lazy_gettext("Choose a room."), lists=1)
    note = _text(TextAreaField, lazy_gettext("Note"))

    def offer_rooms(self) -> "ChangeForm":
        """Fill the lists; returns the form."""
        rooms = database().execute(sa.select(Room.id, Room.name).order_by(Room.name))
        words = [(str(room_id), name) for room_id, name in rooms]
        self.room.choices = options(words)
        offer_further(self.also_in, words, nothing=gettext("No other room"), label=gettext("Room"))
        return self


class CancelForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """Why a session does not take place."""

    reason = _text(StringField, lazy_gettext("Reason"))


@blueprint.route("/change", methods=["GET", "POST"])
@needs(Permission.PLAN)
def change(session_id: int) -> ResponseReturnValue:
    """Move the session, or let it be shorter or longer, with a note for those who open the register."""
    session = reach_session(session_id)
    form = ChangeForm(data=_present(session)).offer_rooms()
    series = Series()
    if form.validate_on_submit():
        db = begin_change()
        series = plan_series(db, form.times_until(), form.room_ids(), zone(), moving=session)
        if series.slots and not series.problems and _written(db, session, form, series.slots[0]):
            flash(
                gettext("The session is saved. Its register follows the new times; what a person decided is kept."),
                "success",
            )
            for text in series.notes:
                flash(text, "info")
            return redirect(url_for("register.page", session_id=session_id))
        db.rollback()
    failed = bool(form.errors or series.problems)
    page = render_template(
        "register/change.html", session=session, course=course_shown(session), form=form, series=series
    )
    return page, 422 if failed else 200


@blueprint.route("/cancel", methods=["GET", "POST"], endpoint="cancel")
@needs(Permission.PLAN)
def cancel(session_id: int) -> ResponseReturnValue:
    """Let the session not take place."""
    session, form = reach_session(session_id), CancelForm()
    if form.validate_on_submit():
        cancel_now(session, form.reason.data or "")
        flash(gettext("The session is cancelled. Imports of the timetable leave it so."), "success")
        return redirect(url_for("register.page", session_id=session_id))
    page = render_template("register/cancel.html", session=session, course=course_shown(session), form=form)
    return page, 422 if form.errors else 200


@blueprint.route("/restore", methods=["GET", "POST"], endpoint="restore")
@needs(Permission.PLAN)
def restore(session_id: int) -> ResponseReturnValue:
    """Let a cancelled session take place after all, if its rooms are still free."""
    session, form = reach_session(session_id), CancelForm()
    series = Series()
    if form.validate_on_submit():
        series = restore_now(session)
        if series.slots and not series.problems:
            flash(gettext("The session takes place."), "success")
            return redirect(url_for("register.page", session_id=session_id))
    page = render_template(
        "register/restore.html", session=session, course=course_shown(session), form=form, series=series
    )
    return page, 422 if series.problems or form.errors else 200


def cancel_now(session: ClassSession, reason: str) -> None:
    """Let a session not take place; one that is cancelled already keeps its state."""
    db = begin_change()
    cancel_session(db, locked_session(db, session), reason)
    db.commit()


def restore_now(session: ClassSession) -> Series:
    """Let a cancelled session take place, if its rooms are still free; its slot, or why it cannot."""
    db = begin_change()
    series = restore_session(db, locked_session(db, session))
    db.commit()
    return series


def _written(db: Session, session: ClassSession, form: ChangeForm, slot: Slot) -> bool:
    """Whether the session is what the form wants; the form says why it is not."""
    room_ids, note = tuple(form.room_ids()), form.note.data or None
    try:
        change_session(db, session, replace(values_of(session), slot=slot, room_ids=room_ids, note=note))
    except ChangeError as error:
        db.rollback()
        form.room.errors = [say_error(error)]
        return False
    db.commit()
    return True


def _present(session: ClassSession) -> dict[str, Any]:
    start, end = local(session.starts_at), local(session.ends_at)
    room, *rooms = (str(room_id) for room_id in rooms_of(session))
    return {
        "day": start.date(),
        "start": start.time(),
        "end": end.time(),
        "room": room,
        "also_in": rooms,
        "note": session.note,
    }
