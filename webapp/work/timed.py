"""Work at its hour: low attendance each morning, a lecturer's week on Mondays, cameras before each class.

What is found is told by mail, where that is on, and to webhooks that want to know.

Any number of workers may look. What each of them does twice is done once: by the rows that it makes.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import EventKind, TimedWork
from attendance.database.outgoing.events import is_wanted
from attendance.database.transactions import transact
from attendance.settings import Settings
from webapp.mail.kinds import cameras_away, low_attendance, weekly_summary
from webapp.webhooks.telling import tell_of_cameras

log = structlog.get_logger()

_MONDAY = 0
_WEEK = timedelta(days=7)


class Clockwork:
    """Does what is due, whenever it is asked to look."""

    def __init__(self, sessions: sessionmaker[Session], settings: Settings) -> None:
        """Get ready.

        Args:
            sessions: of the database.
            settings: all of them.
        """
        self._sessions = sessions
        self._settings = settings
        self._zone = ZoneInfo(settings.institution.timezone)

    def look(self, now: datetime) -> None:
        """Do what is due at a moment.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is away; what was not done is due still.
        """
        mail, ahead = self._settings.mail, timedelta(minutes=self._settings.mail.camera_minutes)
        with self._sessions() as db:
            at_risk = mail.on or is_wanted(db, EventKind.AT_RISK)
            transact(db, lambda db: tell_of_cameras(db, ahead=ahead, now=now))
        if at_risk:
            self._at("low_attendance", self._morning(now), lambda: self._low_attendance(now))
        if not mail.on:
            return
        monday = self._morning(now, weekday=_MONDAY)
        self._at("weekly_summary", monday, lambda: self._weekly_summary(monday))
        if ahead:
            with self._sessions() as db:
                transact(db, lambda db: cameras_away.queue_warnings(db, ahead=ahead, now=now))

    def _at(self, name: str, moment: datetime, work: Callable[[], int]) -> None:
        """Do a work unless it was done for its latest hour. The first time, it waits for the next."""
        with self._sessions() as db:
            row = db.get(TimedWork, name)
            if row is not None and row.done_for >= moment:
                return
            if row is not None:
                log.info("timed_work_done", work=name, queued=work())
            transact(db, lambda db: _note(db, name, moment))

    def _morning(self, now: datetime, *, weekday: int | None = None) -> datetime:
        """The latest of the hours at which mail is sent, of each day or of a weekday, up to now."""
        day = now.astimezone(self._zone).date()
        if weekday is not None:
            day -= timedelta(days=(day.weekday() - weekday) % 7)
        moment = self._hour(day)
        return moment if moment <= now else self._hour(day - (_WEEK if weekday is not None else timedelta(days=1)))

    def _hour(self, day: date) -> datetime:
        return datetime.combine(day, time(self._settings.mail.hour), tzinfo=self._zone).astimezone(UTC)

    def _low_attendance(self, now: datetime) -> int:
        fewest, mail, queued = self._settings.mail.fewest_sessions, self._settings.mail.on, 0
        with self._sessions() as db:
            for course_id in low_attendance.courses_being_taught(db, now):
                queued += transact(
                    db,
                    lambda db, course_id=course_id: low_attendance.note_crossings(  # type: ignore[misc]
                        db, course_id, fewest_sessions=fewest, now=now, mail=mail
                    ),
                )
        return queued

    def _weekly_summary(self, monday: datetime) -> int:
        day = monday.astimezone(self._zone).date()
        begin, end = (datetime.combine(each, time(), tzinfo=self._zone) for each in (day - _WEEK, day))
        with self._sessions() as db:
            return transact(db, lambda db: weekly_summary.queue_summaries(db, begin=begin, end=end))


def _note(db: Session, name: str, moment: datetime) -> None:
    row = db.get(TimedWork, name, with_for_update=True)
    if row is None:
        db.add(TimedWork(name=name, done_for=moment))
    else:
        row.done_for = max(row.done_for, moment)
