"""What keeps lines of a timetable from being written: a room that is taken, and registers that cannot be made one."""

from collections.abc import Sequence, Set
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Attendance
from attendance.tables.errors import LineError
from attendance.texts import english
from webapp.imports.timetable_difference import Difference
from webapp.tools.class_sessions.schedule import Booking, RoomCalendar, slot_text

RoomBooking = tuple[int, Booking]
"""The id of a room, and when it is taken."""


def find_clashes(
    db: Session,
    differences: Sequence[Difference],
    claimed: Set[int],
    *,
    calendars: tuple[RoomCalendar, RoomCalendar],
    zone: ZoneInfo,
) -> tuple[dict[int, LineError], list[RoomBooking]]:
    """Lines that cannot be, and why; the earlier of two lines counts.

    Args:
        db: any session.
        differences: of the lines, in their order.
        claimed: ids of the sessions that lines mean: these make room for themselves.
        calendars: of the file's earlier lines, and of what is there.
        zone: of the institution.

    Returns:
        By line, what is wrong; and the rooms that the other lines take.
    """
    clashes: dict[int, LineError] = {}
    bookings: list[RoomBooking] = []
    earlier, there = calendars
    fresh = RoomCalendar()
    for difference in differences:
        error = _taken(difference, (earlier, fresh, there), claimed, zone) or _lost_register(db, difference)
        if error is not None:
            clashes[difference.line] = error
            continue
        for room_id, booking in _bookings(difference, zone):
            fresh.add(room_id, booking)
            bookings.append((room_id, booking))
    return clashes, bookings


def _bookings(difference: Difference, zone: ZoneInfo) -> list[RoomBooking]:
    whom = " + ".join(difference.codes)
    found = []
    for slot, room_ids in difference.places():
        words = english(
            "line %(line)s (%(whom)s, %(slot)s)", line=difference.line, whom=whom, slot=slot_text(slot, zone)
        )
        found += [(room_id, Booking(slot, words)) for room_id in room_ids]
    return found


def _taken(
    difference: Difference, calendars: tuple[RoomCalendar, ...], claimed: Set[int], zone: ZoneInfo
) -> LineError | None:
    """Why a room is not free for it."""
    for slot, room_ids in difference.places():
        for room_id in room_ids:
            found = (calendar.clash(room_id, slot, ignoring=claimed) for calendar in calendars)
            clash = next((booking for booking in found if booking is not None), None)
            if clash is not None:
                text = english(
                    "%(slot)s: the room is taken by %(label)s.", slot=slot_text(slot, zone), label=clash.label
                )
                return LineError(text, "start")
    return None


def _lost_register(db: Session, difference: Difference) -> LineError | None:
    """Why sessions that are doubles of others cannot be made one with them: they have registers."""
    ids = [each.id for each in difference.found.doubles]
    query = sa.select(sa.func.count()).where(Attendance.session_id.in_(ids))
    if not ids or not db.scalar(query):
        return None
    return LineError(
        english(
            "The class is there twice, once in each room, and both registers have entries. Delete one of the sessions."
        ),
        "room",
    )
