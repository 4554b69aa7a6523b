"""A lecturer's changes of a session: moving it, making it shorter or longer, cancelling it, and letting it be."""

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
from attendance.database.audit.noting import words_of_session
from attendance.database.models import AuditAction, ClassSession, Room
from attendance.database.teaching.changes import Placement, cancel, move, restore
from attendance.tables.fields import SESSION_NOTE
from webapp.account.identity import current_account
from webapp.account.noting import noted
from webapp.account.permissions import Permission, needs
from webapp.account.reach import course_shown, reach_session
from webapp.admin.forms import options
from webapp.admin.placement_form import PlacementForm, choose, choose_further, offer_further
from webapp.register.blueprint import blueprint
from webapp.tools.class_sessions.planning import Series, Times, plan_series
from webapp.tools.fields import Fits, cleaned
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
        if series.slots and not series.problems and _rooms_are_there(db, form):
            session.note = form.note.data or None
            slot = series.slots[0]
            before = words_of_session(session)
            if _differs(session, placement := Placement(slot.starts_at, slot.ends_at, form.room_ids())):
                move(db, session, placement, account_id=current_account().id)
            noted(AuditAction.SESSION_CHANGED, subject=words_of_session(session), details={"before": before})
            db.commit()
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
def cancel_session(session_id: int) -> ResponseReturnValue:
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
def restore_session(session_id: int) -> ResponseReturnValue:
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
    cancel(db, _locked(db, session), reason=reason, account_id=current_account().id)
    noted(AuditAction.SESSION_CANCELLED, subject=words_of_session(session))
    db.commit()


def restore_now(session: ClassSession) -> Series:
    """Let a cancelled session take place, if its rooms are still free; its slot, or why it cannot."""
    db = begin_change()
    start, end = local(session.starts_at), local(session.ends_at)
    times = Times([start.date()], start.time(), end.time())
    series = plan_series(db, times, rooms_of(session), zone(), moving=session)
    if series.slots and not series.problems:
        restore(db, _locked(db, session), account_id=current_account().id)
        noted(AuditAction.SESSION_RESTORED, subject=words_of_session(session))
        db.commit()
    else:
        db.rollback()
    return series


def _locked(db: Session, session: ClassSession) -> ClassSession:
    """The session as it is now; one that was deleted meanwhile answers as any that is not there."""
    db.refresh(session, with_for_update=True)
    return session


def _differs(session: ClassSession, placement: Placement) -> bool:
    now = Placement(session.starts_at, session.ends_at, list(rooms_of(session)))
    return now != placement


def _rooms_are_there(db: Session, form: ChangeForm) -> bool:
    wanted = form.room_ids()
    there = db.scalars(sa.select(Room.id).where(Room.id.in_(wanted)).with_for_update(read=True)).all()
    if len(there) < len(wanted):
        form.room.errors = [gettext("A room was deleted meanwhile. Choose another.")]
        return False
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
