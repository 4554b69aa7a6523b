"""Error rates of comparisons against the threshold, with exact intervals.

Terms of ISO/IEC 19795-1:2021: the false match rate (FMR) is the share of impostor comparisons that match, the false
non-match rate (FNMR) that of genuine comparisons that do not. A comparison matches when its distance is at most the
threshold, as in the service.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.95
"""How often an interval should hold the true rate."""


class Interval(NamedTuple):
    """A rate and the two-sided limits of its interval."""

    rate: float
    """NaN without any trial."""
    low: float
    high: float


class DetPoints(NamedTuple):
    """A detection error trade-off curve: both error rates at each threshold, shape (n,) each, thresholds ascending."""

    thresholds: NDArray[np.float64]
    false_match: NDArray[np.float64]
    false_non_match: NDArray[np.float64]


def clopper_pearson(errors: float, trials: float, level: float = LEVEL) -> Interval:
    """The exact interval of a share (Clopper and Pearson, Biometrika 26, 1934).

    Args:
        errors: how many; may be fractional where trials are effective ones, fewer than were made.
        trials: how many; 0 gives the interval from 0 to 1.
        level: how often it should hold the true share.

    Raises:
        ValueError: `errors` is not between 0 and `trials`.
    """
    if not 0 <= errors <= trials:
        raise ValueError(f"{errors} errors in {trials} trials")
    if trials == 0:
        return Interval(math.nan, 0.0, 1.0)
    tail = (1 - level) / 2
    low = float(stats.beta.ppf(tail, errors, trials - errors + 1)) if errors > 0 else 0.0
    high = float(stats.beta.ppf(1 - tail, errors + 1, trials - errors)) if errors < trials else 1.0
    return Interval(float(errors / trials), low, high)


def upper_limit(errors: float, trials: float, level: float = LEVEL) -> float:
    """The one-sided upper limit of a share: `clopper_pearson` with all of the doubt on one side.

    Without any error it is 1 - (1 - level)^(1 / trials), close to 3 / trials (the rule of three, ISO/IEC 19795-1).
    """
    if not 0 <= errors <= trials:
        raise ValueError(f"{errors} errors in {trials} trials")
    return float(stats.beta.ppf(level, errors + 1, trials - errors)) if errors < trials else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Sorted:
    """Distances, ascending, and how many are at most each."""

    values: NDArray[np.float64]
    sums: NDArray[np.int64]

    @classmethod
    def of(cls, distances: NDArray[Any], counts: NDArray[np.int64] | None) -> "_Sorted":
        values = np.asarray(distances, np.float64)
        if values.ndim != 1 or np.isnan(values).any():
            raise ValueError("distances are not one row of numbers")
        if counts is None:
            counts = np.ones(len(values), np.int64)
        if counts.shape != values.shape or (counts < 0).any():
            raise ValueError("there must be a count, 0 or more, for each distance")
        order = np.argsort(values, kind="stable")
        return cls(values[order], np.cumsum(np.asarray(counts, np.int64)[order]))

    @property
    def total(self) -> int:
        return int(self.sums[-1]) if len(self.sums) else 0

    def at_most(self, threshold: float) -> int:
        place = int(np.searchsorted(self.values, threshold, side="right"))
        return int(self.sums[place - 1]) if place else 0


class ErrorRates:
    """The error rates of genuine and impostor distances.

    Attributes:
        genuine_trials: genuine comparisons.
        impostor_trials: impostor comparisons.
    """

    def __init__(
        self,
        genuine: NDArray[Any],
        impostor: NDArray[Any],
        *,
        genuine_counts: NDArray[np.int64] | None = None,
        impostor_counts: NDArray[np.int64] | None = None,
    ) -> None:
        """Take distances over.

        Args:
            genuine: distances of comparisons of a person with the same person, shape (n,), in any order; infinite
                where nothing was found. May be empty.
            impostor: the same of different people, shape (m,).
            genuine_counts: how often each distance occurs, shape (n,); None: once.
            impostor_counts: the same, shape (m,).

        Raises:
            ValueError: a shape is wrong, or a distance is not a number.
        """
        self._genuine = _Sorted.of(genuine, genuine_counts)
        self._impostor = _Sorted.of(impostor, impostor_counts)
        self.genuine_trials = self._genuine.total
        self.impostor_trials = self._impostor.total

    def false_matches(self, threshold: float) -> int:
        """Impostor comparisons that match."""
        return self._impostor.at_most(threshold)

    def false_non_matches(self, threshold: float) -> int:
        """Genuine comparisons that do not match."""
        return self.genuine_trials - self._genuine.at_most(threshold)

    def false_match_rate(self, threshold: float) -> Interval:
        """FMR and its exact interval, as if comparisons were independent; `calibration.pairs` has those of people."""
        return clopper_pearson(self.false_matches(threshold), self.impostor_trials)

    def false_non_match_rate(self, threshold: float) -> Interval:
        """FNMR and its exact interval, as if comparisons were independent."""
        return clopper_pearson(self.false_non_matches(threshold), self.genuine_trials)

    def det_points(self, most: int = 2000) -> DetPoints:
        """The curve at every distance that occurs, or at `most` of them, evenly spread over the ranks of both kinds.

        Distances that are infinite are on no point, but count as comparisons.
        """
        both = np.unique(np.concatenate([_spread(self._genuine.values, most), _spread(self._impostor.values, most)]))
        thresholds = both[np.isfinite(both)]
        matched = np.array([self.false_matches(one) for one in thresholds], np.float64)
        missed = np.array([self.false_non_matches(one) for one in thresholds], np.float64)
        with np.errstate(invalid="ignore"):
            return DetPoints(thresholds, matched / self.impostor_trials, missed / self.genuine_trials)


def _spread(values: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """All of the nearest and farthest tenth of what is wanted, which are the curve's ends, and some between them."""
    if len(values) <= most:
        return values
    ends = most // 10
    between = np.linspace(ends, len(values) - ends - 1, most - 2 * ends).astype(np.int64)
    chosen: NDArray[np.float64] = np.concatenate([values[:ends], values[between], values[-ends:]])
    return chosen
