"""When sessions are, in the institution's zone: local times, weekly repetition, and two sessions in one room."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import TAKES_PLACE, among, sessions_in_rooms
from attendance.database.models import ClassSession, Course, Room
from attendance.errors import AttendanceError
from attendance.texts import Text, english

LONGEST_SESSION = timedelta(hours=12)
LONGEST_SERIES_WEEKS = 60
DEFAULT_MINUTES = 10  # early and grace, as attendance.database.models has them
_WEEK = timedelta(days=7)


class ScheduleError(AttendanceError):
    """A time cannot be in the timetable; the message says why."""


@dataclass(frozen=True)
class Slot:
    """A stretch of time, aware, UTC; the end does not belong to it."""

    starts_at: datetime
    ends_at: datetime

    def overlaps(self, other: "Slot") -> bool:
        """Whether both have a moment in common; one may begin when the other ends."""
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at


@dataclass(frozen=True)
class Booking:
    """A session that a room is taken by; `label` names it in a sentence."""

    slot: Slot
    label: str
    session_id: int | None = None


def to_utc(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The moment at which clocks of the zone show `clock` on `day`, in UTC.

    Of a time that the autumn's clock change shows twice, the first is meant.

    Raises:
        ScheduleError: the spring's clock change skips that time.
    """
    wall = datetime.combine(day, clock)
    moment = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != wall:
        raise ScheduleError(
            english(
                "%(clock)s does not exist on %(day)s: the clocks go forward over it.", clock=f"{clock:%H:%M}", day=day
            )
        )
    return moment


def is_ambiguous(day: date, clock: time, zone: ZoneInfo) -> bool:
    """Whether clocks of the zone show `clock` twice on `day`."""
    wall = datetime.combine(day, clock, tzinfo=zone)
    first, second = wall.replace(fold=0).utcoffset(), wall.replace(fold=1).utcoffset()
    return first is not None and second is not None and first > second


def slot_on(day: date, start: time, end: time, zone: ZoneInfo) -> Slot:
    """The slot from `start` on `day` to the next time that clocks show `end`.

    Raises:
        ScheduleError: it would be longer than `LONGEST_SESSION`, which is how a mistyped end shows; or a time does not
            exist.
    """
    if start == end:
        raise ScheduleError(english("The end is the same as the start."))
    first, last = f"{start:%H:%M}", f"{end:%H:%M}"
    slot = Slot(to_utc(day, start, zone), to_utc(day if end > start else day + timedelta(days=1), end, zone))
    length = slot.ends_at - slot.starts_at
    if end < start and length > LONGEST_SESSION:
        raise _end_before_start(first, last)
    if length > LONGEST_SESSION:
        raise _too_long(first, last)
    if length <= timedelta(0):
        raise ScheduleError(
            english(
                "Between %(start)s and %(end)s on %(day)s the clocks change: no time is left.",
                start=first,
                end=last,
                day=day,
            )
        )
    return slot


def checked_slot(slot: Slot, zone: ZoneInfo) -> Slot:
    """A slot whose moments are given as they are.

    Raises:
        ScheduleError: it ends before it starts, or is longer than `LONGEST_SESSION`.
    """
    length = slot.ends_at - slot.starts_at
    first, last = (f"{moment.astimezone(zone):%H:%M}" for moment in (slot.starts_at, slot.ends_at))
    if length == timedelta(0):
        raise ScheduleError(english("The end is the same as the start."))
    if length < timedelta(0):
        raise _end_before_start(first, last)
    if length > LONGEST_SESSION:
        raise _too_long(first, last)
    return slot


def _end_before_start(start: str, end: str) -> ScheduleError:
    return ScheduleError(english("The end (%(end)s) is before the start (%(start)s).", end=end, start=start))


def _too_long(start: str, end: str) -> ScheduleError:
    hours = LONGEST_SESSION // timedelta(hours=1)
    words = english(
        "A session from %(start)s to %(end)s is longer than %(hours)s hours.", start=start, end=end, hours=hours
    )
    return ScheduleError(words)


