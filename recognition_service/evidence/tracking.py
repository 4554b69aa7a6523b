"""Tracking: which faces of successive frames are one track, and which tracks are one person.

A track joins faces by motion and appearance, as Deep SORT does (Wojke, Bewley, Paulus: "Simple online and realtime
tracking with a deep association metric", ICIP 2017): the appearance cost is the smallest distance between the face's
encoding and the track's recent ones, and implausible motion is gated out. Boxes are compared with the last one seen,
not with a predicted one, and pairs are taken greedily, best first (Bochinski, Eiselein, Sikora: "High-speed
tracking-by-detection without using image information", AVSS 2017): a lecture camera samples a few frames a second, too
few for a motion model, while face encodings tell people apart far better than motion does.

A track ends when its face is out of sight for `track_gap_s`. A later track whose face looks like an ended track's
belongs to the same *person*; evidence is gathered per person, so that someone who is seen for a moment now and then is
still confirmed, and so that what speaks against a name is not forgotten when the face turns away.

A face that was not encoded goes on the track that `following` names: it moves the track's place, and nothing else.

Times are capture times and may run backwards: a camera that lost its network sends old frames between new ones. A face
joins tracks that are near in time, in either direction.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from attendance.settings.matching import MatchingRules
from recognition_service.evidence.boxes import overlaps_of, reachable

_OVERLAP = 0.3
"""Least intersection over union of one face in two frames (Bewley et al., "Simple online and realtime tracking", ICIP
2016, section 4)."""
_REMEMBERED = 10
"""Encodings that a track or a person is known by."""
_MOST = 512
"""Tracks, and persons, remembered; those seen longest ago are forgotten first."""
_KEPT_S = 120.0
"""How long a track that ended is kept after its last frame came, for late ones that are near it in time. A camera that
sends kept frames pauses for a minute at most, and two steps of a slow one take half a minute."""
_SLOW_FACTOR, _SLOWEST_S = 2.2, 15.0
"""A camera that samples slowly gets a longer gap: two of its intervals, the interval being at most so many seconds."""


@dataclass(frozen=True, slots=True)
class TrackedFace:
    """Where one face of a frame belongs. Numbers count from 1 and are never used twice by one tracker."""

    track: int
    person: int


class _Looks:
    """The encodings that a face is known by: a bounded set, the oldest forgotten first."""

    def __init__(self, encoding: NDArray[np.float32], new_look: float) -> None:
        self.rows = encoding[np.newaxis].copy()  # a row of a frame's encodings would keep them all
        """Shape (k, d), the oldest first."""
        self._new_look = new_look

    def remember(self, encoding: NDArray[np.float32]) -> None:
        """Keep an encoding unless one much like it is known."""
        row = encoding[np.newaxis]
        if _distances(row, [self.rows])[0, 0] >= self._new_look:
            self.rows = np.concatenate([self.rows[-_REMEMBERED + 1 :], row])


@dataclass(slots=True)
class Track:
    """Where a face was seen last, and what it looks like."""

    number: int
    person: int
    box: NDArray[np.float32]
    time: float
    latest: NDArray[np.float32]
    looks: _Looks
    seen: float
    """When its last frame came, seconds of the tracker's clock."""


