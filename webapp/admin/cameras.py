"""Cameras: where they stand, when they were last seen, and their tokens, each shown once."""

import json

import sqlalchemy as sa
from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import joinedload
from wtforms import BooleanField, SelectField

from attendance.database.access.tokens import hash_token, new_token
from attendance.database.models import AuditAction, Camera, Room
from attendance.tables.fields import CAMERA_NAME
from webapp.account.noting import noted
from webapp.admin.blueprint import blueprint
from webapp.admin.forms import AdminForm, PixelsField, between, one_of_the_list, options, skip_if_empty, text_field
from webapp.admin.lookup import chosen_id, fetch
from webapp.admin.questions import Question, ask
from webapp.admin.search import matches, searched
from webapp.admin.writing import begin_change, committed, taken
from webapp.tools.paging import paginate
from webapp.tools.storage import database

_A_PAGE = 50
_TAKEN = lazy_gettext("Another camera has this name.")
_MOST_UPSAMPLE = 3  # as the setting engine.upsample
_SMALLEST_FACES = (8, 10_000)  # as the setting service.smallest_face


class CameraForm(AdminForm):
    """A camera. `offer_choices` must fill the rooms first."""

    name = text_field(lazy_gettext("Name"), CAMERA_NAME)
    room = SelectField(
        lazy_gettext("Room"),
        validate_choice=False,
        validators=[one_of_the_list(lazy_gettext("Choose a room of the list."))],
    )
    smallest_face = PixelsField(
        lazy_gettext("Smallest face wanted, pixels"), validators=[skip_if_empty, between(*_SMALLEST_FACES)]
    )
    upsample = SelectField(
        lazy_gettext("Enlarge the picture before looking for faces"),
        validate_choice=False,
        validators=[one_of_the_list(lazy_gettext("Choose one of the list."))],
    )

    extra = BooleanField(lazy_gettext("Extra: the room counts as watched without it"))

    def offer_choices(self) -> "CameraForm":
        """Fill the lists; returns the form."""
        rooms = database().execute(sa.select(Room.id, Room.name).order_by(Room.name))
        self.room.choices = options([("", gettext("No room")), *((str(room_id), name) for room_id, name in rooms)])
        times = [(str(times), gettext("%(factor)s times", factor=2**times)) for times in range(1, _MOST_UPSAMPLE + 1)]
        self.upsample.choices = options([("", gettext("As set for all cameras")), ("0", gettext("Not at all")), *times])
        return self

    def values(self) -> dict[str, str | int | bool | None]:
        """What the camera's columns become."""
        return {
            "name": self.name.data,
            "room_id": int(self.room.data) if self.room.data else None,
            "smallest_face": self.smallest_face.data,
            "upsample": int(self.upsample.data) if self.upsample.data else None,
            "extra": bool(self.extra.data),
        }


@blueprint.get("/cameras")
def cameras() -> str:
    """The list; `?q=` searches names and rooms."""
    db, text = database(), searched()
    query = (
        sa.select(Camera)
        .outerjoin(Camera.room)
        .options(joinedload(Camera.room))
        .where(matches(text, Camera.name, sa.func.coalesce(Room.name, "")))
        .order_by(Camera.name)
    )
    return render_template("admin/cameras.html", page=paginate(db, query, size=_A_PAGE), text=text)


@blueprint.route("/cameras/new", methods=["GET", "POST"])
def new_camera() -> ResponseReturnValue:
    """Add a camera; the answer shows its token."""
    form = CameraForm(data={"room": str(chosen_id("room") or "")}).offer_choices()
    if form.validate_on_submit():
        db = begin_change()
        if not taken(form.name, Camera.name, _TAKEN, but=None):
            token = new_token("cam")
            camera = Camera(**form.values(), token_hash=hash_token(token))
            db.add(camera)
            noted(AuditAction.CAMERA_ADDED, subject=camera.name)
            noted(AuditAction.TOKEN_MADE, subject=camera.name)
            if committed(db, form.name, _TAKEN):
                return _token_page(camera, token, gettext("%(name)s is added.", name=camera.name))
        db.rollback()
    return render_template("admin/camera_form.html", form=form, camera=None), 422 if form.errors else 200


