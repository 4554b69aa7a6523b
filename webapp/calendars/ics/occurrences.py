"""When a calendar's events take place: each series with its exceptions, within a term."""

import re
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from typing import Any
from zoneinfo import ZoneInfo

import recurring_ical_events  # type: ignore[import-untyped] # it has no types
from icalendar import Calendar, Event

from attendance.tables.errors import LineError
from attendance.texts import english
from webapp.calendars.ics.text import Block, CalendarError, CalendarText, name_of
from webapp.calendars.ics.zones import CalendarZones
from webapp.tools.class_sessions.schedule import LONGEST_SESSION, Slot

MOST_TIMES = 1_000
"""Of one event in a term. Twice a day all year is 732."""
MOST_IN_ALL = 50_000
"""Of all events of a calendar. A large university has about 40,000 sessions in a term."""
PATIENCE_S = 60.0
"""For a calendar as a whole."""
_EARLIEST = 1970
"""A rule that began before took long to follow, and nobody's timetable does."""
_FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_MOST_RULES = 5
_RARE = ("BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS")
"""With these a rule of days or weeks may never come true, and would be followed day by day to the year 9999."""
_NUMBERS = {
    "BYMONTH": (1, 12), "BYMONTHDAY": (1, 31), "BYYEARDAY": (1, 366), "BYWEEKNO": (1, 53), "BYSETPOS": (1, 366),
    "BYHOUR": (0, 23), "BYMINUTE": (0, 59), "BYSECOND": (0, 60),
}  # fmt: skip
"""What they may be (RFC 5545, section 3.3.10). A rule of a thirteenth month would be followed to the year 9999."""
_NUMBER = re.compile(r"[+-]?\d{1,3}")
_DATE = re.compile(r"\d{8}")
_LOCAL = re.compile(r"\d{8}T\d{6}")


@dataclass(frozen=True)
class Occurrence:
    """A time at which an event takes place.

    Attributes:
        slot: when.
        planned_at: when its series has it start, which tells it from the others, moved or not; None: the event is
            no series, and its identifier alone tells it.
        summary: its title.
        location: where, as it says.
        categories: what it is filed under.
    """

    slot: Slot
    planned_at: datetime | None
    summary: str
    location: str
    categories: tuple[str, ...] = ()


@dataclass
class EventSeries:
    """An event with all its times in the term.

    Attributes:
        uid: its identifier.
        line: where it begins in the file.
        content: its title, for a report.
        occurrences: by their time.
        error: why none of it can be used.
    """

    uid: str
    line: int
    content: str
    occurrences: list[Occurrence] = field(default_factory=list)
    error: LineError | None = None


@dataclass
class CalendarFindings:
    """What a calendar holds for a term.

    Attributes:
        series: those that have a time in it, or an error.
        all_day: how many times are whole days, which are no sessions.
        floating: whether times name no zone, so that the institution's is meant.
    """

    series: list[EventSeries] = field(default_factory=list)
    all_day: int = 0
    floating: bool = False


@dataclass(frozen=True)
class Term:
    """From which day to which a calendar counts, both included, in the institution's zone."""

    first_day: date
    last_day: date
    zone: ZoneInfo

    @property
    def begins(self) -> datetime:
        """The first moment."""
        return datetime.combine(self.first_day, clock(), tzinfo=self.zone)

    @property
    def ends(self) -> datetime:
        """The moment after the last."""
        return datetime.combine(self.last_day + timedelta(days=1), clock(), tzinfo=self.zone)


def find_series(text: CalendarText, term: Term, *, patience_s: float = PATIENCE_S) -> CalendarFindings:
    """Every series of a calendar with its times in a term.

    Args:
        text: the calendar.
        term: what lies outside is left aside, so that what repeats for ever ends.
        patience_s: seconds after which the calendar counts as one that cannot be read.

    Raises:
        CalendarError: it takes too long, or has too many times.
    """
    ends = time.monotonic() + patience_s
    zones = CalendarZones(term.zone, text.zones, term.begins, term.ends)
    by_uid: defaultdict[str, list[Block]] = defaultdict(list)
    for block in text.events:
        by_uid[block.value("UID").strip() or f"line {block.line}"].append(block)
    found, total = CalendarFindings(), 0
    for uid, blocks in by_uid.items():
        if time.monotonic() > ends:
            raise CalendarError(english("The calendar takes too long to read. Take one of fewer courses."))
        series = EventSeries(uid, blocks[0].line, _unescaped(blocks[0].value("SUMMARY"))[:200])
        try:
            if not blocks[0].has("UID"):
                raise LineError(english("An event has no UID, so that nobody can tell it from others."), "UID")
            _read(series, blocks, term, zones, found)
        except LineError as error:
            series.occurrences, series.error = [], error
        total += len(series.occurrences)
        if total > MOST_IN_ALL:
            raise CalendarError(
                english("The calendar has more than %(most)s sessions. Take one of fewer courses.", most=MOST_IN_ALL)
            )
        if series.occurrences or series.error is not None:
            series.occurrences.sort(key=lambda each: each.slot.starts_at)
            found.series.append(series)
    return found


