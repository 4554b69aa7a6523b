"""What `attendance web work` finds out for webhooks by itself: cameras that are away; and who is told of trouble."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.roles import administers
from attendance.database.audiences import TAKES_PLACE, courses_of, parts, rooms_of
from attendance.database.audit.noting import by_program, note
from attendance.database.mail import queue_mail
from attendance.database.models import Account, AuditAction, ClassSession, EventKind, WebhookEndpoint
from attendance.database.outgoing.events import is_wanted, tell
from attendance.database.watching.rooms import RoomWatch, room_watch
from webapp.webhooks.payloads import moment


def tell_of_cameras(db: Session, *, ahead: timedelta, now: datetime) -> int:
    """Tell of sessions, running or about to begin, in rooms whose cameras do not watch; of each room once.

    Args:
        db: begun with `begin_writing`.
        ahead: how long before its start a session is told of.
        now: aware.

    Returns:
        How many events there are that were not there before.
    """
    if not is_wanted(db, EventKind.CAMERA_AWAY):
        return 0
    sessions = db.scalars(
        sa.select(ClassSession)
        .options(*parts())
        .where(TAKES_PLACE, ClassSession.ends_at > now, ClassSession.starts_at <= now + ahead)
        .order_by(ClassSession.starts_at, ClassSession.id)
    ).all()
    rooms = {room_id for session in sessions for room_id in rooms_of(session)}
    watches = room_watch(db, rooms, now) if rooms else {}
    told = 0
    for session in sessions:
        for room_id in rooms_of(session):
            watch = watches[room_id]
            if watch.cameras and not watch.watched:
                key = f"{EventKind.CAMERA_AWAY}:{session.id}:{room_id}:{int(session.starts_at.timestamp())}"
                data = {"session": session.id, "room": room_id, "cameras": _faults(watch)}
                told += tell(
                    db,
                    EventKind.CAMERA_AWAY,
                    lambda data=data: data,  # type: ignore[misc]
                    course_ids=courses_of(session),
                    key=key,
                    now=now,
                )
    return told


def tell_of_off(db: Session, endpoint_id: int, *, mail: bool) -> None:
    """An endpoint was switched off because it failed: note it and write to administrators, in the caller's transaction.

    Args:
        db: begun with `begin_writing`.
        endpoint_id: of the endpoint.
        mail: whether mail is sent at all.
    """
    endpoint = db.get_one(WebhookEndpoint, endpoint_id)
    note(db, AuditAction.WEBHOOK_OFF, actor=by_program("worker"), subject=endpoint.name)
    if not mail:
        return
    for account in db.scalars(sa.select(Account).where(administers(), Account.active)):
        data = {"account": account.id, "endpoint": endpoint_id}
        queue_mail(db, kind="webhook_off", to=account.email, language=account.language, key=None, data=data)


def _faults(watch: RoomWatch) -> list[dict[str, object]]:
    silent = [("silent", camera, camera.last_seen_at) for camera in watch.dead]
    blind = [("blind", camera, camera.blind_since) for camera in watch.blind]
    return [
        {"camera": camera.camera_id, "fault": fault, "since": None if since is None else moment(since)}
        for fault, camera, since in [*silent, *blind]
    ]
