"""Following: which faces of a frame must be encoded, and which stay where a confirmed student was encoded a moment ago.

A *settled* track is one whose last encoded faces, as many as confirm a student, named one who is confirmed in every
session that the student counts in, clear of all doubts. Encoding it again would change nothing, so it is *followed*:
its face is told by its place, for at most `encode_interval_s` after the last encoding. A followed face names nobody, is
no vote, moves no `last_seen`, and no judgement of presentations sees it. So nobody is ever taken for somebody else by
their place; what remains is that somebody new could be overlooked until the next encoding. Each way to that is closed:

=================================  ==================================================================================
somebody else comes                and is encoded at that frame, because
=================================  ==================================================================================
into a free place                  no track was there
while the student is away          a track that was missing in a single frame is not followed
while the camera was away          a step longer than the camera's own, or than 15 seconds, follows nobody
by shifting over, however slowly   the face must overlap both its last box and that of its last encoding by half
by crossing, or covering the face  no other face, and no other live track, may touch the one or the other, but one
                                   that is less than half as wide: nobody becomes so much larger at once
from a seat that is left empty     where a track has been gone for two frames, whoever it could have reached is encoded
at once, in the same place         what is seen there changes: hair, clothes, what is behind them (`engine.layouts`)
by changing places with another    whoever is encoded, may be a followed person, and is not plainly the one who was
                                   there before, has that one encoded too (`more`)
before another camera as well      `presentation.impossible` asks for the face of whom it doubts
in another session, or index       nobody is settled under other conditions; whose frames come another way, neither
=================================  ==================================================================================

A face that turned away and is nobody's at its next encoding stays settled, as its track is joined by what it looks
like, and is encoded again after a twelfth of the interval.
"""

from collections import OrderedDict, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from attendance.database.models import Origin
from attendance.face_engine.interface import DetectedFace, Face
from attendance.settings.matching import MatchingRules
from recognition_service.engine.layouts import Layout, LookAtPlaces, apart
from recognition_service.evidence.boxes import overlaps_of, reachable, resized, touched
from recognition_service.evidence.frame_plan import FramePlan
from recognition_service.evidence.matching import Matcher, is_too_small
from recognition_service.evidence.tracking import Track, Tracker

_STAYS = 0.5
"""Least intersection over union with where the face was: it has moved by a third of its width at most."""
_BESIDE = 0.2
"""Faces and tracks nearer than this share of a face's box touch it."""
_SAME_LAYOUT = 6.0
"""Grey levels by which layouts of somebody who stays may be apart. In a dark clip with a moving camera those of one
person in two frames were 1 to 5 apart where the boxes overlapped by three quarters; those of two people 5.6 at least,
under 7 in one pair of a hundred, and 27 in the middle."""
_QUICK_S, _SLOWEST_S = 1.0, 15.0
"""Nobody changes places within the one; whoever films less often than the other is followed by nothing. A service that
has more to do than it can takes fewer frames of each camera: if it had to encode every face for that, it would never
have less to do again."""
_STEPS, _LONGER = 5, 1.5
"""A step is longer than the camera's own when it is longer by this than the longest of so many before."""
_SOONER = 12.0
"""What part of the interval a face that was encoded and named nobody is followed for."""
_GOLDEN = 0.6180339887
"""Its multiples, without whole numbers, are spread evenly: faces settled together are not all due together."""
_MOST = 512
"""Tracks remembered as settled, as many as a tracker has."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under which a student is settled: under others, the face is encoded."""

    origin: Origin
    matcher: Matcher
    sessions: tuple[int, ...]
    running: int
    roster: frozenset[str]
    guests: frozenset[str]

    @classmethod
    def of(cls, plan: FramePlan, origin: Origin, matcher: Matcher) -> "Conditions":
        """Those of a frame."""
        sessions = tuple(session.session_id for session in plan.sessions)
        return cls(origin, matcher, sessions, plan.running, plan.roster, plan.guests)


