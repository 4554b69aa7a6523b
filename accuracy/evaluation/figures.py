"""The statistics of an evaluation: identification, open-set identification and verification.

Terms of ISO/IEC 19795-1:2021 and of NIST's FRTE 1:N reports: a *mated* search is of somebody enrolled, a *nonmated* one
of a stranger; FPIR is the share of nonmated searches that give a candidate within the threshold, TPIR (1 - FNIR) the
share of mated searches whose own person is the nearest and within it; FMR (verification's FAR where every photo gives a
face) the share of impostor comparisons within the threshold, TAR (1 - FNMR) the share of genuine ones.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accuracy.evaluation.decisions import Rule, SearchOutcome, decide, with_own
from accuracy.evaluation.searching import RANKS, Searches
from accuracy.statistics.bootstrap import REPLICATES, Rate, Scores, draw_people, rate_at, share
from accuracy.statistics.people import FEWEST_ERRORS

WANTED = (0.01, 0.001)
"""The false positive and false accept rates at which reports of this field mostly compare."""


@dataclass(frozen=True, slots=True)
class RateAt:
    """A rate at the threshold that gives a wanted share of false positives."""

    wanted: float
    trials: int
    """Nonmated searches, or impostor comparisons."""
    rate: Rate | None = None
    """None: it cannot be told; see `remark`."""
    threshold: float | None = None
    """The largest distance accepted; None with a rate: any."""
    remark: str = ""
    """Why there is no rate, or what to think of it."""


@dataclass(frozen=True, slots=True)
class AtRule:
    """What the product would have done with all searches."""

    title: str
    rule: Rule
    mated: Mapping[SearchOutcome, int]
    strangers: Mapping[SearchOutcome, int]
    right: Rate | None
    """Mated searches named rightly."""
    wrong: Rate | None
    """Mated searches named as somebody else."""
    false_positive: Rate | None
    """Searches of strangers that named anybody."""


class Confusion(NamedTuple):
    """A probe that is nearest to somebody else."""

    probe: int
    """Its place among the probes."""
    taken_for: str
    distance: float
    own: float
    """Distance to the own person; infinite for a stranger."""
    named: bool
    """Whether the product would have given the wrong name, at the first rule."""
    stranger: bool


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All figures."""

    people: int
    probes: int
    enrolled: int
    encodings: int
    mated: int
    mated_people: int
    nonmated: int
    nonmated_people: int
    in_turn: bool
    """Whether the strangers' searches are of enrolled people with their own encodings taken out."""
    cmc: Sequence[Rate]
    """Identification rates at rank 1, 2, ...; empty without mated searches."""
    tpir: Sequence[RateAt]
    tar: Sequence[RateAt]
    rules: Sequence[AtRule]
    confusions: Sequence[Confusion]
    genuine: NDArray[np.float32] = field(repr=False)
    """Distances of genuine comparisons."""
    impostor: NDArray[np.float32] = field(repr=False)
    """Distances of impostor comparisons."""
    mated_first: NDArray[np.float32] = field(repr=False)
    """Of each mated search the distance of the own person if it is the nearest; otherwise infinite."""
    nonmated_nearest: NDArray[np.float32] = field(repr=False)
    """Of each nonmated search the distance of the nearest person."""
    replicates: int = REPLICATES
    seed: int = 0


