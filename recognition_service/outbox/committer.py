"""The committer: carries what was seen and watched from the outbox into the shared database, in a thread of its own.

Delivery is at least once: a sighting leaves the outbox after the commit that holds it, so a process killed between the
two sends it again, and `record_sighting` and `record_evidence` make one row of any number of repetitions.

What confirmed a student is committed with the sighting; of guests, only that they were there. What the database has no
place for is dropped from both: above all students who are gone or have withdrawn consent, of whom the outbox's file
keeps no remains.

Sightings go first. Once the database knows that a room was watched, whoever was seen in it is known too.
"""

import random
import threading
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import groupby

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session, sessionmaker

from attendance.backoff import full_jitter
from attendance.database.engine import DatabaseError, begin_writing
from attendance.database.evidence import Evidence, record_evidence
from attendance.database.guests import record_guest
from attendance.database.register import Sighting
from attendance.database.transactions import is_databases_fault
from attendance.database.watching.health import HealthHour, record_health
from attendance.database.watching.late_frames import is_held_evidence, take_in_observed, take_in_sightings
from attendance.database.watching.observation import Observed
from attendance.settings.attendance import LateFrames
from recognition_service.outbox.set_aside import SetAside
from recognition_service.outbox.store import Outbox, OutboxError
from recognition_service.telemetry.threads import name_thread

log = structlog.get_logger(__name__)

NAME = "committer"
"""Of its thread, as the system knows it."""
_BATCH = 200
_POLL_S = 5.0
"""How often the outbox is looked at without being told: another process may share the file."""
_GATHER_S = 0.5
"""How long after a put others' are waited for: frames of many cameras are committed together."""
_BASE_S, _CAP_S, _STOPPING_CAP_S = 0.1, 30.0, 1.0
_ONE_BY_ONE = 3
"""After so many failures in a row, sightings are tried one at a time, in case one of them is what fails."""
_Row = tuple[int, Sighting]
_Proof = tuple[int, Evidence]


