"""What is wrong with the cameras of the rooms in which sessions take place now, for every page that shows one."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from attendance.database.models import ClassSession
from attendance.database.watching.rooms import RoomWatch, room_watch
from webapp.tools.class_sessions.phases import Phase, phase_of
from webapp.tools.class_sessions.words import rooms_by_id


class RoomFault(StrEnum):
    """Why a room is not watched."""

    NO_CAMERA = "no camera"
    AWAY = "away"
    BLIND = "blind"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a room in which a session takes place is not watched.

    Attributes:
        room: its name.
        cameras: the names of those that are away or see nothing.
        since: when the first of them was last heard of, or began to see nothing; None: it never spoke.
    """

    fault: RoomFault
    room: str
    cameras: str = ""
    since: datetime | None = None


def troubles(db: Session, sessions: Collection[ClassSession], now: datetime) -> dict[int, list[Trouble]]:
    """By session that takes place now, what is wrong with the cameras of its rooms; one statement for all.

    Args:
        db: any session.
        sessions: any, with their rooms loaded (`audiences.parts`); of those that do not take place now, the list is
            empty.
        now: aware.
    """
    held = {s.id: rooms_by_id(s) for s in sessions if phase_of(s, now) in (Phase.OPEN, Phase.RUNNING)}
    room_ids = {room_id for rooms in held.values() for room_id in rooms}
    found: dict[int, list[Trouble]] = {session.id: [] for session in sessions}
    if not room_ids:
        return found
    watches = room_watch(db, room_ids, now)
    for session_id, rooms in held.items():
        for room_id, room in rooms.items():
            found[session_id] += _of_room(watches[room_id], room.name)
    return found


def _of_room(watch: RoomWatch, room: str) -> list[Trouble]:
    if not watch.cameras:
        return [Trouble(RoomFault.NO_CAMERA, room)]
    found = []
    for fault, cameras, since in (
        (RoomFault.AWAY, watch.dead, watch.dead_since),
        (RoomFault.BLIND, watch.blind, watch.blind_since),
    ):
        if cameras:
            found.append(Trouble(fault, room, ", ".join(camera.name for camera in cameras), since))
    return found
