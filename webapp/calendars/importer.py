"""A calendar as an import: the timetable's, with what only a calendar knows."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Attendance, ClassSession, SessionSeries, SessionState
from attendance.tables.reading import Line
from attendance.texts import english, english_count, english_list
from webapp.calendars.finding import SeriesTimes, load_for_calendar
from webapp.calendars.lines import CalendarLines
from webapp.imports.occurrences import Findable, Found
from webapp.imports.report import Outcome, Result
from webapp.imports.run import Lines, Numbered
from webapp.imports.timetable import Resolved, TimetableImporter
from webapp.imports.timetable_difference import Difference
from webapp.imports.timetable_lines import SessionRecord

FEWEST_REMOVED = 5
"""So many sessions may be cancelled at once without asking, however few there are."""


class CalendarImporter(TimetableImporter):
    """Compares a calendar with the sessions that came from it: added, moved, ended.

    An importer serves one run; trying first and writing then takes two.
    """

    batch_size: ClassVar[int] = 200

    def __init__(self, zone: ZoneInfo, calendar_id: int, lines: CalendarLines, *, now: datetime | None = None) -> None:
        """Begin.

        Args:
            zone: the institution's.
            calendar_id: of the calendar.
            lines: what it says.
            now: what has ended by then is past; the present unless given.
        """
        super().__init__(zone, now=now)
        self._calendar_id = calendar_id
        self._said = lines
        self._titles = lines.titles()
        self._times = SeriesTimes(lines, calendar_id, zone)
        self.to_come = 0
        """Sessions of the calendar before the run that were to come."""
        self._ended: dict[int, int] = {}

    @property
    def ended(self) -> int:
        """How many sessions to come the calendar does not have any more."""
        return sum(self._ended.values())

    @property
    def removes_much(self) -> bool:
        """Whether so many sessions would be cancelled that the calendar may be broken rather than changed."""
        return self.ended > FEWEST_REMOVED and 2 * self.ended > self.to_come

    def parse(self, line: Line, present: frozenset[str]) -> SessionRecord:
        """What a line says."""
        return self._said.records[line.number]

    def key(self, record: SessionRecord) -> tuple[Hashable, str, str]:
        """The series, and which part of it."""
        key = (record.uid, record.course_codes, record.groups, record.rooms, record.slots)
        return key, english("This event"), "UID"

    def handle(self, db: Session, batch: Sequence[Numbered[SessionRecord]], *, apply: bool) -> list[Outcome]:
        """Decide line by line; each outcome bears the title of its event, and what is added is said in words."""
        return [self._in_words(each) for each in super().handle(db, batch, apply=apply)]

    def look_ahead(self, db: Session, table: Lines) -> None:
        """See what is there before anything is decided."""
        super().look_ahead(db, table)
        query = sa.select(sa.func.count()).select_from(ClassSession).join(SessionSeries)
        theirs = (SessionSeries.calendar_id == self._calendar_id, ClassSession.ends_at > self._now)
        self.to_come = db.scalar(query.where(*theirs, ClassSession.state == SessionState.SCHEDULED)) or 0

    def finish(self, db: Session, *, apply: bool) -> None:
        """What only the whole calendar tells: who is expected twice at once."""
        self.note_double_bookings(db)
        db.commit()

    def notes(self) -> list[str]:
        """What should be known beside the lines."""
        ended = english_count(
            "%(num)s session to come is not in the calendar any more.",
            "%(num)s sessions to come are not in the calendar any more.",
            self.ended,
        )
        return [*super().notes(), *([ended] if self.ended else [])]

    def _in_words(self, outcome: Outcome) -> Outcome:
        """The outcome for whoever has no file with lines before them, but events in a calendar."""
        message, record = outcome.message, self._said.records[outcome.line]
        if outcome.result is Result.ADDED and not message and record.slots:
            message = english_count(
                "%(num)s session added: %(day)s, %(start)s to %(end)s, %(rooms)s",
                "%(num)s sessions added: the first on %(day)s, %(start)s to %(end)s, %(rooms)s",
                outcome.records,
                day=record.day,
                start=f"{record.start:%H:%M}",
                end=f"{record.end:%H:%M}",
                rooms=", ".join(record.rooms),
            )
        return replace(outcome, message=message, content=self._titles[outcome.line])

    def _there(self, db: Session, resolved: Sequence[Resolved], since: datetime) -> Findable:
        uids = frozenset(each.record.uid for each in resolved if each.record.uid is not None)
        course_ids = frozenset(audience.course_id for each in resolved for audience in each.audiences)
        return load_for_calendar(db, uids, course_ids, since, self._times)

    def _difference(self, db: Session, each: Resolved, found: Found) -> Difference:
        made = super()._difference(db, each, found)
        made.calendar_id = self._calendar_id
        self._ended[each.line] = len(found.ended)
        made.question = self._question(db, made)
        return made

    def _question(self, db: Session, made: Difference) -> str:
        """What a person should look at: a session with attendance that would not be held as it is."""
        removed = _with_attendance(db, [each.id for each in made.found.ended])
        moved = _with_attendance(db, [change.there.id for change in made.changes if change.moved])
        said = []
        if removed:
            said.append(
                english_count(
                    "%(num)s session would be cancelled in which attendance is recorded.",
                    "%(num)s sessions would be cancelled in which attendance is recorded.",
                    removed,
                )
            )
        if moved:
            said.append(
                english_count(
                    "%(num)s session would be moved in which attendance is recorded.",
                    "%(num)s sessions would be moved in which attendance is recorded.",
                    moved,
                )
            )
        return english_list(" ", said) if said else ""


def _with_attendance(db: Session, session_ids: Sequence[int]) -> int:
    if not session_ids:
        return 0
    query: Any = sa.select(sa.func.count(sa.distinct(Attendance.session_id)))
    return db.scalar(query.where(Attendance.session_id.in_(session_ids), Attendance.status.is_not(None))) or 0
