"""Whom a photo's face is like: the student's own others, and those of other students."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from attendance.gallery.gallery import Candidate, Gallery

FEWEST_FOR_OUTLIERS = 5
_OUTLIER_SCORE = 3.5
"""Modified z-score beyond which a value is an outlier (Iglewicz & Hoaglin, "How to Detect and Handle Outliers", ASQC
1993)."""
_MAD_TO_SIGMA = 1.4826


class Others(Protocol):
    """The faces of the students known so far."""

    def nearest_other(self, encoding: NDArray[np.float64], student: str) -> Candidate | None:
        """The nearest student who is not `student`, if there is one."""


class GalleryOthers:
    """The students of a gallery."""

    def __init__(self, gallery: Gallery) -> None:
        """Look into this gallery."""
        self._gallery = gallery

    def nearest_other(self, encoding: NDArray[np.float64], student: str) -> Candidate | None:
        """See `Others`."""
        if not self._gallery.identities:
            return None
        (candidates,) = self._gallery.nearest(encoding[np.newaxis].astype(np.float32), count=2)
        return next((candidate for candidate in candidates if candidate.student != student), None)


class BatchOthers:
    """Students enrolled since the gallery was made."""

    def __init__(self, size: int) -> None:
        """Start with nobody; `size` is that of an encoding."""
        self._count = 0
        self._rows = np.empty((64, size), np.float32)
        self._lengths = np.empty(64, np.float32)
        self._owner = np.empty(64, np.int64)
        self._students: dict[str, int] = {}
        self._names: list[str] = []

    def add(self, student: str, encodings: NDArray[np.float64]) -> None:
        """Take a student's encodings in, shape (k, size)."""
        start, end = self._count, self._count + len(encodings)
        if end > len(self._rows):
            for array in (self._rows, self._lengths, self._owner):
                array.resize((2 * end, *array.shape[1:]), refcheck=False)
        self._rows[start:end] = encodings
        self._lengths[start:end] = (encodings**2).sum(axis=1)
        if student not in self._students:
            self._students[student] = len(self._names)
            self._names.append(student)
        self._owner[start:end] = self._students[student]
        self._count = end

    def nearest_other(self, encoding: NDArray[np.float64], student: str) -> Candidate | None:
        """See `Others`."""
        rows, owner = self._rows[: self._count], self._owner[: self._count]
        # |a - b|^2 less |b|^2, which all have: enough to find the nearest, whose distance is then taken exactly.
        distances = self._lengths[: self._count] - 2 * (rows @ encoding.astype(np.float32))
        distances[owner == self._students.get(student, -1)] = np.inf
        if not np.isfinite(distances).any():
            return None
        place = int(distances.argmin())
        name = self._names[int(owner[place])]
        return Candidate(name, float(np.linalg.norm(rows[place] - encoding)))


def nearest_of(others: Sequence[Others], encoding: NDArray[np.float64], student: str) -> Candidate | None:
    """The nearest student of all `others` who is not `student`."""
    found = [candidate for each in others if (candidate := each.nearest_other(encoding, student)) is not None]
    return min(found, key=lambda candidate: candidate.distance, default=None)


@dataclass(frozen=True, slots=True)
class OwnComparison:
    """How a student's photos agree with each other."""

    medians: NDArray[np.float64]
    """Shape (n,): the median distance of each to those of its own kind; NaN where there is no other."""
    unlike: frozenset[int]
    """Places of photos of somebody else."""
    undecided: bool
    """Whether none is of a majority, so that nobody can tell which are the wrong ones."""


def compare_own(rows: NDArray[np.float64], known: int, *, unlike: float) -> OwnComparison:
    """Find the photos of a student that are of somebody else.

    The photo with the most others near it stands for the student; those near it are the student's.

    Args:
        rows: shape (n, size); the first `known` of them are established, the others are to be judged.
        known: how many.
        unlike: the distance from which on two photos are not near.
    """
    count = len(rows)
    distances = np.linalg.norm(rows[:, np.newaxis] - rows[np.newaxis], axis=2)
    near = distances < unlike
    # Established ones count double: one of them outweighs one new photo.
    weights = np.where(np.arange(count) < known, 2, 1)
    support = near @ weights
    centre = int(np.argmax(support - np.median(distances, axis=1) / 10)) if count else 0
    kept = near[centre] if count else np.zeros(0, bool)
    undecided = bool(count) and 2 * int(weights[kept].sum()) <= int(weights.sum())
    wrong = range(count) if undecided else np.flatnonzero(~kept)
    medians = np.full(count, np.nan)
    for place in range(count):
        same = kept.copy()
        same[place] = False
        if same.any():
            medians[place] = np.median(distances[place, same])
    return OwnComparison(medians, frozenset(int(place) for place in wrong if place >= known), undecided)


def find_outliers(medians: NDArray[np.float64], *, smallest_deviation: float) -> frozenset[int]:
    """Outliers among five or more photos of one student: those whose median distance to the others stands out.

    One-sided modified z-score from the median absolute deviation: a photo that is nearer to the others than usual is
    no fault.

    Args:
        medians: shape (n,): of each photo the median distance to the others; NaN counts for none.
        smallest_deviation: the least median absolute deviation that is reckoned with.
    """
    values = medians[~np.isnan(medians)]
    if len(values) < FEWEST_FOR_OUTLIERS:
        return frozenset()
    middle = np.median(values)
    deviation = max(float(np.median(np.abs(values - middle))), smallest_deviation) * _MAD_TO_SIGMA
    with np.errstate(invalid="ignore"):
        return frozenset(int(place) for place in np.flatnonzero((medians - middle) / deviation > _OUTLIER_SCORE))
