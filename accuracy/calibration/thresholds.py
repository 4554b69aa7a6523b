"""Choosing the thresholds that keep false entries as rare as wanted; worked out in docs/accuracy.md.

In a class session `strangers` people who are not on the roster, and those of the `roster` students whose own photos are
too far away, a share q, could be entered as somebody else. Each is one track: frames of one face a moment apart are
alike and count as one trial, which the confirmation over several frames can only make rarer. A track is compared with
each of N students, so that with the false match rate f of one comparison a session has

    T = (strangers + q roster) N   comparisons, and   1 - (1 - f)^T   is the chance of a false entry.

The wanted chance w is kept when f <= 1 - (1 - w)^(1 / T). For f the upper confidence limit is used, never the estimate,
and for q the upper limit of the false non-match rate at the threshold less the margin: a student in the gallery is
entered as another only if the other is nearer by the margin.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from accuracy.calibration.pairs import EDGES, Comparisons, edge_at
from accuracy.statistics.rates import LEVEL, Interval
from attendance.errors import AttendanceError
from attendance.settings.families import DLIB

STRANGERS = 10
"""People in the room who are not on its roster, unless told otherwise: one in twenty of 200."""
_MUCH_MISSED = 0.2


class NoThresholdError(AttendanceError):
    """A threshold can neither be measured nor is there a default; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What the thresholds are chosen for."""

    rate: float = 0.001
    """Largest chance of a false entry in a class session."""
    roster: int = 200
    """Students of a session's roster."""
    strangers: float = STRANGERS
    margin: float = DLIB.margin
    """The margin in use."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One setting and why it has its value."""

    setting: str
    """Of the family's section."""
    searched: int
    """Students among whom is searched, N."""
    threshold: float
    """Chosen from the data, or the safe default."""
    measured: bool
    """Whether the data support it."""
    trials: float
    """Comparisons of a session at that threshold, T."""
    needed: float
    """The false match rate that may not be exceeded."""
    false_match: Interval
    false_match_limit: float
    false_non_match: Interval
    remarks: tuple[str, ...] = ()

    @property
    def chance(self) -> float:
        """The chance of a false entry in a session, at the upper limit of the false match rate."""
        return chance_of_false_entry(self.false_match_limit, self.trials)


def needed_rate(wanted: float, trials: float) -> float:
    """The false match rate at which so many comparisons give a false entry with the wanted chance."""
    return -math.expm1(math.log1p(-wanted) / trials) if trials > 0 else 1.0


def chance_of_false_entry(rate: float, trials: float) -> float:
    """1 - (1 - rate)^trials, exact for small rates."""
    return -math.expm1(trials * math.log1p(-rate)) if rate < 1 else 1.0


def trials_of_session(comparisons: Comparisons, wanted: Purpose, searched: int, threshold: float) -> float:
    """T of the module's formula."""
    missed = comparisons.false_non_match_limit(threshold - wanted.margin)
    return (wanted.strangers + missed * wanted.roster) * searched


def choose(comparisons: Comparisons, wanted: Purpose, *, setting: str, searched: int, default: float | None) -> Choice:
    """Choose the largest threshold that the data show to keep the wanted rate.

    Args:
        comparisons: of the gallery.
        wanted: what is to be kept.
        setting: whose value is chosen.
        searched: among how many students is searched.
        default: the safe one, for a gallery that cannot support an estimate; None: there is none.

    Raises:
        NoThresholdError: the gallery cannot support an estimate, and there is no default.
    """
    for edge in range(len(EDGES) - 1, -1, -1):
        limit = comparisons.false_match_limit(edge)
        # Every session has at least as many comparisons as strangers make: spares most edges the other rate.
        if limit > needed_rate(wanted.rate, wanted.strangers * searched):
            continue
        trials = trials_of_session(comparisons, wanted, searched, EDGES[edge])
        if limit <= needed_rate(wanted.rate, trials):
            return _choice(comparisons, wanted, setting, searched, float(EDGES[edge].round(3)), measured=True)
    if default is None:
        raise NoThresholdError(
            f"this gallery of {len(comparisons.people):,} people cannot support an estimate of {setting}, and for a "
            "model of one's own there is no default: enrol more people, or set matching.custom.threshold yourself"
        )
    safe = _not_contradicted(comparisons, wanted, searched, default)
    choice = _choice(comparisons, wanted, setting, searched, safe, measured=False)
    if safe < default:
        low = _least_chance(comparisons, wanted, searched, default)
        remark = (
            f"The default, {default:g}, is contradicted by the data: it lets a false entry through in a share of "
            f"{low:.2g} of sessions or more, before confirmation over several frames. {safe:g} is the largest that the "
            "data do not contradict."
        )
        choice = replace(choice, remarks=(*choice.remarks, remark))
    return choice


def _not_contradicted(comparisons: Comparisons, wanted: Purpose, searched: int, default: float) -> float:
    """The default, or the largest edge under it at which the data do not show more false entries than wanted."""
    if _least_chance(comparisons, wanted, searched, default) <= wanted.rate:
        return default
    for edge in range(edge_at(default), 0, -1):
        if _least_chance(comparisons, wanted, searched, float(EDGES[edge])) <= wanted.rate:
            return float(EDGES[edge].round(3))
    return float(EDGES[0])


def _least_chance(comparisons: Comparisons, wanted: Purpose, searched: int, threshold: float) -> float:
    """The chance of a false entry if the rate is at its lower limit and only strangers are compared."""
    low = comparisons.false_match_rate(edge_at(threshold)).low
    return chance_of_false_entry(low, wanted.strangers * searched)


def _choice(
    comparisons: Comparisons, wanted: Purpose, setting: str, searched: int, threshold: float, *, measured: bool
) -> Choice:
    trials = trials_of_session(comparisons, wanted, searched, threshold)
    edge = edge_at(threshold)
    choice = Choice(
        setting,
        searched,
        threshold,
        measured,
        trials,
        needed_rate(wanted.rate, trials),
        comparisons.false_match_rate(edge),
        comparisons.false_match_limit(edge),
        comparisons.false_non_match_rate(threshold),
    )
    remarks = _measured_remarks(choice, comparisons) if measured else _default_remarks(choice, comparisons)
    return replace(choice, remarks=tuple(remarks))


def _default_remarks(choice: Choice, comparisons: Comparisons) -> list[str]:
    pairs = math.ceil(math.log(1 - LEVEL) / math.log1p(-choice.needed))
    return [
        f"This gallery cannot support an estimate: a false match rate of at most {choice.needed:.2g} can be shown by "
        f"about {pairs:,} independent comparisons without an error or more, and its {len(comparisons.people):,} "
        f"{'person is' if len(comparisons.people) == 1 else 'people are'} worth at most "
        f"{int(np.max(comparisons.effective_pairs[: edge_at(choice.threshold) + 1])):,}. "
        f"{choice.threshold:g} is given, not measured."
    ]


def _measured_remarks(choice: Choice, comparisons: Comparisons) -> list[str]:
    missed = choice.false_non_match
    if not len(comparisons.genuine):
        return [
            "Nobody has two photos: how many students this threshold misses is not known, and everybody was counted as "
            "if they could be taken for somebody else."
        ]
    if missed.rate > _MUCH_MISSED:
        return [
            f"At this threshold {missed.rate:.0%} of comparisons of a student with the student's own photos miss. "
            "Enrol more and better photos, or accept more false entries with --wanted."
        ]
    return []
