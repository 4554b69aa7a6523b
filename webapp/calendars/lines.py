"""A calendar as lines of a timetable, which `webapp.imports` holds against what is there."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import (
    ClassSession,
    Course,
    CourseGroup,
    SessionSeries,
    SessionState,
    TimetableCalendar,
)
from attendance.tables.errors import LineError
from attendance.tables.fields import SERIES_UID
from attendance.tables.reading import Line
from attendance.texts import english
from webapp.calendars.ics.occurrences import EventSeries, Occurrence
from webapp.calendars.places import Meaning, Words
from webapp.imports.timetable_lines import SessionRecord
from webapp.tools.class_sessions.schedule import Slot


@dataclass
class CalendarLines:
    """The lines, with what each of them says.

    Attributes:
        unused: nothing of a calendar is a heading.
        present: likewise.
        records: what a line says, by its number.
        uids: of all series that the calendar holds.
    unread: by series, when it has sessions start of which nothing could be made: these have not ended.
    broken: series of which nothing could be read.
    """

    unused: tuple[str, ...] = ()
    present: frozenset[str] = frozenset()
    records: dict[int, SessionRecord] = field(default_factory=dict)
    uids: set[str] = field(default_factory=set)
    unread: defaultdict[str, set[datetime]] = field(default_factory=lambda: defaultdict(set))
    broken: set[str] = field(default_factory=set)
    _lines: list[Line] = field(default_factory=list)

    def lines(self) -> Iterator[Line]:
        """The lines, in their order."""
        return iter(self._lines)

    def titles(self) -> dict[int, str]:
        """The title of each line's event, by the line's number."""
        return {line.number: line.content for line in self._lines}

    def add(self, at: int, content: str, said: SessionRecord | LineError) -> None:
        """Add a line that stands about there in the calendar."""
        number = max(at, self._lines[-1].number + 1 if self._lines else 1)
        error = said if isinstance(said, LineError) else None
        if isinstance(said, SessionRecord):
            self.records[number] = said
        self._lines.append(Line(number, number, content, {}, error=error))


def lines_of(series: Sequence[EventSeries], words: Words, zone: ZoneInfo) -> CalendarLines:
    """The lines of a calendar: one for each series, or several where its times differ in whom or where.

    Args:
        series: of the calendar.
        words: what is there.
        zone: of the institution.
    """
    made = CalendarLines()
    for each in series:
        made.uids.add(uid_of(each.uid))
        if each.error is not None:
            made.broken.add(uid_of(each.uid))
            made.add(each.line, each.content, each.error)
            continue
        parts: defaultdict[Meaning, list[Occurrence]] = defaultdict(list)
        faults: dict[str, LineError] = {}
        for occurrence in each.occurrences:
            try:
                parts[words.meaning_of(occurrence)].append(occurrence)
            except LineError as error:
                faults[error.message] = error
                made.unread[uid_of(each.uid)].add(occurrence.planned_at or occurrence.slot.starts_at)
        for meaning, occurrences in parts.items():
            made.add(each.line, each.content, _record(each, meaning, occurrences, zone))
        for fault in faults.values():
            made.add(each.line, each.content, fault)
    return made


def add_vanished(db: Session, calendar: TimetableCalendar, made: CalendarLines, now: datetime) -> None:
    """Add a line without times for each series of the calendar that it does not hold any more."""
    rows = db.execute(
        sa.select(SessionSeries.uid, Course.code, CourseGroup.name)
        .join(Course, Course.id == SessionSeries.course_id)
        .outerjoin(CourseGroup, CourseGroup.id == SessionSeries.group_id)
        .where(
            SessionSeries.calendar_id == calendar.id,
            sa.exists().where(
                ClassSession.series_id == SessionSeries.id,
                ClassSession.ends_at > now,
                ClassSession.state == SessionState.SCHEDULED,
                ClassSession.changed_at.is_(None),
            ),
        )
        .order_by(SessionSeries.id)
    )
    for uid, code, group in rows:
        if uid not in made.uids:
            record = _empty(uid, (code,), (group,) if group else (), now)
            made.add(1, english("%(code)s: not in the calendar any more", code=code), record)


def uid_of(uid: str) -> str:
    """The identifier of a series, as it is kept: one that is too long, or has odd signs, by its digest."""
    cleaned = SERIES_UID.clean(uid)
    if cleaned == uid and SERIES_UID.problem(cleaned) is None:
        return uid
    return "sha256:" + hashlib.sha256(uid.encode("utf-8", "surrogatepass")).hexdigest()


def _record(series: EventSeries, meaning: Meaning, occurrences: Sequence[Occurrence], zone: ZoneInfo) -> SessionRecord:
    first = occurrences[0].slot
    start, end = first.starts_at.astimezone(zone), first.ends_at.astimezone(zone)
    # An event that stands there twice at one time is one session.
    by_slot: dict[Slot, Occurrence] = {}
    for each in occurrences:
        by_slot.setdefault(each.slot, each)
    return SessionRecord(
        course_codes=meaning.course_codes,
        groups=meaning.groups,
        rooms=meaning.rooms,
        day=start.date(),
        start=start.time(),
        end=end.time(),
        slots=tuple(by_slot),
        weekly=any(each.planned_at is not None for each in occurrences),
        early_minutes=None,
        grace_minutes=None,
        uid=uid_of(series.uid),
        planned={slot: each.planned_at for slot, each in by_slot.items() if each.planned_at is not None},
    )


def _empty(uid: str, codes: tuple[str, ...], groups: tuple[str, ...], now: datetime) -> SessionRecord:
    nothing = {"slots": (), "weekly": True, "early_minutes": None, "grace_minutes": None}
    return SessionRecord(codes, groups, (), now.date(), now.time(), now.time(), uid=uid, **nothing)  # type: ignore[arg-type]