def weekly_days(first: date, until: date | None) -> list[date]:
    """The first day and the same day of each week up to and including `until`.

    Raises:
        ScheduleError: `until` is before the first day, or more than `LONGEST_SERIES_WEEKS` later.
    """
    if until is None:
        return [first]
    if until < first:
        raise ScheduleError(english("The last day of the repetition is before the first session."))
    if until - first > LONGEST_SERIES_WEEKS * _WEEK:
        raise ScheduleError(english("A repetition may last %(weeks)s weeks at most.", weeks=LONGEST_SERIES_WEEKS))
    return [first + week * _WEEK for week in range((until - first) // _WEEK + 1)]


def slot_text(slot: Slot, zone: ZoneInfo) -> Text:
    """A slot like "Mon 5 Oct 2026, 09:00\u201310:30"."""
    start, end = slot.starts_at.astimezone(zone), slot.ends_at.astimezone(zone)
    return english("%(day)s, %(start)s\u2013%(end)s", day=start.date(), start=f"{start:%H:%M}", end=f"{end:%H:%M}")


class RoomCalendar:
    """The bookings of one or more rooms, found by day so that looking costs the same whatever their number."""

    def __init__(self) -> None:
        self._days: defaultdict[tuple[int, date], list[Booking]] = defaultdict(list)

    def add(self, room_id: int, booking: Booking) -> None:
        """Take the room for the booking, whether or not it was free."""
        for day in _days_of(booking.slot):
            self._days[room_id, day].append(booking)

    def clash(self, room_id: int, slot: Slot, *, ignoring: Set[int] = frozenset()) -> Booking | None:
        """The earliest booking that overlaps the slot, or None.

        Args:
            room_id: where.
            slot: when.
            ignoring: ids of sessions that are being moved and so do not count.
        """
        found = {
            booking
            for day in _days_of(slot)
            for booking in self._days.get((room_id, day), ())
            if booking.slot.overlaps(slot) and (booking.session_id is None or booking.session_id not in ignoring)
        }
        return min(found, key=lambda booking: booking.slot.starts_at, default=None)


def _days_of(slot: Slot) -> Iterator[date]:
    day = slot.starts_at.date()
    while day <= slot.ends_at.date():
        yield day
        day += timedelta(days=1)


def load_calendar(db: Session, room_ids: Iterable[int], slots: Sequence[Slot], zone: ZoneInfo) -> RoomCalendar:
    """The sessions that the rooms have between the first and the last of the slots; cancelled ones leave them free."""
    calendar = RoomCalendar()
    if not slots:
        return calendar
    there = sessions_in_rooms(
        among(set(room_ids)),
        TAKES_PLACE,
        # A session is LONGEST_SESSION long at most; one written by other means may be longer, hence two days.
        ClassSession.starts_at > min(slot.starts_at for slot in slots) - timedelta(days=2),
        ClassSession.starts_at < max(slot.ends_at for slot in slots),
    )
    # Only columns: thousands of sessions may stand between two dates.
    query = (
        sa.select(
            ClassSession.id, there.c.room_id, ClassSession.starts_at, ClassSession.ends_at, Course.code, Room.name
        )
        .join(there, there.c.session_id == ClassSession.id)
        .join(Course, Course.id == ClassSession.course_id)
        .join(Room, Room.id == there.c.room_id)
    )
    for session_id, room_id, starts_at, ends_at, code, room in db.execute(query):
        slot = Slot(starts_at, ends_at)
        calendar.add(room_id, Booking(slot, _label(code, slot_text(slot, zone), room), session_id))
    return calendar


def _label(code: str, slot: Text, room: str) -> Text:
    return english("%(code)s, %(slot)s, in %(room)s", code=code, slot=slot, room=room)


def lock_room(db: Session, room_id: int) -> None:
    """Keep other transactions from booking the room until this one ends; `begin_writing` must have begun it.

    No constraint can forbid overlaps portably. An update that changes nothing takes the row's lock on MySQL and MariaDB
    before the clash check reads; on SQLite the transaction holds the only write lock already.
    """
    db.execute(
        sa.update(Room).where(Room.id == room_id).values(name=Room.name),
        execution_options={"synchronize_session": False},
    )
