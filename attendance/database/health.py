"""Does the database answer now? Said within two seconds, however it fails to: stopped, frozen, or its file locked."""

import threading
import time

import sqlalchemy as sa

from attendance.database.engine import create_database_engine

_PATIENCE_S = 0.8
"""For the connection, and again for each answer: greeting, first statement. An answer takes milliseconds otherwise."""


class DatabaseHealth:
    """Asks over connections of its own, which wait for less long than those of pages. For any thread."""

    def __init__(self, url: str) -> None:
        """Prepare; nothing is opened yet.

        Args:
            url: as for `create_database_engine`.
        """
        self._engine = create_database_engine(url, patience_s=_PATIENCE_S)
        self._lock = threading.Lock()
        self._answers = False
        self._answered = float("-inf")
        self.waited = False
        """Whether the last that had no answer waited for it: the database is there, and frozen or locked."""

    def answers(self) -> bool:
        """Whether it answers. Who comes while another asks gets the same answer: one frozen holds up nobody twice."""
        came = time.monotonic()
        with self._lock:
            if self._answered < came:
                self._answers = self._ask()
                self._answered = time.monotonic()
            return self._answers

    def _ask(self) -> bool:
        # SQLite reads the file for the second only.
        question = "SELECT 1" if self._engine.dialect.name != "sqlite" else "SELECT count(*) FROM sqlite_master"
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql(question)
        except sa.exc.SQLAlchemyError as error:
            said = str(getattr(error, "orig", error))
            self.waited = "timed out" in said or "locked" in said
            return False
        return True
