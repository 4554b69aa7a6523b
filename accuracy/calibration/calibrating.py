"""One calibration: the gallery compared, both thresholds chosen, corrections and groups beside them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from accuracy.calibration.corrections import Corrected
from accuracy.calibration.groups import GroupReport
from accuracy.calibration.pairs import Comparisons, compare, edge_at
from accuracy.calibration.thresholds import Choice, Purpose, choose
from accuracy.statistics.rates import Interval
from attendance.gallery.store import Store
from attendance.settings.families import BUILT_IN, DLIB, Family, FamilyError, custom_numbers, family_of
from attendance.settings.matching import MatchingSettings


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    threshold: float
    false_match: Interval
    false_non_match: Interval


@dataclass(frozen=True, slots=True)
class Calibration:
    """All that is reported."""

    model: str
    comparisons: Comparisons
    wanted: Purpose
    roster: Choice
    campus: Choice
    in_use: Mapping[str, float]
    """The values in use of both settings; empty for a model of one's own whose distances are not set."""
    corrected: Corrected | None = None
    """None: there is no database."""
    groups: GroupReport | None = None

    @property
    def family(self) -> Family:
        """Of the model, whose settings are chosen."""
        return family_of(self.model)

    def name_of(self, choice: Choice) -> str:
        """The setting in full."""
        return f"matching.{self.family}.{choice.setting}"

    @property
    def choices(self) -> tuple[Choice, Choice]:
        """Of both settings."""
        return self.roster, self.campus

    @property
    def thresholds(self) -> dict[str, float]:
        """The values by setting."""
        return {choice.setting: choice.threshold for choice in self.choices}

    def rows(self) -> list[Row]:
        """The table, with both chosen thresholds among its lines."""
        numbers = BUILT_IN.get(self.family) or custom_numbers(self.roster.threshold)
        shown = (
            {float(at) for at in numbers.shown}
            | {choice.threshold for choice in self.choices}
            | set(self.in_use.values())
        )
        found = self.comparisons
        return [Row(at, found.false_match_rate(edge_at(at)), found.false_non_match_rate(at)) for at in sorted(shown)]

    def searched(self) -> list[str]:
        """What searches among many gave, beside what the formula says; empty where there were too few people."""
        lines = []
        for choice, searches in ((self.roster, self.comparisons.roster), (self.campus, self.comparisons.campus)):
            if searches is None:
                continue
            edge = edge_at(choice.threshold)
            formula = -np.expm1(searches.size * np.log1p(-min(self.comparisons.impostor_rates[edge], 1 - 1e-12)))
            lines.append(
                f"{searches.count:,} searches of people among {searches.size:,} others, at {choice.threshold:g}: "
                f"{searches.named[edge]:,} gave a name ({searches.nearest[edge]:,} before the margin); "
                f"1 - (1 - FMR)^{searches.size} gives {formula * searches.count:,.1f}."
            )
        return lines


def calibrate(
    store: Store,
    wanted: Purpose,
    in_use: MatchingSettings,
    *,
    budget: int,
    seed: int = 0,
    groups: Callable[[float], GroupReport] | None = None,
    corrected: Corrected | None = None,
) -> Calibration:
    """Compare a gallery with itself and choose both thresholds.

    Args:
        store: with one student in use or more.
        wanted: what is to be kept.
        in_use: the configured settings.
        budget: most comparisons.
        seed: of what is drawn.
        groups: given the roster's threshold, the report by group.
        corrected: what lecturers' corrections say.

    Raises:
        ValueError: nobody is in the gallery.
        NoThresholdError: of a model of one's own nothing is set, and the gallery is too small to measure it.
    """
    comparisons = compare(store.in_use, roster=wanted.roster, margin=wanted.margin, budget=budget, seed=seed)
    family = family_of(store.model)
    given = in_use.given_for(family)
    known = BUILT_IN.get(family)
    default = given.get("threshold") if known is None else known.threshold
    roster = choose(comparisons, wanted, setting="threshold", searched=wanted.roster, default=default)
    if known is None:
        # In proportion, as all that nobody has set for a model of one's own.
        default = given.get("campus_threshold", DLIB.campus_threshold / DLIB.threshold * roster.threshold)
    else:
        default = known.campus_threshold
    everybody = comparisons.people_in_gallery
    campus = choose(comparisons, wanted, setting="campus_threshold", searched=everybody, default=default)
    return Calibration(
        model=store.model,
        comparisons=comparisons,
        wanted=wanted,
        roster=roster,
        campus=campus,
        in_use=_values_in_use(in_use, family, roster, campus),
        corrected=corrected,
        groups=None if groups is None else groups(roster.threshold),
    )


def _values_in_use(settings: MatchingSettings, family: Family, *choices: Choice) -> dict[str, float]:
    try:
        numbers = settings.numbers(family)
    except FamilyError:
        return {}
    return {choice.setting: getattr(numbers, choice.setting) for choice in choices}