class Committer:
    """Commits what is pending in batches until stopped."""

    def __init__(
        self,
        outbox: Outbox,
        sessions: sessionmaker[Session],
        *,
        late_frames: LateFrames = LateFrames.PROPOSE,
        poll_s: float = _POLL_S,
        gather_s: float = _GATHER_S,
        base_s: float = _BASE_S,
        cap_s: float = _CAP_S,
    ) -> None:
        """Get ready; `start` begins.

        Args:
            outbox: where sightings wait, and what was watched.
            sessions: connects to the shared database.
            late_frames: what kept frames do to a closed session.
            poll_s: seconds between looks at the outbox when nothing is put.
            gather_s: seconds from a put until it is committed, with what was put meanwhile.
            base_s: largest wait after the first failure, seconds.
            cap_s: largest wait of all, seconds.
        """
        self._outbox = outbox
        self._sessions = sessions
        self._late_frames = late_frames
        self._poll_s, self._gather_s = poll_s, gather_s
        self._base_s, self._cap_s = base_s, cap_s
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._abandon = threading.Event()
        self._refused = SetAside(base_s=base_s, cap_s=cap_s)
        self._refused_observed = SetAside(base_s=base_s, cap_s=cap_s)
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name=NAME, daemon=True)

    def start(self) -> None:
        """Begin to commit, first what an earlier process left."""
        self._outbox.call_after_put(self._wake.set)
        self._thread.start()

    def stop(self, *, flush: bool = True, timeout: float = 10.0) -> bool:
        """Stop.

        Args:
            flush: commit first what is pending, trying again while the database is away.
            timeout: seconds after which it is given up; what was not committed stays in the outbox.

        Returns:
            Whether the thread has ended. If not, a database call hangs; the thread does not keep the process alive.
        """
        if not flush:
            self._abandon.set()
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is None:
            return True
        self._thread.join(timeout)
        self._abandon.set()
        self._thread.join(1.0)
        return not self._thread.is_alive()

    def _run(self) -> None:
        name_thread(NAME)
        while not self._abandon.is_set():
            self._wake.clear()
            last = self._stopping.is_set()  # asked before: what is put during a look is seen by the next
            failed = self._drain()
            if failed:
                # Not woken by a put: a database in trouble is not helped by everybody's coming at once.
                if self._stopping.is_set():
                    self._abandon.wait(full_jitter(self._failures, base_s=self._base_s, cap_s=_STOPPING_CAP_S))
                else:
                    self._stopping.wait(full_jitter(self._failures, base_s=self._base_s, cap_s=self._cap_s))
            elif last:
                return
            elif self._wake.wait(self._poll_s):
                self._stopping.wait(self._gather_s)

    def _drain(self) -> bool:
        """Commit until nothing is due; whether it failed."""
        try:
            while not self._abandon.is_set():
                rows = self._outbox.pending(_BATCH, excluding=self._refused.now())
                if not rows:
                    break
                self._commit(rows)
                self._succeeded()
            self._outbox.leave_no_remains()
            while not self._abandon.is_set():
                observed = self._outbox.pending_observed(_BATCH, excluding=self._refused_observed.now())
                if not observed:
                    break
                self._commit_observed(observed)
                self._succeeded()
            while not self._abandon.is_set() and (hours := self._outbox.pending_health(_BATCH)):
                self._commit_health(hours)
                self._succeeded()
        except (sa.exc.SQLAlchemyError, DatabaseError, OutboxError, OSError) as error:
            self._failures += 1
            log.warning("sightings_not_committed", failures=self._failures, error=_reason(error))
            return True
        except Exception:
            self._failures += 1
            log.exception("committer_failed", failures=self._failures)
            return True
        return False

    def _succeeded(self) -> None:
        if self._failures:
            log.info("sightings_committed_again", after_failures=self._failures)
        self._failures = 0

    def _commit(self, rows: Sequence[_Row]) -> None:
        """Commit rows and take them out of the outbox.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is away, or in the way of all of them.
        """
        # In one order everywhere: processes that commit the same students seldom wait for each other in a ring.
        ordered = sorted(rows, key=lambda row: (row[1].session_id, row[1].index_number))
        if self._failures < _ONE_BY_ONE:
            proofs = self._outbox.evidence_of([sighting for _, sighting in ordered])
            try:
                all_placed = self._record([sighting for _, sighting in ordered], [proof for _, proof in proofs])
            except Exception as error:
                if is_databases_fault(error):
                    raise
            else:
                self._discard([row_id for row_id, _ in ordered], proofs, all_placed=all_placed)
                return
        self._commit_one_by_one(ordered)

    def _commit_one_by_one(self, rows: Sequence[_Row]) -> None:
        # A row that failed as if the database did. If the next one fails too, it is the database; if that goes through,
        # the row is tried once more, as the database may just have come back.
        doubtful: tuple[_Row, Exception] | None = None
        for row in random.sample(rows, len(rows)):  # whichever two fail, the others have their turn in time
            if self._abandon.is_set():
                break
            error = self._commit_one(row)
            if error is None:
                if doubtful is not None and self._commit_one(doubtful[0]) is not None:
                    self._refuse(*doubtful)
                doubtful = None
            elif not is_databases_fault(error):
                self._refuse(row, error)
            elif doubtful is None:
                doubtful = row, error
            else:
                break
        if doubtful is not None:
            raise doubtful[1]

    def _commit_one(self, row: _Row) -> Exception | None:
        """Commit one row and take it out of the outbox; why it failed, or None."""
        row_id, sighting = row
        proofs = self._outbox.evidence_of([sighting])
        failure: Exception | None = None
        # The camera may have been removed since. Who was there matters more than which camera saw it, and than why.
        for with_camera, with_proof in ((True, True), (False, True), (False, False)):
            evidence = [proof for _, proof in proofs] if with_proof else []
            try:
                if with_camera:
                    all_placed = self._record([sighting], evidence)
                else:
                    nowhere = [replace(proof, camera_id=None) for proof in evidence]
                    all_placed = self._record([replace(sighting, camera_id=None)], nowhere)
            except Exception as error:
                if is_databases_fault(error):
                    return error
                failure = error
            else:
                if proofs and not with_proof:
                    log.error("evidence_refused", session=sighting.session_id, error=_reason(failure or ValueError()))
                self._discard([row_id], proofs, all_placed=all_placed)
                return None
        return failure

    def _record(self, sightings: Sequence[Sighting], evidence: Sequence[Evidence]) -> bool:
        """Commit these in one transaction; whether there was a place for every sighting."""
        with self._sessions.begin() as db:
            begin_writing(db)
            entered: set[tuple[int, str]] = set()
            for session_id, of_session in groupby(sightings, key=lambda one: one.session_id):
                together = list(of_session)
                placed = take_in_sightings(db, session_id, together, self._late_frames)
                entered |= {_key(one) for one, there in zip(together, placed, strict=True) if there}
            others = [one for one in sightings if _key(one) not in entered and not one.held]
            nowhere = [one for one in others if record_guest(db, one) is None]
            for proof in evidence:
                if _key(proof) in entered:
                    record_evidence(db, proof, held=is_held_evidence(db, proof, self._late_frames))
        for one in nowhere:
            log.warning("sighting_without_place", session=one.session_id)
        return not nowhere

    def _discard(self, row_ids: Collection[int], proofs: Sequence[_Proof], *, all_placed: bool) -> None:
        self._outbox.discard(row_ids, [proof_id for proof_id, _ in proofs], traceless=not all_placed)

    def _refuse(self, row: _Row, error: Exception) -> None:
        """Leave a sighting in the outbox, to be tried again later and later, while others go on."""
        row_id, sighting = row
        log.error(
            "sighting_refused",
            session=sighting.session_id,
            row=row_id,
            attempts=self._refused.add(row_id),
            error=_reason(error),
        )

    def _commit_observed(self, rows: Sequence[tuple[int, Observed]]) -> None:
        """Commit what was watched, an hour of a camera at a time, and take it out of the outbox.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is away.
        """
        for row_id, observed in rows:
            if self._abandon.is_set():
                return
            try:
                with self._sessions.begin() as db:
                    begin_writing(db)
                    take_in_observed(db, observed, self._late_frames)
            except Exception as error:
                if is_databases_fault(error):
                    raise
                log.error(
                    "observation_refused",
                    room=observed.room_id,
                    hour=observed.hour.isoformat(),
                    attempts=self._refused_observed.add(row_id),
                    error=_reason(error),
                )
            else:
                self._outbox.discard_observed([row_id])

    def _commit_health(self, rows: Sequence[tuple[int, HealthHour]]) -> None:
        """Commit what reached the service of cameras, all of it together, and take it out of the outbox.

        What the database refuses is dropped: no register hangs on it, and what follows must not wait for it.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is away.
        """
        try:
            with self._sessions.begin() as db:
                begin_writing(db)
                # In one order everywhere: services that commit the same cameras do not wait for each other in a ring.
                for _, reported in sorted(rows, key=lambda row: (row[1].camera_id, row[1].hour)):
                    record_health(db, reported)
        except Exception as error:
            if is_databases_fault(error):
                raise
            log.error("health_refused", hours=len(rows), error=_reason(error))
        self._outbox.discard_health([row_id for row_id, _ in rows])


def _key(one: Sighting | Evidence) -> tuple[int, str]:
    return one.session_id, one.index_number


def _reason(error: Exception) -> str:
    """Why, without the statement and its values."""
    return str(getattr(error, "orig", None) or error) or type(error).__name__
