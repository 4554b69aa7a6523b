"""The timetable from a CSV file."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import ClassSession
from attendance.database.register import apply_session_times
from attendance.tables import fields
from attendance.tables.columns import COURSE_CODE
from attendance.tables.dates import parse_clock, parse_date, parse_minutes
from attendance.tables.errors import LineError
from attendance.tables.reading import Column, Line
from webapp.imports.finders import CourseFinder, RoomFinder
from webapp.imports.plan import ImportPlan
from webapp.imports.report import Outcome, Result
from webapp.imports.run import Importer, Numbered, refused
from webapp.imports.students import write_rows
from webapp.tools.dates import date_text
from webapp.tools.schedule import (
    DEFAULT_MINUTES,
    Booking,
    RoomCalendar,
    ScheduleError,
    Slot,
    is_ambiguous,
    load_calendar,
    lock_room,
    slot_on,
    slot_text,
    weekly_days,
)

_ROOM = Column("room", "The name of a room that is there already.", aliases=("room_name",), rule=fields.ROOM_NAME)


@dataclass(frozen=True)
class SessionRecord:
    """A line of the file; None minutes leave what is recorded, or take the default for new sessions."""

    course_code: str
    room: str
    day: date
    start: time
    slots: tuple[Slot, ...]
    early_minutes: int | None
    grace_minutes: int | None


@dataclass
class _Plan:
    new: list[dict[str, Any]]
    changed: list[tuple[int, dict[str, Any]]]
    bookings: list[tuple[int, Booking]]
    claimed: set[int]


class TimetableImporter(Importer[SessionRecord]):
    """Adds sessions; a session that is there (same course, room and start) gets the end and minutes of the file."""

    columns = (
        COURSE_CODE,
        _ROOM,
        Column("date", "Day of the (first) session, like 2026-10-05.", aliases=("day", "first_date")),
        Column("start", "Local time, like 09:00.", aliases=("start_time", "from", "starts")),
        Column("end", "Local time, like 10:30.", aliases=("end_time", "to", "ends")),
        Column(
            "repeat_until",
            "Repeats the session every week, this day included if it falls on it. Empty for a single session.",
            required=False,
            aliases=("until", "weekly_until"),
        ),
        Column("early_minutes", "Minutes before the start from which attendance counts. Empty: 10.", required=False),
        Column("grace_minutes", "Minutes after the start before one is late. Empty: 10.", required=False),
    )
    batch_size: ClassVar[int] = 100

    def __init__(self, zone: ZoneInfo, *, plan: ImportPlan | None = None) -> None:
        super().__init__(plan)
        self._zone = zone
        self._courses = CourseFinder(self.plan)
        self._rooms = RoomFinder(self.plan)
        # Sessions of earlier lines, with their lines: a clash names the line, and trying a file writes nothing.
        self._earlier = RoomCalendar()
        self._fresh: list[tuple[int, Booking]] = []
        # Sessions of the database that an earlier line describes: its line counts, not their present times.
        self._claimed: set[int] = set()
        self._freshly_claimed: set[int] = set()
        self._twice: list[str] = []

    def parse(self, line: Line, present: frozenset[str]) -> SessionRecord:
        """Check the fields of a line."""
        values = line.values
        day, start = parse_date(values["date"], "date"), parse_clock(values["start"], "start")
        end = parse_clock(values["end"], "end")
        until = values.get("repeat_until", "")
        try:
            days = weekly_days(day, parse_date(until, "repeat_until") if until else None)
            slots = tuple(slot_on(each, start, end, self._zone) for each in days)
        except ScheduleError as error:
            raise LineError(str(error)) from None
        self._twice += [
            f"Line {line.number}: clocks show {clock:%H:%M} twice on {date_text(each)}; the first is meant."
            for each in days
            for clock in (start, end)
            if is_ambiguous(each, clock, self._zone)
        ]
        return SessionRecord(
            course_code=line.text(COURSE_CODE),
            room=line.text(_ROOM),
            day=day,
            start=start,
            slots=slots,
            early_minutes=_minutes(line, "early_minutes"),
            grace_minutes=_minutes(line, "grace_minutes"),
        )

    def key(self, record: SessionRecord) -> tuple[Hashable, str, str]:
        """Course, room and start."""
        words = f"{record.course_code} in room {record.room} on {date_text(record.day)} at {record.start:%H:%M}"
        return (record.course_code, record.room, record.day, record.start), words, "date"

    def handle(self, db: Session, batch: Sequence[Numbered[SessionRecord]], *, apply: bool) -> list[Outcome]:
        """Decide line by line: all sessions of a line go in, or none."""
        courses = self._courses.find(db, (item.record.course_code for item in batch))
        rooms = self._rooms.find(db, (item.record.room for item in batch))
        if apply:
            for room_id in sorted(rooms.values()):
                lock_room(db, room_id)
        slots = [slot for item in batch for slot in item.record.slots]
        calendar = load_calendar(db, rooms.values(), slots, self._zone)
        there = _there(db, rooms.values(), slots)
        plan = _Plan([], [], [], set(self._claimed))
        outcomes = []
        # Lines of this batch, so that a batch that is done again does not clash with itself.
        fresh = RoomCalendar()
        for item in batch:
            try:
                course_id = self._courses.require(courses, item.record.course_code)
                place = (course_id, self._rooms.require(rooms, item.record.room))
                outcomes.append(self._decide(item, place, there, (self._earlier, fresh, calendar), plan))
            except LineError as error:
                outcomes.append(refused(item.line, error))
        self._fresh, self._freshly_claimed = plan.bookings, plan.claimed
        if apply:
            _write(db, plan)
        return outcomes

    def settle(self) -> None:
        """Remember the sessions of the last batch."""
        for room_id, booking in self._fresh:
            self._earlier.add(room_id, booking)
        self._claimed = self._freshly_claimed
        self._fresh = []

    def notes(self) -> list[str]:
        """Which times the clocks show twice."""
        return self._twice[:10]

    def _decide(
        self,
        item: Numbered[SessionRecord],
        place: tuple[int, int],
        there: dict[tuple[int, int, datetime], Any],
        calendars: tuple[RoomCalendar, RoomCalendar, RoomCalendar],
        plan: _Plan,
    ) -> Outcome:
        record, room_id = item.record, place[1]
        added: list[dict[str, Any]] = []
        changed: list[tuple[int, dict[str, Any]]] = []
        rows = [there.get((*place, slot.starts_at)) for slot in record.slots]
        own = {row.id for row in rows if row is not None} - plan.claimed
        plan.claimed |= own
        for slot, row in zip(record.slots, rows, strict=True):
            clashes = (calendar.clash(room_id, slot, ignoring=plan.claimed) for calendar in calendars)
            clash = next((booking for booking in clashes if booking is not None), None)
            if clash is not None:
                plan.claimed -= own
                raise LineError(f"{slot_text(slot, self._zone)}: the room is taken by {clash.label}.", "start")
            if row is None:
                added.append(_new_row(record, place, slot))
            elif changes := _changes(row, record, slot):
                changed.append((row.id, changes))
        plan.new += added
        plan.changed += changed
        for slot in record.slots:
            booking = Booking(slot, f"line {item.line} ({record.course_code}, {slot_text(slot, self._zone)})")
            calendars[1].add(room_id, booking)
            plan.bookings.append((room_id, booking))
        return _outcome(item.line, len(record.slots), len(added), len(changed))


def _outcome(line: int, slots: int, added: int, changed: int) -> Outcome:
    if changed:
        rest = f", {added} added" if added else ""
        return Outcome(line, Result.UPDATED, f"{changed} of {slots} sessions changed{rest}.", records=added)
    if added:
        message = f"{added} of {slots} sessions added; the others were there." if added < slots else ""
        return Outcome(line, Result.ADDED, message, records=added)
    return Outcome(line, Result.UNCHANGED)


def _new_row(record: SessionRecord, place: tuple[int, int], slot: Slot) -> dict[str, Any]:
    return {
        "course_id": place[0],
        "room_id": place[1],
        "starts_at": slot.starts_at,
        "ends_at": slot.ends_at,
        "early_minutes": DEFAULT_MINUTES if record.early_minutes is None else record.early_minutes,
        "grace_minutes": DEFAULT_MINUTES if record.grace_minutes is None else record.grace_minutes,
    }


def _changes(row: Any, record: SessionRecord, slot: Slot) -> dict[str, Any]:
    wanted = {
        "ends_at": slot.ends_at,
        "early_minutes": record.early_minutes,
        "grace_minutes": record.grace_minutes,
    }
    return {name: value for name, value in wanted.items() if value is not None and value != getattr(row, name)}


def _minutes(line: Line, column: str) -> int | None:
    text = line.values.get(column, "")
    return parse_minutes(text, column) if text else None


def _there(db: Session, rooms: Iterable[int], slots: Sequence[Slot]) -> dict[tuple[int, int, datetime], Any]:
    query = sa.select(
        ClassSession.id,
        ClassSession.course_id,
        ClassSession.room_id,
        ClassSession.starts_at,
        ClassSession.ends_at,
        ClassSession.early_minutes,
        ClassSession.grace_minutes,
    ).where(
        ClassSession.room_id.in_(set(rooms)),
        ClassSession.starts_at.between(min(s.starts_at for s in slots), max(s.starts_at for s in slots)),
    )
    return {(row.course_id, row.room_id, row.starts_at): row for row in db.execute(query)}


def _write(db: Session, plan: _Plan) -> None:
    write_rows(db, ClassSession, plan.new)
    for session_id, changes in plan.changed:
        session = db.get_one(ClassSession, session_id)
        for name, value in changes.items():
            setattr(session, name, value)
        db.flush()
        apply_session_times(db, session)
