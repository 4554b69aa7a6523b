"""Genuine and impostor comparisons of a gallery with itself, as the service makes them.

A probe's distance to a student is that to the nearest of the student's encodings, so that a student with more photos is
falsely matched more often: comparisons here are of one encoding with a whole student. Distances are counted in steps of
`CALIBRATION_STEP`; a distance at most a step's edge belongs to it, so that rates at the edges are exact.

Comparisons that share a person are not independent, so their number is divided by a design effect (see
`accuracy.statistics.people`). Where fewer than `FEWEST_ERRORS` pairs match, the effect of the next threshold at which
so many do is used; where there is none, only pairs of which no two share a person count, n / 2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accuracy.statistics.people import FEWEST_ERRORS, design_effect, mean_over_people
from accuracy.statistics.rates import ErrorRates, Interval, clopper_pearson, upper_limit
from attendance.settings.families import CALIBRATION_STEP as STEP
from attendance.settings.families import FARTHEST

EDGES = STEP * np.arange(1, round(FARTHEST / STEP) + 1)
"""Thresholds at which rates are known, shape (400,)."""
BUDGET = 2_000_000_000
"""Comparisons made unless more are asked for: some 44,000 people of one photo with one another, a minute or two."""
_BLOCK = 4_000_000
_ROSTER_PROBES = 2_000


@dataclass(frozen=True, slots=True, eq=False)
class ImpostorSearches:
    """Searches of people among students who they are not, each as many as `size`."""

    size: int
    count: int
    nearest: NDArray[np.int64]
    """Searches whose nearest student is at most each edge away, shape (400,)."""
    named: NDArray[np.int64]
    """Those of them in which the runner-up was farther by the margin, too."""


@dataclass(frozen=True, eq=False)
class Comparisons:
    """All comparisons of a gallery, counted."""

    people: Sequence[str]
    """Who was compared: everybody of the gallery, or a sample."""
    people_in_gallery: int
    encodings: int
    """Of the people compared."""
    genuine: NDArray[np.float64]
    """Distance of each encoding to the nearest of the other encodings of the same student, shape (g,)."""
    genuine_person: NDArray[np.int64]
    """Whose each is: its place in `people`, shape (g,)."""
    matches: NDArray[np.int32]
    """For each person the others whom one encoding of that person matches at each edge, shape (n, 400)."""
    roster: ImpostorSearches | None
    """Among rosters; None where there are too few people for one."""
    campus: ImpostorSearches | None
    """Among all others; None for one person."""

    @property
    def pairs(self) -> int:
        """Pairs of different people."""
        return len(self.people) * (len(self.people) - 1) // 2

    @property
    def people_with_two(self) -> int:
        """People who have a genuine comparison."""
        return len(np.unique(self.genuine_person))

    @cached_property
    def impostor_rates(self) -> NDArray[np.float64]:
        """FMR at each edge, shape (400,); NaN without pairs."""
        with np.errstate(invalid="ignore", divide="ignore"):
            rates: NDArray[np.float64] = self.matches.sum(axis=0, dtype=np.int64) / np.float64(2 * self.pairs)
        return rates

    @cached_property
    def effective_pairs(self) -> NDArray[np.float64]:
        """How many independent comparisons the pairs are worth at each edge, shape (400,); at least n / 2."""
        n = len(self.people)
        least = n // 2
        if n < 3:  # of two people nothing is known about variance
            return np.full(len(EDGES), min(least, self.pairs), np.float64)
        p = self.impostor_rates
        known = p * self.pairs >= FEWEST_ERRORS
        known &= (1 - p) * self.pairs >= FEWEST_ERRORS
        effect = design_effect(p, (self.matches / (n - 1)).var(axis=0, ddof=1), n)
        worth = np.where(known, self.pairs / effect, np.nan)
        first = int(known.argmax())
        worth[:first] = worth[first] if known.any() else np.nan
        effective: NDArray[np.float64] = np.clip(np.where(np.isnan(worth), least, worth), least, self.pairs)
        return effective

    def false_match_rate(self, edge: int) -> Interval:
        """FMR at an edge, with the interval of the effective number of pairs."""
        trials = self.effective_pairs[edge]
        return clopper_pearson(self.impostor_rates[edge] * trials, trials) if trials else clopper_pearson(0, 0)

    def false_match_limit(self, edge: int) -> float:
        """The one-sided upper limit of FMR at an edge."""
        trials = self.effective_pairs[edge]
        return upper_limit(self.impostor_rates[edge] * trials, trials) if trials else 1.0

    def _missed(self, threshold: float) -> tuple[float, int]:
        return mean_over_people(self.genuine > threshold + 1e-9, self.genuine_person)

    def false_non_match_rate(self, threshold: float) -> Interval:
        """FNMR, the mean over people, with the interval of as many trials as there are people."""
        return clopper_pearson(*self._missed(threshold))

    def false_non_match_limit(self, threshold: float) -> float:
        """The one-sided upper limit of FNMR; 1 without any genuine comparison."""
        return upper_limit(*self._missed(threshold))

    @property
    def rates(self) -> ErrorRates:
        """The same as rates of single comparisons, for curves."""
        counts = np.diff(self.matches.sum(axis=0, dtype=np.int64), prepend=0)
        beyond = 2 * self.pairs - counts.sum()
        return ErrorRates(
            self.genuine, np.append(EDGES, np.inf), impostor_counts=np.append(counts, beyond).astype(np.int64)
        )


def edge_at(threshold: float) -> int:
    """The place in `EDGES` of the largest edge that is at most `threshold`; 0 under the first."""
    return max(0, min(len(EDGES), int(threshold / STEP + 1e-6)) - 1)


def compare(
    encodings: Mapping[str, NDArray[np.float64]],
    *,
    roster: int = 200,
    margin: float = 0.0,
    budget: int = BUDGET,
    seed: int = 0,
) -> Comparisons:
    """Compare everybody with everybody, or a sample of people within the budget.

    Args:
        encodings: for each student an array of shape (k, d), k at least 1.
        roster: students of a roster search.
        margin: by which a runner-up must be farther for a name to be given.
        budget: most comparisons of one encoding with one encoding.
        seed: of what is drawn: the people of a sample, each one's probe, the rosters.

    Raises:
        ValueError: there is nobody.
    """
    if not encodings:
        raise ValueError("there is nobody to compare")
    draw = np.random.default_rng(seed)
    people = _sample(encodings, budget, draw)
    rows = [np.asarray(encodings[person], np.float32) for person in people]
    genuine, owner = _genuine(rows)
    matches, campus, in_rosters = _impostors(rows, roster=roster, margin=margin, draw=draw)
    return Comparisons(people, len(encodings), sum(map(len, rows)), genuine, owner, matches, in_rosters, campus)


def _sample(encodings: Mapping[str, NDArray[np.float64]], budget: int, draw: np.random.Generator) -> list[str]:
    """Everybody, or as many, drawn, as the budget allows; people rather than pairs, so that all pairs are theirs."""
    people = list(encodings)
    total = sum(len(rows) for rows in encodings.values())
    most = int((budget * len(people) / total) ** 0.5)
    if len(people) <= max(most, 2):
        return people
    return [people[place] for place in np.sort(draw.choice(len(people), max(most, 2), replace=False))]


def _genuine(rows: Sequence[NDArray[np.float32]]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    found, owner = [np.empty(0)], [np.empty(0, np.int64)]
    for place, own in enumerate(rows):
        if len(own) > 1:
            exact = own.astype(np.float64)
            apart = np.sqrt(np.square(exact[:, None] - exact[None]).sum(axis=2))
            np.fill_diagonal(apart, np.inf)
            found.append(apart.min(axis=1))
            owner.append(np.full(len(own), place))
    return np.concatenate(found), np.concatenate(owner)


def _impostors(
    rows: Sequence[NDArray[np.float32]], *, roster: int, margin: float, draw: np.random.Generator
) -> tuple[NDArray[np.int32], ImpostorSearches | None, ImpostorSearches | None]:
    """Each person's matches at each edge, the searches among all others, and those among rosters."""
    n = len(rows)
    together = np.concatenate(rows)
    squares = np.square(together).sum(axis=1)
    starts = np.cumsum([0, *map(len, rows)])[:-1]
    probes = starts + draw.integers(0, [len(own) for own in rows])
    shuffled = draw.permutation(n)[: n - n % roster].reshape(-1, roster)
    probed = set(draw.permutation(n)[:_ROSTER_PROBES].tolist())
    matches = np.zeros((n, len(EDGES)), np.int32)
    campus, rosters = _Tally(margin), _Tally(margin)
    step = max(1, _BLOCK // len(together))
    for start in range(0, n, step):
        places = np.arange(start, min(start + step, n))
        part = probes[places]
        apart = squares[part][:, None] + squares[None] - 2 * (together[part] @ together.T)
        nearest = np.sqrt(np.clip(np.minimum.reduceat(apart, starts, axis=1), 0, None))
        nearest[np.arange(len(places)), places] = np.inf
        matches[places] = _matches(nearest)
        if n > 1:
            campus.add(nearest)
        for line, place in enumerate(places.tolist()):
            if place in probed and len(shuffled):
                # A roster with the person's own name on it is none of strangers.
                rosters.add(nearest[line][shuffled[~(shuffled == place).any(axis=1)]])
    return matches, campus.searches(n - 1), rosters.searches(roster)


def _bins(distances: NDArray[np.float32]) -> NDArray[np.int64]:
    """The first edge that each distance is at most; as many as there are edges for what is beyond."""
    # Single precision puts 0.55 a little over itself.
    steps = np.ceil(np.minimum(distances, 1e6) / np.float32(STEP) - np.float32(1e-4))
    bins: NDArray[np.int64] = np.clip(steps, 1, len(EDGES) + 1).astype(np.int64) - 1
    return bins


def _matches(nearest: NDArray[np.float32]) -> NDArray[np.int64]:
    width = len(EDGES) + 1
    flat = _bins(nearest) + width * np.arange(len(nearest))[:, None]
    counts = np.bincount(flat.ravel(), minlength=width * len(nearest)).reshape(-1, width)
    found: NDArray[np.int64] = np.cumsum(counts, axis=1)[:, :-1]
    return found


class _Tally:
    """Counts searches by the distance of the nearest."""

    def __init__(self, margin: float) -> None:
        self._margin = margin
        self._count = 0
        self._nearest, self._named = (np.zeros(len(EDGES) + 1, np.int64) for _ in range(2))

    def add(self, distances: NDArray[np.float32]) -> None:
        """Count searches, one a line."""
        if not distances.size:
            return
        if distances.shape[1] > 1:
            two = np.partition(distances, 1, axis=1)[:, :2]
        else:
            two = np.pad(distances, ((0, 0), (0, 1)), constant_values=np.inf)
        bins = _bins(two[:, 0])
        self._count += len(two)
        self._nearest += np.bincount(bins, minlength=len(EDGES) + 1)
        with np.errstate(invalid="ignore"):  # of one other person alone: infinity less infinity
            distinct = two[:, 1] - two[:, 0] >= self._margin
        self._named += np.bincount(bins[distinct], minlength=len(EDGES) + 1)

    def searches(self, size: int) -> ImpostorSearches | None:
        """What was counted."""
        if not self._count:
            return None
        return ImpostorSearches(size, self._count, np.cumsum(self._nearest)[:-1], np.cumsum(self._named)[:-1])
