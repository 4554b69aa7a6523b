"""The aiming view: the camera's picture, refreshed by a script or by a link, and what it says in words."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from flask import Response, abort, current_app, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.orm import joinedload

from attendance.aiming import AimedShot, AimingProblem
from attendance.database.access.aiming_tickets import TicketError
from attendance.database.models import AuditAction, Camera
from attendance.zones import dump
from webapp.account.noting import noted
from webapp.account.permissions import Permission, needs
from webapp.admin.aiming import words
from webapp.admin.aiming.areas import AreasForm, areas_form, drawn_areas, zones_of
from webapp.admin.aiming.asking import NoPictureError, ask_picture, ask_shot
from webapp.admin.aiming.tickets import held_ticket, keep_ticket, new_ticket, renewed
from webapp.admin.blueprint import blueprint
from webapp.admin.writing import begin_change
from webapp.tools.requests import read_id
from webapp.tools.storage import database

_PAGE_WAITS_S, _SCRIPT_WAITS_S = 3, 10
_SHARE = 4
"""At most so many of a worker's threads, one in so many, wait for cameras: lecturers' pages need the others."""


@blueprint.get("/cameras/<int:camera_id>/aim")
@needs(Permission.AIM)
def aim(camera_id: int) -> ResponseReturnValue:
    """The page. Opening it is noted; reading it again within its time is not."""
    camera = _fetch_camera(camera_id)
    ticket, clear = _view_of(camera)
    return keep_ticket(make_response(_page(camera, ticket, areas_form(camera), clear=clear)), camera_id, ticket)


@blueprint.post("/cameras/<int:camera_id>/aim/areas")
@needs(Permission.AIM)
def save_areas(camera_id: int) -> ResponseReturnValue:
    """Keep the areas in which faces count; services take them in within seconds."""
    db = begin_change()
    camera, form = _fetch_camera(camera_id), AreasForm()
    zones = form.zones(camera)
    if zones is None:
        db.rollback()
        ticket, clear = _view_of(camera)
        return keep_ticket(make_response(_page(camera, ticket, form, clear=clear), 422), camera_id, ticket)
    camera.zones = dump(zones)
    noted(AuditAction.CAMERA_CHANGED, subject=camera.name, details={"fields": "zones"})
    db.commit()
    flash(gettext("The areas of %(camera)s are saved.", camera=camera.name), "success")
    return redirect(url_for("admin.aim", camera_id=camera_id))


@blueprint.post("/cameras/<int:camera_id>/aim/faces")
@needs(Permission.AIM)
def show_faces(camera_id: int) -> ResponseReturnValue:
    """Begin a view of faces as they are, or go back to pixelated ones; which is noted either way."""
    camera = _fetch_camera(camera_id)
    ticket = new_ticket(camera, clear=request.form.get("faces") == "clear")
    answer = make_response(redirect(url_for("admin.aim", camera_id=camera_id)))
    return keep_ticket(answer, camera_id, ticket)


@blueprint.get("/cameras/<int:camera_id>/aim/shot")
@needs(Permission.AIM)
def shot(camera_id: int) -> ResponseReturnValue:
    """The part of the page that changes; `?after=` is the number of the picture that it shows."""
    camera = _fetch_camera(camera_id)
    try:
        text, held = held_ticket(camera_id)
    except TicketError as error:
        return _part(camera, None, error.problem, clear=False)
    found, problem = _ask(camera, text, after=read_id(request.args.get("after", "")), wait_s=_SCRIPT_WAITS_S)
    answer = make_response(_part(camera, found, problem, clear=held.clear))
    ticket = renewed(held)
    return answer if ticket is None else keep_ticket(answer, camera_id, ticket)


@blueprint.get("/cameras/<int:camera_id>/aim/<int:shot_id>.jpg")
@needs(Permission.AIM)
def shot_picture(camera_id: int, shot_id: int) -> ResponseReturnValue:
    """A picture, handed on from the service; `Cache-Control: no-store` is every page's."""
    camera = _fetch_camera(camera_id)
    try:
        text, _ = held_ticket(camera_id)
    except TicketError as error:
        abort(410, str(words.PROBLEMS[error.problem][1]))
    address = camera.aiming_address
    database().commit()  # the connection, while the service answers
    try:
        with _place():
            picture = ask_picture(address, camera_id, text, shot_id)
    except NoPictureError as error:
        abort(404, str(words.PROBLEMS[error.problem][1]))
    return Response(picture, mimetype="image/jpeg")


def _fetch_camera(camera_id: int) -> Camera:
    """The camera with its room, or 404."""
    query = sa.select(Camera).options(joinedload(Camera.room)).where(Camera.id == camera_id)
    camera = database().scalars(query).one_or_none()
    if camera is None:
        abort(404)
    return camera


def _page(camera: Camera, ticket: str, form: AreasForm, *, clear: bool) -> str:
    """The page, with the newest picture if there is one soon."""
    found, problem = _ask(camera, ticket, after=None, wait_s=_PAGE_WAITS_S)
    shown = _shown(camera, found, problem, clear=clear)
    return render_template("admin/aiming/page.html", **shown, form=form, areas=drawn_areas(camera))


def _view_of(camera: Camera) -> tuple[str, bool]:
    """The ticket with which a view goes on or begins, and whether faces may be shown in it."""
    try:
        _, held = held_ticket(camera.id)
    except TicketError:
        return new_ticket(camera, clear=False), False
    ticket = renewed(held)
    return (new_ticket(camera, clear=False), False) if ticket is None else (ticket, held.clear)


def _ask(
    camera: Camera, ticket: str, *, after: int | None, wait_s: int
) -> tuple[AimedShot | None, AimingProblem | None]:
    address, camera_id = camera.aiming_address, camera.id
    database().commit()  # the connection, while the service waits for a frame
    try:
        with _place():
            return ask_shot(address, camera_id, ticket, after=after, wait_s=wait_s), None
    except NoPictureError as error:
        return None, error.problem


def _part(camera: Camera, found: AimedShot | None, problem: AimingProblem | None, *, clear: bool) -> str:
    return render_template("admin/aiming/_shot.html", **_shown(camera, found, problem, clear=clear))


def _shown(camera: Camera, found: AimedShot | None, problem: AimingProblem | None, *, clear: bool) -> dict[str, object]:
    zones = zones_of(camera)
    return {
        "camera": camera,
        "shot": found,
        "clear": clear,
        "problem": None if problem is None else words.PROBLEMS[problem],
        "over": problem in words.OVER,
        "faces": [] if found is None else words.of_faces(found, zones),
        "advice": [] if found is None else words.advice(found, zones),
    }


@contextmanager
def _place() -> Iterator[None]:
    """One of the few threads that may wait for a camera.

    Raises:
        NoPictureError: all of them wait already.
    """
    most = max(1, current_app.config["ATTENDANCE"].web.threads // _SHARE)
    places = current_app.extensions.setdefault("attendance_aiming", threading.BoundedSemaphore(most))
    if not places.acquire(timeout=1):
        raise NoPictureError(AimingProblem.BUSY)
    try:
        yield
    finally:
        places.release()
