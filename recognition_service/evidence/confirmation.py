"""Confirmation: when what was seen of a face in one class session is enough to say that a student was there.

Each frame of a person (see `tracking`) is a vote. A vote for a student weighs

    w = min(1, (threshold - distance) / vote_span, (runner_up - distance) / (2 margin))

times the face's clearness (see `clearness`: 1 for any face that is not small or blurred). The fraction is the
log-likelihood ratio of "this student" against "somebody else" for two normal distributions of distances with equal
variances, which is linear in the distance; cut at one vote, so that no single frame decides, and cut where two students
are hardly told apart. A frame that speaks for nobody or for somebody else weighs against: a face beyond the threshold
up to one vote, as above; a tie half a vote; another name one vote; times its clearness too. Wherever votes are counted,
a face counts by its clearness.

The weights are summed as in Page's cumulative sum test ("Continuous inspection schemes", Biometrika 41, 1954): the sum
does not fall below `FLOOR`, so that somebody who sat turned away for an hour is confirmed soon after facing the camera,
yet has to make up for it. A student is confirmed when

1. the sum reaches `confirm_frames`, with at least as many frames for the student since it last was at or under zero;
2. the weight for the student is at least `confirm_share` of all votes since then: a face that keeps lying just under
   the threshold, or a still picture of such a face repeated for ever, gives many votes of little weight and never gets
   there;
3. over the last `LONG_RUN` frames of the person, however poor, the weight for the student is half that share or more: a
   stranger who looks somewhat like the student and sits there for a whole lecture has lucky seconds, but few;
4. over the last frames in which the student was the nearest or the runner-up, whoever was named, the student was nearer
   than the other by `margin` on average: of two similar students, luck names either now and then, but not on average.

Frames nearer in time than `vote_interval_s` to a counted one are no further evidence, as they show the same moment.
"""

import bisect
import math
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime

from attendance.database.evidence import FrameEvidence
from attendance.settings.matching import MatchingRules
from recognition_service.evidence.clearness import CLEAR, View
from recognition_service.evidence.kept_frames import KeptFrames
from recognition_service.evidence.seen import FaceMatch, MatchKind

FLOOR = -1.0
"""The least a student's sum can be, in votes."""
LONG_RUN = 400
"""Votes that the long-run share remembers: 200 s of a camera that samples twice a second."""
_LONG_RUN_FACTOR = 0.5
"""Long-run share needed, in `confirm_share`. Of simulated strangers with distances 0.58 +- 0.035 from one student,
correlated over 5 s, all were confirmed within 90 minutes at 0, half at 0.25, 9 % at 0.5 and 4 % at 0.6; of students at
0.45 +- 0.05 who face the camera 30 % of the time, 100 %, 100 %, 100 % and 99 %."""
_TIE = 0.5
"""What a tie weighs against everybody, in votes."""
_GAP_FRAMES = 20
"""Frames over which the mean gap to the runner-up remembers."""
_GAP_LIMIT = 4.0
"""The largest gap that one frame contributes, in margins: one frame without a rival must not hide ties."""
_SAME_MOMENT_S = 0.001
"""A frame sent twice is one frame, even with `vote_interval_s` 0."""
_ROUNDING = 1e-6
_MOST_PERSONS, _MOST_TIMES = 1024, 1024


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A student was there, and what says so."""

    student: str
    """Index number."""
    first_seen: datetime
    """First frame in which the confirmed person was named so."""
    last_seen: datetime
    """Last frame of that kind so far."""
    confidence: float
    """0 to 1, see `confidence_of`."""
    frames: int
    """Frames for the student that confirmed."""
    distance: float
    """Their mean distance."""
    gap: float
    """Mean distance by which the student was nearer than the next, each frame's being cut at four margins."""
    proof: "Proof"
    """What first confirmed the student; the same object in every later confirmation of this person as this student."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The frames that confirmed a student, at the moment when they did."""

    first_frame_at: datetime
    last_frame_at: datetime
    frames: int
    distance: float
    """Mean."""
    margin: float
    """Mean distance by which the next student was farther; without any other student, the gap of `Confirmation`."""
    confidence: float
    kept: tuple[FrameEvidence, ...]


