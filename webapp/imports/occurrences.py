"""Finding the sessions that a timetable's line means, moved or not, among those that are there.

A line describes a *series*. It has an identifier of its own where the file gives one (`uid`). Otherwise it is known by
what it says: for whom it is (course, group) and when. So sessions are looked for in this order, and each is one line's:

1. the sessions of the series that has the line's identifier;
2. sessions for the same audience at the very start that the line says, whatever the room: the room may have changed;
3. of the same audience, on the same day, those that no other line of the file means: the time may have changed;
4. the other sessions of the series with the line's identifier, in their order; without one, of a weekly line, the
   series of the same audience that no other line means, week by week: the day may have changed.

What a person made of a session stays: who moved, cancelled or deleted it knew why.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import Audience, among, sessions_of_courses
from attendance.database.models import (
    ClassSession,
    DroppedOccurrence,
    SeriesOrigin,
    SessionAudience,
    SessionRoom,
    SessionSeries,
    SessionState,
)
from webapp.tools.class_sessions.schedule import Slot

_SAME_SERIES = 0.5
"""Of a weekly line's weeks, the share that a series must have so that it may be the same on another day."""


@dataclass(frozen=True)
class There:
    """A session that is there."""

    id: int
    series_id: int | None
    uid: str | None
    """Of its series; None where nobody outside gave one."""
    origin: SeriesOrigin | None
    slot: Slot
    planned_at: datetime
    audiences: frozenset[Audience]
    room_ids: frozenset[int]
    early_minutes: int
    grace_minutes: int
    cancelled: bool
    by_person: bool
    """A person moved, cancelled or restored it."""
    calendar_id: int | None = None
    """Of the calendar that its series came from."""


@dataclass(frozen=True)
class WantedOccurrence:
    """What a line wants, with lines that belong to it.

    Attributes:
        line: its number.
        uid: the identifier that the file gives; None without.
        audiences: whom it is for.
        room_ids: where.
        slots: when, without days of breaks.
        weekly: whether it repeats, so that it says when its series ends.
        planned: by slot, when its series has it start, where the file says that apart from when it is.
    """

    line: int
    uid: str | None
    audiences: frozenset[Audience]
    room_ids: frozenset[int]
    slots: tuple[Slot, ...]
    weekly: bool
    planned: Mapping[Slot, datetime] = field(default_factory=dict)

    def planned_at(self, slot: Slot) -> datetime:
        """When its series has a slot start."""
        return self.planned.get(slot, slot.starts_at)


@dataclass
class Found:
    """What is there of a line's sessions.

    Attributes:
        series_id: of the series that the line means; None for a new one.
        sessions: by slot, the session that is there.
        doubles: sessions that are for the same audience at the same time in one of the rooms: the same class, entered
            once for each room.
        dropped: slots whose session a person deleted.
        ended: sessions of the series that the line does not have any more.
    """

    series_id: int | None = None
    sessions: dict[Slot, There] = field(default_factory=dict)
    doubles: list[There] = field(default_factory=list)
    dropped: set[Slot] = field(default_factory=set)
    ended: list[There] = field(default_factory=list)


class Findable(Protocol):
    """Sessions that are there, to be claimed by lines."""

    def find(self, wanted: WantedOccurrence, meant: "Meant", claimed: Set[int], now: datetime) -> Found:
        """What a line means among what no other line has claimed."""


_Dropped = tuple[int, Audience, datetime]
"""A deleted session: its series, for whom that is, and when it was planned."""
_Take = Callable[[Slot, There | None], None]


