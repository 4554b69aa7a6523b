"""Closing a session and changing many entries, in turn with one bulk insert of the same rows."""

import statistics
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database import bulk
from attendance.database.models import Attendance, AttendanceChange, ClassSession, Status
from attendance.database.register import close_ended_sessions
from benchmarks import timing
from benchmarks.register.term import Term

CLOSING, BULK = "closing a session of 500", "a bulk change of 500"


def measure_changes(sessions: sessionmaker[Session], term: Term, *, rounds: int) -> dict[str, dict[str, Any]]:
    """Milliseconds of each and of the insert, medians; and the median of the ratios of a round."""
    closing = _Closing(sessions, term)
    change = _BulkChange(sessions, term)
    found = {}
    for name, work in ((CLOSING, closing), (BULK, change)):
        pairs = [(_timed(work.prepare, work.do), _timed(work.prepare, work.insert)) for _ in range(rounds + 1)][1:]
        work.prepare()
        found[name] = {
            "ms": 1_000 * statistics.median(done for done, _ in pairs),
            "insert_ms": 1_000 * statistics.median(inserted for _, inserted in pairs),
            "ratio": statistics.median(done / inserted for done, inserted in pairs),
            "rows": len(work.rows),
        }
    return found


def _timed(prepare: Callable[[], None], work: Callable[[], object]) -> float:
    prepare()
    return timing.seconds(work)


class _Closing:
    def __init__(self, sessions: sessionmaker[Session], term: Term) -> None:
        self._sessions, self._session, self._now = sessions, term.open_session, term.now + timedelta(minutes=5)
        self.do()
        with sessions() as db:
            self.rows = _rows(db, Attendance, Attendance.session_id == self._session)

    def prepare(self) -> None:
        """The session is open, and without entries."""
        with self._sessions.begin() as db:
            db.execute(sa.delete(Attendance).where(Attendance.session_id == self._session))
            opened = {"closed_at": None, "closed_as": None}
            db.execute(sa.update(ClassSession).where(ClassSession.id == self._session).values(opened))

    def do(self) -> None:
        close_ended_sessions(self._sessions, self._now)

    def insert(self) -> None:
        with self._sessions.begin() as db:
            db.execute(sa.insert(Attendance), self.rows)


class _BulkChange:
    """All entries of one register are set to one status, which writes a row of history for each."""

    def __init__(self, sessions: sessionmaker[Session], term: Term) -> None:
        self._sessions, self._session, self._lecturer = sessions, term.large_session, term.lecturer
        of_session = Attendance.session_id == self._session
        with sessions() as db:
            self._before = _rows(db, Attendance, of_session)
            self._earlier = sa.select(sa.func.max(AttendanceChange.id))
            self._last = db.scalar(self._earlier) or 0
        self.do()
        with sessions() as db:
            self.rows = _rows(db, AttendanceChange, AttendanceChange.id > self._last)

    def prepare(self) -> None:
        """The entries are as they were."""
        columns = ("id", "status", "source", "version")
        with self._sessions.begin() as db:
            db.execute(sa.delete(AttendanceChange).where(AttendanceChange.id > self._last))
            db.execute(sa.update(Attendance), [{name: row[name] for name in columns} for row in self._before])

    def do(self) -> None:
        versions = {row["student_id"]: row["version"] for row in self._before}
        with self._sessions() as db:
            bulk.correct_many(
                db,
                session_id=self._session,
                versions=versions,
                status=Status.EXCUSED,
                reason="The hall was closed.",
                account_id=self._lecturer,
            )

    def insert(self) -> None:
        with self._sessions.begin() as db:
            db.execute(sa.insert(AttendanceChange), self.rows)


def _rows(db: Session, model: type[Any], condition: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
    table = model.__table__
    return [dict(row) for row in db.execute(sa.select(table).where(condition)).mappings()]
