"""The cameras: which of them are not heard of while they should be."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import TAKES_PLACE, sessions_in_rooms
from attendance.database.engine import DatabaseError, session_factory
from attendance.database.models import Camera, ClassSession
from attendance.database.opening import open_engine
from attendance.settings import Settings
from operations.doctor.findings import Finding, ok, problem, warning

_SILENT = timedelta(minutes=5)
_FORGOTTEN = timedelta(days=7)


def examine_cameras(settings: Settings) -> list[Finding]:
    """Hold each camera's last sign of life against the timetable of its room."""
    try:
        with open_engine(settings.database_url) as engine, session_factory(engine)() as db:
            return _cameras(db, datetime.now(UTC))
    except DatabaseError:
        return []  # told by the database's own examination


def _cameras(db: Session, now: datetime) -> list[Finding]:
    known = db.scalars(sa.select(Camera).order_by(Camera.name)).all()
    cameras = [camera for camera in known if camera.token_hash is not None]
    if not cameras:
        return [warning("cameras", "none is registered", "Run `attendance camera add NAME --room ROOM`.")]
    running = (TAKES_PLACE, ClassSession.starts_at <= now, ClassSession.ends_at > now)
    busy = set(db.scalars(sa.select(sessions_in_rooms(lambda _: sa.true(), *running).c.room_id)))
    found = [finding for camera in cameras if (finding := _camera(camera, busy, now)) is not None]
    found += [_without_token(camera) for camera in known if _is_in_the_way(camera)]
    return found or [ok("cameras", f"{len(cameras)} registered, all heard of when they should be")]


def _camera(camera: Camera, busy: set[int], now: datetime) -> Finding | None:
    subject = f"camera {camera.name}"
    if camera.room_id is None:
        text = "stands in no room: what it sees counts for nobody"
        return warning(subject, text, f"Run `attendance camera move {camera.name} --room ROOM`, or revoke it.")
    seen = "never seen" if camera.last_seen_at is None else f"last seen {camera.last_seen_at:%Y-%m-%d %H:%M} UTC"
    silent_for = None if camera.last_seen_at is None else now - camera.last_seen_at
    look = "See whether it has power and network, and whether its clock and token are right (its log says)."
    if camera.room_id in busy and (silent_for is None or silent_for > _SILENT):
        return problem(subject, f"{seen}, while a class session runs in its room", look)
    if silent_for is None or silent_for > _FORGOTTEN:
        return warning(subject, seen, f"{look} If it is gone for good: `attendance camera remove {camera.name}`.")
    if camera.blind_since is not None:
        text = f"its pictures have shown nothing since {camera.blind_since:%Y-%m-%d %H:%M} UTC"
        return problem(subject, text, "See whether its lens is covered, the room dark, or the camera hangs.")
    return None


def _is_in_the_way(camera: Camera) -> bool:
    return camera.token_hash is None and camera.room_id is not None and not camera.extra


def _without_token(camera: Camera) -> Finding:
    text = "has no token, and stands in a room that does not count as watched without it"
    remedy = f"If it is gone for good: `attendance camera remove {camera.name}`. `attendance camera rotate` lets it in."
    return warning(f"camera {camera.name}", text, remedy)
