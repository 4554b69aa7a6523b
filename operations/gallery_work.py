"""The gallery's worker: does what the dashboard asks for, one job after the other, until it is told to stop."""

import threading

import sqlalchemy as sa
import structlog

from attendance.database.audit.settings_changes import note_settings
from attendance.database.engine import DatabaseError, session_factory
from attendance.database.upkeep.erasure_requests import Claimed, unfinished_erasures
from attendance.models_in_use import KeptEngine
from attendance.settings import Settings
from index_builder.jobs import GalleryWork, work_once
from operations.erasure import carry_out, finish, overwrite, record_index

_POLL_S, _LONGEST_WAIT_S = 1.0, 30.0

log = structlog.get_logger()


class GalleryWorker:
    """One worker on one database. Any number may work at once."""

    def __init__(self, settings: Settings, engine: sa.Engine) -> None:
        """Get ready; nothing is opened yet.

        Args:
            settings: all of them.
            engine: the database.
        """
        self._settings = settings
        self._engine = engine
        self._sessions = session_factory(engine)
        self._face_engine = KeptEngine(settings)
        self._settings_noted = False
        self._remains = True  # of what a worker deleted that was killed
        self._work = GalleryWork(
            store_path=settings.store_path,
            index_path=settings.index_path,
            engine=self._face_engine.current,
            max_pixels=settings.engine.max_pixels,
            numbers_of=settings.matching.numbers_of,
            erase=self._erase,
            published=lambda built: record_index(settings, built, self._tell_unrecorded),
        )

    def run(self, stopping: threading.Event) -> None:
        """Work until `stopping` is set, also through hours without the database."""
        failures = 0
        try:
            while not stopping.is_set():
                busy = False
                try:
                    busy = self._step()
                    failures = 0
                except (sa.exc.SQLAlchemyError, DatabaseError) as error:
                    failures += 1
                    reason = str(getattr(error, "orig", error))
                    log.warning("gallery_waits_for_database", failures=failures, error=reason)
                if not busy:
                    stopping.wait(min(_POLL_S * 2**failures, _LONGEST_WAIT_S))
        finally:
            self._close()

    def run_once(self, stopping: threading.Event) -> list[str]:
        """Do what is due now.

        Returns:
            Why erasures are not finished, one sentence each; empty when all are.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is away or refuses.
        """
        try:
            while not stopping.is_set() and self._step():
                pass
        finally:
            self._close()
        with self._sessions() as db:
            left = [erasure for erasure in unfinished_erasures(db) if erasure.shared_at is None]
            return [erasure.message or "Not begun." for erasure in left]

    def _step(self) -> bool:
        """Do one job; whether there was one."""
        if not self._settings_noted:
            note_settings(self._engine, "gallery worker", self._settings)
            self._settings_noted = True
        busy = work_once(self._sessions, self._work)
        if finish(self._sessions):
            self._remains = True
        if busy or self._remains:
            self._remains = not self._forget()
        return busy

    def _forget(self) -> bool:
        """Let nothing stay of the photos of a job that ended; whether it could be. Later jobs do not wait for it."""
        try:
            overwrite(self._engine, patience_s=0, rebuild=False)
        except DatabaseError as error:
            if not self._remains:
                log.warning("deleted_rows_remain", error=str(error))
            return False
        return True

    def _erase(self, erasure: Claimed) -> str | None:
        report = carry_out(self._settings, self._engine, [erasure])
        if report.unrecorded is not None:
            self._tell_unrecorded(report.unrecorded)
        return report.left

    def _tell_unrecorded(self, reason: str) -> None:
        log.warning("index_not_recorded", error=reason)

    def _close(self) -> None:
        self._face_engine.close()
