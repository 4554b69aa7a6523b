"""What the faces of one camera become: matches, tracks, confirmations, and sightings in the outbox.

One `CameraFlow` serves one stream. It knows nothing of the network: frames come in with their capture time and the
faces that the engine found in them. A sighting is in the outbox, synced to disk, before `observe` returns, so a frame
may be acknowledged when it has returned.
"""

import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import numpy as np
import structlog

from attendance.database.evidence import Evidence
from attendance.database.models import Origin
from attendance.database.register import Sighting
from attendance.database.timetable import SessionPlan
from attendance.database.watching.observation import NOBODY
from attendance.face_engine.interface import Face
from attendance.settings.matching import MatchingRules
from recognition_service.engine.looks import Look
from recognition_service.evidence.clearness import ClearFrom, View
from recognition_service.evidence.confirmation import Confirmation, Confirmer, Proof
from recognition_service.evidence.frame_plan import FramePlan, frame_plan
from recognition_service.evidence.matching import Matcher, is_too_small, one_face_each
from recognition_service.evidence.observing import Observer, Sight
from recognition_service.evidence.records import KeptSession, SeenStudent, SessionKey
from recognition_service.evidence.seen import STRANGER, TOO_SMALL, FaceMatch, SeenFace, counts_of, width_of
from recognition_service.evidence.settled import SettledFaces
from recognition_service.evidence.timetable import Timetable
from recognition_service.evidence.tracking import TrackedFace, Tracker
from recognition_service.outbox.store import Outbox, OutboxError
from recognition_service.presentation.check import FaceVerdict, State
from recognition_service.presentation.judging import PresentationJudge
from recognition_service.presentation.views import FaceView

log = structlog.get_logger(__name__)

_MOST_SESSIONS = 4
"""Sessions whose evidence a stream keeps: the running one, the next, and old ones that a camera sends later."""
_IDLE_S = 5.0
"""After an ended session has had no frame for so long, its last sightings are stored."""
_FORGET_S = 60.0
"""After no frame has counted for so long, what faces looked like is forgotten."""
_MOST_PROOFS = 8
"""Persons of one stream whose evidence is kept for one student in one session: mostly it is one, who looks alike."""
_MOST_KNOWN = 2048
"""Persons remembered as confirmed."""