class Occurrences:
    """The sessions of some courses and what is known of deleted ones, to be claimed by lines."""

    def __init__(self, there: Sequence[There], dropped: Sequence[_Dropped], zone: ZoneInfo) -> None:
        self._zone = zone
        self._by_audience: defaultdict[Audience, list[There]] = defaultdict(list)
        self._by_series: defaultdict[int, list[There]] = defaultdict(list)
        self._uids: dict[str, int] = {}
        self._dropped = dropped
        for each in there:
            for audience in each.audiences:
                self._by_audience[audience].append(each)
            if each.series_id is not None:
                self._by_series[each.series_id].append(each)
                if each.uid is not None:
                    self._uids[each.uid] = each.series_id

    def find(self, wanted: WantedOccurrence, meant: "Meant", claimed: Set[int], now: datetime) -> Found:
        """What a line means among what no other line has claimed.

        Args:
            wanted: the line.
            meant: what the lines of the file mean for sure.
            claimed: ids of sessions that are other lines'.
            now: what has ended by then is not moved, nor ended.
        """
        found = Found(series_id=self._uids.get(wanted.uid) if wanted.uid else None)
        free = _without(self._candidates(wanted, found), claimed)
        taken: set[int] = set()

        def take(slot: Slot, one: There | None) -> None:
            if one is not None:
                found.sessions[slot] = one
                taken.add(one.id)

        for slot in wanted.slots:
            take(slot, _exact(slot, _without(free, taken), found.series_id, wanted, meant))
        found.doubles = [each for each in free if each.id not in taken and _is_double(each, wanted, found)]
        taken.update(each.id for each in found.doubles)
        if found.series_id is None:
            found.series_id = _series_of(found.sessions.values())
        others = [each for each in free if each.id not in taken and not meant.is_anothers(each, wanted)]
        for slot in wanted.slots:
            if slot not in found.sessions:
                take(slot, self._same_day(slot, others, taken, wanted, found.series_id))
        if wanted.uid is not None and found.series_id is not None:
            rest = [each for each in others if each.id not in taken and each.series_id == found.series_id]
            for slot, each in zip((slot for slot in wanted.slots if slot not in found.sessions), rest, strict=False):
                take(slot, each)
        elif wanted.weekly and not found.sessions:
            self._take_other_day(wanted, others, take, taken)
        if found.series_id is None:
            found.series_id = _series_of(found.sessions.values())
        found.dropped = {
            slot
            for slot in wanted.slots
            if slot not in found.sessions and self._is_dropped(slot, wanted, found.series_id)
        }
        if wanted.weekly and found.series_id is not None:
            found.ended = [
                each
                for each in self._by_series[found.series_id]
                if each.id not in taken | claimed
                and each.slot.ends_at > now
                and not each.cancelled
                and not each.by_person
                and not meant.is_anothers(each, wanted)
            ]
        return found

    def of_files(self) -> list[There]:
        """Those that came from a file."""
        ids = {each.id: each for of_audience in self._by_audience.values() for each in of_audience}
        return [each for each in ids.values() if each.origin is SeriesOrigin.FILE]

    def _candidates(self, wanted: WantedOccurrence, found: Found) -> list[There]:
        ids: dict[int, There] = {}
        if found.series_id is not None:
            ids |= {each.id: each for each in self._by_series[found.series_id]}
        for audience in wanted.audiences:
            ids |= {each.id: each for each in self._by_audience[audience]}
            # A file that begins to name groups means the sessions that were for the whole course.
            ids |= {each.id: each for each in self._by_audience[Audience(audience.course_id)]}
        return sorted(ids.values(), key=lambda each: (each.slot.starts_at, each.id))

    def _same_day(
        self, slot: Slot, others: Sequence[There], taken: Set[int], wanted: WantedOccurrence, series_id: int | None
    ) -> There | None:
        day = self._day(slot.starts_at)
        found = [each for each in others if each.id not in taken and self._day(each.planned_at) == day]
        if series_id is not None and any(each.series_id == series_id for each in found):
            found = [each for each in found if each.series_id == series_id]
        elif not wanted.weekly:  # one line for one day says nothing of a series of many
            found = [each for each in found if self._is_alone(each) and each.origin is not SeriesOrigin.FORM]
        else:
            found = [each for each in found if each.origin is not SeriesOrigin.FORM]
        return min(found, key=lambda each: abs(each.planned_at - slot.starts_at), default=None)

    def _take_other_day(self, wanted: WantedOccurrence, others: Sequence[There], take: _Take, taken: Set[int]) -> None:
        weeks = {slot.starts_at.astimezone(self._zone).isocalendar()[:2]: slot for slot in wanted.slots}
        by_series: defaultdict[int, dict[tuple[int, int], There]] = defaultdict(dict)
        for each in others:
            if each.series_id is not None and each.id not in taken and each.origin is SeriesOrigin.FILE:
                week = each.planned_at.astimezone(self._zone).isocalendar()[:2]
                by_series[each.series_id].setdefault(week, each)
        if not by_series:
            return
        best = max(by_series.values(), key=lambda of_series: len(of_series.keys() & weeks.keys()))
        if len(best.keys() & weeks.keys()) >= max(2, _SAME_SERIES * len(weeks)):
            for week, slot in weeks.items():
                take(slot, best.get(week))

    def _is_alone(self, each: There) -> bool:
        return each.series_id is None or len(self._by_series[each.series_id]) == 1

    def _is_dropped(self, slot: Slot, wanted: WantedOccurrence, series_id: int | None) -> bool:
        return any(
            (audience in wanted.audiences and planned_at == slot.starts_at)
            or (of_series == series_id and self._day(planned_at) == self._day(slot.starts_at))
            for of_series, audience, planned_at in self._dropped
        )

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(self._zone).date()


