"""Keeps the database in step with the index in use: whom the service can recognise, of them it must know so."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.watching.recognisable import note_index_in_use
from attendance.gallery.gallery import Gallery

log = structlog.get_logger()

_LOOKS_PER_CHECK = 30


class RecognisableWatch:
    """Notes students whom the index holds and the database does not know to be recognisable."""

    def __init__(
        self,
        gallery: Callable[[], Gallery | None],
        sessions: sessionmaker[Session],
        executor: Executor,
        *,
        interval_s: float = 10.0,
    ) -> None:
        """Prepare.

        Args:
            gallery: gives the index in use, None while there is none.
            sessions: of the shared database.
            executor: where it is asked.
            interval_s: from one look to the next, seconds. A new index is noted at the next; the one in use is held
                against the database at every thirtieth, as students may be added after their photos.
        """
        self._gallery = gallery
        self._sessions = sessions
        self._executor = executor
        self._interval_s = interval_s
        self._noted: str | None = None
        self._looks = 0

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
            except SQLAlchemyError as error:
                log.warning("recognisable_students_not_noted", reason=type(error).__name__)
            except Exception:  # the next look must still come
                log.exception("recognisable_watch_failed")
            await asyncio.sleep(self._interval_s)

    async def look(self) -> None:
        """Note those of the index in use, if it is a new one or it is time."""
        gallery = self._gallery()
        self._looks += 1
        if gallery is None or (gallery.version == self._noted and self._looks % _LOOKS_PER_CHECK):
            return
        noted = await asyncio.get_running_loop().run_in_executor(
            self._executor, note_index_in_use, self._sessions, gallery.identities, datetime.now(UTC)
        )
        self._noted = gallery.version
        if noted:
            log.info("recognisable_students_noted", students=noted, index=gallery.version)
