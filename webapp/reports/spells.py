"""What a student's marks say in a row: when they came last, how they come lately, and how long they stayed away."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from attendance.database.models import Status
from webapp.tools.labels import kind_of, label_of

LATELY = 5
"""So many of a student's last sessions are held against those before."""
_CAME = frozenset({Status.PRESENT.value, Status.LATE.value})
_RATED = _CAME | {Status.ABSENT.value}


@dataclass(frozen=True, slots=True)
class Spells:
    """What a student's marks say in a row.

    Attributes:
        last_seen: start of the last session that the student attended; None: of none.
        trend: rate of the last `LATELY` sessions less that of those before, -1 to 1; None with too few for both.
        longest_absence: the most sessions in a row that the student missed. Sessions that were excused, of which
            nothing is recorded, or in which the student was not expected, neither count nor end a row.
    """

    last_seen: datetime | None = None
    trend: float | None = None
    longest_absence: int = 0


def spells_of(
    marks: Sequence[str], starts: Sequence[datetime], weights: Mapping[int, float] = MappingProxyType({})
) -> Spells:
    """The spells of marks in order of time.

    Args:
        marks: as `course_marks.StudentMarks` has them.
        starts: when their sessions start.
        weights: of labels, as there; they count in the trend, as in each rate.
    """
    kinds = [kind_of(mark) for mark in marks]
    attended = [start for kind, start in zip(kinds, starts, strict=True) if kind in _CAME]
    rated = [(mark, kind in _CAME) for mark, kind in zip(marks, kinds, strict=True) if kind in _RATED]
    credits = [came + weights.get(label_of(mark) or 0, 0.0) for mark, came in rated]
    return Spells(max(attended, default=None), _trend(credits), _longest(came for _, came in rated))


def _trend(rated: Sequence[float]) -> float | None:
    before, lately = rated[:-LATELY], rated[-LATELY:]
    if len(before) < LATELY:
        return None
    return sum(lately) / len(lately) - sum(before) / len(before)


def _longest(rated: Iterable[bool]) -> int:
    longest = run = 0
    for came in rated:
        run = 0 if came else run + 1
        longest = max(longest, run)
    return longest
