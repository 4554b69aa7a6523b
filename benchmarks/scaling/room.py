"""A room before a simulated camera: who sits there, who shows their face, and which faces the service encodes.

Tracks, following and confirmation are the service's own. Made up are the places of the faces, which nobody leaves, and
what they look like: each face like itself in every frame, and like nobody else's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

import numpy as np
from numpy.typing import NDArray

from attendance.database.models import Origin
from attendance.face_engine.interface import DetectedFace, Face
from attendance.settings.matching import MatchingRules
from recognition_service.engine.layouts import Layout
from recognition_service.evidence.confirmation import Confirmer
from recognition_service.evidence.following import Conditions, FaceChoice, Following
from recognition_service.evidence.matching import Matcher
from recognition_service.evidence.seen import FaceMatch, MatchKind
from recognition_service.evidence.tracking import Tracker

_BEGINS = datetime(2026, 10, 5, 9, tzinfo=UTC)
_COLUMNS, _ACROSS, _DOWN = 5, 384, 270
"""Faces in a row, and pixels between two of them, as in `benchmarks.service.scenes`."""
_NARROWEST, _WIDEST = 50.0, 110.0
"""Pixels of a face in the last row and in the first."""
_LAYOUT: Layout = np.zeros((8, 8, 3), np.float32)
"""What is seen at every place: nothing changes there."""


@dataclass(slots=True)
class Student:
    """Who has a seat in the room."""

    name: str
    sits_at: float
    """Seconds of the simulation."""
    confirmed_at: float | None = None


class Room:
    """What the service knows of one camera's room. Seconds are the simulation's."""

    def __init__(
        self,
        students: Sequence[Student],
        rules: MatchingRules,
        chance: np.random.Generator,
        clock: Callable[[], float],
        *,
        facing: float,
    ) -> None:
        """Begin without anybody seen.

        Args:
            students: whom the camera sees, each in a place of their own.
            rules: of confirmation and following.
            chance: decides who looks up, and how like their photos they are.
            clock: seconds.
            facing: share of the frames in which somebody's face can be seen.
        """
        self.students = students
        self._rules, self._chance, self._facing = rules, chance, facing
        self._confirmer = Confirmer(rules)
        self._tracker = Tracker(rules, clock)
        self._following = Following(rules, self._tracker)
        self._follows = rules.encode_interval_s > 0
        self._boxes = _boxes(len(students))
        self._looks = np.eye(len(students), dtype=np.float32)
        # What is not simulated is left out: no session ends, and no index is published.
        self._conditions = Conditions(Origin.LIVE, cast("Matcher", None), (1,), 1, frozenset(), frozenset())

    @property
    def follows(self) -> bool:
        """Whether there is anybody whose face need not be encoded."""
        return self._follows and self._following.anybody

    def visible(self, at: float) -> list[int]:
        """Who shows their face in a frame that is captured now, by their places."""
        facing = self._chance.random(len(self.students)) <= self._facing
        return [seat for seat, student in enumerate(self.students) if student.sits_at <= at and facing[seat]]

    def choose(self, at: float, seats: Sequence[int]) -> FaceChoice:
        """Which faces of a frame must be encoded; the places in the choice count within `seats`."""
        return self._following.choose(self._conditions, _time(at).timestamp(), self._faces(seats), _look)

    def choose_more(self, choice: FaceChoice, seats: Sequence[int], encoded: Sequence[int]) -> list[int]:
        """Whom else, now that some are encoded; all by their places within `seats`."""
        if not choice.followed:
            return []
        return self._following.more(choice, {place: self._face(seats[place]) for place in encoded})

    def count(self, at: float, seats: Sequence[int], choice: FaceChoice | None) -> list[Student]:
        """Take a frame's faces in; returns those whom it confirms.

        Args:
            at: when it was captured.
            seats: who is visible in it.
            choice: which of them were encoded; None: all.
        """
        captured = _time(at)
        if choice is None and self._follows:
            faces, layouts = self._faces(seats), _look(self._boxes[seats])
            choice = self._following.all_encoded(self._conditions, captured.timestamp(), faces, layouts)
        encoded = list(range(len(seats))) if choice is None else choice.to_encode
        followed = (
            {} if choice is None else {track: self._boxes[seats[place]] for place, track in choice.followed.items()}
        )
        chosen = [seats[place] for place in encoded]
        tracks = self._tracks(captured, chosen, followed)
        confirmed = []
        for place, seat, track in zip(encoded, chosen, tracks, strict=True):
            match = self._match(self.students[seat])
            counts = self._confirmer.observe(seat, captured, match) is not None
            if counts:
                confirmed.append(self.students[seat])
            if choice is not None:
                self._settle(choice, place, track, match, seat, counts=counts)
        if choice is not None:
            self._following.saw(choice)
        return confirmed

    def _tracks(
        self, captured: datetime, seats: Sequence[int], followed: Mapping[int, NDArray[np.float32]]
    ) -> Sequence[int]:
        """The tracks of encoded faces; nobody asks for them where every face is encoded."""
        if not self._follows:
            return seats
        tracked = self._tracker.update(captured, self._boxes[seats], self._looks[seats], followed)
        return [face.track for face in tracked]

    def _settle(self, choice: FaceChoice, place: int, track: int, match: FaceMatch, seat: int, *, counts: bool) -> None:
        """As `CameraFlow` does with an encoded face."""
        if match.student is not None and counts:
            self._following.settle(choice, place, track, match.student, self._looks[seat : seat + 1])
        elif match.kind is MatchKind.UNKNOWN:
            self._following.look_again(choice, place, track)
        else:
            self._following.unsettle(track)

    def _match(self, student: Student) -> FaceMatch:
        """As far from the student's photos as a face in a lecture is: two spans within the threshold, give or take one.

        With dlib's numbers 0.45 +- 0.05, which `recognition_service.evidence.confirmation` was judged by.
        """
        rules = self._rules
        distance = self._chance.normal(rules.threshold - 2 * rules.vote_span, rules.vote_span)
        kind = MatchKind.STUDENT if distance <= rules.threshold else MatchKind.UNKNOWN
        named = student.name if kind is MatchKind.STUDENT else None
        return FaceMatch(kind, named, distance, distance + 4 * rules.margin, nearest=student.name)

    def _faces(self, seats: Sequence[int]) -> list[DetectedFace]:
        return [DetectedFace(self._boxes[seat], 1.0) for seat in seats]

    def _face(self, seat: int) -> Face:
        landmarks = np.zeros((5, 2), np.float32)
        return Face(
            box=self._boxes[seat], score=1.0, landmarks=landmarks, encoding=self._looks[seat], sharpness=float("inf")
        )


def _boxes(count: int) -> NDArray[np.float32]:
    """Where people sit: left, top, right, bottom, shape (count, 4)."""
    rows, columns = np.divmod(np.arange(count), _COLUMNS)
    centres = np.stack([(columns + 0.5) * _ACROSS, (rows + 0.5) * _DOWN], axis=1)
    half = np.linspace(_NARROWEST, _WIDEST, count)[:, np.newaxis] / 2
    return np.concatenate([centres - half, centres + half], axis=1).astype(np.float32)


def _look(boxes: NDArray[np.float32]) -> list[Layout]:
    return [_LAYOUT] * len(boxes)


def _time(at: float) -> datetime:
    return _BEGINS + timedelta(seconds=at)
