"""Erasing students in a running service: what it remembers, what waits in its outbox, and the index that it searches.

The service looks for erasures in the database as it looks for cameras whose token was revoked. It acknowledges one when
nothing of the student is left in it: not before the index in use is one without the student. Where the index is
fetched from another machine, not before what is on this machine's disk is so, and of after the erasure there.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from datetime import UTC, datetime
from typing import TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.engine import DatabaseError, begin_writing
from attendance.database.timetable import not_to_be_recorded
from attendance.database.upkeep.erasure_requests import acknowledge, erasures_for, shared_ones
from attendance.database.upkeep.services import GONE_AFTER, SAID_EVERY, ServiceState, register_service
from attendance.gallery.gallery import Gallery, GalleryError
from recognition_service.evidence.timetable import Timetable
from recognition_service.outbox.store import Outbox, OutboxError
from recognition_service.presentation.impossible import Whereabouts
from recognition_service.replication.fetching import IndexReplica

log = structlog.get_logger()

_T = TypeVar("_T")

_AWAY_S = GONE_AFTER.total_seconds() / 2
"""After so long without the database, others may have finished erasures without this service."""


class ErasureWatch:
    """Carries erasures out in one service. A database that is away changes nothing."""

    def __init__(
        self,
        name: str,
        sessions: sessionmaker[Session],
        executor: Executor,
        *,
        outbox: Outbox,
        timetable: Timetable,
        whereabouts: Whereabouts,
        gallery: Callable[[], Gallery | None],
        forget: Callable[[str], Awaitable[None]],
        state: Callable[[], ServiceState],
        replica: IndexReplica | None = None,
        interval_s: float = 1.0,
    ) -> None:
        """Prepare.

        Args:
            name: of the service, the same whenever it runs, and no other's.
            sessions: of the shared database.
            executor: where it and the outbox are asked.
            outbox: what waits.
            timetable: whose rosters name students.
            whereabouts: in which rooms students were seen, whose streams may have ended.
            gallery: gives the index in use, None while there is none.
            forget: forgets what open streams remember of a student.
            state: how the service fares, which it tells the database; may take a moment.
            replica: fetches the index from another machine; None: it is built here.
            interval_s: from one look to the next, seconds.
        """
        self._name = name
        self._sessions = sessions
        self._executor = executor
        self._outbox = outbox
        self._timetable = timetable
        self._whereabouts = whereabouts
        self._gallery = gallery
        self._forget = forget
        self._state = state
        self._replica = replica
        self._interval_s = interval_s
        self._service_id: int | None = None
        self._told = float("-inf")  # when the database was last told
        self._looked = float("-inf")
        self._told_index: str | None = None
        self._begun: set[int] = set()
        self._shared: dict[int, float] = {}  # since when it is known that the gallery has erased
        self._problem: str | None = None

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
                self._problem = None
            except (SQLAlchemyError, DatabaseError, OutboxError, GalleryError) as error:
                told = isinstance(error, (OutboxError, GalleryError))
                self._tell(str(error) if told else type(error).__name__)
            except Exception:  # the next look must still come
                log.exception("erasure_watch_failed")
            await asyncio.sleep(self._interval_s)

    async def look(self) -> None:
        """Begin the erasures that are new, and acknowledge those of which nothing is left.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is away.
            OutboxError: the outbox cannot be erased from; it is tried again.
        """
        now = time.monotonic()
        if now - self._looked > _AWAY_S:
            await self._run(self._hold_outbox_against_database)
        due = await self._run(self._read)
        self._looked = now
        for erasure_id, student in due.items():
            if erasure_id not in self._begun:
                await self._erase(student)
                self._begun.add(erasure_id)
                log.info("erasure_begun", erasure=erasure_id)
        gallery = self._gallery()
        held = frozenset(gallery.identities) if due and gallery is not None else frozenset()
        for erasure_id, student in due.items():
            if student not in held and await self._run(self._is_off_disk, erasure_id, student):
                await self._erase(student)  # again: until now, frames could name the student
                await self._run(self._acknowledge, erasure_id)
                self._begun.discard(erasure_id)
                self._shared.pop(erasure_id, None)
                log.info("erasure_carried_out", erasure=erasure_id)

    async def _erase(self, student: str) -> None:
        """Erase from what waits, so that nothing is put again, and then from what is remembered."""
        waiting = await self._run(self._outbox.erase, student)
        self._timetable.forget(student)
        await self._forget(student)
        self._whereabouts.forget([student])
        if waiting:
            log.info("waiting_evidence_erased", rows=waiting)

    def _is_off_disk(self, erasure_id: int, student: str) -> bool:
        """Whether no index on this machine holds the student; what is built here, the gallery's worker deletes."""
        if self._replica is None:
            return True
        since = self._shared.get(erasure_id)
        return since is not None and self._replica.has_erased(student, since)

    def _read(self) -> dict[int, str]:
        """The erasures to carry out; now and then the database is told how the service fares."""
        gallery = self._gallery()
        index = gallery.version if gallery is not None else ""
        late = time.monotonic() - self._told > SAID_EVERY.total_seconds()
        if self._service_id is None or late or index != self._told_index:
            state = self._state()
            with self._sessions.begin() as db:
                begin_writing(db)
                self._service_id = register_service(db, self._name, datetime.now(UTC), state)
            self._told, self._told_index = time.monotonic(), index
        with self._sessions() as db:
            due = erasures_for(db, self._service_id)
            if self._replica is not None and due:
                shared, now = shared_ones(db, due), time.monotonic()
                # Asked for again, it is no longer shared.
                self._shared = {erasure_id: self._shared.get(erasure_id, now) for erasure_id in shared}
            return due

    def _hold_outbox_against_database(self) -> None:
        """Erase whoever waits and is not to be recorded: erasures may have been finished without this service."""
        waiting = self._outbox.students()
        with self._sessions() as db:
            unwanted = not_to_be_recorded(db, waiting)
        for student in unwanted:
            self._outbox.erase(student)
        if unwanted:
            log.info("students_erased_from_outbox", students=len(unwanted))

    def _acknowledge(self, erasure_id: int) -> None:
        with self._sessions.begin() as db:
            begin_writing(db)
            service_id = register_service(db, self._name, datetime.now(UTC))
            acknowledge(db, erasure_id, service_id, datetime.now(UTC))

    def _tell(self, problem: str) -> None:
        if problem != self._problem:
            log.warning("erasures_not_carried_out", reason=problem)
        self._problem = problem

    async def _run(self, work: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)