@dataclass(slots=True, eq=False)
class FaceChoice:
    """What becomes of the faces of one frame, which are known by their places among those found."""

    conditions: Conditions
    at: float
    """Of the frame's capture, seconds."""
    boxes: NDArray[np.float32]
    """Shape (n, 4)."""
    layouts: Sequence[Layout]
    sizes: NDArray[np.float32]
    """Shape (n, 2): widths and heights of the boxes about their centres that the layouts are of."""
    small: frozenset[int] = frozenset()
    """Those too small to be named, whatever they look like."""
    followed: dict[int, int] = field(default_factory=dict)
    """The track that each of those goes on that need not be encoded."""
    in_place: dict[int, int] = field(default_factory=dict)
    """The track that alone was where each of those is, which are alone there, and have hardly moved."""

    @property
    def to_encode(self) -> list[int]:
        """Those that must be encoded."""
        return [place for place in range(len(self.boxes)) if place not in self.small and place not in self.followed]


@dataclass(slots=True)
class _Settled:
    """A track at its last encoding."""

    conditions: Conditions
    student: str
    own: NDArray[np.float32]
    """The student's encodings."""
    box: NDArray[np.float32]
    layout: Layout
    size: NDArray[np.float32]
    """Width and height of the box that the layout is of."""
    due: float
    """When it is encoded again, seconds of capture."""
    named: int
    """How many encoded faces in a row have named the student since the confirmation."""


@dataclass(slots=True)
class _Rhythm:
    """How a camera samples, by its frames of one origin that were taken in."""

    last: float | None = None
    before: float | None = None
    steps: deque[float] = field(default_factory=lambda: deque(maxlen=_STEPS))

    def take(self, at: float) -> None:
        """Take in a frame."""
        if self.last is not None and 0 < at - self.last <= _SLOWEST_S:
            self.steps.append(at - self.last)
        self.before, self.last = self.last, at

    def is_next(self, at: float) -> bool:
        """Whether a frame is the next one, with none missing in between."""
        if self.last is None or not self.steps:
            return False
        return 0 < at - self.last <= min(max(_LONGER * max(self.steps), _QUICK_S), _SLOWEST_S)