@blueprint.route("/cameras/<int:camera_id>", methods=["GET", "POST"])
def camera(camera_id: int) -> ResponseReturnValue:
    """A camera: its details and its token's state."""
    camera = fetch(Camera, camera_id)
    values = {"room": str(camera.room_id or ""), "upsample": "" if camera.upsample is None else str(camera.upsample)}
    given = {"name": camera.name, "smallest_face": camera.smallest_face, "extra": camera.extra, **values}
    form = CameraForm(data=given).offer_choices()
    if form.validate_on_submit():
        db = begin_change()
        if not taken(form.name, Camera.name, _TAKEN, but=camera_id):
            changed = [name for name, value in form.values().items() if getattr(camera, name) != value]
            for name, value in form.values().items():
                setattr(camera, name, value)
            noted(AuditAction.CAMERA_CHANGED, subject=camera.name, details={"fields": ", ".join(changed)})
            if committed(db, form.name, _TAKEN):
                flash(gettext("%(camera)s is saved.", camera=camera.name), "success")
                return redirect(url_for("admin.cameras"))
        db.rollback()
    return render_template("admin/camera_form.html", form=form, camera=camera), 422 if form.errors else 200


@blueprint.route("/cameras/<int:camera_id>/token", methods=["GET", "POST"])
def rotate_token(camera_id: int) -> ResponseReturnValue:
    """Give the camera a new token, which the answer shows; the old one ends."""
    camera = fetch(Camera, camera_id)
    had_one = camera.token_hash is not None
    consequence = (
        gettext("The present token ends at once; the camera stops until it gets the new one.") if had_one else ""
    )
    answer = ask(
        _question(
            camera,
            gettext("New token for %(camera)s?", camera=camera.name),
            [consequence] if had_one else [],
            gettext("Make a new token"),
        )
    )
    if answer is not None:
        return answer
    token = new_token("cam")
    db = begin_change()
    camera.token_hash = hash_token(token)
    noted(AuditAction.TOKEN_MADE, subject=camera.name)
    db.commit()
    return _token_page(camera, token, gettext("%(name)s has a new token.", name=camera.name))


@blueprint.route("/cameras/<int:camera_id>/revoke", methods=["GET", "POST"])
def revoke_token(camera_id: int) -> ResponseReturnValue:
    """End the camera's token."""
    camera = fetch(Camera, camera_id)
    consequences = [gettext("The service refuses the camera from now on. A new token lets it in again.")]
    if camera.room is not None and not camera.extra:
        consequences.append(
            gettext(
                "While it stands in %(room)s without a token, nobody is marked absent there. If it is gone for good, "
                "delete it.",
                room=camera.room.name,
            )
        )
    answer = ask(
        _question(
            camera,
            gettext("Revoke the token of %(camera)s?", camera=camera.name),
            consequences,
            gettext("Revoke the token"),
        )
    )
    if answer is not None:
        return answer
    db = begin_change()
    camera.token_hash = None
    noted(AuditAction.TOKEN_ENDED, subject=camera.name)
    db.commit()
    flash(gettext("The token of %(camera)s is revoked.", camera=camera.name), "success")
    return redirect(url_for("admin.camera", camera_id=camera_id))


@blueprint.route("/cameras/<int:camera_id>/delete", methods=["GET", "POST"])
def delete_camera(camera_id: int) -> ResponseReturnValue:
    """Delete a camera; registers keep what it saw."""
    camera = fetch(Camera, camera_id)
    consequences = [
        gettext("The service refuses the camera from now on. Registers keep what it saw, but not that it was this one.")
    ]
    answer = ask(
        _question(camera, gettext("Delete %(camera)s?", camera=camera.name), consequences, gettext("Delete the camera"))
    )
    if answer is not None:
        return answer
    db = begin_change()
    db.execute(sa.delete(Camera).where(Camera.id == camera_id))
    noted(AuditAction.CAMERA_DELETED, subject=camera.name)
    db.commit()
    flash(gettext("%(camera)s is deleted.", camera=camera.name), "success")
    return redirect(url_for("admin.cameras"))


def _question(camera: Camera, title: str, consequences: list[str], button: str) -> Question:
    back = url_for("admin.camera", camera_id=camera.id)
    crumbs = [(gettext("Cameras"), url_for("admin.cameras")), (camera.name, back)]
    return Question(title=title, consequences=consequences, button=button, back=back, crumbs=crumbs)


def _token_page(camera: Camera, token: str, done: str) -> ResponseReturnValue:
    # The answer to the POST itself: a token in a cookie or an address would outlive this page.
    lines = f"[camera]\nname = {_toml(camera.name)}\ntoken = {_toml(token)}\n"
    return render_template("admin/camera_token.html", camera=camera, token=token, lines=lines, done=done)


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a TOML basic string, for text without control characters
