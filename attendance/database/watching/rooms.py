"""Whether rooms are watched now: the state of their cameras, for pages and commands."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Camera

SILENT = timedelta(minutes=2)
"""A camera that was not heard of for longer is dead: services write it down every 30 s."""


@dataclass(frozen=True, slots=True)
class CameraNow:
    """A camera that its room cannot do without, at one moment."""

    camera_id: int
    name: str
    last_seen_at: datetime | None
    """None: it never spoke."""
    dead: bool
    """It is silent, or has no token: it watches nothing."""
    blind_since: datetime | None
    """Of a living camera: since when its pictures show nothing; None: they do."""

    @property
    def watches(self) -> bool:
        """Whether it is alive and sees."""
        return not self.dead and self.blind_since is None


@dataclass(frozen=True, slots=True)
class RoomWatch:
    """The cameras of one room that are not extra, at one moment, by name."""

    room_id: int
    cameras: tuple[CameraNow, ...]

    @property
    def watched(self) -> bool:
        """Whether the room is watched now: it has cameras, and all of them are alive and see."""
        return bool(self.cameras) and all(camera.watches for camera in self.cameras)

    @property
    def dead(self) -> tuple[CameraNow, ...]:
        """Those that are not."""
        return tuple(camera for camera in self.cameras if camera.dead)

    @property
    def blind(self) -> tuple[CameraNow, ...]:
        """The living ones whose pictures show nothing."""
        return tuple(camera for camera in self.cameras if not camera.dead and camera.blind_since is not None)

    @property
    def dead_since(self) -> datetime | None:
        """When the first of the dead ones was last heard of; None where none is dead, or one of them never spoke."""
        heard = [camera.last_seen_at for camera in self.dead]
        return min((at for at in heard if at is not None), default=None) if None not in heard else None

    @property
    def blind_since(self) -> datetime | None:
        """Since when the first of the blind ones sees nothing; None where none is blind."""
        return min((camera.blind_since for camera in self.blind if camera.blind_since is not None), default=None)


def room_watch(db: Session, room_ids: Collection[int], now: datetime) -> dict[int, RoomWatch]:
    """The state of the cameras of some rooms, in one query.

    Args:
        db: any session.
        room_ids: rooms; each is in the answer, those without a camera too.
        now: aware.
    """
    standing: dict[int, list[CameraNow]] = defaultdict(list)
    query = sa.select(Camera).where(Camera.room_id.in_(room_ids), ~Camera.extra).order_by(Camera.name)
    for camera in db.scalars(query):
        if camera.room_id is not None:
            standing[camera.room_id].append(camera_now(camera, now))
    return {room_id: RoomWatch(room_id, tuple(standing[room_id])) for room_id in room_ids}


def camera_now(camera: Camera, now: datetime) -> CameraNow:
    """The state of one camera."""
    seen = camera.last_seen_at
    dead = camera.token_hash is None or seen is None or now - seen > SILENT
    return CameraNow(camera.id, camera.name, seen, dead, None if dead else camera.blind_since)


def known_camera(db: Session, camera_id: int | None) -> int | None:
    """The camera's id, None when it was removed: that somebody was seen outlives what saw it."""
    return camera_id if camera_id in known_cameras(db, (camera_id,)) else None


def known_cameras(db: Session, camera_ids: Iterable[int | None]) -> frozenset[int]:
    """Those of the cameras that were not removed."""
    ids = {camera_id for camera_id in camera_ids if camera_id is not None}
    return frozenset(db.scalars(sa.select(Camera.id).where(Camera.id.in_(ids)))) if ids else frozenset()