@dataclass(slots=True)
class _Case:
    """The case for one person being one student."""

    total: float
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    votes: float = 0.0
    frames: int = 0
    weight: float = 0.0
    distances: float = 0.0
    long_run: float = 0.0
    gap: float = 0.0
    gap_frames: float = 0.0
    kept: KeptFrames = field(default_factory=KeptFrames)
    confirmed: Confirmation | None = None


class _Evidence:
    """What was seen of one person."""

    def __init__(self) -> None:
        self.cases: dict[str, _Case] = {}
        self.blank = 0.0
        """The sum of a student whom no frame has named yet: 0 or, after frames that named nobody, less."""
        self.votes = 0.0
        """Frames counted, each by its clearness, up to `LONG_RUN`."""
        self._times: list[float] = []

    def is_new_moment(self, time: float, interval: float) -> bool:
        """Whether a frame is evidence beside those counted before; if so it is counted from now on."""
        place = bisect.bisect(self._times, time)
        near = self._times[max(place - 1, 0) : place + 1]
        if any(abs(time - other) < max(interval, _SAME_MOMENT_S) - _ROUNDING for other in near):
            return False
        self._times.insert(place, time)
        del self._times[:-_MOST_TIMES]
        return True


class Confirmer:
    """Gathers the votes of one class session from one stream. Used by one thread at a time."""

    def __init__(self, rules: MatchingRules) -> None:
        self._rules = rules
        self._persons: OrderedDict[int, _Evidence] = OrderedDict()

    def observe(self, person: int, capture_time: datetime, match: FaceMatch, view: View = CLEAR) -> Confirmation | None:
        """Count one face of one frame.

        Frames may come in any order of capture time, and more than once.

        Args:
            person: as the tracker numbers them.
            capture_time: aware.
            match: whom this frame matched the face with.
            view: how well the face was seen.

        Returns:
            The confirmation as it stands, when this frame named a student as whom the person is, or was, confirmed.
        """
        evidence = self._persons.setdefault(person, _Evidence())
        self._persons.move_to_end(person)
        while len(self._persons) > _MOST_PERSONS:
            self._persons.popitem(last=False)
        if evidence.is_new_moment(capture_time.timestamp(), self._rules.vote_interval_s):
            self._count(evidence, capture_time, match, view)
        if match.student is None or match.student not in evidence.cases:
            return None
        case = evidence.cases[match.student]
        case.first_seen = capture_time if case.first_seen is None else min(case.first_seen, capture_time)
        case.last_seen = capture_time if case.last_seen is None else max(case.last_seen, capture_time)
        return self._judge(match.student, case, case.first_seen, case.last_seen)

    def forget(self, student: str) -> frozenset[int]:
        """Forget what spoke for a student, of whomever it was seen; returns the persons of whom something did."""
        return frozenset(
            person for person, evidence in self._persons.items() if evidence.cases.pop(student, None) is not None
        )

    def _count(self, evidence: _Evidence, capture_time: datetime, match: FaceMatch, view: View) -> None:
        clearness = view.clearness
        against = clearness * self._weight_against(match)
        for student in self._in_question(match):
            evidence.cases.setdefault(student, _Case(evidence.blank))
        evidence.votes = min(evidence.votes + clearness, LONG_RUN)
        for student, case in evidence.cases.items():
            weight = self._weight_for(match) if student == match.student else 0.0
            case.long_run += (weight - case.long_run) * clearness / evidence.votes
            if student == match.student:
                self._support(case, capture_time, match, weight, view)
            else:
                case.total = max(FLOOR, case.total - against)
                case.votes += clearness
        evidence.blank = max(FLOOR, evidence.blank - against)
        self._compare(evidence, match, clearness)

    def _support(self, case: _Case, capture_time: datetime, match: FaceMatch, weight: float, view: View) -> None:
        if case.total <= 0:  # a new start: what was before no longer counts for or against
            case.votes = case.weight = case.distances = 0.0
            case.frames = 0
            case.kept = KeptFrames()
        clear_weight = weight * view.clearness
        case.total = min(case.total + clear_weight, 2.0 * self._rules.confirm_frames)
        case.votes += view.clearness
        case.frames += 1
        case.weight += clear_weight
        case.distances += match.distance
        if case.confirmed is None:
            case.kept.add(capture_time, match, clear_weight, view)

    def _weight_for(self, match: FaceMatch) -> float:
        near = (self._rules.threshold - match.distance) / self._rules.vote_span
        apart = 1.0
        if self._rules.margin > 0:
            apart = (match.runner_up - match.distance) / (2.0 * self._rules.margin)
        return max(0.0, min(1.0, near, apart))

    def _weight_against(self, match: FaceMatch) -> float:
        if match.kind is MatchKind.AMBIGUOUS:
            return _TIE
        if match.kind is MatchKind.UNKNOWN:
            return max(0.0, min(1.0, (match.distance - self._rules.threshold) / self._rules.vote_span))
        return 1.0

    def _in_question(self, match: FaceMatch) -> list[str]:
        """The students whose case begins with this frame: the one named, and those whom it can hardly tell apart."""
        if match.kind not in (MatchKind.STUDENT, MatchKind.AMBIGUOUS):
            return []
        close = match.runner_up - match.distance < 2.0 * self._rules.margin
        students = (match.nearest, match.rival) if close else (match.student,)
        return [student for student in students if student is not None]

    def _compare(self, evidence: _Evidence, match: FaceMatch, clearness: float) -> None:
        """Keep the mean gap of the nearest student and the runner-up, where the face is near enough to be named."""
        if match.kind not in (MatchKind.STUDENT, MatchKind.AMBIGUOUS):
            return
        gap = min(match.runner_up - match.distance, _GAP_LIMIT * self._rules.margin)
        for student, signed in ((match.nearest, gap), (match.rival, -gap)):
            case = evidence.cases.get(student) if student is not None else None
            if case is not None:
                case.gap_frames = min(case.gap_frames + clearness, _GAP_FRAMES)
                case.gap += (signed - case.gap) * clearness / case.gap_frames

    def _judge(self, student: str, case: _Case, first_seen: datetime, last_seen: datetime) -> Confirmation | None:
        proven = self._is_proven(case)
        before = case.confirmed
        if before is None and not proven:
            return None
        distance, frames, gap = (before.distance, before.frames, before.gap) if before else (math.inf, 0, 0.0)
        if proven and case.distances / case.frames < distance:  # the best that was seen is what is told
            distance, frames, gap = case.distances / case.frames, case.frames, case.gap
        # Two pictures nearer than that are one picture: it is no surer than that, and never certain.
        confidence = confidence_of(max(distance, self._rules.same_picture), self._rules.threshold)
        proof = before.proof if before else _proof(case, (first_seen, last_seen), distance, confidence)
        case.confirmed = Confirmation(student, first_seen, last_seen, confidence, frames, distance, gap, proof)
        case.kept = KeptFrames()  # what was kept is in the proof
        return case.confirmed

    def _is_proven(self, case: _Case) -> bool:
        needed = self._rules.confirm_frames
        return (
            case.frames >= needed
            and case.total >= needed - _ROUNDING
            and case.weight >= self._rules.confirm_share * case.votes - _ROUNDING
            and case.long_run >= _LONG_RUN_FACTOR * self._rules.confirm_share - _ROUNDING
            and case.gap >= self._rules.margin - _ROUNDING
        )


def confidence_of(distance: float, threshold: float) -> float:
    """A distance as a confidence from 0 to 1, for people: 1 at distance 0, about 0.5 at the threshold.

    Not a probability. The formula is that of the face_recognition project's wiki, "Calculating Accuracy as a
    Percentage", which its users know.
    """
    linear = 1.0 - distance / (2.0 * threshold)
    if distance > threshold:
        return max(0.0, linear)
    return linear + (1.0 - linear) * math.pow((linear - 0.5) * 2.0, 0.2)


def _proof(case: _Case, seen: tuple[datetime, datetime], distance: float, confidence: float) -> Proof:
    first, last = case.kept.span or seen
    margin = case.kept.margin
    return Proof(
        first, last, case.frames, distance, case.gap if margin is None else margin, confidence, case.kept.frames()
    )