class Following:
    """The settled tracks of one stream. Used by one thread at a time."""

    def __init__(self, rules: MatchingRules, tracker: Tracker) -> None:
        """Begin with nobody settled."""
        self._rules = rules
        self._tracker = tracker
        self._interval = rules.encode_interval_s
        self.anybody = False
        """Whether any track is settled; may be read from any thread."""
        self._settled: OrderedDict[int, _Settled] = OrderedDict()  # and those about to be
        self._rhythms: dict[Origin, _Rhythm] = {}
        self._conditions: dict[Origin, Conditions] = {}

    def choose(
        self, conditions: Conditions, at: float, faces: Sequence[DetectedFace | Face], look: LookAtPlaces
    ) -> FaceChoice:
        """Say which faces of a frame are to be encoded.

        Args:
            conditions: of the frame.
            at: when it was captured, seconds.
            faces: that were found in it.
            look: tells what is seen at places of it.
        """
        boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4)
        small = frozenset(place for place, face in enumerate(faces) if is_too_small(face, self._rules))
        conditions = self._canonical(conditions)
        sizes = self._sizes(conditions, boxes)
        choice = FaceChoice(conditions, at, boxes, look(resized(boxes, sizes)), sizes, small)
        rhythm = self._rhythms.get(conditions.origin)
        if self.anybody and len(faces) and rhythm is not None and rhythm.is_next(at):
            choice.followed = self._followed(choice, rhythm, self._tracker.live(at))
        return choice

    def all_encoded(
        self, conditions: Conditions, at: float, faces: Sequence[DetectedFace | Face], layouts: Sequence[Layout]
    ) -> FaceChoice:
        """The choice for a frame whose faces were encoded anyway, but those too small to be named, which come last.

        Args:
            conditions: of the frame.
            at: when it was captured, seconds.
            faces: that were found in it.
            layouts: what is seen at the places of those encoded.
        """
        boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4)
        return FaceChoice(self._canonical(conditions), at, boxes, layouts, _sizes_of(boxes))

    def more(self, choice: FaceChoice, encoded: Mapping[int, Face]) -> list[int]:
        """Whom else to encode, now that some faces of the frame are: whoever one of those may be, too.

        Args:
            choice: of the frame; those in question are followed no more.
            encoded: faces, by their places.
        """
        if not choice.followed:
            return []
        usable = [
            place
            for place, face in encoded.items()
            if np.isfinite(face.encoding).all() and not self._is_again(choice, place, face.encoding)
        ]
        if not usable:
            return []
        encodings = np.stack([encoded[place].encoding for place in usable])
        tracks = choice.followed.values()
        claimed = self._tracker.claimed(choice.at, choice.boxes[usable], encodings, tracks)
        return self.release(choice, claimed | {track for track in tracks if self._may_be_named(track, encodings)})

    def release(self, choice: FaceChoice, tracks: Collection[int]) -> list[int]:
        """Follow these tracks no more in this frame; returns the places to be encoded for that."""
        places = [place for place, track in choice.followed.items() if track in tracks]
        for place in places:
            del choice.followed[place]
        return places

    def student_of(self, track: int) -> str:
        """Who is settled there."""
        return self._settled[track].student

    def saw(self, choice: FaceChoice) -> None:
        """Take in that the frame was counted."""
        self._rhythms.setdefault(choice.conditions.origin, _Rhythm()).take(choice.at)
        for track, settled in list(self._settled.items()):  # frames of another origin have times of their own
            if self._tracker.is_over(track, choice.at if settled.conditions is choice.conditions else None):
                del self._settled[track]
        in_use = {choice.conditions.origin} | {settled.conditions.origin for settled in self._settled.values()}
        self._conditions = {origin: known for origin, known in self._conditions.items() if origin in in_use}
        self.anybody = any(self._is_settled(track) for track in self._settled.values())

    def settle(self, choice: FaceChoice, place: int, track: int, student: str, own: NDArray[np.float32]) -> None:
        """Take in an encoded face that named whom its track is confirmed as.

        Args:
            choice: of the frame.
            place: of the face.
            track: that it is on.
            student: index number.
            own: the student's encodings, shape (m, d).
        """
        before = self._settled.get(track)
        named = 1 + (before.named if before is not None and before.student == student else 0)
        spread = 1.0 if named > self._rules.confirm_frames else 0.5 + 0.5 * (_GOLDEN * track % 1.0)
        due = choice.at + spread * self._interval
        box, layout, size = choice.boxes[place], choice.layouts[place], choice.sizes[place]
        self._settled[track] = _Settled(choice.conditions, student, own, box, layout, size, due, named)
        self._settled.move_to_end(track)
        while len(self._settled) > _MOST:
            self._settled.popitem(last=False)

    def look_again(self, choice: FaceChoice, place: int, track: int) -> None:
        """Take in an encoded face, on a settled track, that is like nobody: it is encoded again soon."""
        settled = self._settled.get(track)
        if settled is not None and settled.conditions is choice.conditions:
            settled.box = choice.boxes[place]
            settled.layout, settled.size = choice.layouts[place], choice.sizes[place]
            settled.due = choice.at + self._interval / _SOONER

    def unsettle(self, track: int) -> None:
        """Follow a track no more."""
        self._settled.pop(track, None)

    def forget(self) -> None:
        """Forget everybody."""
        self.anybody = False
        self._settled.clear()
        self._conditions.clear()

    def _is_settled(self, track: _Settled) -> bool:
        return track.named >= self._rules.confirm_frames

    def _canonical(self, conditions: Conditions) -> Conditions:
        """The same conditions as before, as the same object; under new ones nobody of their origin is settled."""
        known = self._conditions.get(conditions.origin)
        if known == conditions:
            return known
        self._conditions[conditions.origin] = conditions
        for track in [track for track, settled in self._settled.items() if settled.conditions is known]:
            del self._settled[track]
        return conditions

    def _sizes(self, conditions: Conditions, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of what is looked at for each face: as at the last encoding, where somebody settled is.

        The detector's boxes of a face that nobody moves differ by a tenth, and so does what is seen in them.
        """
        sizes = _sizes_of(boxes)
        settled = [track for track in self._settled.values() if track.conditions is conditions]
        if settled and len(boxes):
            overlaps = overlaps_of(boxes, np.stack([track.box for track in settled]))
            for place in np.flatnonzero(overlaps.max(axis=1) >= _STAYS).tolist():
                sizes[place] = settled[int(overlaps[place].argmax())].size
        return sizes

    def _followed(self, choice: FaceChoice, rhythm: _Rhythm, live: Sequence[Track]) -> dict[int, int]:
        if not live:
            return {}
        boxes, last = choice.boxes, np.stack([track.box for track in live])
        beside_tracks, beside_faces = touched(boxes, last, _BESIDE), touched(last, boxes, _BESIDE)
        alone = touched(boxes, boxes, _BESIDE).sum(axis=1) == 1
        stays = overlaps_of(boxes, last) >= _STAYS
        gone = [live[column] for column in np.flatnonzero(~np.any(beside_faces, axis=1)).tolist()]
        left = _near_who_left(choice, [track for track in gone if track.time == rhythm.before])
        followed = {}
        for place in np.flatnonzero(alone & (beside_tracks.sum(axis=1) == 1) & ~left).tolist():
            [column] = np.flatnonzero(beside_tracks[place]).tolist()
            track = live[column]
            only = beside_faces[column].sum() == 1 and stays[place, column]
            if not only or track.time != rhythm.last or place in choice.small:
                continue
            choice.in_place[place] = track.number
            if self._is_as_encoded(choice, place, track):
                followed[place] = track.number
        return followed

    def _is_as_encoded(self, choice: FaceChoice, place: int, track: Track) -> bool:
        """Whether a face is where and as its settled track was at its last encoding."""
        settled = self._settled.get(track.number)
        if settled is None or not self._is_settled(settled):
            return False
        if settled.conditions is not choice.conditions or choice.at >= settled.due:
            return False
        stays = overlaps_of(choice.boxes[place][np.newaxis], settled.box[np.newaxis])[0, 0] >= _STAYS
        return bool(stays) and apart(choice.layouts[place], settled.layout) <= _SAME_LAYOUT

    def _is_again(self, choice: FaceChoice, place: int, encoding: NDArray[np.float32]) -> bool:
        """Whether an encoded face is whom its place is settled as, and nearer, by the margin, than to others."""
        here = self._settled.get(choice.in_place.get(place, 0))
        if here is None:
            return False
        own = _nearest(encoding[np.newaxis], here.own)
        others = [self._settled[track].own for track in choice.followed.values() if track in self._settled]
        return own <= self._rules.threshold and all(
            own + self._rules.margin <= _nearest(encoding[np.newaxis], other) for other in others
        )

    def _may_be_named(self, track: int, encodings: NDArray[np.float32]) -> bool:
        """Whether one of the encodings is near enough to be named whom the track is settled as."""
        settled = self._settled.get(track)
        if settled is None:
            return True  # was forgotten meanwhile
        return _nearest(encodings, settled.own) <= self._rules.threshold


def _sizes_of(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Widths and heights of boxes, shape (n, 2)."""
    return boxes[:, 2:] - boxes[:, :2]


def _nearest(encodings: NDArray[np.float32], own: NDArray[np.float32]) -> float:
    """The least distance between encodings, shape (n, d), and those of a student, shape (m, d)."""
    return float(np.linalg.norm(encodings[:, np.newaxis] - own, axis=2).min(initial=np.inf))


def _near_who_left(choice: FaceChoice, gone: Sequence[Track]) -> NDArray[np.bool_]:
    """Whether each face is where one of those may be who are missing in this frame and the last."""
    if not gone:
        return np.zeros(len(choice.boxes), np.bool_)
    elapsed = np.array([choice.at - track.time for track in gone])
    near = reachable(choice.boxes, np.stack([track.box for track in gone]), elapsed)
    return np.asarray(np.any(near, axis=1), np.bool_)
