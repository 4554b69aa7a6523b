"""Matching: whose face an encoding is, among a roster or the whole gallery, or nobody's.

Open-set identification with a threshold and a margin to the runner-up. The ratio of the two nearest as a test of
distinctness is Lowe's (IJCV 60, 2004, section 7.1); for Euclidean distances of face encodings, whose scale is fixed by
training, a difference serves as well and is easier to set.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.interface import DetectedFace, Face
from attendance.gallery.gallery import Candidate, Gallery
from attendance.settings.matching import MatchingRules
from recognition_service.evidence.seen import STRANGER, TOO_SMALL, FaceMatch, MatchKind, width_of


class Matcher:
    """Searches one gallery. May be used by several threads at once."""

    def __init__(self, gallery: Gallery, rules: MatchingRules) -> None:
        self.gallery = gallery
        self._rules = rules

    def match_faces(self, faces: Sequence[Face]) -> list[FaceMatch]:
        """Match the faces of one picture with everybody; those too small to be named with nobody.

        Raises:
            ValueError: as for `match`.
        """
        large = [face for face in faces if not is_too_small(face, self._rules)]
        named = iter(self.match(np.stack([face.encoding for face in large]), None) if large else ())
        return [TOO_SMALL if is_too_small(face, self._rules) else next(named) for face in faces]

    def match(
        self, encodings: NDArray[np.float32], roster: frozenset[str] | None, guests: frozenset[str] = frozenset()
    ) -> list[FaceMatch]:
        """Match faces with students.

        Args:
            encodings: float32, shape (n, d), d being the gallery's encoding size.
            roster: index numbers of the students who may be named. Others of the gallery are still searched, so that a
                student of another course is told from one of this. None: everybody may be named, at the campus
                threshold.
            guests: of those outside the roster, who may be named as well, at the campus threshold.

        Returns:
            One match a face, in order. An encoding with a value that is no finite number is UNKNOWN.

        Raises:
            ValueError: the encodings are not of the gallery's size.
        """
        self.require_size(encodings)
        finite = np.array([bool(np.isfinite(encoding).all()) for encoding in encodings], dtype=np.bool_)
        probes = np.ascontiguousarray(encodings[finite], dtype=np.float32)
        named = iter(self._match(probes, roster, guests) if len(probes) else ())
        return [next(named) if usable else STRANGER for usable in finite.tolist()]

    def require_size(self, encodings: NDArray[np.float32]) -> None:
        """Check that encodings are of the gallery's size.

        Raises:
            ValueError: they are not.
        """
        if encodings.ndim != 2 or encodings.shape[1] != self.gallery.encoding_size:  # (n, d)
            raise ValueError(
                f"encodings have the shape {encodings.shape}; the gallery's have {self.gallery.encoding_size} numbers"
            )

    def _match(
        self, probes: NDArray[np.float32], roster: frozenset[str] | None, guests: frozenset[str]
    ) -> list[FaceMatch]:
        everybody = self.gallery.nearest(probes, count=2)
        if roster is None:
            return [self._decide(found, self._rules.campus_threshold) for found in everybody]
        on_roster = self.gallery.nearest(probes, among=roster, count=2)
        matches = [
            self._with_outsiders(self._decide(found, self._rules.threshold), _outsider(campus, roster))
            for found, campus in zip(on_roster, everybody, strict=True)
        ]
        return [self._as_guest(match, campus, guests) for match, campus in zip(matches, everybody, strict=True)]

    def _as_guest(self, match: FaceMatch, campus: Sequence[Candidate], guests: frozenset[str]) -> FaceMatch:
        """Name an outsider who may be one of the guests, and whom a search of everybody names."""
        if match.kind is not MatchKind.NOT_ON_ROSTER or match.nearest not in guests:
            return match
        named = self._decide(campus, self._rules.campus_threshold)
        return named if named.student == match.nearest else match

    def _decide(self, found: Sequence[Candidate], threshold: float) -> FaceMatch:
        if not found:
            return STRANGER
        best = found[0]
        second = found[1] if len(found) > 1 else None
        runner_up = second.distance if second else math.inf
        kind = MatchKind.STUDENT
        if not best.distance <= threshold:
            kind = MatchKind.UNKNOWN
        elif runner_up - best.distance < self._rules.margin or runner_up == best.distance:
            kind = MatchKind.AMBIGUOUS
        return FaceMatch(
            kind,
            best.student if kind is MatchKind.STUDENT else None,
            best.distance,
            runner_up,
            best.student,
            second.student if second else None,
        )

    def _with_outsiders(self, match: FaceMatch, outsider: Candidate | None) -> FaceMatch:
        """Hold a match with the roster against the nearest student outside it, if that one is near enough to count."""
        others = match.runner_up if outsider is None else min(match.runner_up, outsider.distance)
        if outsider is None or outsider.distance > self._rules.campus_threshold:
            return replace(match, others=others)
        if outsider.distance < match.distance:
            return FaceMatch(
                MatchKind.NOT_ON_ROSTER, None, outsider.distance, match.distance, outsider.student, match.nearest
            )
        if match.kind is MatchKind.STUDENT and outsider.distance < match.runner_up:
            gap = outsider.distance - match.distance
            tied = gap < self._rules.margin or gap == 0
            return FaceMatch(
                MatchKind.AMBIGUOUS if tied else MatchKind.STUDENT,
                None if tied else match.student,
                match.distance,
                outsider.distance,
                match.nearest,
                outsider.student,
                others,
            )
        return replace(match, others=others)


def is_too_small(face: Face | DetectedFace, rules: MatchingRules) -> bool:
    """Whether a face is smaller than those that the models in use can tell apart; also where its width is no number."""
    return not width_of(face) >= rules.smallest_named


def _outsider(campus: Sequence[Candidate], roster: frozenset[str]) -> Candidate | None:
    """The nearest student outside the roster, when among the two nearest of all; farther ones decide nothing.

    With two of the roster nearer than any outsider, the runner-up of the roster is nearer than the outsider, and the
    margin is held against the nearer of the two.
    """
    return next((candidate for candidate in campus if candidate.student not in roster), None)


def one_face_each(matches: Sequence[FaceMatch]) -> list[FaceMatch]:
    """Settle which face of one frame is a student's, as nobody is in two places: the nearest; others become ties."""
    best: dict[str, int] = {}
    for place, match in enumerate(matches):
        if match.student is not None:
            held = best.setdefault(match.student, place)
            if match.distance < matches[held].distance:
                best[match.student] = place
    return [
        match
        if match.student is None or best[match.student] == place
        else replace(match, kind=MatchKind.AMBIGUOUS, student=None)
        for place, match in enumerate(matches)
    ]