class CameraFlow:
    """The evidence of one stream. `plan` and `observe` block (disk, database): call them off the event loop."""

    def __init__(  # noqa: PLR0917 - what a flow is made of
        self,
        camera_id: int,
        room_id: int,
        timetable: Timetable,
        matcher_of: Callable[[], Matcher],
        outbox: Outbox,
        rules: MatchingRules,
        *,
        observer: Observer | None = None,
        judge: PresentationJudge | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin without evidence.

        Args:
            camera_id: the camera's number in the database.
            room_id: where it stands.
            timetable: what is taught there.
            matcher_of: gives the matcher of the index in use now.
            outbox: takes the sightings.
            rules: thresholds, votes and sizes, of the models in use.
            observer: of the camera in the room; one of this stream's own unless given.
            judge: tells persons from pictures; one that knows this stream alone unless given.
            clock: monotonic seconds.
        """
        self._camera_id = camera_id
        self._room_id = room_id
        self._timetable = timetable
        self._matcher_of = matcher_of
        self._outbox = outbox
        self._rules = rules
        self._clock = clock
        self._clear = ClearFrom(rules.clear_width, rules.clear_sharpness)
        self._lock = threading.Lock()
        self._tracker = Tracker(rules)
        self._settled = SettledFaces(rules)
        self._sessions: OrderedDict[SessionKey, KeptSession] = OrderedDict()
        self._known: OrderedDict[int, None] = OrderedDict()  # persons who were confirmed as somebody
        self._observer = observer or Observer(camera_id, room_id, outbox, rules.confirm_frames, clock=clock)
        self._judge = judge or PresentationJudge(rules, room_id)
        self._last_counts = NOBODY

    @property
    def sight(self) -> Sight | None:
        """Whether the camera sees; None while it is not known."""
        return self._observer.sight

    @property
    def searched(self) -> int:
        """Faces that the gallery was searched for; those of students confirmed are mostly known without."""
        return self._settled.searched

    def plan(self, capture_time: datetime) -> FramePlan | None:
        """The sessions that count in the camera's room at a capture time; None when there is none.

        Raises:
            TimetableUnavailable: the database cannot be read and has not been for that time.
        """
        self._settle(capture_time)
        return frame_plan(self._timetable.plans(self._room_id, capture_time), capture_time)

    def observe(
        self,
        plan: FramePlan,
        capture_time: datetime,
        faces: Sequence[Face],
        *,
        views: Sequence[FaceView] = (),
        origin: Origin = Origin.LIVE,
        look: Look = Look(),  # noqa: B008 - it does not change
    ) -> list[SeenFace]:
        """Count the faces of one frame; what they confirm is on disk when this returns.

        Faces too small to be named are part of the answer and of nothing else: no track, no vote for or against.
        Frames may come late or twice: a frame counts for the sessions of its capture time, and one moment counts once.

        Args:
            plan: what `plan` gave for the capture time.
            capture_time: aware.
            faces: of the frame.
            views: their pixels, one a face; a face without pixels shows no sign of life.
            origin: how it came. Frames of one origin confirm nobody together with those of another.
            look: what it looks like.

        Returns:
            One for each face, in order.

        Raises:
            OutboxError: sightings could not be stored; the frame must not be acknowledged. They are kept, and stored
                with the next frame that can be.
            ValueError: the encodings are not of the gallery's size.
        """
        with self._lock:
            small = [is_too_small(face, self._rules) for face in faces]
            usable = [
                place for place, face in enumerate(faces) if not small[place] and np.isfinite(face.encoding).all()
            ]
            matcher = self._matcher_of()
            matches, tracked = self._identify(matcher, [faces[place] for place in usable], capture_time, plan)
            for session in plan.sessions:
                self._keep(session, origin)
            seen = [
                SeenFace(face, TOO_SMALL if below else STRANGER, 0, False)
                for face, below in zip(faces, small, strict=True)
            ]
            for place, match, track in zip(usable, matches, tracked, strict=True):
                face = faces[place]
                view = views[place] if views else None
                verdict = self._verdict(plan, capture_time, origin, face, view, match, track, matcher)
                version = matcher.gallery.version
                sessions = self._count(plan, capture_time, origin, face, match, track, verdict, version)
                if match.student is not None and sessions == len(plan.sessions_of(match.student)) > 0:
                    self._settled.confirmed(matcher, face.encoding, plan.roster, track.person, match)
                if sessions:
                    self._know(track.person)
                seen[place] = SeenFace(face, match, track.track, sessions > 0, track.person in self._known)
            self._store(plan.sessions, origin, lambda record: record.is_due(self._rules.last_seen_interval_s))
            self._last_counts = counts_of(seen)
            self._observer.saw(capture_time, origin, look, self._last_counts)
            return seen

    def unchanged(self, capture_time: datetime, *, origin: Origin = Origin.LIVE, look: Look) -> None:
        """Take in a frame that shows what the last one observed showed, and was not examined.

        Args:
            capture_time: aware; a session counts then.
            origin: how it came.
            look: what it looks like.

        Raises:
            OutboxError: as for `observe`.
        """
        with self._lock:
            self._observer.saw(capture_time, origin, look, self._last_counts)

    def forget(self, student: str) -> None:
        """Forget what was seen of a student who is erased: evidence, tracks, and what was found by searching.

        Frames under way are waited for. Call it again when the index in use is one without the student.
        """
        with self._lock:
            persons = {person for state in self._sessions.values() for person in state.forget(student)}
            self._tracker.forget_persons(persons)
            for person in persons:
                self._known.pop(person, None)
            self._judge.forget(student)
            self._settled.forget()

    def finish(self) -> None:
        """Store the last sightings of everybody confirmed, and what was observed: the stream ends.

        Raises:
            OutboxError: they could not be stored.
        """
        with self._lock:
            self._store_all(list(self._sessions))
            self._observer.put()

    def _identify(
        self, matcher: Matcher, faces: Sequence[Face], capture_time: datetime, plan: FramePlan
    ) -> tuple[list[FaceMatch], list[TrackedFace]]:
        if not faces:
            self._settled.use(matcher)
            return [], self._tracker.update(capture_time, np.empty((0, 4), np.float32), np.empty((0, 0), np.float32))
        encodings = np.stack([face.encoding for face in faces])
        matcher.require_size(encodings)
        tracked = self._tracker.update(capture_time, np.stack([face.box for face in faces]), encodings)
        matches = self._settled.match(matcher, encodings, plan.roster, [face.person for face in tracked], plan.guests)
        return one_face_each(matches), tracked

    def _verdict(  # noqa: PLR0917 - one face of one frame
        self,
        plan: FramePlan,
        capture_time: datetime,
        origin: Origin,
        face: Face,
        view: FaceView | None,
        match: FaceMatch,
        track: TrackedFace,
        matcher: Matcher,
    ) -> FaceVerdict:
        """Whether it is a person's face, as far as is known."""
        student = match.student
        return self._judge.of_face(
            (plan.session_id, origin),
            (track.track, track.person),
            student,
            capture_time,
            face,
            view,
            lambda: matcher.gallery.rows_of(student or ""),
        )

    def _know(self, person: int) -> None:
        self._known[person] = None
        self._known.move_to_end(person)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def _keep(self, session: SessionPlan, origin: Origin) -> None:
        key = session.session_id, origin
        state = self._sessions.get(key)
        if state is None:
            state = KeptSession(session.ends_at, Confirmer(self._rules), self._clock())
            self._sessions[key] = state
        state.ends_at = session.ends_at  # the timetable may have been edited meanwhile
        state.used = self._clock()
        for student in (state.records.keys() | state.held.keys()) - session.roster - session.guests:
            state.forget(student)  # left the course, or withdrew consent
        self._sessions.move_to_end(key)

    def _count(  # noqa: PLR0917 - one face of one frame
        self,
        plan: FramePlan,
        capture_time: datetime,
        origin: Origin,
        face: Face,
        match: FaceMatch,
        track: TrackedFace,
        verdict: FaceVerdict,
        index_version: str,
    ) -> int:
        """One face's vote in every session of the plan; in how many its student is confirmed."""
        confirmed = 0
        student = match.student
        view = View(width_of(face), face.sharpness, self._clear)
        theirs = () if student is None else plan.sessions_of(student)
        for session in plan.sessions:
            known_here = student is not None and (student in session.roster or student in session.guests)
            if known_here and session not in theirs:
                continue  # counts for another session at this moment: neither for nor against here
            key = session.session_id, origin
            state = self._sessions[key]
            confirmation = state.confirmer.observe(track.person, capture_time, match, view)
            if confirmation is None or student is None or session not in theirs:
                continue
            judged = verdict
            if student not in state.records:
                judged = self._judge.of_confirmation(student, track.track, origin, capture_time, verdict)
            if judged.state is State.CLEAR:
                self._enter(key, state, confirmation, index_version)
                self._judge.confirmed(student, origin, capture_time)
                confirmed += 1
            elif student not in state.records:
                self._hold(key, state, confirmation, judged, index_version)
        return confirmed

    def _enter(self, key: SessionKey, state: KeptSession, confirmation: Confirmation, index_version: str) -> None:
        session_id, origin = key
        student = confirmation.student
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

    def _hold(
        self, key: SessionKey, state: KeptSession, confirmation: Confirmation, verdict: FaceVerdict, index_version: str
    ) -> None:
        """Neither confirm a student nor forget that they were seen."""
        student = confirmation.student
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

    def _store(self, sessions: Iterable[SessionPlan], origin: Origin, due: Callable[[SeenStudent], bool]) -> None:
        """Put what is due of the given sessions into the outbox, and bound the sessions kept."""
        keys = [(session.session_id, origin) for session in sessions]
        self._put(
            [
                (key, student, record)
                for key in keys
                for student, record in self._sessions[key].everything()
                if due(record)
            ]
        )
        while len(self._sessions) > _MOST_SESSIONS:
            oldest = next(iter(self._sessions))
            self._store_all([oldest])
            del self._sessions[oldest]

    def _store_all(self, keys: Sequence[SessionKey]) -> None:
        self._put(
            [
                (key, student, record)
                for key in keys
                for student, record in self._sessions[key].everything()
                if record.stored != record.current or record.new_evidence
            ]
        )

    def _put(self, due: Sequence[tuple[SessionKey, str, SeenStudent]]) -> None:
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
            for state in self._sessions.values():
                state.forget(student)
            self._judge.forget(student)
        if erased:
            self._settled.forget()
            self._known.clear()

    def _settle(self, capture_time: datetime) -> None:
        """Store the last sightings of sessions that are over, and forget what nobody needs any more."""
        if not self._sessions or not self._lock.acquire(blocking=False):
            return
        try:
            now = self._clock()
            over = [
                key
                for key, state in self._sessions.items()
                if state.ends_at <= capture_time and now - state.used >= _IDLE_S
            ]
            self._store_all(over)
            if over:
                self._observer.put()
            if len(over) == len(self._sessions) and all(
                now - state.used >= _FORGET_S for state in self._sessions.values()
            ):
                self._sessions.clear()
                self._tracker.forget()
                self._settled.forget()
                self._judge.forget_faces()
                self._known.clear()
        except OutboxError as error:  # what is kept here is tried again with the next frame
            log.warning("last_sightings_not_stored", camera=self._camera_id, error=str(error))
        finally:
            self._lock.release()