def _read(
    series: EventSeries, blocks: Sequence[Block], term: Term, zones: CalendarZones, found: CalendarFindings
) -> None:
    lines = [_prepared(block, zones) for block in blocks]
    repeats = any(block.has("RRULE", "RDATE", "RECURRENCE-ID") for block in blocks)
    whole = [part for of_block in lines for part in ("BEGIN:VEVENT", *of_block, "END:VEVENT")]
    text = "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-", *whole, "END:VCALENDAR"])
    try:
        calendar = Calendar.from_ical(text)
        query = recurring_ical_events.of(calendar, components=["VEVENT"])
        # Beyond both ends: of times without a zone the library knows less than we do.
        day = timedelta(days=1)
        events = query.between(term.begins.astimezone(UTC) - day, term.ends.astimezone(UTC) + day)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError, ArithmeticError) as error:
        raise LineError(
            english("This event cannot be understood: %(why)s", why=str(error)[:200] or type(error).__name__)
        ) from None
    if len(events) > MOST_TIMES:
        raise LineError(
            english(
                "This event takes place %(times)s times in the term; at most %(most)s can be meant.",
                times=len(events),
                most=MOST_TIMES,
            ),
            "RRULE",
        )
    for event in events:
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        occurrence = _occurrence(event, term, found, repeats=repeats)
        if occurrence is not None and term.begins <= occurrence.slot.starts_at < term.ends:
            series.occurrences.append(occurrence)


def _occurrence(event: Event, term: Term, found: CalendarFindings, *, repeats: bool) -> Occurrence | None:
    start, end = event.start, event.end
    if not isinstance(start, datetime):
        found.all_day += 1
        return None
    found.floating |= start.tzinfo is None
    slot = Slot(_moment(start, term.zone), _moment(end, term.zone))
    length = slot.ends_at - slot.starts_at
    if length <= timedelta(0):
        raise LineError(english("This event ends when it begins, or before."), "DTEND")
    if length > LONGEST_SESSION:
        hours = LONGEST_SESSION // timedelta(hours=1)
        raise LineError(english("This event is longer than %(hours)s hours.", hours=hours), "DTEND")
    named = event.get("RECURRENCE-ID")
    planned_at = _moment(named.dt, term.zone) if repeats and named is not None else None
    categories = tuple(str(name) for name in event.categories)
    return Occurrence(slot, planned_at, str(event.get("SUMMARY", "")), str(event.get("LOCATION", "")), categories)


def _moment(value: Any, zone: ZoneInfo) -> datetime:
    """A time in UTC; one that names no zone is the institution's."""
    if not isinstance(value, datetime):
        value = datetime.combine(value, clock())
    aware: datetime = value if value.tzinfo is not None else value.replace(tzinfo=zone)
    return aware.astimezone(UTC)


def _prepared(block: Block, zones: CalendarZones) -> list[str]:
    """The lines of an event, as the library reads them well.

    Raises:
        LineError: a zone that nobody knows, or a rule that nobody's timetable has.
    """
    if sum(name_of(line) == "RRULE" for line in block.lines) > _MOST_RULES:
        raise LineError(english("This event repeats by too many rules at once."), "RRULE")
    if block.too_long:
        raise LineError(
            english("This event has a line that is too long: %(name)s.", name=block.too_long), block.too_long
        )
    lines = [zones.rewrite(line) for line in block.lines]
    start = next((line for line in lines if name_of(line) == "DTSTART"), None)
    if start is None:
        raise LineError(english("This event does not say when it begins."), "DTSTART")
    _require_order(lines, start)
    for line in lines:
        if name_of(line) in ("DTSTART", "RECURRENCE-ID") and not _may_be_meant(line.rpartition(":")[2]):
            raise LineError(english("The year of this event cannot be meant."), name_of(line))
    return [_rule(line, start, zones) if name_of(line) == "RRULE" else line for line in lines]


