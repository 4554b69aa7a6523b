"""Whether one group of students is falsely matched or missed more often than the others.

False matches are counted within a group: people of one group are mistaken for each other more easily than people of
different groups, and that is what differs between groups (NIST IR 8280, "Face Recognition Vendor Test Part 3:
Demographic Effects", 2019).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from accuracy.calibration.pairs import EDGES, Comparisons, compare, edge_at
from accuracy.statistics.rates import Interval
from attendance.database.engine import address_file
from attendance.database.models import Student
from attendance.database.opening import open_session
from attendance.errors import AttendanceError

FEWEST_PEOPLE = 10
"""Groups of fewer are not shown: a rate of three people is about these three."""
_FEWEST_TO_TELL = 30
"""People below whom hardly any difference could show."""
UNSTATED = "(not stated)"
DEFAULT_GROUP = "declared_group"
"""The column of the student table in which students declare a group themselves."""


class GroupError(AttendanceError):
    """The column is none of the student table; the message names those that are."""


@dataclass(frozen=True, slots=True)
class GroupRates:
    """The errors of one group at one threshold."""

    group: str
    people: int
    people_with_two: int
    """Those who have genuine comparisons."""
    false_match: Interval
    """Among people of the group."""
    false_non_match: Interval
    remarks: tuple[str, ...] = ()

    @property
    def flagged(self) -> bool:
        """Whether an interval lies apart from that of the others."""
        return any(remark.startswith("more often") for remark in self.remarks)


@dataclass(frozen=True, slots=True)
class GroupReport:
    """All groups that are large enough to be shown."""

    column: str
    groups: Mapping[float, Sequence[GroupRates]]
    """By threshold: the chosen one and, where false matches are too rare to compare groups by, a larger one."""
    hidden: int
    """Groups that are too small to be shown."""
    without: int
    """Enrolled students who are not in the database."""


def read_groups(db: Session, column: str) -> dict[str, str]:
    """Each student's value of a column of the student table, by index number; those without one as `UNSTATED`.

    Raises:
        GroupError: there is no such column.
    """
    columns = Student.__table__.columns
    if column not in columns:
        raise GroupError(f"the student table has no column {column!r}; it has {', '.join(sorted(columns.keys()))}")
    rows = db.execute(sa.select(Student.index_number, columns[column]))
    return {number: UNSTATED if value is None or value == "" else str(value) for number, value in rows}


def has_database(url: str) -> bool:
    """Whether there may be a database: with SQLite the file may not be made yet."""
    file = address_file(url)
    return file is None or file.exists()


def groups_of(url: str, column: str | None, people: Collection[str]) -> dict[str, str] | None:
    """Each student's group, by index number.

    Args:
        url: of the database.
        column: of the student table; None: the declared group.
        people: who is compared.

    Returns:
        None where no column was asked for, and none of the people has declared a group or there is no database yet.

    Raises:
        GroupError: there is no such column.
        DatabaseError: the database is away, or its schema is another version's.
    """
    if column is None and not has_database(url):
        return None
    with open_session(url) as db:
        values = read_groups(db, column or DEFAULT_GROUP)
    if column is None and all(values.get(person, UNSTATED) == UNSTATED for person in people):
        return None
    return values


def compare_groups(
    encodings: Mapping[str, NDArray[np.float64]],
    groups: Mapping[str, str],
    *,
    column: str,
    threshold: float,
    budget: int,
    seed: int = 0,
    fewest: int = FEWEST_PEOPLE,
) -> GroupReport:
    """Work out each group's error rates.

    Args:
        encodings: of the gallery, by index number.
        groups: of `read_groups`.
        column: its name.
        threshold: the chosen one.
        budget: of comparisons, for each group.
        seed: of what is drawn.
        fewest: people of a group that is shown.
    """
    counts = Counter(groups[person] for person in encodings if person in groups)
    shown = sorted(group for group, count in counts.items() if count >= fewest)
    compared = {
        group: compare(
            {person: rows for person, rows in encodings.items() if groups.get(person) == group},
            budget=budget,
            seed=seed,
        )
        for group in shown
    }
    thresholds = [threshold]
    diagnostic = _telling_threshold(list(compared.values()), threshold)
    if diagnostic is not None:
        thresholds.append(diagnostic)
    return GroupReport(
        column,
        {at: _flagged([_rates(group, found, at) for group, found in compared.items()]) for at in thresholds},
        len(counts) - len(shown),
        sum(person not in groups for person in encodings),
    )


def _telling_threshold(compared: Sequence[Comparisons], threshold: float) -> float | None:
    """The smallest edge at which the groups together have one false match in a hundred; None if the chosen is past it.

    False matches at a good threshold are so rare that groups look alike: none, and none.
    """
    if not compared:
        return None
    pairs = sum(found.pairs for found in compared)
    matches = sum(found.impostor_rates * found.pairs for found in compared)
    edge = int(np.argmax(matches / max(1, pairs) >= 0.01))  # see above
    return float(EDGES[edge].round(3)) if edge > edge_at(threshold) else None


def _rates(group: str, found: Comparisons, threshold: float) -> GroupRates:
    remarks = []
    if len(found.people) < _FEWEST_TO_TELL:
        remarks.append(f"too few people to tell: with fewer than {_FEWEST_TO_TELL} only gross differences show")
    if not len(found.genuine):
        remarks.append("nobody of them has two photos: nothing is known of misses")
    return GroupRates(
        group,
        len(found.people),
        found.people_with_two,
        found.false_match_rate(edge_at(threshold)),
        found.false_non_match_rate(threshold),
        tuple(remarks),
    )


def _flagged(groups: Sequence[GroupRates]) -> list[GroupRates]:
    """The groups, with a remark where an interval lies above those of all others.

    Two intervals at 95 % that do not overlap are a stricter test than one at 5 %, which makes up for the number of
    groups that are compared.
    """
    flagged = []
    for group in groups:
        others = [other for other in groups if other is not group]
        remarks = list(group.remarks)
        for what, interval, those in (
            ("falsely matched", group.false_match, [other.false_match for other in others]),
            ("missed", group.false_non_match, [other.false_non_match for other in others]),
        ):
            below = [other for other, one in zip(others, those, strict=True) if one.high < interval.low]
            if below:
                names = ", ".join(other.group for other in below)
                remarks.append(f"more often {what} than {names}")
        flagged.append(
            GroupRates(
                group.group,
                group.people,
                group.people_with_two,
                group.false_match,
                group.false_non_match,
                tuple(remarks),
            )
        )
    return flagged
