"""Cameras and how each fares now."""

from typing import Any

import marshmallow as ma
import sqlalchemy as sa

from attendance.database.models import Camera, utc_now
from attendance.database.watching.rooms import camera_now
from webapp.account.permissions import Permission, needs
from webapp.api.paging import Listing, ListPart, by_id, list_of, part_of_query
from webapp.api.resource import Fields, Resource, asked_identifier, identifier, moment
from webapp.tools.storage import database

cameras = Resource("Cameras", "Cameras, and whether each is alive and sees.")


class CameraFields(Fields):
    """A camera."""

    id = identifier(required=True)
    name = ma.fields.String(required=True)
    room_id = identifier(required=True, allow_none=True)
    extra = ma.fields.Boolean(required=True, metadata={"description": "Whether its room is watched without it."})
    alive = ma.fields.Boolean(required=True, metadata={"description": "Whether it was heard of in the last minutes."})
    last_seen_at = moment(required=True, allow_none=True, metadata={"description": "null: never."})
    blind_since = moment(
        required=True, allow_none=True, metadata={"description": "Since when its pictures show nothing; null: they do."}
    )


class AskedCameras(ListPart):
    """Which cameras."""

    room_id = asked_identifier("Those in a room.")


@cameras.route("/cameras")
@needs(Permission.ADMINISTER)
@cameras.arguments(AskedCameras, location="query")
@cameras.response(200, list_of(CameraFields))
def list_cameras(asked: dict[str, Any]) -> Listing:
    """Cameras, by their ids."""
    query, now = sa.select(Camera), utc_now()
    if "room_id" in asked:
        query = query.where(Camera.room_id == asked["room_id"])
    part, status, headers = part_of_query(database(), query, [by_id(Camera.id)], asked)
    items = []
    for camera in part["items"]:
        state = camera_now(camera, now)
        items.append(
            {
                "id": camera.id,
                "name": camera.name,
                "room_id": camera.room_id,
                "extra": camera.extra,
                "alive": not state.dead,
                "last_seen_at": camera.last_seen_at,
                "blind_since": state.blind_since,
            }
        )
    return {**part, "items": items}, status, headers
