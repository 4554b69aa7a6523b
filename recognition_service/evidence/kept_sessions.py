"""The sessions whose evidence one stream keeps, and what of it goes into the outbox."""

import uuid
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence

import structlog

from attendance.database.evidence import Evidence
from attendance.database.models import Origin
from attendance.database.register import Sighting
from attendance.database.timetable import SessionPlan
from attendance.settings.matching import MatchingRules
from recognition_service.evidence.confirmation import Confirmation, Confirmer, Proof
from recognition_service.evidence.records import KeptSession, SeenStudent, SessionKey
from recognition_service.outbox.sink import Sink
from recognition_service.presentation.check import FaceVerdict, State

log = structlog.get_logger(__name__)

_MOST_SESSIONS = 4
"""Sessions whose evidence a stream keeps: the running one, the next, and old ones that a camera sends later."""
_MOST_PROOFS = 8
"""Persons of one stream whose evidence is kept for one student in one session: mostly it is one, who looks alike."""


class KeptSessions(OrderedDict[SessionKey, KeptSession]):
    """Sessions by how their frames came, the one used longest ago first. Used by one thread at a time."""

    def __init__(
        self,
        camera_id: int,
        outbox: Sink,
        rules: MatchingRules,
        *,
        erased: Callable[[Collection[str]], None],
        clock: Callable[[], float],
    ) -> None:
        """Begin with none.

        Args:
            camera_id: the camera's number in the database.
            outbox: takes the sightings.
            rules: of the models in use.
            erased: told of students of whom nothing was stored, as they have been erased of late.
            clock: monotonic seconds.
        """
        super().__init__()
        self._camera_id = camera_id
        self._outbox = outbox
        self._rules = rules
        self._erased = erased
        self._clock = clock

    def keep(self, session: SessionPlan, origin: Origin) -> None:
        """Keep a session for which a frame counts, as its plan is now."""
        key = session.session_id, origin
        state = self.get(key)
        if state is None:
            state = KeptSession(session.ends_at, Confirmer(self._rules), self._clock())
            self[key] = state
        state.ends_at = session.ends_at  # the timetable may have been edited meanwhile
        state.used = self._clock()
        for student in (state.records.keys() | state.held.keys()) - session.roster - session.guests:
            state.forget(student)  # left the course, or withdrew consent
        self.move_to_end(key)

    def enter(self, key: SessionKey, confirmation: Confirmation, index_version: str) -> None:
        """Record a student as confirmed."""
        session_id, origin = key
        student, state = confirmation.student, self[key]
        state.held.pop(student, None)
        record = state.records.get(student)
        if record is None:
            record = state.records[student] = SeenStudent.of(confirmation)
            log.info(
                "student_confirmed",
                camera=self._camera_id,
                session=session_id,
                origin=origin.value,
                frames=confirmation.frames,
                distance=round(confirmation.distance, 3),
                gap=round(confirmation.gap, 3),
            )
        self._take_in(key, record, confirmation, index_version)

    def hold(self, key: SessionKey, confirmation: Confirmation, verdict: FaceVerdict, index_version: str) -> None:
        """Neither confirm a student nor forget that they were seen."""
        student, state = confirmation.student, self[key]
        record = state.held.get(student)
        if record is None:
            record = state.held[student] = SeenStudent.of(confirmation)
        record.waits = verdict.state is State.WAITING and record.stored is None
        if not record.waits and record.stored is None:
            session_id, origin = key
            reasons = [reason.value for reason in verdict.reasons]
            log.info(
                "student_held",
                camera=self._camera_id,
                session=session_id,
                origin=origin.value,
                reasons=reasons,
            )
        record.reasons = verdict.reasons
        self._take_in(key, record, confirmation, index_version)

    def store(self, sessions: Sequence[SessionPlan], origin: Origin) -> None:
        """Put what is due of the given sessions into the outbox, and bound the sessions kept.

        Raises:
            OutboxError: they could not be stored; they are kept.
        """
        interval = self._rules.last_seen_interval_s
        keys = [(session.session_id, origin) for session in sessions]
        self._put(keys, lambda record: record.is_due(interval))
        while len(self) > _MOST_SESSIONS:
            oldest = next(iter(self))
            self.store_all([oldest])
            del self[oldest]

    def store_all(self, keys: Sequence[SessionKey]) -> None:
        """Put whatever is new of these sessions into the outbox.

        Raises:
            OutboxError: as for `store`.
        """
        self._put(keys, lambda record: record.stored != record.current or bool(record.new_evidence))

    def _take_in(self, key: SessionKey, record: SeenStudent, confirmation: Confirmation, index_version: str) -> None:
        record.take_in(confirmation)
        proof = confirmation.proof
        if len(record.proofs) < _MOST_PROOFS and not any(proof is known for known in record.proofs):
            record.proofs.append(proof)
            evidence = self._evidence(key, confirmation.student, proof, index_version, held=bool(record.reasons))
            record.new_evidence.append(evidence)

    def _evidence(self, key: SessionKey, student: str, proof: Proof, index_version: str, *, held: bool) -> Evidence:
        session_id, origin = key
        return Evidence(
            uid=str(uuid.uuid4()),
            session_id=session_id,
            index_number=student,
            camera_id=self._camera_id,
            index_version=index_version or None,
            threshold=self._rules.threshold,
            distance=proof.distance,
            margin=proof.margin,
            confidence=proof.confidence,
            frames=proof.frames,
            first_frame_at=proof.first_frame_at,
            last_frame_at=proof.last_frame_at,
            details=proof.kept,
            origin=origin,
            held=held,
        )

    def _put(self, keys: Sequence[SessionKey], is_due: Callable[[SeenStudent], bool]) -> None:
        due = [(key, student, record) for key in keys for student, record in self[key].everything() if is_due(record)]
        erased = self._outbox.put(
            [
                Sighting(
                    session_id=session_id,
                    index_number=student,
                    first_seen=record.first_seen,
                    last_seen=record.last_seen,
                    confidence=record.confidence,
                    camera_id=self._camera_id,
                    origin=origin,
                    held=record.reasons,
                )
                for (session_id, origin), student, record in due
            ],
            [evidence for _, _, record in due for evidence in record.new_evidence],
        )
        for _, _, record in due:
            record.stored = record.current
            record.new_evidence.clear()
        for student in erased:
            for state in self.values():
                state.forget(student)
        if erased:
            self._erased(erased)
