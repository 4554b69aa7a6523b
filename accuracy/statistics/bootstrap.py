"""Bootstrap intervals over people: photos of one person are alike, so that people are drawn, not photos.

The subsets bootstrap of Bolle, Ratha and Pankanti ("Error analysis of pattern recognition systems: the subsets
bootstrap", Computer Vision and Image Understanding 93, 2004): every replicate draws as many people as there are, with
replacement, and all of a person's searches come along. Intervals are percentiles of the replicates.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accuracy.statistics.rates import LEVEL, clopper_pearson

REPLICATES = 1000
_SLACK = 1e-9  # 0.01 * 2900 is a little more than 29


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of searches or comparisons, and how sure it is."""

    value: float
    low: float
    high: float
    count: int
    """Searches or comparisons."""
    people: int
    """To whom they belong."""


def draw_people(strata: NDArray[np.int64], *, replicates: int = REPLICATES, seed: int = 0) -> NDArray[np.int32]:
    """Draw people with replacement, as many of each stratum as there are.

    Args:
        strata: for each person a stratum's number; enrolled people and strangers are drawn apart.
        replicates: how many times.
        seed: of the draws.

    Returns:
        How often each person was drawn, shape (replicates, people).
    """
    draw = np.random.default_rng(seed)
    weights = np.zeros((replicates, len(strata)), np.int32)
    for stratum in np.unique(strata):
        places = np.flatnonzero(strata == stratum)
        even = np.full(len(places), 1 / len(places))
        weights[:, places] = draw.multinomial(len(places), even, size=replicates)
    return weights


def share(hits: NDArray[np.bool_], person: NDArray[np.int64], weights: NDArray[np.int32]) -> Rate | None:
    """The share of hits, with its interval.

    Args:
        hits: shape (n,).
        person: whose each is, shape (n,); places in the columns of `weights`.
        weights: of `draw_people`.

    Returns:
        None where there is nothing to share.
    """
    if len(hits) == 0:
        return None
    people = weights.shape[1]
    right = np.bincount(person, hits, people)
    count = np.bincount(person, minlength=people)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = (weights @ right) / (weights @ count)
    return interval(float(hits.mean()), drawn, len(hits), len(np.unique(person)))


def interval(value: float, drawn: NDArray[np.float64], count: int, people: int) -> Rate:
    """A rate with the interval that its replicates give.

    Where no person ever fails, or none ever succeeds, all replicates are alike and say nothing of how sure that is: the
    interval is then the exact one (Clopper and Pearson, 1934) of as many trials as there are people.

    Args:
        value: the rate over all.
        drawn: the replicates' rates; NaN where a replicate had none.
        count: searches.
        people: whose.
    """
    drawn = drawn[np.isfinite(drawn)]
    tail = (1 - LEVEL) / 2
    low, high = (float(edge) for edge in np.quantile(drawn, [tail, 1 - tail])) if len(drawn) else (0.0, 1.0)
    if low == high == 1.0:
        low = clopper_pearson(people, people, LEVEL).low
    elif low == high == 0.0:
        high = clopper_pearson(0, people, LEVEL).high
    return Rate(value, min(low, value), max(high, value), count, people)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Distances of one kind, nearest first, and whose they are."""

    distances: NDArray[np.float32]
    """Shape (n,), ascending; infinite where nothing was found."""
    first: NDArray[np.int64]
    """Shape (n,): the person, as places in the columns of the weights."""
    second: NDArray[np.int64] | None = None
    """The other person of a comparison, where that one is drawn as well."""

    @classmethod
    def sort(
        cls, distances: NDArray[np.float32], first: NDArray[np.int64], second: NDArray[np.int64] | None = None
    ) -> "Scores":
        """Sort distances, which may be in any order."""
        order = np.argsort(distances, kind="stable")
        return cls(distances[order], first[order], None if second is None else second[order])

    def weights(self, drawn: NDArray[np.int32]) -> NDArray[np.int64]:
        """How often each distance counts in a replicate; `drawn` is a row of `draw_people`'s, or ones."""
        once = drawn[self.first].astype(np.int64)
        if self.second is None:
            return once
        return once * drawn[self.second]


def nearest_refused(distances: NDArray[np.float32], weights: NDArray[np.int64], wanted: float) -> float:
    """The distance from which on everything must be refused, so that at most a share `wanted` is accepted.

    Args:
        distances: of those that should be refused, ascending.
        weights: how often each counts.
        wanted: the share that may be accepted wrongly.

    Returns:
        Accept what is nearer than this; infinite where everything may be accepted.
    """
    sums = np.cumsum(weights)
    if len(sums) == 0:
        return float("inf")
    place = int(np.searchsorted(sums, (wanted + _SLACK) * sums[-1], side="right"))
    return float(distances[place]) if place < len(distances) else float("inf")


def accepted_share(distances: NDArray[np.float32], weights: NDArray[np.int64], nearer_than: float) -> float:
    """The share of distances (ascending) that are nearer than a bound; NaN where nothing counts."""
    total = int(weights.sum())
    if total == 0:
        return float("nan")
    return float(weights[: int(np.searchsorted(distances, nearer_than, side="left"))].sum() / total)


def rate_at(genuine: Scores, impostor: Scores, weights: NDArray[np.int32], wanted: float) -> tuple[Rate, float]:
    """The share of genuine distances accepted at the threshold at which a share `wanted` of impostors' is.

    Each replicate finds the threshold anew: how uncertain it is belongs to the interval.

    Args:
        genuine: of those who should be accepted; at least one.
        impostor: of those who should be refused; at least one.
        weights: of `draw_people`.
        wanted: the share of false acceptances.

    Returns:
        The rate and the distance below which it accepts.
    """
    once = np.ones(weights.shape[1], np.int32)

    def at(drawn: NDArray[np.int32]) -> tuple[float, float]:
        impostors = impostor.weights(drawn)
        bound = nearest_refused(impostor.distances, impostors, wanted) if impostors.any() else float("nan")
        if np.isnan(bound):
            return bound, bound
        return accepted_share(genuine.distances, genuine.weights(drawn), bound), bound

    value, bound = at(once)
    drawn = np.array([at(row)[0] for row in weights], np.float64)
    return interval(value, drawn, len(genuine.distances), len(np.unique(genuine.first))), bound
