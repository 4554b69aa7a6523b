"""Closing ended sessions, so that absences are written whether or not anyone looks and whether or not a camera runs."""

import random
import threading

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import utc_now
from attendance.database.register import close_ended_sessions

log = structlog.get_logger()


class Closer:
    """A thread that closes ended sessions every so often.

    Each worker process may run one: closing is safe from several processes, and one that dies leaves the others.

    Args:
        sessions: where.
        interval_s: mean seconds between two looks; each wait is half to one and a half of it, so that processes that
            started together do not look together.
    """

    def __init__(self, sessions: sessionmaker[Session], interval_s: float) -> None:
        self._sessions = sessions
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="closer", daemon=True)

    def start(self) -> None:
        """Begin; the first look comes after the first wait."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the look that may be under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s * random.uniform(0.5, 1.5)):  # noqa: S311 - no secret
            try:
                close_ended_sessions(self._sessions, utc_now())
            except SQLAlchemyError as error:
                log.warning("closing_failed", error=type(error).__name__)
            except Exception:  # whatever else it is, the next look must still come
                log.exception("closing_failed")