def evaluate(
    searches: Searches,
    rules: Mapping[str, Rule],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Evaluation:
    """Work out all figures.

    Args:
        searches: of at least one probe.
        rules: how the product decides, by title, the foremost first; may be empty.
        replicates: of the bootstrap.
        seed: of the bootstrap.
    """
    mated, stranger = searches.mated, searches.stranger
    weights = draw_people(_strata(searches), replicates=replicates, seed=seed)
    return Evaluation(
        people=len(np.unique(searches.person)),
        probes=len(searches.probes),
        enrolled=searches.enrolled,
        encodings=searches.encodings,
        mated=int(mated.sum()),
        mated_people=len(np.unique(searches.person[mated])),
        nonmated=int(stranger.sum()),
        nonmated_people=len(np.unique(searches.person[stranger])),
        in_turn=bool((mated & stranger).any()),
        cmc=_cmc(searches, weights),
        tpir=[_tpir(searches, weights, wanted) for wanted in WANTED],
        tar=[_tar(searches, weights, wanted) for wanted in WANTED],
        rules=[_at_rule(title, rule, searches, weights) for title, rule in rules.items()],
        confusions=find_confusions(searches, next(iter(rules.values()), None)),
        genuine=searches.own[mated],
        impostor=searches.comparisons,
        mated_first=_mated_first(searches),
        nonmated_nearest=searches.other_distance[stranger],
        replicates=replicates,
        seed=seed,
    )


def verification_at(
    searches: Searches, wanted: Sequence[float], *, replicates: int = REPLICATES, seed: int = 0
) -> list[RateAt]:
    """TAR at wanted false accept rates.

    Args:
        searches: of at least one probe.
        wanted: e.g. 0.001.
        replicates: of the bootstrap.
        seed: of the bootstrap.
    """
    weights = draw_people(_strata(searches), replicates=replicates, seed=seed)
    return [_tar(searches, weights, one) for one in wanted]


def _strata(searches: Searches) -> NDArray[np.int64]:
    """Strangers are drawn apart from the enrolled, unless everybody is both."""
    strata = np.zeros(len(searches.people), np.int64)
    if not (searches.mated & searches.stranger).any():
        strata[np.unique(searches.person[searches.stranger])] = 1
    return strata


def _ranks(searches: Searches) -> NDArray[np.int64]:
    """The rank of the own person in every search; ties count against it."""
    return np.array(
        [
            1 + sum(candidate.distance <= own for candidate in others)
            for own, others in zip(searches.own.tolist(), searches.others, strict=True)
        ],
        np.int64,
    )


def _mated_first(searches: Searches) -> NDArray[np.float32]:
    mated = searches.mated
    return np.where(_ranks(searches)[mated] == 1, searches.own[mated], np.inf).astype(np.float32)


def _cmc(searches: Searches, weights: NDArray[np.int32]) -> list[Rate]:
    mated = searches.mated
    ranks, person = _ranks(searches)[mated], searches.person[mated]
    shares = (share(ranks <= rank, person, weights) for rank in range(1, min(RANKS, searches.enrolled) + 1))
    return [rate for rate in shares if rate is not None]


def _tpir(searches: Searches, weights: NDArray[np.int32], wanted: float) -> RateAt:
    stranger = searches.stranger
    genuine = Scores.sort(_mated_first(searches), searches.person[searches.mated])
    impostor = Scores.sort(searches.other_distance[stranger], searches.person[stranger])
    return _rate_at(genuine, impostor, weights, wanted, "searches of strangers")


def _tar(searches: Searches, weights: NDArray[np.int32], wanted: float) -> RateAt:
    mated = searches.mated
    genuine = Scores.sort(searches.own[mated], searches.person[mated])
    pairs = searches.comparison_people
    impostor = Scores.sort(searches.comparisons, pairs[:, 0], pairs[:, 1])
    return _rate_at(genuine, impostor, weights, wanted, "impostor comparisons")


def _rate_at(genuine: Scores, impostor: Scores, weights: NDArray[np.int32], wanted: float, trials: str) -> RateAt:
    """A rate at a wanted share of false positives, or why there is none."""
    count = len(impostor.distances)
    if not len(genuine.distances):
        return RateAt(wanted, count, remark="nobody enrolled was searched for")
    needed = round(1 / wanted)
    if count < needed:
        remark = f"at least {needed:,} {trials} are needed; there are {count:,}"
        return RateAt(wanted, count, remark=remark)
    rate, bound = rate_at(genuine, impostor, weights, wanted)
    threshold = float(np.nextafter(np.float32(bound), np.float32(0))) if np.isfinite(bound) else None
    allowed = int(wanted * count + 1e-9)
    remark = ""
    if allowed < FEWEST_ERRORS:
        remark = f"rests on {allowed:,} false {'positive' if allowed == 1 else 'positives'} among {count:,} {trials}"
    return RateAt(wanted, count, rate, threshold, remark)


def _at_rule(title: str, rule: Rule, searches: Searches, weights: NDArray[np.int32]) -> AtRule:
    mated, strangers = Counter[SearchOutcome](), Counter[SearchOutcome]()
    right, wrong, false = (np.zeros(len(searches.probes), np.bool_) for _ in range(3))
    for place, (probe, others) in enumerate(zip(searches.probes, searches.others, strict=True)):
        if searches.mated[place]:
            candidates = with_own(float(searches.own[place]), probe.person, others)
            outcome, _ = decide(rule, probe.person, candidates)
            mated[outcome] += 1
            right[place], wrong[place] = outcome is SearchOutcome.RIGHT, outcome is SearchOutcome.WRONG
        if searches.stranger[place]:
            outcome, named = decide(rule, "", others)
            strangers[outcome] += 1
            false[place] = named is not None
    person = searches.person

    def rate(hits: NDArray[np.bool_], which: NDArray[np.bool_]) -> Rate | None:
        return share(hits[which], person[which], weights)

    return AtRule(
        title,
        rule,
        mated,
        strangers,
        rate(right, searches.mated),
        rate(wrong, searches.mated),
        rate(false, searches.stranger),
    )


def find_confusions(searches: Searches, rule: Rule | None) -> list[Confusion]:
    """Probes nearer to somebody else than to their own person, and strangers who would be named; nearest first.

    Args:
        searches: all.
        rule: how the product decides; None: whom it would name is not said, and strangers are left out.
    """
    found = []
    for place, (probe, others) in enumerate(zip(searches.probes, searches.others, strict=True)):
        if not others:
            continue
        own, nearest = float(searches.own[place]), others[0]
        if searches.mated[place] and nearest.distance <= own:
            named = rule.name(with_own(own, probe.person, others))[0] if rule else None
            found.append(Confusion(place, nearest.student, nearest.distance, own, named is not None, stranger=False))
        elif searches.stranger[place] and rule is not None and rule.name(others)[0] is not None:
            found.append(Confusion(place, nearest.student, nearest.distance, float("inf"), named=True, stranger=True))
    return sorted(found, key=lambda confusion: confusion.distance)
