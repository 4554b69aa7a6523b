"""The lines of a timetable: their columns, reading one, and which of them are one session."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from attendance.database.audiences import Audience
from attendance.tables import fields
from attendance.tables.columns import COURSE_CODE
from attendance.tables.dates import parse_clock, parse_date, parse_minutes
from attendance.tables.errors import LineError
from attendance.tables.reading import Column, Line
from attendance.texts import english
from webapp.imports.run import Numbered
from webapp.tools.class_sessions.schedule import ScheduleError, Slot, is_ambiguous, slot_on, weekly_days

_COURSES = replace(
    COURSE_CODE,
    meaning=english("%(meaning)s Several, for a joint lecture: MAT101; PHY200.", meaning=COURSE_CODE.meaning),
)
_ROOM = Column(
    "room",
    english("The name of a room that is there already. Several, where a class sits in several: Hall A; Hall B."),
    aliases=("room_name", "rooms"),
    rule=fields.ROOM_NAME,
)
_GROUP = Column(
    "group",
    english("The group of the course that it is for, several like A; B. Empty: everybody who takes the course."),
    required=False,
    aliases=("groups", "course_group"),
    rule=fields.GROUP_NAME,
)
_UID = Column(
    "uid",
    english(
        "The identifier that the session, or its weekly series, has in the system that the file comes from. Empty: "
        "told by course, group and time."
    ),
    required=False,
    aliases=("series", "series_uid", "external_id"),
    rule=fields.SERIES_UID,
)
COLUMNS = (
    _COURSES,
    _ROOM,
    Column("date", english("Day of the (first) session, like 2026-10-05."), aliases=("day", "first_date")),
    Column("start", english("Local time, like 09:00."), aliases=("start_time", "from", "starts")),
    Column("end", english("Local time, like 10:30."), aliases=("end_time", "to", "ends")),
    Column(
        "repeat_until",
        english("Repeats the session every week, this day included if it falls on it. Empty for a single session."),
        required=False,
        aliases=("until", "weekly_until"),
    ),
    _GROUP,
    _UID,
    Column(
        "early_minutes", english("Minutes before the start from which attendance counts. Empty: 10."), required=False
    ),
    Column("grace_minutes", english("Minutes after the start before one is late. Empty: 10."), required=False),
)


@dataclass(frozen=True)
class SessionRecord:
    """A line of the file; None minutes leave what is recorded, or take the default for new sessions."""

    course_codes: tuple[str, ...]
    groups: tuple[str, ...]
    rooms: tuple[str, ...]
    day: date
    start: time
    end: time
    slots: tuple[Slot, ...]
    weekly: bool
    early_minutes: int | None
    grace_minutes: int | None
    uid: str | None
    planned: Mapping[Slot, datetime] = field(default_factory=dict)
    """By slot, when its series has it start; of a CSV file nothing is said of that."""


def read_line(line: Line, zone: ZoneInfo) -> SessionRecord:
    """Check the fields of a line.

    Raises:
        LineError: a value is missing or makes no sense.
    """
    values = line.values
    day, start = parse_date(values["date"], "date"), parse_clock(values["start"], "start")
    end = parse_clock(values["end"], "end")
    until = values.get("repeat_until", "")
    try:
        days = weekly_days(day, parse_date(until, "repeat_until") if until else None)
        slots = tuple(slot_on(each, start, end, zone) for each in days)
    except ScheduleError as error:
        raise LineError(str(error)) from None
    return SessionRecord(
        course_codes=_several(line, _COURSES),
        groups=_several(line, _GROUP) if values.get("group") else (),
        rooms=_several(line, _ROOM),
        day=day,
        start=start,
        end=end,
        slots=slots,
        weekly=bool(until),
        early_minutes=_minutes(line, "early_minutes"),
        grace_minutes=_minutes(line, "grace_minutes"),
        uid=line.optional_text(_UID),
    )


def twice(record: SessionRecord, zone: ZoneInfo) -> Iterator[tuple[time, date]]:
    """The times of a line that clocks show twice on their day, because they go back."""
    for slot in record.slots:
        day = slot.starts_at.astimezone(zone).date()
        for clock in (record.start, record.end):
            if is_ambiguous(day, clock, zone):
                yield clock, day


def one_session(
    items: Sequence[Numbered[SessionRecord]],
) -> list[tuple[Numbered[SessionRecord], list[Numbered[SessionRecord]]]]:
    """Lines that are one session: at the very same times, for one audience in several rooms, or for several in one.

    Lines with different identifiers are told apart by these.

    Returns:
        The first line of each session that has several, and the others.
    """
    by_time: dict[Hashable, list[Numbered[SessionRecord]]] = {}
    for item in items:
        by_time.setdefault(item.record.slots, []).append(item)
    found = []
    for same_time in by_time.values():
        open_items = list(same_time)
        while open_items:
            leader, others = open_items[0], open_items[1:]
            followers = [each for each in others if _belongs(leader.record, each.record)]
            if followers:
                found.append((leader, followers))
            open_items = [each for each in others if each not in followers]
    return found


def _belongs(first: SessionRecord, second: SessionRecord) -> bool:
    if first.uid is not None and second.uid is not None and first.uid != second.uid:
        return False
    same_whom = (first.course_codes, first.groups) == (second.course_codes, second.groups)
    return same_whom or set(first.rooms) == set(second.rooms)


def _several(line: Line, column: Column) -> tuple[str, ...]:
    """The values of a cell that may hold several, separated by semicolons, each once.

    Raises:
        LineError: there is none, or the column's rule refuses one.
    """
    parts = [part.strip() for part in line.values.get(column.name, "").split(";")]
    values = [replace(line, values={column.name: part}).text(column) for part in parts if part or len(parts) == 1]
    return tuple(dict.fromkeys(values))


def _minutes(line: Line, column: str) -> int | None:
    text = line.values.get(column, "")
    return parse_minutes(text, column) if text else None


def audiences_of_line(
    record: SessionRecord, courses: dict[str, int], groups: dict[tuple[int, str], int]
) -> list[Audience]:
    """Whom a line is for.

    Args:
        record: the line.
        courses: the ids of its courses, by code.
        groups: the ids of their groups, by course and name.

    Raises:
        LineError: a group is not there, or belongs to one of several courses.
    """
    if not record.groups:
        return [Audience(course_id) for course_id in courses.values()]
    if len(courses) > 1:
        raise LineError(english("With several courses, give each a line of its own to name its group."), "group")
    ((code, course_id),) = courses.items()
    missing = [name for name in record.groups if (course_id, name) not in groups]
    if missing:
        raise LineError(english("There is no group %(missing)s in %(code)s.", missing=missing[0], code=code), "group")
    return [Audience(course_id, groups[course_id, name]) for name in record.groups]
