"""Finding the sessions that a calendar's event means: by the event's identifier, and by which of its times it is.

An event's time is known by when its series has it start (RECURRENCE-ID), wherever it was moved to. So sessions are
looked for in this order, and each is one time's:

1. the session of the series that was planned to start then;
2. where there is no series yet, a session that nobody's calendar or file knows, for the same people at that very time;
3. of those of the series that no time means, the one of the same day, then of the same week, and of an event that is
   no series any: it was moved as a whole.

What is left of a series has ended, unless it belongs to another calendar.
"""

from collections.abc import Callable, Sequence, Set
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import among, sessions_of_courses
from attendance.database.models import ClassSession, DroppedOccurrence, SessionSeries
from webapp.calendars.lines import CalendarLines
from webapp.imports.occurrences import Found, Meant, There, WantedOccurrence, load_sessions
from webapp.tools.class_sessions.schedule import Slot


class CalendarOccurrences:
    """The sessions that a calendar's lines may mean."""

    def __init__(
        self, there: Sequence[There], dropped: Set[tuple[int, datetime]], series: dict[str, int], times: "SeriesTimes"
    ) -> None:
        self._there = there
        self._dropped = dropped
        self._series = series
        self._times = times
        self._by_series: dict[int, list[There]] = {}
        for each in there:
            if each.series_id is not None:
                self._by_series.setdefault(each.series_id, []).append(each)

    def find(self, wanted: WantedOccurrence, _meant: Meant, claimed: Set[int], now: datetime) -> Found:
        """What a line means among what no other line has claimed; see the module."""
        series_id = self._series.get(wanted.uid or "")
        found = Found(series_id=series_id)
        own = [each for each in self._by_series.get(series_id or 0, ()) if each.id not in claimed]
        taken: set[int] = set()

        def take(slot: Slot, one: There | None) -> None:
            if one is not None:
                found.sessions[slot] = one
                taken.add(one.id)

        planned = {each.planned_at: each for each in own}
        for slot in wanted.slots:
            one = planned.get(wanted.planned_at(slot))
            take(slot, one if one is not None and one.id not in taken else None)
        for slot in wanted.slots:
            if slot not in found.sessions and (series_id or 0, wanted.planned_at(slot)) in self._dropped:
                found.dropped.add(slot)
        to_come = [each for each in own if each.id not in taken and each.slot.ends_at > now]
        self._take_moved(wanted, to_come, found, take)
        for slot in wanted.slots:
            if slot not in found.sessions and slot not in found.dropped:
                take(slot, self._unknown(slot, wanted, claimed | taken))
        if self._times.is_last(wanted) and wanted.uid not in self._times.broken:
            meant = self._times.of(wanted.uid)
            found.ended = [
                each
                for each in own
                if each.id not in taken
                and each.planned_at not in meant
                and each.slot.ends_at > now
                and not (each.cancelled or each.by_person)
                and each.calendar_id in (None, self._times.calendar_id)
            ]
        return found

    def _take_moved(self, wanted: WantedOccurrence, left: list[There], found: Found, take: Any) -> None:
        """A series that was moved as a whole: its times are others, and its sessions the same."""
        meant = self._times.of(wanted.uid)
        left = [each for each in left if each.planned_at not in meant and not (each.by_person or each.cancelled)]
        alone: list[Callable[[datetime], object]] = [] if wanted.weekly else [lambda _moment: True]
        for same in (self._times.day, self._times.week, *alone):
            for slot in wanted.slots:
                if slot in found.sessions or slot in found.dropped or not left:
                    continue
                now = wanted.planned_at(slot)
                near = [each for each in left if same(each.planned_at) == same(now)]
                one = min(near, key=lambda each: abs(each.planned_at - now), default=None)
                if one is not None:
                    left.remove(one)
                    take(slot, one)

    def _unknown(self, slot: Slot, wanted: WantedOccurrence, claimed: Set[int]) -> There | None:
        """A session for the same people at that very time that no calendar and no file has an identifier for."""
        found = [
            each
            for each in self._there
            if each.slot.starts_at == slot.starts_at
            and each.audiences == wanted.audiences
            and each.uid is None
            and each.id not in claimed
        ]
        return min(found, key=lambda each: (not each.room_ids & wanted.room_ids, each.id), default=None)


class SeriesTimes:
    """What all lines of a calendar say of when its series have their sessions."""

    def __init__(self, lines: CalendarLines, calendar_id: int, zone: ZoneInfo) -> None:
        self.calendar_id = calendar_id
        self.broken: Set[str | None] = frozenset(lines.broken)
        self._zone = zone
        self._planned: dict[str | None, set[datetime]] = {uid: set(times) for uid, times in lines.unread.items()}
        self._last: dict[str | None, int] = {}
        for number, record in sorted(lines.records.items()):
            planned = self._planned.setdefault(record.uid, set())
            planned |= {record.planned.get(slot, slot.starts_at) for slot in record.slots}
            self._last[record.uid] = number

    def of(self, uid: str | None) -> Set[datetime]:
        """When a series has its sessions start, by all lines."""
        return self._planned.get(uid, frozenset())

    def is_last(self, wanted: WantedOccurrence) -> bool:
        """Whether a line is the last of its series: what none of them means has ended."""
        return self._last.get(wanted.uid) == wanted.line

    def day(self, moment: datetime) -> date:
        """The day there."""
        return moment.astimezone(self._zone).date()

    def week(self, moment: datetime) -> tuple[int, int]:
        """The week there."""
        return moment.astimezone(self._zone).isocalendar()[:2]


def load_for_calendar(
    db: Session, uids: Set[str], course_ids: Set[int], since: datetime, times: SeriesTimes
) -> CalendarOccurrences:
    """What is there of some series, and of some courses from a moment on."""
    series = dict(db.execute(sa.select(SessionSeries.uid, SessionSeries.id).where(SessionSeries.uid.in_(uids))).all())
    of_series = sa.select(ClassSession.id.label("session_id")).where(ClassSession.series_id.in_(series.values()))
    of_courses = sessions_of_courses(among(course_ids), ClassSession.starts_at >= since)
    in_reach = sa.union(of_series, sa.select(of_courses.c.session_id)).subquery("of_calendar")
    dropped = sa.select(DroppedOccurrence.series_id, DroppedOccurrence.planned_at).where(
        DroppedOccurrence.series_id.in_(series.values())
    )
    return CalendarOccurrences(load_sessions(db, in_reach), frozenset(db.execute(dropped).all()), series, times)
