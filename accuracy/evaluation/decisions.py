"""What the product would make of a search: the threshold, and the margin to the runner-up, as the service decides."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from attendance.gallery.gallery import Candidate
from attendance.settings.families import FamilyNumbers

ROSTER, CAMPUS = "the roster's threshold", "the campus threshold"
"""What a family's two thresholds are called in reports."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How a search among people is decided."""

    threshold: float
    """Largest distance at which a face may be somebody's."""
    margin: float
    """How much nearer the nearest must be than the runner-up."""

    def name(self, found: Sequence[Candidate]) -> tuple[str | None, bool]:
        """Whom a search names, and whether it was too close a call; the same rule as the service's matcher.

        Args:
            found: the people of the gallery, nearest first; two are enough.

        Returns:
            The person or None, and whether the margin alone forbade a name.
        """
        if not found or not found[0].distance <= self.threshold:
            return None, False
        best = found[0].distance
        runner_up = found[1].distance if len(found) > 1 else math.inf
        if runner_up - best < self.margin or runner_up == best:
            return None, True
        return found[0].student, False


def rules_of(numbers: FamilyNumbers, margin: float | None = None) -> Mapping[str, Rule]:
    """How the product decides with a family, the foremost first.

    Args:
        numbers: of the family.
        margin: in place of the family's.
    """
    apart = numbers.margin if margin is None else margin
    return {ROSTER: Rule(numbers.threshold, apart), CAMPUS: Rule(numbers.campus_threshold, apart)}


class SearchOutcome(StrEnum):
    """What became of one search."""

    RIGHT = "named rightly"
    WRONG = "named as somebody else"
    TOO_CLOSE = "too close between two"
    NOBODY = "named nobody"


def with_own(own: float, person: str, others: Sequence[Candidate]) -> list[Candidate]:
    """The candidates of a mated search: the own person among the others. On a tie the others come first."""
    place = sum(candidate.distance <= own for candidate in others)
    return [*others[:place], Candidate(person, own), *others[place:]]


def decide(rule: Rule, person: str, candidates: Sequence[Candidate]) -> tuple[SearchOutcome, str | None]:
    """The outcome of one search, and who was named."""
    named, tied = rule.name(candidates)
    if named is None:
        return (SearchOutcome.TOO_CLOSE if tied else SearchOutcome.NOBODY), None
    return (SearchOutcome.RIGHT if named == person else SearchOutcome.WRONG), named
