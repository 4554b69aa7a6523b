"""Rooms."""

import sqlalchemy as sa
from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext, ngettext

from attendance.database.audiences import TAKES_PLACE, among, sessions_in_rooms
from attendance.database.models import Camera, ClassSession, Room, utc_now
from attendance.tables.fields import ROOM_NAME
from webapp.admin.blueprint import blueprint
from webapp.admin.forms import AdminForm, text_field
from webapp.admin.lookup import count, counts_by, fetch
from webapp.admin.questions import Question, ask
from webapp.admin.search import matches, searched
from webapp.admin.writing import begin_change, write
from webapp.changes.errors import ChangeError
from webapp.changes.rooms import add_room, change_room, why_room_stays
from webapp.changes.rooms import delete_room as remove_room
from webapp.tools.languages import say_error
from webapp.tools.paging import paginate
from webapp.tools.storage import database

_A_PAGE = 50


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
        room = write(form, lambda db: add_room(db, form.name.data))
        if room is not None:
            flash(gettext("%(room)s is added.", room=room.name), "success")
            return redirect(url_for("admin.rooms"))
    return render_template("admin/room_form.html", form=form, room=None), 422 if form.errors else 200


@blueprint.route("/rooms/<int:room_id>", methods=["GET", "POST"])
def room(room_id: int) -> ResponseReturnValue:
    """A room: its name and its cameras."""
    room = fetch(Room, room_id)
    form = RoomForm(obj=room)
    if form.validate_on_submit() and write(form, lambda db: change_room(db, room, form.name.data)):
        flash(gettext("%(room)s is saved.", room=room.name), "success")
        return redirect(url_for("admin.rooms"))
    cameras = database().scalars(sa.select(Camera).where(Camera.room_id == room_id).order_by(Camera.name)).all()
    page = render_template("admin/room_form.html", form=form, room=room, cameras=cameras)
    return page, 422 if form.errors else 200


@blueprint.route("/rooms/<int:room_id>/delete", methods=["GET", "POST"])
def delete_room(room_id: int) -> ResponseReturnValue:
    """Delete a room that no session needs."""
    room = fetch(Room, room_id)
    cameras = count(Camera, Camera.room_id == room_id)
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
        refused=why_room_stays(database(), room),
    )
    answer = ask(question)
    if answer is not None:
        return answer
    db, name = begin_change(), room.name
    try:
        remove_room(db, room)
        db.commit()
    except ChangeError as error:  # a session was put there since the question
        db.rollback()
        flash(say_error(error), "error")
        return redirect(back)
    flash(gettext("%(room)s is deleted.", room=name), "success")
    return redirect(url_for("admin.rooms"))
