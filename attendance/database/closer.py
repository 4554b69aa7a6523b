"""The closer: writes the absences of sessions that have ended, in a thread of its own, whether or not anybody looks."""

import random
import threading
from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.engine import DatabaseError
from attendance.database.models import utc_now
from attendance.database.register import close_ended_sessions

log = structlog.get_logger(__name__)


class Closer:
    """Closes ended sessions every so often until stopped; any number of processes may do so on one database."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        interval_s: float,
        *,
        waits_first: bool = False,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Get ready; `start` begins.

        Args:
            sessions: connects to the shared database.
            interval_s: mean seconds from one look to the next; each wait is half to one and a half of it, so that
                processes that started together do not go on looking together.
            waits_first: begin with a wait, for processes of which several start at once. Without, what ended while
                nothing ran is closed at the start.
            now: the present moment, aware.
        """
        self._sessions = sessions
        self._interval_s = interval_s
        self._waits_first = waits_first
        self._now = now
        self._stopping = threading.Event()
        self._away = False
        self._thread = threading.Thread(target=self._run, name="closer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, *, timeout: float = 10.0) -> bool:
        """Stop after the session at hand.

        Returns:
            Whether the thread has ended. If not, a database call hangs; the thread does not keep the process alive.
        """
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        if not self._waits_first:
            self._close()
        while not self._stopping.wait(self._interval_s * random.uniform(0.5, 1.5)):  # noqa: S311 - no secret
            self._close()

    def _close(self) -> None:
        try:
            closed = close_ended_sessions(self._sessions, self._now())
        except (sa.exc.SQLAlchemyError, DatabaseError, OSError) as error:
            if not self._away:  # once, not at every interval of an hour without the database
                log.warning("sessions_not_closed", error=str(getattr(error, "orig", None) or error))
            self._away = True
        except Exception:  # whatever else it is, the next look must still come
            log.exception("closer_failed")
        else:
            if closed or self._away:
                log.info("sessions_closed", closed=closed)
            self._away = False