class Tracker:
    """The tracks and persons of one stream. Used by one thread at a time."""

    def __init__(self, rules: MatchingRules, clock: Callable[[], float] = monotonic) -> None:
        """Begin without tracks.

        Args:
            rules: how far apart looks of one person are.
            clock: monotonic seconds.
        """
        self._rules = rules
        self._clock = clock
        self._tracks: OrderedDict[int, Track] = OrderedDict()
        self._persons: OrderedDict[int, _Looks] = OrderedDict()
        self._tracks_issued = 0
        self._persons_issued = 0
        self._time: float | None = None
        self._interval = 0.0

    def update(
        self,
        capture_time: datetime,
        boxes: NDArray[np.float32],
        encodings: NDArray[np.float32],
        followed: Mapping[int, NDArray[np.float32]] | None = None,
    ) -> list[TrackedFace]:
        """Take the faces of one frame in.

        Args:
            capture_time: when the frame was captured, aware.
            boxes: shape (n, 4): left, top, right, bottom, pixels.
            encodings: shape (n, d), finite.
            followed: boxes, shape (4,), of further faces, which were not encoded, by the tracks that they go on; see
                `following`. They say where those are, and not what they look like.

        Returns:
            The track and the person of each encoded face, in order. No two faces of a frame share a track or a person.
        """
        time = capture_time.timestamp()
        gap = self._take_interval(time)
        elsewhere = self._follow(time, followed or {})
        if not len(boxes):
            self._forget(time, gap)
            return []
        tracks = self._join(time, gap, boxes, encodings, elsewhere)
        fresh = [place for place in range(len(boxes)) if place not in tracks]
        persons = self._recognise(encodings[fresh], taken=elsewhere | {track.person for track in tracks.values()})
        for place, person in zip(fresh, persons, strict=True):
            tracks[place] = self._begin(time, gap, boxes[place], encodings[place], person)
        for place, track in tracks.items():
            self._see(track, time, boxes[place], encodings[place])
        self._forget(time, gap)
        return [TrackedFace(tracks[place].number, tracks[place].person) for place in range(len(boxes))]

    def live(self, time: float) -> list[Track]:
        """The tracks that a face of a frame may go on.

        Args:
            time: of the frame's capture, seconds.
        """
        gap = self._gap()
        return [track for track in self._tracks.values() if abs(time - track.time) <= gap]

    def person_of(self, track: int) -> int | None:
        """Whose track it is; None: it was forgotten."""
        return self._tracks[track].person if track in self._tracks else None

    def is_over(self, track: int, time: float | None = None) -> bool:
        """Whether a track is forgotten or, with the time of a frame's capture, no frame after that goes on it."""
        known = self._tracks.get(track)
        return known is None or (time is not None and time - known.time > self._gap())

    def claimed(
        self, time: float, boxes: NDArray[np.float32], encodings: NDArray[np.float32], tracks: Collection[int]
    ) -> frozenset[int]:
        """Which tracks, or persons of tracks, one of these faces could be by what it looks like.

        Args:
            time: of the frame's capture, seconds.
            boxes: shape (n, 4).
            encodings: of the same faces, shape (n, d), finite.
            tracks: those in question.
        """
        known = [self._tracks[number] for number in tracks if number in self._tracks]
        if not known or not len(boxes):
            return frozenset()
        plausible, _, _ = self._compare(time, boxes, encodings, known)
        persons = _distances(encodings, [self._persons[track.person].rows for track in known])
        claimed = np.any(plausible | (persons <= self._rules.rejoin_distance), axis=0)
        return frozenset(known[column].number for column in np.flatnonzero(claimed).tolist())

    def forget(self) -> None:
        """Forget every face; numbers go on from where they were."""
        self._tracks.clear()
        self._persons.clear()

    def forget_persons(self, persons: Collection[int]) -> None:
        """Forget the faces of these persons; one who is seen again is a new person."""
        for number in [track.number for track in self._tracks.values() if track.person in persons]:
            del self._tracks[number]
        for person in persons:
            self._persons.pop(person, None)

    def _take_interval(self, time: float) -> float:
        """Learn from a frame how often the camera samples; how long a face may be missing."""
        step = 0.0 if self._time is None else time - self._time
        if 0 < step <= _SLOWEST_S:  # others are a camera that paused, or a frame of another time
            self._interval = step
        self._time = time
        return self._gap()

    def _gap(self) -> float:
        """How long a face may be missing: the setting, or longer when the camera itself is slower than that."""
        return max(self._rules.track_gap_s, _SLOW_FACTOR * self._interval)

    def _follow(self, time: float, followed: Mapping[int, NDArray[np.float32]]) -> set[int]:
        """Move tracks to where their faces are; returns whose they are."""
        moved = [(self._tracks[number], box) for number, box in followed.items() if number in self._tracks]
        for track, box in moved:
            track.time, track.box, track.seen = time, box, self._clock()
            self._tracks.move_to_end(track.number)
            self._persons.move_to_end(track.person)
        return {track.person for track, _ in moved}

    def _compare(
        self, time: float, boxes: NDArray[np.float32], encodings: NDArray[np.float32], tracks: Sequence[Track]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float32]]:
        """Of n faces and m tracks: whether they may be one, how far apart their looks are, and how they overlap."""
        looks = np.minimum(
            _distances(encodings, [track.looks.rows for track in tracks]),
            _distances(encodings, [track.latest[np.newaxis] for track in tracks]),
        )
        last_boxes = np.stack([track.box for track in tracks])
        overlaps = overlaps_of(boxes, last_boxes)
        elapsed = np.array([abs(time - track.time) for track in tracks])
        beside = (overlaps >= _OVERLAP) | reachable(boxes, last_boxes, elapsed)
        plausible: NDArray[np.bool_] = looks <= np.where(beside, self._rules.same_face, self._rules.rejoin_distance)
        return plausible, looks, overlaps

    def _join(
        self,
        time: float,
        gap: float,
        boxes: NDArray[np.float32],
        encodings: NDArray[np.float32],
        elsewhere: Collection[int],
    ) -> dict[int, Track]:
        """Pair faces, by their places, with tracks near in time, but for those of persons seen elsewhere in the frame.

        The cheapest pair comes first.
        """
        live = [track for track in self._tracks.values() if abs(time - track.time) <= gap]
        live = [track for track in live if track.person not in elsewhere]
        if not live:
            return {}
        plausible, looks, overlaps = self._compare(time, boxes, encodings, live)
        costs = np.where(plausible, looks + _OVERLAP * (1.0 - overlaps), np.inf)
        joined: dict[int, Track] = {}
        # By person: one who was seen at two times, both near enough to this one, has a track of each.
        used: set[int] = set()
        for flat in np.argsort(costs, axis=None, kind="stable")[: int(plausible.sum())]:
            place, column = divmod(int(flat), len(live))
            if place not in joined and live[column].person not in used:
                joined[place] = live[column]
                used.add(live[column].person)
        return joined

    def _recognise(self, encodings: NDArray[np.float32], taken: set[int]) -> list[int]:
        """For faces that begin a track: the person each looks like who is nowhere else in the frame, or a new one."""
        free = [number for number in self._persons if number not in taken]
        found: dict[int, int] = {}
        if free and len(encodings):
            looks = _distances(encodings, [self._persons[number].rows for number in free])
            near = int((looks <= self._rules.rejoin_distance).sum())
            for flat in np.argsort(looks, axis=None, kind="stable")[:near]:
                place, column = divmod(int(flat), len(free))
                if place not in found and free[column] not in taken:
                    found[place] = free[column]
                    taken.add(free[column])
        return [found[place] if place in found else self._new_person(row) for place, row in enumerate(encodings)]

    def _new_person(self, encoding: NDArray[np.float32]) -> int:
        self._persons_issued += 1
        self._persons[self._persons_issued] = _Looks(encoding, self._rules.new_look)
        return self._persons_issued

    def _begin(
        self, time: float, gap: float, box: NDArray[np.float32], encoding: NDArray[np.float32], person: int
    ) -> Track:
        # Nobody is in two places: a track of the same person that could still go on now has ended here.
        for other in [track for track in self._tracks.values() if track.person == person]:
            if abs(time - other.time) <= gap:
                del self._tracks[other.number]
        self._tracks_issued += 1
        looks = _Looks(encoding, self._rules.new_look)
        track = Track(self._tracks_issued, person, box, time, encoding.copy(), looks, self._clock())
        self._tracks[track.number] = track
        return track

    def _see(self, track: Track, time: float, box: NDArray[np.float32], encoding: NDArray[np.float32]) -> None:
        if time >= track.time:
            track.time, track.box, track.latest = time, box, encoding.copy()
        track.seen = self._clock()
        track.looks.remember(encoding)
        self._persons[track.person].remember(encoding)
        self._tracks.move_to_end(track.number)
        self._persons.move_to_end(track.person)

    def _forget(self, time: float, gap: float) -> None:
        """Bound the memory. A person is remembered longer than any track of theirs, as both were seen at once."""
        while self._tracks:
            oldest = next(iter(self._tracks.values()))
            ended = abs(time - oldest.time) > gap and self._clock() - oldest.seen > _KEPT_S
            if not ended and len(self._tracks) <= _MOST:
                break
            del self._tracks[oldest.number]
        while len(self._persons) > _MOST:
            self._persons.popitem(last=False)


def _distances(encodings: NDArray[np.float32], looks: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Euclidean distance from each of n encodings to the nearest encoding of each of m looks, shape (n, m).

    Args:
        encodings: shape (n, d).
        looks: of one row at least each, shape (k, d).
    """
    rows = np.concatenate(looks).astype(np.float64)
    probes = encodings.astype(np.float64)
    squares = (probes**2).sum(axis=1)[:, np.newaxis] + (rows**2).sum(axis=1) - 2.0 * (probes @ rows.T)
    starts = np.cumsum([0] + [len(look) for look in looks[:-1]])
    nearest: NDArray[np.float64] = np.minimum.reduceat(np.sqrt(np.maximum(squares, 0.0)), starts, axis=1)
    return nearest
