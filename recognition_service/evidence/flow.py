"""What the faces of one camera become: matches, tracks, confirmations, and sightings in the outbox.

One `CameraFlow` serves one stream. It knows nothing of the network: frames come in with their capture time and the
faces that the engine found in them. A sighting is in the outbox, synced to disk, before `observe` returns, so a frame
may be acknowledged when it has returned.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

import numpy as np
import structlog
from numpy.typing import NDArray

from attendance.database.models import Origin
from attendance.database.watching.observation import NOBODY
from attendance.face_engine.interface import DetectedFace, Face
from attendance.settings.matching import MatchingRules
from recognition_service.engine.layouts import Layout, LookAtPlaces
from recognition_service.engine.looks import Look
from recognition_service.evidence.clearness import ClearFrom, View
from recognition_service.evidence.following import Conditions, FaceChoice, Following
from recognition_service.evidence.frame_plan import FramePlan, Plans, frame_plan
from recognition_service.evidence.kept_sessions import KeptSessions
from recognition_service.evidence.matching import Matcher, is_too_small, one_face_each
from recognition_service.evidence.observing import Observer, Sight
from recognition_service.evidence.seen import (
    FOLLOWED,
    STRANGER,
    TOO_SMALL,
    FaceMatch,
    MatchKind,
    SeenFace,
    counts_of,
    width_of,
)
from recognition_service.evidence.settled import SettledFaces
from recognition_service.evidence.tracking import TrackedFace, Tracker
from recognition_service.outbox.sink import Sink
from recognition_service.outbox.store import OutboxError
from recognition_service.presentation.check import FaceVerdict, State
from recognition_service.presentation.judging import PresentationJudge
from recognition_service.presentation.views import FaceView

log = structlog.get_logger(__name__)

_IDLE_S = 5.0
"""After an ended session has had no frame for so long, its last sightings are stored."""
_FORGET_S = 60.0
"""After no frame has counted for so long, what faces looked like is forgotten."""
_MOST_KNOWN = 2048
"""Persons remembered as confirmed."""


class CameraFlow:
    """The evidence of one stream. `plan` and `observe` block (disk, database): call them off the event loop."""

    def __init__(  # noqa: PLR0917 - what a flow is made of
        self,
        camera_id: int,
        room_id: int,
        timetable: Plans,
        matcher_of: Callable[[], Matcher],
        outbox: Sink,
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
        self._tracker = Tracker(rules, clock)
        self._following = Following(rules, self._tracker)
        self._settled = SettledFaces(rules)
        self._sessions = KeptSessions(camera_id, outbox, rules, erased=self._forget_erased, clock=clock)
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

    @property
    def follows(self) -> bool:
        """Whether there is anybody whose face need not be encoded, as far as is known before a frame is looked at."""
        return self._following.anybody

    def choose(
        self,
        plan: FramePlan,
        capture_time: datetime,
        faces: Sequence[DetectedFace],
        look: LookAtPlaces,
        *,
        origin: Origin = Origin.LIVE,
    ) -> FaceChoice:
        """Say which faces of the next frame must be encoded, before it is observed.

        Args:
            plan: what `plan` gave for the capture time.
            capture_time: aware.
            faces: that were found in the frame.
            look: tells what is seen at places of the frame.
            origin: how it came.
        """
        with self._lock:
            conditions = Conditions.of(plan, origin, self._matcher_of())
            choice = self._following.choose(conditions, capture_time.timestamp(), faces, look)
            for track in list(choice.followed.values()):
                if not self._judge.may_follow(self._following.student_of(track), origin, capture_time):
                    self._following.release(choice, [track])
            return choice

    def choose_more(self, choice: FaceChoice, encoded: Mapping[int, Face]) -> list[int]:
        """The places of further faces that must be encoded, now that some of the frame are; ask until there are none.

        Args:
            choice: what `choose` gave for the frame.
            encoded: the faces encoded for it lately, by their places.
        """
        with self._lock:
            return self._following.more(choice, encoded)

    def observe(
        self,
        plan: FramePlan,
        capture_time: datetime,
        faces: Sequence[Face | DetectedFace],
        *,
        views: Sequence[FaceView | None] = (),
        origin: Origin = Origin.LIVE,
        look: Look = Look(),  # noqa: B008 - it does not change
        choice: FaceChoice | None = None,
        layouts: Sequence[Layout] | None = None,
    ) -> list[SeenFace]:
        """Count the faces of one frame; what they confirm is on disk when this returns.

        Faces too small to be named are part of the answer and of nothing else: no track, no vote for or against. Faces
        that were not encoded are no more than that, either, but that the tracks that they are followed on go on.
        Frames may come late or twice: a frame counts for the sessions of its capture time, and one moment counts once.

        Args:
            plan: what `plan` gave for the capture time.
            capture_time: aware.
            faces: of the frame; not encoded are only those that `choice` says.
            views: their pixels, one a face encoded or more; a face without pixels shows no sign of life.
            origin: how it came. Frames of one origin confirm nobody together with those of another.
            look: what it looks like.
            choice: what `choose` gave for the frame; None: all its faces that are large enough were encoded.
            layouts: what is seen at the places of the faces of a frame that needs no `choice`, of those encoded, which
                come first; None: nobody becomes one whose face need not be.

        Returns:
            One for each face, in order.

        Raises:
            OutboxError: sightings could not be stored; the frame must not be acknowledged. They are kept, and stored
                with the next frame that can be.
            ValueError: the encodings are not of the gallery's size.
        """
        with self._lock:
            small = [is_too_small(face, self._rules) for face in faces]
            usable = {
                place: face
                for place, face in enumerate(faces)
                if isinstance(face, Face) and not small[place] and np.isfinite(face.encoding).all()
            }
            matcher = self._matcher_of()
            if choice is None and layouts is not None:
                choice = self._following.all_encoded(
                    Conditions.of(plan, origin, matcher), capture_time.timestamp(), faces, layouts
                )
            followed = {} if choice is None else choice.followed
            places = {track: faces[place].box for place, track in followed.items()}
            matches, tracked = self._identify(matcher, list(usable.values()), capture_time, plan, places)
            for session in plan.sessions:
                self._sessions.keep(session, origin)
            seen = [
                self._not_compared(face, followed.get(place))
                if isinstance(face, DetectedFace) and not below
                else SeenFace(face, TOO_SMALL if below else STRANGER, 0, False)
                for place, (face, below) in enumerate(zip(faces, small, strict=True))
            ]
            for (place, face), match, track in zip(usable.items(), matches, tracked, strict=True):
                view = views[place] if views else None
                verdict = self._verdict(plan, capture_time, origin, face, view, match, track, matcher)
                seen[place] = self._count(plan, capture_time, origin, face, match, track, verdict, matcher)
                if choice is not None:
                    self._settle_track(choice, place, seen[place], matcher)
            if choice is not None:
                self._following.saw(choice)
            self._sessions.store(plan.sessions, origin)
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
            self._following.forget()

    def finish(self) -> None:
        """Store the last sightings of everybody confirmed, and what was observed: the stream ends.

        Raises:
            OutboxError: they could not be stored.
        """
        with self._lock:
            self._sessions.store_all(list(self._sessions))
            self._observer.put()

    def _forget_erased(self, students: Collection[str]) -> None:
        """Forget who was erased meanwhile, as storing their sightings has told."""
        for student in students:
            self._judge.forget(student)
        self._settled.forget()
        self._following.forget()
        self._known.clear()

    def _identify(
        self,
        matcher: Matcher,
        faces: Sequence[Face],
        capture_time: datetime,
        plan: FramePlan,
        followed: Mapping[int, NDArray[np.float32]],
    ) -> tuple[list[FaceMatch], list[TrackedFace]]:
        """Whom each encoded face is matched with, and where it belongs; those followed are where their boxes say."""
        if not faces:
            self._settled.use(matcher)
            none = np.empty((0, 4), np.float32)
            return [], self._tracker.update(capture_time, none, np.empty((0, 0), np.float32), followed)
        encodings = np.stack([face.encoding for face in faces])
        matcher.require_size(encodings)
        tracked = self._tracker.update(capture_time, np.stack([face.box for face in faces]), encodings, followed)
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

    def _not_compared(self, face: DetectedFace, track: int | None) -> SeenFace:
        """A face that was not encoded; None: its track was forgotten meanwhile."""
        person = None if track is None else self._tracker.person_of(track)
        if track is None or person is None:
            return SeenFace(face, FOLLOWED, 0, False)
        return SeenFace(face, FOLLOWED, track, False, person in self._known)

    def _settle_track(self, choice: FaceChoice, place: int, seen: SeenFace, matcher: Matcher) -> None:
        """Say whether an encoded face's track may be followed from now on."""
        student = seen.match.student
        if student is not None and seen.everywhere:
            self._following.settle(choice, place, seen.track, student, matcher.gallery.rows_of(student))
        elif seen.match.kind is MatchKind.UNKNOWN:
            self._following.look_again(choice, place, seen.track)
        else:
            self._following.unsettle(seen.track)

    def _know(self, person: int) -> None:
        self._known[person] = None
        self._known.move_to_end(person)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def _count(  # noqa: PLR0917 - one face of one frame
        self,
        plan: FramePlan,
        capture_time: datetime,
        origin: Origin,
        face: Face,
        match: FaceMatch,
        track: TrackedFace,
        verdict: FaceVerdict,
        matcher: Matcher,
    ) -> SeenFace:
        """One face's vote in every session of the plan."""
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
                self._sessions.enter(key, confirmation, matcher.gallery.version)
                self._judge.confirmed(student, origin, capture_time)
                confirmed += 1
            elif student not in state.records:
                self._sessions.hold(key, confirmation, judged, matcher.gallery.version)
        if confirmed:
            self._know(track.person)
        everywhere = confirmed == len(theirs) > 0
        if everywhere:
            self._settled.confirmed(matcher, face.encoding, plan.roster, track.person, match)
        return SeenFace(face, match, track.track, confirmed > 0, track.person in self._known, everywhere)

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
            self._sessions.store_all(over)
            if over:
                self._observer.put()
            if len(over) == len(self._sessions) and all(
                now - state.used >= _FORGET_S for state in self._sessions.values()
            ):
                self._sessions.clear()
                self._tracker.forget()
                self._settled.forget()
                self._following.forget()
                self._judge.forget_faces()
                self._known.clear()
        except OutboxError as error:  # what is kept here is tried again with the next frame
            log.warning("last_sightings_not_stored", camera=self._camera_id, error=str(error))
        finally:
            self._lock.release()