class Meant:
    """What the lines of a file mean for sure: by identifier, or for whom and when exactly."""

    def __init__(self, lines: Iterable[WantedOccurrence]) -> None:
        self._uids: dict[str | None, set[int]] = {}
        self._starts: dict[tuple[Audience, datetime], set[int]] = {}
        for wanted in lines:
            if wanted.uid is not None:
                self._uids.setdefault(wanted.uid, set()).add(wanted.line)
            for audience in wanted.audiences:
                for slot in wanted.slots:
                    self._starts.setdefault((audience, slot.starts_at), set()).add(wanted.line)

    def has_uid(self, uid: str) -> bool:
        """Whether a line of the file has this identifier."""
        return uid in self._uids

    def is_meant(self, each: There) -> bool:
        """Whether any line of the file means a session."""
        return bool(self._lines_of(each))

    def is_anothers(self, each: There, wanted: WantedOccurrence) -> bool:
        """Whether a session is what another line of the file means, so that this one leaves it."""
        return bool(self._lines_of(each) - {wanted.line})

    def _lines_of(self, each: There) -> set[int]:
        if each.uid in self._uids:  # whatever stands at its time now
            return set(self._uids[each.uid])
        lines: set[int] = set()
        for audience in each.audiences:
            lines |= self._starts.get((audience, each.planned_at), set())
            lines |= self._starts.get((audience, each.slot.starts_at), set())
        return lines


def _without(sessions: Sequence[There], taken: Set[int]) -> list[There]:
    return [each for each in sessions if each.id not in taken]


def _exact(
    slot: Slot, free: Sequence[There], series_id: int | None, wanted: WantedOccurrence, meant: Meant
) -> There | None:
    """The session that is, or was planned, at that very start; of several that of the series, then one in place."""
    found = [each for each in free if slot.starts_at in (each.planned_at, each.slot.starts_at)]
    found = [each for each in found if each.uid in (None, wanted.uid) or not meant.has_uid(each.uid)]
    return min(
        found,
        key=lambda each: (
            each.series_id != series_id,
            each.planned_at != slot.starts_at,
            not each.room_ids & wanted.room_ids,
            each.id,
        ),
        default=None,
    )


def _is_double(each: There, wanted: WantedOccurrence, found: Found) -> bool:
    here = found.sessions.get(each.slot)
    return (
        here is not None
        and each.audiences == here.audiences
        and each.room_ids <= wanted.room_ids
        and not (each.by_person or each.cancelled)
    )


