"""What one camera makes of the faces that it names: persons, pictures, and what cannot be."""

from collections.abc import Callable
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from attendance.database.models import HeldReason, Origin
from attendance.face_engine.interface import Face
from attendance.face_engine.liveness import LivenessModel
from attendance.settings.matching import MatchingRules, Presentation
from recognition_service.presentation.check import CLEAR, FaceVerdict, PresentationCheck, State
from recognition_service.presentation.impossible import Spots, Whereabouts
from recognition_service.presentation.views import FaceView


class PresentationJudge:
    """Judges the faces of one stream. Used by one thread at a time."""

    def __init__(
        self,
        rules: MatchingRules,
        room_id: int,
        *,
        whereabouts: Whereabouts | None = None,
        model: LivenessModel | None = None,
    ) -> None:
        """Begin with nobody.

        Args:
            rules: say whether anything is judged at all.
            room_id: where the camera stands.
            whereabouts: of all cameras of the service; the stream's own unless given.
            model: looks at faces too, where there is one.
        """
        self._on = rules.presentation is Presentation.HOLD
        self._room_id = room_id
        self._check = PresentationCheck(rules, model)
        self._spots = Spots()
        self._whereabouts = whereabouts or Whereabouts()

    def of_face(  # noqa: PLR0917 - one face of one frame
        self,
        session: tuple[int, Origin],
        person: tuple[int, int],
        student: str | None,
        capture_time: datetime,
        face: Face,
        view: FaceView | None,
        enrolled: Callable[[], NDArray[np.float32]],
    ) -> FaceVerdict:
        """Take in one face of one frame.

        Args:
            session: for which it counts, and how the frame came.
            person: track and person, as the tracker numbers them.
            student: whom it was named; a face that was not named is no picture of anybody.
            capture_time: aware.
            face: as found.
            view: its pixels.
            enrolled: gives the student's encodings.
        """
        if not self._on:
            return CLEAR
        self._spots.see(person[0], face.box)
        if student is None:
            return CLEAR
        return self._check.see((session, person[1], student), capture_time.timestamp(), view, face.encoding, enrolled)

    def of_confirmation(
        self, student: str, track: int, origin: Origin, at: datetime, verdict: FaceVerdict
    ) -> FaceVerdict:
        """Whether a student whose votes suffice is confirmed, by all that is known; `verdict` is that of the face."""
        if not self._on or verdict.state is State.WAITING:
            return verdict
        reasons = verdict.reasons
        if origin is Origin.LIVE and self._whereabouts.is_elsewhere(student, self._room_id, at):
            reasons += (HeldReason.TWO_ROOMS,)
        elif not reasons and origin is Origin.LIVE and self._whereabouts.may_be_elsewhere(student, self._room_id, at):
            return FaceVerdict(State.WAITING, (HeldReason.TWO_ROOMS,))
        if self._spots.is_crowded(track, student, at):
            reasons += (HeldReason.ONE_SPOT,)
        return FaceVerdict(State.SUSPECT, reasons) if reasons else verdict

    def confirmed(self, student: str, origin: Origin, at: datetime) -> None:
        """Note that a student was seen in the room, beyond doubt."""
        if self._on and origin is Origin.LIVE:
            self._whereabouts.seen(student, self._room_id, at)

    def may_follow(self, student: str, origin: Origin, at: datetime) -> bool:
        """Whether a confirmed student's face need not be encoded in a frame: no other room doubts that it is they."""
        return not self._on or origin is not Origin.LIVE or self._whereabouts.follow(student, self._room_id, at)

    def forget(self, student: str) -> None:
        """Forget a student who was erased, and every face, as one of them may be theirs."""
        self._check.forget()
        self._spots.forget(student)
        self._whereabouts.forget([student])

    def forget_faces(self) -> None:
        """Forget every face and every spot."""
        self._check.forget()
        self._spots.forget()
