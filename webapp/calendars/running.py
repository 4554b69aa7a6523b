"""Trying and writing a calendar: what it would change, whether a person is to be asked, and the change itself."""

import hashlib
import zlib
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audit.noting import Actor, note
from attendance.database.models import AuditAction, TimetableCalendar, utc_now
from attendance.database.transactions import transact
from attendance.texts import english, english_count
from webapp.calendars.ics.occurrences import CalendarFindings, Term, find_series
from webapp.calendars.ics.text import MAX_BYTES, read_text
from webapp.calendars.importer import CalendarImporter
from webapp.calendars.lines import add_vanished, lines_of
from webapp.calendars.places import load_words
from webapp.imports.report import Outcome, Report, Result
from webapp.imports.run import run_import


@dataclass(frozen=True)
class Tried:
    """What a calendar would change, or has changed.

    Attributes:
        report: line by line.
        asks: whether a person should look before it is written.
    """

    report: Report
    asks: bool

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return bool(self.report.good)

    @property
    def leaves_out(self) -> bool:
        """Whether some of it means nothing here, which may be otherwise tomorrow: a room or a course may come."""
        return bool(self.report.counts[Result.REFUSED])


def read_calendar(calendar: TimetableCalendar, data: bytes, zone: ZoneInfo) -> CalendarFindings:
    """What a calendar's text holds for its term.

    Raises:
        CalendarError: it cannot be read.
    """
    return find_series(read_text(data), Term(calendar.first_day, calendar.last_day, zone))


def run_calendar(
    db: Session,
    calendar: TimetableCalendar,
    found: CalendarFindings,
    zone: ZoneInfo,
    *,
    apply: bool,
    now: datetime | None = None,
) -> Tried:
    """Hold a calendar against what is there; if `apply`, let what is there follow it.

    Args:
        db: a session with nothing pending.
        calendar: whose it is.
        found: what `read_calendar` found in it.
        zone: of the institution.
        apply: False tries: the same report, nothing written.
        now: aware; the present unless given.
    """
    now = now or utc_now()
    lines = lines_of(found.series, load_words(db, calendar), zone)
    add_vanished(db, calendar, lines, now)
    importer = CalendarImporter(zone, calendar.id, lines, now=now)
    report = run_import(db, lines, importer, apply=apply)
    if importer.removes_much:
        text = english(
            "%(ended)s of %(all)s sessions to come would be cancelled. Look whether the calendar is whole.",
            ended=importer.ended,
            all=importer.to_come,
        )
        report.asked += 1
        report.questions.insert(0, Outcome(0, Result.UPDATED, question=text))
    report.notes += _notes(found, zone)
    return Tried(report, bool(report.asked))


def keep(db: Session, calendar: TimetableCalendar, data: bytes, tried: Tried, *, now: datetime) -> None:
    """Let a calendar wait until a person has said that it is right, in a transaction of its own."""
    digest = digest_of(data)

    def write(db: Session) -> None:
        fresh = db.get_one(TimetableCalendar, calendar.id)
        if fresh.waiting_digest != digest:
            fresh.waiting_since = now
        fresh.waiting, fresh.waiting_digest = zlib.compress(data), digest
        fresh.report = tried.report.to_json()

    transact(db, write)


def waiting_data(db: Session, calendar_id: int) -> bytes | None:
    """The calendar that waits for a person's word; None: none does."""
    packed = db.scalar(sa.select(TimetableCalendar.waiting).where(TimetableCalendar.id == calendar_id))
    if packed is None:
        return None
    return zlib.decompressobj().decompress(packed, MAX_BYTES)


def write_calendar(
    db: Session,
    calendar: TimetableCalendar,
    found: CalendarFindings,
    zone: ZoneInfo,
    *,
    actor: Actor | int,
    now: datetime,
) -> Tried:
    """Let the timetable follow a calendar, and note who wanted that; in transactions of its own.

    Args:
        db: a session with nothing pending.
        calendar: whose it is.
        found: what `read_calendar` found in it.
        zone: of the institution.
        actor: whose word it is; an account's id.
        now: aware.
    """
    done = run_calendar(db, calendar, found, zone, apply=True, now=now)

    def write(db: Session) -> None:
        fresh = db.get_one(TimetableCalendar, calendar.id)
        fresh.applied_at = now
        fresh.waiting = fresh.waiting_digest = fresh.waiting_since = None
        fresh.report = done.report.to_json()
        if done.changes:
            counts: dict[str, str | int] = {"lines": done.report.lines, **done.report.counts}
            note(db, AuditAction.CALENDAR_APPLIED, actor=actor, subject=fresh.name, details=counts)

    transact(db, write)
    return done


def digest_of(data: bytes) -> str:
    """What tells a calendar's text from another: SHA-256."""
    return hashlib.sha256(data).hexdigest()


def _notes(found: CalendarFindings, zone: ZoneInfo) -> list[str]:
    notes: list[str] = []
    if found.all_day:
        notes.append(
            english_count(
                "%(num)s day without times of the clock left out: whole days are no sessions.",
                "%(num)s days without times of the clock left out: whole days are no sessions.",
                found.all_day,
            )
        )
    if found.floating:
        notes.append(english("Some times name no time zone. They are taken for those of %(zone)s.", zone=zone.key))
    return notes
