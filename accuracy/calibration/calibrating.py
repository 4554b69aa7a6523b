"""One calibration: the gallery compared, both thresholds chosen, corrections and groups beside them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from accuracy.calibration.corrections import Corrected
from accuracy.calibration.groups import GroupReport
from accuracy.calibration.pairs import Comparisons, compare, edge_at
from accuracy.calibration.thresholds import Choice, Wanted, choose
from accuracy.statistics.rates import Interval
from attendance.gallery.store import DEFAULT_MODEL, Store
from attendance.settings.model import MatchingSettings

_SHOWN = (0.35, 0.4, 0.45, 0.475, 0.5, 0.525, 0.55, 0.575, 0.6, 0.65, 0.7)
"""Thresholds of the table, about those that are ever chosen with dlib's model."""


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
    wanted: Wanted
    roster: Choice
    campus: Choice
    in_use: Mapping[str, float]
    """The configured values of both settings."""
    corrected: Corrected | None = None
    """None: there is no database."""
    groups: GroupReport | None = None

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
        shown = {float(at) for at in _SHOWN} | {choice.threshold for choice in self.choices} | set(self.in_use.values())
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
    wanted: Wanted,
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
    """
    comparisons = compare(store.in_use, roster=wanted.roster, margin=wanted.margin, budget=budget, seed=seed)
    roster, campus = (
        choose(comparisons, wanted, setting=setting, searched=searched, default=_default(setting, store, in_use))
        for setting, searched in (("threshold", wanted.roster), ("campus_threshold", comparisons.people_in_gallery))
    )
    return Calibration(
        model=store.model,
        comparisons=comparisons,
        wanted=wanted,
        roster=roster,
        campus=campus,
        in_use={choice.setting: getattr(in_use, choice.setting) for choice in (roster, campus)},
        corrected=corrected,
        groups=None if groups is None else groups(roster.threshold),
    )


def _default(setting: str, store: Store, in_use: MatchingSettings) -> float:
    """The settings' default, which is for dlib's model; of another model the configured value."""
    if store.model != DEFAULT_MODEL:
        return float(getattr(in_use, setting))
    default: Any = MatchingSettings.model_fields[setting].default
    return float(default)