def _require_order(lines: Sequence[str], start: str) -> None:
    """The end must come after the start: the library would change them for one another.

    Raises:
        LineError: it does not, as far as both are written alike; others show when they are read.
    """
    head, _, begins = start.rpartition(":")
    end = next((line for line in lines if name_of(line) == "DTEND"), "")
    duration = next((line for line in lines if name_of(line) == "DURATION"), "")
    alike = end.rpartition(":")[0].partition(";")[2] == head.partition(";")[2]
    ends = end.rpartition(":")[2]
    backwards = alike and len(ends) == len(begins) and ends <= begins
    if (end and backwards) or duration.rpartition(":")[2].startswith("-"):
        raise LineError(english("This event ends when it begins, or before."), "DTEND")


def _may_be_meant(value: str) -> bool:
    return value[:4].isdecimal() and _EARLIEST <= int(value[:4]) <= 2200


def _rule(line: str, start: str, zones: CalendarZones) -> str:
    """A rule of repetition that can be followed in no time, and ends when its author means it to."""
    parts = dict(part.partition("=")[::2] for part in line.partition(":")[2].strip().upper().split(";") if part)
    frequency = parts.get("FREQ", "")
    if frequency not in _FREQUENCIES:
        raise LineError(
            english("This event repeats %(frequency)s, which no session does.", frequency=frequency[:20] or "?"),
            "RRULE",
        )
    if any("," in parts.get(name, "") for name in ("BYHOUR", "BYMINUTE", "BYSECOND")):
        raise LineError(english("This event repeats several times a day, which no session does."), "RRULE")
    for name in ("INTERVAL", "COUNT"):
        if name in parts and not (parts[name].isdecimal() and int(parts[name][:9]) > 0 and len(parts[name]) < 10):
            raise LineError(english("The rule of this event makes no sense: %(name)s.", name=name), "RRULE")
    for name, (least, most) in _NUMBERS.items():
        given = parts[name].split(",") if name in parts else []
        if not all(_NUMBER.fullmatch(each) and least <= abs(int(each)) <= most for each in given):
            raise LineError(english("The rule of this event makes no sense: %(name)s.", name=name), "RRULE")
    rare = [name for name in _RARE if name in parts and frequency in ("DAILY", "WEEKLY")]
    if rare:
        raise LineError(english("The rule of this event makes no sense: %(name)s.", name=rare[0]), "RRULE")
    last = f"{zones.ends + timedelta(days=1):%Y%m%d}"
    if "COUNT" not in parts and parts.get("UNTIL", "99999999")[:8] > last:
        parts["UNTIL"] = last
    if "UNTIL" in parts:
        parts["UNTIL"] = _until(parts["UNTIL"], start, zones)
    return "RRULE:" + ";".join(f"{name}={value}" for name, value in parts.items())


def _until(value: str, start: str, zones: CalendarZones) -> str:
    """The end of a rule as the standard wants it, in UTC: a day alone, and a time without a zone, are meant there.

    Of a day alone, which many programs write, the library would leave that day out.
    """
    head, _, begins = start.rpartition(":")
    if "T" not in begins.upper():
        return value[:8]
    floating = "TZID=" not in head.upper() and not begins.upper().endswith("Z")
    try:
        if _DATE.fullmatch(value):
            ends = datetime.combine(datetime.strptime(value, "%Y%m%d"), clock(23, 59, 59))
        elif _LOCAL.fullmatch(value):
            ends = datetime.strptime(value, "%Y%m%dT%H%M%S")
        else:
            return value.removesuffix("Z") if floating else value
    except ValueError:
        raise LineError(english("The rule of this event makes no sense: %(name)s.", name="UNTIL"), "RRULE") from None
    if floating:
        return f"{ends:%Y%m%dT%H%M%S}"
    zone = re.search(r"TZID=([^;:]+)", head, re.IGNORECASE)
    there = zones.zone(zone[1]) if zone else UTC
    return f"{ends.replace(tzinfo=there).astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _unescaped(value: str) -> str:
    return re.sub(r"\\([\\,;])", r"\1", re.sub(r"\\[nN]", " ", value))
