"""One kind of work, over and over, until it is told to stop; also through hours without the database."""

import threading
from typing import Protocol

import sqlalchemy as sa
import structlog

from attendance.database.engine import DatabaseError

log = structlog.get_logger()

_LONGEST_WAIT_S = 60.0


class RepeatedWork(Protocol):
    """What is done over and over."""

    @property
    def pause_s(self) -> float:
        """Seconds to wait where nothing more was due."""

    @property
    def refusals(self) -> int:
        """How often in a row the other side as a whole refused: the wait doubles with each."""

    def step(self, stopping: threading.Event) -> bool:
        """Do what is due next; whether more may be due.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is away or refuses; what was not done is due still.
        """

    def rest(self) -> None:
        """Nothing more is due for now."""

    def close(self) -> None:
        """Give back what is held open."""


def run(work: RepeatedWork, stopping: threading.Event, *, name: str) -> None:
    """Do it until `stopping` is set."""
    failures = 0
    try:
        while not stopping.is_set():
            busy = False
            try:
                busy = work.step(stopping)
                failures = 0
            except (sa.exc.SQLAlchemyError, DatabaseError) as error:
                failures += 1
                log.warning(
                    "work_waits_for_database", work=name, failures=failures, error=str(getattr(error, "orig", error))
                )
            if not busy:
                work.rest()
                doubled = work.pause_s * 2.0 ** min(max(failures, work.refusals), 16)
                stopping.wait(max(work.pause_s, min(doubled, _LONGEST_WAIT_S)))
    finally:
        work.close()


def run_once(work: RepeatedWork, stopping: threading.Event) -> None:
    """Do what is due now, and end; also when the other side takes nothing now.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database is away or refuses.
    """
    try:
        while not stopping.is_set() and work.step(stopping) and not work.refusals:
            pass
    finally:
        work.close()
