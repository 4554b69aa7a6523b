"""Lecture rooms."""

import sqlalchemy as sa
from flask_babel import gettext, ngettext
from sqlalchemy.orm import Session

from attendance.database.audiences import is_held_in
from attendance.database.models import AuditAction, ClassSession, Room
from webapp.account.noting import noted
from webapp.changes.errors import ChangeError, refuse_taken, unless_meanwhile
from webapp.tools.storage import count_rows


def add_room(db: Session, name: str) -> Room:
    """Add a room.

    Raises:
        ChangeError: another has the name.
    """
    refuse_taken(db, "name", Room.name, name, _taken())
    room = Room(name=name)
    with unless_meanwhile(db, "name", _taken()):
        db.add(room)
        noted(AuditAction.ROOM_ADDED, subject=name)
    return room


def change_room(db: Session, room: Room, name: str) -> Room:
    """Give a room another name.

    Raises:
        ChangeError: another has it.
    """
    before = room.name
    if name == before:
        return room
    refuse_taken(db, "name", Room.name, name, _taken(), but=room.id)
    with unless_meanwhile(db, "name", _taken()):
        room.name = name
        noted(AuditAction.ROOM_CHANGED, subject=name, details={"before": before})
    return room


def why_room_stays(db: Session, room: Room) -> str | None:
    """Why a room cannot be deleted; None: it can."""
    sessions = count_rows(db, ClassSession, is_held_in(room.id))
    words = ngettext(
        "%(num)s session of the timetable, past ones included, took or will take place here. A room can be "
        "deleted once no session is in it.",
        "%(num)s sessions of the timetable, past ones included, took or will take place here. A room can be "
        "deleted once no session is in it.",
        sessions,
    )
    return words if sessions else None


def delete_room(db: Session, room: Room) -> None:
    """Delete a room that no session needs; its cameras stand in no room then.

    Raises:
        ChangeError: a session is held there.
    """
    name, room_id = room.name, room.id
    words = gettext("%(room)s is not deleted: a session takes place there.", room=name)
    if why_room_stays(db, room) is not None:
        raise ChangeError("", words, conflict=True)
    with unless_meanwhile(db, "", words):
        db.execute(sa.delete(Room).where(Room.id == room_id))
        noted(AuditAction.ROOM_DELETED, subject=name)


def _taken() -> str:
    return gettext("Another room has this name.")
