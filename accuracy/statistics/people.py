"""Exact intervals of rates whose trials belong to people: what is one person's is alike, and counts as one trial.

Comparisons that share a person are not independent: somebody who looks like many makes many false matches. The number
of comparisons is therefore divided by the design effect of a statistic of pairs (Hoeffding, "A class of statistics with
asymptotically normal distribution", Annals of Mathematical Statistics 19, 1948).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from accuracy.statistics.rates import Interval, clopper_pearson

FEWEST_ERRORS = 30
"""Doddington's rule of 30 (Speech Communication 31, 2000): with fewer errors a rate is no better known than to 30 %."""


def mean_over_people(hits: NDArray[np.bool_], person: NDArray[np.int64]) -> tuple[float, int]:
    """People's mean share of hits times their number, and the number: all that is one person's counts as one trial.

    Args:
        hits: shape (n,).
        person: whose each is, shape (n,), numbers from 0.
    """
    if not len(hits):
        return 0.0, 0
    count = np.bincount(person)
    hit = np.bincount(person, hits)
    there = count > 0
    return float((hit[there] / count[there]).sum()), int(there.sum())


def rate_of_people(hits: NDArray[np.bool_], person: NDArray[np.int64]) -> Interval:
    """The share of hits, with the exact interval of as many trials as there are people.

    Args:
        hits: shape (n,).
        person: whose each is, shape (n,), numbers from 0.
    """
    people = len(np.unique(person))
    return clopper_pearson(float(hits.mean()) * people, people) if people else clopper_pearson(0, 0)


def design_effect(rate: Any, variance: Any, people: int) -> Any:
    """By what the number of pairs of people is divided, for it to be one of independent trials.

        1 + 2 (n - 2) z1 / z2,   z2 = p (1 - p),   z1 = variance over people of each one's rate, less z2 / (n - 1)

    Args:
        rate: p, the share of pairs that match; a number or an array.
        variance: over people, of the share of others whom each matches; of the same shape.
        people: n, 3 or more.

    Returns:
        At least 1; NaN where no pair matches or all do.
    """
    both = rate * (1 - rate)
    with np.errstate(invalid="ignore", divide="ignore"):
        shared = np.clip(variance - both / (people - 1), 0, None) / both
    return 1 + 2 * (people - 2) * shared


def rate_of_pairs(distances: NDArray[np.float32], pairs: NDArray[np.int64], threshold: float) -> Interval:
    """The share of comparisons of two people that match, with the exact interval of the effective number of pairs.

    Where fewer than `FEWEST_ERRORS` comparisons match, the design effect of the smallest threshold at which so many do
    is used; where there is none, only pairs of which no two share a person count: half as many as people.

    Args:
        distances: shape (c,).
        pairs: which two people each is of, shape (c, 2), numbers from 0.
        threshold: a comparison matches when its distance is at most this.
    """
    if not len(distances):
        return clopper_pearson(0, 0)
    rate = float((distances <= threshold).mean())
    ordered = np.sort(pairs, axis=1)
    different = len(np.unique(ordered, axis=0))
    people = len(np.unique(pairs))
    trials = float(min(max(people // 2, 1), different))
    telling = max(threshold, float(np.sort(distances)[FEWEST_ERRORS - 1])) if len(distances) > FEWEST_ERRORS else np.inf
    matched = distances <= telling
    if people > 2 and FEWEST_ERRORS <= matched.sum() <= len(matched) - FEWEST_ERRORS:
        both = pairs.ravel()
        shares = np.bincount(both, np.repeat(matched, 2)) / np.maximum(np.bincount(both), 1)
        there = np.bincount(both) > 0
        effect = float(design_effect(float(matched.mean()), shares[there].var(ddof=1), people))
        trials = float(np.clip(different / effect, trials, different))
    return clopper_pearson(rate * trials, trials)
