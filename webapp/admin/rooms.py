"""Rooms."""

import sqlalchemy as sa
from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext, ngettext
from sqlalchemy.exc import IntegrityError

from attendance.database.audiences import TAKES_PLACE, among, is_held_in, sessions_in_rooms
from attendance.database.models import AuditAction, Camera, ClassSession, Room, utc_now
from attendance.tables.fields import ROOM_NAME
from webapp.account.noting import noted
from webapp.admin.blueprint import blueprint
from webapp.admin.forms import AdminForm, text_field
from webapp.admin.lookup import count, counts_by, fetch
from webapp.admin.questions import Question, ask
from webapp.admin.search import matches, searched
from webapp.admin.writing import begin_change, committed, taken
from webapp.tools.paging import paginate
from webapp.tools.storage import database

_A_PAGE = 50
_TAKEN = lazy_gettext("Another room has this name.")


class RoomForm(AdminForm):
    """A room."""

    name = text_field(lazy_gettext("Name"), ROOM_NAME)


@blueprint.get("/rooms")
def rooms() -> str:
    """The list; `?q=` searches names."""
    db, text = database(), searched()
    page = paginate(db, sa.select(Room).where(matches(text, Room.name)).order_by(Room.name), size=_A_PAGE)
    ids = [room.id for room in page.items]
    cameras: dict[int, list[Camera]] = {}
    for camera in db.scalars(sa.select(Camera).where(Camera.room_id.in_(ids)).order_by(Camera.name)):
        cameras.setdefault(camera.room_id or 0, []).append(camera)
    to_come = sessions_in_rooms(among(ids), TAKES_PLACE, ClassSession.ends_at > utc_now())
    sessions = counts_by(to_come.c.room_id)
    return render_template("admin/rooms.html", page=page, text=text, cameras=cameras, sessions=sessions)


@blueprint.route("/rooms/new", methods=["GET", "POST"])
def new_room() -> ResponseReturnValue:
    """Add a room."""
    form = RoomForm()
    if form.validate_on_submit():
        db = begin_change()
        if not taken(form.name, Room.name, _TAKEN, but=None):
            room = Room(name=form.name.data)
            db.add(room)
            noted(AuditAction.ROOM_ADDED, subject=room.name)
            if committed(db, form.name, _TAKEN):
                flash(gettext("%(room)s is added.", room=room.name), "success")
                return redirect(url_for("admin.rooms"))
        db.rollback()
    return render_template("admin/room_form.html", form=form, room=None), 422 if form.errors else 200


@blueprint.route("/rooms/<int:room_id>", methods=["GET", "POST"])
def room(room_id: int) -> ResponseReturnValue:
    """A room: its name and its cameras."""
    room = fetch(Room, room_id)
    form = RoomForm(obj=room)
    if form.validate_on_submit():
        db = begin_change()
        if not taken(form.name, Room.name, _TAKEN, but=room_id):
            before, room.name = room.name, form.name.data
            noted(AuditAction.ROOM_CHANGED, subject=room.name, details={"before": before})
            if committed(db, form.name, _TAKEN):
                flash(gettext("%(room)s is saved.", room=room.name), "success")
                return redirect(url_for("admin.rooms"))
        db.rollback()
    cameras = database().scalars(sa.select(Camera).where(Camera.room_id == room_id).order_by(Camera.name)).all()
    page = render_template("admin/room_form.html", form=form, room=room, cameras=cameras)
    return page, 422 if form.errors else 200


@blueprint.route("/rooms/<int:room_id>/delete", methods=["GET", "POST"])
def delete_room(room_id: int) -> ResponseReturnValue:
    """Delete a room that no session needs."""
    room = fetch(Room, room_id)
    sessions = count(ClassSession, is_held_in(room_id))
    cameras = count(Camera, Camera.room_id == room_id)
    refused = None
    if sessions:
        refused = ngettext(
            "%(num)s session of the timetable, past ones included, took or will take place here. A room can be "
            "deleted once no session is in it.",
            "%(num)s sessions of the timetable, past ones included, took or will take place here. A room can be "
            "deleted once no session is in it.",
            sessions,
        )
    back = url_for("admin.room", room_id=room_id)
    question = Question(
        title=gettext("Delete %(room)s?", room=room.name),
        consequences=[
            ngettext(
                "%(num)s camera will stand in no room and write no attendance.",
                "%(num)s cameras will stand in no room and write no attendance.",
                cameras,
            )
        ]
        if cameras
        else [],
        button=gettext("Delete the room"),
        back=back,
        crumbs=[(gettext("Rooms"), url_for("admin.rooms")), (room.name, back)],
        refused=refused,
    )
    answer = ask(question)
    if answer is not None:
        return answer
    db = begin_change()
    try:
        db.execute(sa.delete(Room).where(Room.id == room_id))
        noted(AuditAction.ROOM_DELETED, subject=room.name)
        db.commit()
    except IntegrityError:  # a session was put there since the question
        db.rollback()
        flash(gettext("%(room)s is not deleted: a session takes place there.", room=room.name), "error")
        return redirect(back)
    flash(gettext("%(room)s is deleted.", room=room.name), "success")
    return redirect(url_for("admin.rooms"))