def _series_of(sessions: Iterable[There]) -> int | None:
    """The series that most of the sessions are of, those of many first."""
    counts: defaultdict[int, int] = defaultdict(int)
    for each in sessions:
        if each.series_id is not None:
            counts[each.series_id] += 1
    return max(counts, key=lambda series_id: (counts[series_id], -series_id), default=None)


def load_occurrences(db: Session, course_ids: Iterable[int], since: datetime, zone: ZoneInfo) -> Occurrences:
    """What is there of some courses from a moment on."""
    ids = {course_id for course_id in course_ids if course_id > 0}
    if not ids:
        return Occurrences([], [], zone)
    theirs = sessions_of_courses(among(ids), ClassSession.starts_at >= since)
    there = load_sessions(db, sa.select(theirs.c.session_id).distinct().subquery())
    dropped = db.execute(
        sa.select(SessionSeries.id, SessionSeries.course_id, SessionSeries.group_id, DroppedOccurrence.planned_at)
        .join(DroppedOccurrence, DroppedOccurrence.series_id == SessionSeries.id)
        .where(SessionSeries.course_id.in_(ids), DroppedOccurrence.planned_at >= since)
    ).all()
    return Occurrences(there, [(row[0], Audience(row[1], row[2]), row[3]) for row in dropped], zone)


def load_sessions(db: Session, in_reach: sa.Subquery) -> list[There]:
    """Sessions as they are there.

    Args:
        db: any session.
        in_reach: a query whose column `session_id` says which.
    """
    audiences, rooms = _further(db, in_reach)
    rows = db.execute(
        sa.select(
            ClassSession.id,
            ClassSession.series_id,
            SessionSeries.uid,
            SessionSeries.external,
            SessionSeries.origin,
            SessionSeries.calendar_id,
            ClassSession.starts_at,
            ClassSession.ends_at,
            ClassSession.planned_at,
            ClassSession.course_id,
            ClassSession.group_id,
            ClassSession.room_id,
            ClassSession.early_minutes,
            ClassSession.grace_minutes,
            ClassSession.state,
            ClassSession.changed_at,
        )
        .join(in_reach, in_reach.c.session_id == ClassSession.id)
        .outerjoin(SessionSeries, SessionSeries.id == ClassSession.series_id)
    )
    return [
        There(
            id=row.id,
            series_id=row.series_id,
            uid=row.uid if row.external else None,
            origin=row.origin,
            slot=Slot(row.starts_at, row.ends_at),
            planned_at=row.planned_at or row.starts_at,
            audiences=frozenset({Audience(row.course_id, row.group_id), *audiences[row.id]}),
            room_ids=frozenset({row.room_id, *rooms[row.id]}),
            early_minutes=row.early_minutes,
            grace_minutes=row.grace_minutes,
            cancelled=row.state is SessionState.CANCELLED,
            by_person=row.changed_at is not None,
            calendar_id=row.calendar_id,
        )
        for row in rows
    ]


def _further(
    db: Session, in_reach: sa.Subquery
) -> tuple[defaultdict[int, list[Audience]], defaultdict[int, list[int]]]:
    audiences: defaultdict[int, list[Audience]] = defaultdict(list)
    query = sa.select(SessionAudience.session_id, SessionAudience.course_id, SessionAudience.group_id)
    for session_id, course_id, group_id in db.execute(
        query.join(in_reach, in_reach.c.session_id == SessionAudience.session_id)
    ):
        audiences[session_id].append(Audience(course_id, group_id))
    rooms: defaultdict[int, list[int]] = defaultdict(list)
    of_rooms = sa.select(SessionRoom.session_id, SessionRoom.room_id)
    for session_id, room_id in db.execute(of_rooms.join(in_reach, in_reach.c.session_id == SessionRoom.session_id)):
        rooms[session_id].append(room_id)
    return audiences, rooms
