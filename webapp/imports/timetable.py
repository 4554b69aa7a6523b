"""The timetable from a CSV file."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import Audience
from attendance.database.models import Course, utc_now
from attendance.database.teaching.breaks import BreakCalendar, load_breaks
from attendance.database.transactions import transact
from attendance.settings.installation import ZONE_LEFT, ZONE_LEFT_WARNING
from attendance.tables.errors import LineError
from attendance.tables.reading import Line
from attendance.texts import english, english_count, english_list
from webapp.imports.double_booked import students_in_two_places
from webapp.imports.finders import CourseFinder, RoomFinder, find_groups
from webapp.imports.occurrences import Findable, Found, Meant, WantedOccurrence, load_occurrences
from webapp.imports.plan import ImportPlan
from webapp.imports.report import Outcome, Result
from webapp.imports.run import Importer, Lines, Numbered, refused
from webapp.imports.timetable_clashes import find_clashes
from webapp.imports.timetable_difference import Difference, cancel_ended, write_difference
from webapp.imports.timetable_lines import (
    COLUMNS,
    SessionRecord,
    audiences_of_line,
    one_session,
    read_line,
    twice,
)
from webapp.tools.class_sessions.schedule import (
    Booking,
    RoomCalendar,
    Slot,
    load_calendar,
    lock_room,
)

_WEEK = timedelta(days=7)


@dataclass
class Resolved:
    """A line whose names were found, with those of the lines that belong to it."""

    line: int
    record: SessionRecord
    audiences: tuple[Audience, ...]
    room_ids: tuple[int, ...]
    wanted: WantedOccurrence
    left_out: dict[str, int]


@dataclass
class _Batch:
    """What became of the lines of a batch, until it is settled."""

    bookings: list[tuple[int, Booking]] = field(default_factory=list)
    claimed: set[int] = field(default_factory=set)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    planned: list[tuple[Slot, frozenset[Audience]]] = field(default_factory=list)
    past: int = 0


class TimetableImporter(Importer[SessionRecord]):
    """Compares a timetable with the sessions that are there: added, moved, ended; see `occurrences`.

    Lines of one time are one session where they name one audience in several rooms (an overflow room), or several
    courses in one room (a joint lecture).
    """

    columns = COLUMNS
    batch_size: ClassVar[int] = 100

    def __init__(
        self, zone: ZoneInfo, *, whole: bool = False, now: datetime | None = None, plan: ImportPlan | None = None
    ) -> None:
        """Begin.

        Args:
            zone: the institution's.
            whole: the file is the whole timetable of its courses: what earlier files had and it has not ends.
            now: what has ended by then is past; the present unless given.
            plan: of the files that are imported together.
        """
        super().__init__(plan)
        self._zone = zone
        self._whole = whole
        self._now = now or utc_now()
        self._courses = CourseFinder(self.plan)
        self._rooms = RoomFinder(self.plan)
        self._breaks = BreakCalendar([])
        # Lines of one session: those behind the first, by the first, and the other way round.
        self._joined: dict[int, list[Numbered[SessionRecord]]] = {}
        self._leaders: dict[int, int] = {}
        self._meant = Meant(())
        # Sessions of earlier lines, with their lines: a clash names the line, and trying a file writes nothing.
        self._earlier = RoomCalendar()
        # Sessions of the database that an earlier line describes: its line counts, not their present times.
        self._done = _Batch()
        self._batch = _Batch()
        self._twice: dict[str, None] = {}
        self._closing_notes: list[str] = []
        self._found_courses: set[int] = set()
        self._first_start: datetime | None = None

    def parse(self, line: Line, present: frozenset[str]) -> SessionRecord:
        """Check the fields of a line."""
        record = read_line(line, self._zone)
        for clock, day in twice(record, self._zone):
            text = english(
                "clocks show %(clock)s twice on %(day)s; the first is meant.",
                clock=format(clock, "%H:%M"),
                day=day,
            )
            self._twice[english("Line %(line)s: %(text)s", line=line.number, text=text)] = None
        return record

    def key(self, record: SessionRecord) -> tuple[Hashable, str, str]:
        """For whom, where, and when it starts."""
        groups = [english("group %(group)s", group=group) for group in record.groups]
        whom = english_list(", ", [" + ".join(record.course_codes), *groups])
        words = english(
            "%(whom)s in room %(rooms)s on %(day)s at %(start)s",
            whom=whom,
            rooms=", ".join(record.rooms),
            day=record.day,
            start=format(record.start, "%H:%M"),
        )
        key = (record.course_codes, record.groups, record.rooms, record.day, record.start)
        return key, words, "date"

    def look_ahead(self, db: Session, table: Lines) -> None:
        """See which lines are one session, and what the file means for sure, before anything is decided."""
        self._breaks = load_breaks(db)
        items: list[Numbered[SessionRecord]] = []
        keys: set[Hashable] = set()
        for line in table.lines():
            try:
                record = None if line.error is not None else self.parse(line, table.present)
            except LineError:
                record = None
            if record is not None and (key := self.key(record)[0]) not in keys:
                keys.add(key)
                items.append(Numbered(line.number, record))
        self._join(items)
        self._meant = Meant(self._known(db, items))
        self._first_start = min((slot.starts_at for item in items for slot in item.record.slots[:1]), default=None)

    def handle(self, db: Session, batch: Sequence[Numbered[SessionRecord]], *, apply: bool) -> list[Outcome]:
        """Decide line by line: all sessions of a line go in, or none."""
        self._batch = _Batch(claimed=set(self._done.claimed))
        leaders = [item for item in batch if item.line not in self._leaders]
        names = self._names(db, [each for item in leaders for each in self._members(item)])
        resolved: list[Resolved] = []
        here = {item.line for item in batch}
        for item in leaders:  # grows: where the first line of a session is refused, others of it stand alone
            try:
                resolved.append(self._resolve(item, names))
            except LineError as error:
                self._batch.outcomes[item.line] = refused(item.line, error)
                leaders += [each for each in self._part(item) if each.line in here]
        if apply:
            for room_id in sorted({room_id for each in resolved for room_id in each.room_ids}):
                lock_room(db, room_id)
        for difference in self._compare(db, resolved):
            if apply:
                write_difference(db, difference)
            self._note(difference)
        return [self._outcome(item.line) for item in batch]

    def settle(self) -> None:
        """Remember the sessions of the last batch."""
        for room_id, booking in self._batch.bookings:
            self._earlier.add(room_id, booking)
        self._done.claimed = self._batch.claimed
        self._done.outcomes |= self._batch.outcomes
        self._done.planned += self._batch.planned
        self._done.past += self._batch.past
        self._batch = _Batch(claimed=set(self._done.claimed))

    def finish(self, db: Session, *, apply: bool) -> None:
        """What only the whole file tells: what it has not any more, and who is expected twice at once."""
        if self._first_start is not None and self._found_courses:
            since = max(self._first_start, self._now)
            missing = self._not_in_file(db, since)
            if missing and self._whole and apply:
                transact(db, lambda db: cancel_ended(db, missing))
            self._closing_notes += _missing_note(len(missing), whole=self._whole)
        self.note_double_bookings(db)
        db.commit()

    def note_double_bookings(self, db: Session) -> None:
        """Note who is expected in two places at once."""
        self._closing_notes += students_in_two_places(db, self._done.planned, self._done.claimed, self._zone)

    def notes(self) -> list[str]:
        """What should be known beside the lines."""
        past = self._done.past
        ended = english_count(
            "%(num)s session has ended: it is entered without attendance.",
            "%(num)s sessions have ended: they are entered without attendance.",
            past,
        )
        zone = [ZONE_LEFT_WARNING] if self._zone.key == ZONE_LEFT else []
        return [*zone, *([ended] if past else []), *self._closing_notes, *list(self._twice)[:10]]

    def _join(self, items: Sequence[Numbered[SessionRecord]]) -> None:
        for leader, followers in one_session(items):
            self._joined[leader.line] = followers
            self._leaders.update({each.line: leader.line for each in followers})

    def _part(self, leader: Numbered[SessionRecord]) -> list[Numbered[SessionRecord]]:
        """Let the other lines of a session do without the first; those that stand first now."""
        followers = self._joined.pop(leader.line, [])
        for each in followers:
            del self._leaders[each.line]
        self._join(followers)
        return [each for each in followers if each.line not in self._leaders]

    def _members(self, leader: Numbered[SessionRecord]) -> list[Numbered[SessionRecord]]:
        return [leader, *self._joined.get(leader.line, ())]

    def _known(self, db: Session, items: Sequence[Numbered[SessionRecord]]) -> Iterable[WantedOccurrence]:
        """What the lines mean as far as the courses and groups that they name are there."""
        codes = {code for item in items for code in item.record.course_codes}
        courses = dict(db.execute(sa.select(Course.code, Course.id).where(Course.code.in_(codes))).all())
        groups = find_groups(db, courses.values())
        for item in items:
            record = item.record
            try:
                audiences = audiences_of_line(record, {code: courses[code] for code in record.course_codes}, groups)
            except (KeyError, LineError):
                continue
            yield WantedOccurrence(
                item.line, record.uid, frozenset(audiences), frozenset(), record.slots, record.weekly
            )

    def _names(self, db: Session, items: Sequence[Numbered[SessionRecord]]) -> "_Names":
        courses = self._courses.find(db, (code for item in items for code in item.record.course_codes))
        rooms = self._rooms.find(db, (room for item in items for room in item.record.rooms))
        return _Names(courses, rooms, find_groups(db, courses.values()))

    def _resolve(self, leader: Numbered[SessionRecord], names: "_Names") -> Resolved:
        """A line with those that are one session with it; of these, one whose names are not there is refused alone."""
        audiences: list[Audience] = []
        rooms: list[int] = []
        for item in self._members(leader):
            record = item.record
            try:
                courses = {code: self._courses.require(names.courses, code) for code in record.course_codes}
                theirs = audiences_of_line(record, courses, names.groups)
                places = [self._rooms.require(names.rooms, room) for room in record.rooms]
            except LineError as error:
                if item is leader:
                    raise
                self._batch.outcomes[item.line] = refused(item.line, error)
                continue
            audiences += theirs
            rooms += places
        record = leader.record
        by_day: dict[date, list[Slot]] = {}
        for slot in record.slots:
            by_day.setdefault(slot.starts_at.astimezone(self._zone).date(), []).append(slot)
        kept, left_out = self._breaks.split(by_day)
        wanted = WantedOccurrence(
            leader.line,
            record.uid,
            frozenset(audiences),
            frozenset(rooms),
            tuple(slot for day in kept for slot in by_day[day]),
            record.weekly,
            record.planned,
        )
        self._found_courses |= {audience.course_id for audience in audiences}
        whom, where = tuple(dict.fromkeys(audiences)), tuple(dict.fromkeys(rooms))
        return Resolved(leader.line, record, whom, where, wanted, left_out)

    def _compare(self, db: Session, resolved: Sequence[Resolved]) -> list[Difference]:
        """Each line held against what is there; those that clash are refused, and what they claimed is free again."""
        slots = [slot for each in resolved for slot in each.wanted.slots]
        since = min((slot.starts_at for slot in slots), default=self._now) - _WEEK
        there = self._there(db, resolved, since)
        calendar = load_calendar(db, {room_id for each in resolved for room_id in each.room_ids}, slots, self._zone)
        open_lines = list(resolved)
        while True:
            differences, claimed = self._claim(db, open_lines, there)
            clashes, self._batch.bookings = find_clashes(
                db, differences, claimed, calendars=(self._earlier, calendar), zone=self._zone
            )
            if not clashes:
                break
            for line, error in clashes.items():
                self._batch.outcomes[line] = refused(line, error)
            open_lines = [each for each in open_lines if each.line not in clashes]
        self._batch.claimed = claimed
        return differences

    def _there(self, db: Session, resolved: Sequence[Resolved], since: datetime) -> Findable:
        """What is there, among which the lines are looked for."""
        course_ids = {audience.course_id for each in resolved for audience in each.audiences}
        return load_occurrences(db, course_ids, since, self._zone)

    def _claim(self, db: Session, lines: Sequence[Resolved], there: Findable) -> tuple[list[Difference], set[int]]:
        claimed = set(self._done.claimed)
        differences = []
        for each in lines:
            found = there.find(each.wanted, self._meant, claimed, self._now)
            claimed |= {one.id for one in (*found.sessions.values(), *found.doubles, *found.ended)}
            differences.append(self._difference(db, each, found))
        return differences, claimed

    def _difference(self, db: Session, each: Resolved, found: Found) -> Difference:
        return Difference(
            line=each.line,
            codes=each.record.course_codes,
            uid=each.record.uid,
            wanted=each.wanted,
            audiences=each.audiences,
            room_ids=each.room_ids,
            early_minutes=each.record.early_minutes,
            grace_minutes=each.record.grace_minutes,
            found=found,
            left_out=each.left_out,
            now=self._now,
        )

    def _note(self, difference: Difference) -> None:
        """Take a line that goes in into the batch."""
        self._batch.outcomes[difference.line] = difference.outcome(self._zone)
        self._batch.past += sum(slot.ends_at <= self._now for slot in difference.added)
        self._batch.planned += [(slot, frozenset(difference.audiences)) for slot, _ in difference.places()]

    def _outcome(self, line: int) -> Outcome:
        """What became of a line: its own, or that of the line whose session is also its."""
        own = self._batch.outcomes.get(line)
        if own is not None:
            return own
        leader = self._leaders[line]
        its = self._batch.outcomes.get(leader) or self._done.outcomes[leader]
        if its.result is Result.REFUSED:
            text = english(
                "One session with line %(leader)s, which is refused: %(message)s", leader=leader, message=its.message
            )
            return refused(line, LineError(text, its.column or "date"))
        if its.result is Result.UNCHANGED:
            return Outcome(line, Result.UNCHANGED)
        return Outcome(line, its.result, english("One session with line %(leader)s.", leader=leader))

    def _not_in_file(self, db: Session, since: datetime) -> list[int]:
        """Sessions to come of earlier files that no line means."""
        there = load_occurrences(db, self._found_courses, since, self._zone)
        return [
            each.id
            for each in there.of_files()
            if each.slot.starts_at >= since
            and each.id not in self._done.claimed
            and not (each.by_person or each.cancelled)
            and not self._meant.is_meant(each)
        ]


@dataclass(frozen=True)
class _Names:
    courses: dict[str, int]
    rooms: dict[str, int]
    groups: dict[tuple[int, str], int]


def _missing_note(number: int, *, whole: bool) -> list[str]:
    if not number:
        return []
    if whole:
        return [
            english_count(
                "%(num)s session to come is not in the file any more: cancelled.",
                "%(num)s sessions to come are not in the file any more: cancelled.",
                number,
            )
        ]
    return [
        english_count(
            "%(num)s session to come of these courses came from an earlier file and is not in this one. It stays; "
            "import it as a whole timetable to cancel it.",
            "%(num)s sessions to come of these courses came from an earlier file and are not in this one. They stay; "
            "import it as a whole timetable to cancel them.",
            number,
        )
    ]
