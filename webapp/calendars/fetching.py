"""Fetching calendars when they are due; each by one worker at a time, which a lease says."""

import threading
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import structlog
from flask import Flask
from sqlalchemy.orm import Session, undefer

from attendance.database.audit.noting import by_program
from attendance.database.models import TimetableCalendar, utc_now
from attendance.database.outgoing.queue import changed
from attendance.database.transactions import is_databases_fault, transact
from attendance.settings import Settings
from attendance.texts import english
from webapp.calendars.ics.text import MAX_BYTES, CalendarError
from webapp.calendars.running import digest_of, keep, read_calendar, run_calendar, write_calendar
from webapp.outside import Caller, OutsideError, Reply
from webapp.tools.storage import sessions_of

log = structlog.get_logger()

TIMEOUT_S = 60.0
_LEASE = timedelta(minutes=10)
"""Longer than fetching, reading and writing one take."""
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=6)
"""After a failure; doubled with each in a row."""
_POLL_S = 15.0
_NOT_MODIFIED = 304


class CalendarFetcher:
    """One worker. Any number may work at once."""

    pause_s = _POLL_S
    refusals = 0

    def __init__(self, app: Flask, settings: Settings, *, caller: Caller | None = None) -> None:
        """Get ready; nothing is opened yet.

        Args:
            app: the dashboard, for its database.
            settings: all of them.
            caller: calls addresses; by the settings unless given.
        """
        self._sessions = sessions_of(app)
        self._zone = ZoneInfo(settings.institution.timezone)
        self._caller = caller or Caller(settings.web.private_networks)

    def rest(self) -> None:
        """Nothing is held between two calendars."""

    def close(self) -> None:
        """Nothing is held between two calendars."""

    def step(self, _stopping: threading.Event) -> bool:
        """Fetch the calendar that is due next; whether there was one."""
        with self._sessions() as db:
            calendar = transact(db, lambda db: claim_calendar(db, now=utc_now()))
            if calendar is None:
                return False
            problem: str | None = None
            try:
                outcome = self._fetch(db, calendar)
            except (OutsideError, CalendarError) as error:
                outcome, problem = "failed", error.args[0]
            except Exception as error:  # a fault of one calendar must not keep the others
                db.rollback()
                if is_databases_fault(error):
                    raise
                log.exception("calendar_not_read", calendar=calendar.id)
                outcome, problem = "failed", english("It could not be read; the worker's log says why.")
            log.info("calendar_fetched", calendar=calendar.id, outcome=outcome)
            transact(db, lambda db: settle(db, calendar, problem, now=utc_now()))
        return True

    def _fetch(self, db: Session, calendar: TimetableCalendar) -> str:
        """Fetch it and let the timetable follow, or a person be asked; what was done."""
        reply = self._ask(calendar)
        if reply.status == _NOT_MODIFIED:
            transact(db, lambda db: _note_fetched(db, calendar, calendar.entity_tag, utc_now()))
            return "unchanged"
        if not 200 <= reply.status < 300:
            raise OutsideError(english("The address answered %(status)s.", status=str(reply.status)))
        data, now = reply.body, utc_now()
        outcome, whole = self._follow(db, calendar, data, now)
        tag = reply.headers.get("etag", "")
        # A tag says that nothing is new, and so is kept only for what the timetable follows already, all of it.
        known = tag if whole and 0 < len(tag) <= 200 and tag.isascii() else None
        transact(db, lambda db: _note_fetched(db, calendar, known, now))
        return outcome

    def _follow(self, db: Session, calendar: TimetableCalendar, data: bytes, now: datetime) -> tuple[str, bool]:
        """What was done, and whether the timetable follows all of it."""
        if digest_of(data) == calendar.waiting_digest:
            return "waits", False
        # Tried even where nothing is new in it: a term's end, a room or a course here may be.
        read = read_calendar(calendar, data, self._zone)
        tried = run_calendar(db, calendar, read, self._zone, apply=False, now=now)
        if tried.changes and (tried.asks or not calendar.by_itself):
            keep(db, calendar, data, tried, now=now)
            return "waits", False
        done = write_calendar(db, calendar, read, self._zone, actor=by_program("worker"), now=now)
        return "written" if tried.changes else "unchanged", not done.leaves_out

    def _ask(self, calendar: TimetableCalendar) -> Reply:
        headers = {"Accept": "text/calendar, */*;q=0.1"}
        if calendar.entity_tag is not None:
            headers["If-None-Match"] = calendar.entity_tag
        return self._caller.get(calendar.url or "", limit=MAX_BYTES, timeout=TIMEOUT_S, headers=headers)


def claim_calendar(db: Session, *, now: datetime) -> TimetableCalendar | None:
    """Take the calendar that is due next, in the caller's transaction; it is the caller's until the lease ends."""
    kind = TimetableCalendar
    due = sa.and_(
        kind.next_fetch_at.is_not(None),
        kind.next_fetch_at <= now,
        sa.or_(kind.leased_until.is_(None), kind.leased_until <= now),
    )
    for number in db.scalars(sa.select(kind.id).where(due).order_by(kind.next_fetch_at).limit(5)).all():
        values = {"leased_until": now + _LEASE, "attempts": kind.attempts + 1}
        if changed(db, sa.update(kind).where(kind.id == number, due).values(values)):
            return db.get_one(kind, number, options=[undefer(kind.url)], populate_existing=True)
    return None


def settle(db: Session, calendar: TimetableCalendar, problem: str | None, *, now: datetime) -> None:
    """Write down how fetching ended, and when it is due again; unless another attempt has begun since."""
    fresh = db.scalar(
        sa.select(TimetableCalendar)
        .where(TimetableCalendar.id == calendar.id, TimetableCalendar.attempts == calendar.attempts)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if fresh is None:
        return
    fresh.leased_until, fresh.problem = None, problem
    pause = timedelta(minutes=fresh.every_minutes)
    if problem is None:
        fresh.failing_since, fresh.failures = None, 0
    else:
        fresh.failures += 1
        fresh.failing_since = fresh.failing_since or now
        pause = max(pause, min(_FIRST_PAUSE * 2 ** min(fresh.failures - 1, 16), _LONGEST_PAUSE))
    if fresh.next_fetch_at is not None:
        fresh.next_fetch_at = now + pause


def _note_fetched(db: Session, calendar: TimetableCalendar, tag: str | None, now: datetime) -> None:
    fresh = db.get_one(TimetableCalendar, calendar.id)
    fresh.fetched_at, fresh.entity_tag = now, tag
