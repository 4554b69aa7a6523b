"""A calibration in words and tables, for the terminal and the report's page."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from accuracy.calibration.calibrating import Calibration
from accuracy.calibration.corrections import FEWEST_SESSIONS, Corrected
from accuracy.calibration.groups import FEWEST_PEOPLE, GroupRates
from accuracy.calibration.thresholds import Choice, Purpose
from accuracy.statistics.rates import Interval
from attendance.reports.names import printable
from attendance.settings.families import CALIBRATION_STEP


class TextTable(NamedTuple):
    """A heading for each column, and rows of as many cells."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def table_lines(table: TextTable) -> Iterator[str]:
    """A table for the terminal: an empty line, the title, and columns as wide as their widest cell."""
    lines = [table.head, *table.rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(table.head))]
    yield ""
    yield table.title
    for line in lines:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()


def as_rate(interval: Interval) -> str:
    """A rate with its interval; `unknown` without trials."""
    if math.isnan(interval.rate):
        return "unknown"
    return f"{_number(interval.rate)} ({_number(interval.low)} to {_number(interval.high)})"


def _number(rate: float) -> str:
    return "0" if rate == 0 else f"{rate:.2g}" if rate < 0.001 else f"{rate:.4f}"


def summary(found: Calibration) -> list[str]:
    """What was compared and what was wanted."""
    compared = found.comparisons
    sampled = ""
    if len(compared.people) < compared.people_in_gallery:
        sampled = f" (drawn from {compared.people_in_gallery:,}; --comparisons compares more)"
    few = "" if compared.people_with_two else " FNMR is unknown, and so is whom a threshold would miss."
    return [
        f"{len(compared.people):,} people{sampled} with {compared.encodings:,} encodings of {found.model}; "
        f"{compared.pairs:,} impostor pairs, {len(compared.genuine):,} genuine comparisons of "
        f"{compared.people_with_two:,} people with two photos or more.{few}",
        wish_line(found.wanted),
    ]


def wish_line(wanted: Purpose) -> str:
    """What the thresholds shall keep."""
    return (
        f"Purpose: a false entry in at most {wanted.rate:g} of class sessions with a roster of {wanted.roster:,} and "
        f"{wanted.strangers:g} people who are not on it."
    )


def rate_table(found: Calibration) -> TextTable:
    """FMR and FNMR against the threshold."""
    marks = {choice.threshold: "" for choice in found.choices}
    for choice in found.choices:
        marks[choice.threshold] += f" {'chosen' if choice.measured else 'given'}: {choice.setting}"
    rows = [
        (f"{row.threshold:.3f}", as_rate(row.false_match), as_rate(row.false_non_match), marks.get(row.threshold, ""))
        for row in found.rows()
    ]
    return TextTable("Error rates", ("Threshold", "FMR (95 %)", "FNMR (95 %)", ""), rows)


def choice_lines(found: Calibration, choice: Choice) -> Iterator[str]:
    """What was chosen, and why."""
    how = "from this gallery" if choice.measured else "not measured"
    in_use = f"in use: {found.in_use[choice.setting]:g}" if found.in_use else "nothing is set"
    yield f"{found.name_of(choice)} = {choice.threshold:g}, {how} ({in_use})"
    if choice.measured:
        yield (
            f"Searches among {choice.searched:,}: {choice.trials:,.0f} comparisons a session allow an FMR of "
            f"{choice.needed:.2g}; its upper limit here is {choice.false_match_limit:.2g}, a false entry in at most "
            f"{choice.chance:.2g} of sessions."
        )
    yield from choice.remarks


def group_tables(found: Calibration) -> list[TextTable]:
    """The rates by group, one table a threshold."""
    if found.groups is None:
        return []
    head = (found.groups.column, "People", "FMR within (95 %)", "FNMR (95 %)", "")
    return [
        TextTable(f"By {found.groups.column}, at {threshold:g}", head, [_group_row(group) for group in groups])
        for threshold, groups in found.groups.groups.items()
    ]


def _group_row(group: GroupRates) -> tuple[str, ...]:
    rates = (as_rate(group.false_match), as_rate(group.false_non_match))
    return printable(group.group), f"{group.people:,}", *rates, printable("; ".join(group.remarks))


def group_lines(found: Calibration) -> list[str]:
    """What there is to say about the groups."""
    report = found.groups
    if report is None:
        return []
    lines = []
    if not any(report.groups.values()):
        lines.append(f"No group of {report.column} has {FEWEST_PEOPLE} enrolled people: nothing is shown by group.")
    elif any(group.flagged for groups in report.groups.values() for group in groups):
        lines.append("A group is served worse than others: see docs/accuracy.md for what to do.")
    else:
        lines.append("No group's interval lies apart from the others'. With few people that is no proof of equality.")
    if len(report.groups) > 1:
        lines.append(
            "False matches at the chosen threshold are too rare to compare groups by; the second table is at one where "
            "they are not."
        )
    if report.hidden:
        lines.append(f"Groups of fewer than {FEWEST_PEOPLE} people, not shown: {report.hidden:,}.")
    if report.without:
        lines.append(f"Enrolled students who are not in the database: {report.without:,}.")
    return lines


def correction_lines(corrected: Corrected | None) -> list[str]:
    """What confirmed and corrected attendance say."""
    if corrected is None:
        return ["Confirmed and corrected attendance: no database was read."]
    if not corrected.enough:
        return [
            f"Confirmed and corrected attendance: {corrected.sessions:,} ended sessions with evidence, too few for a "
            f"rate (at least {FEWEST_SESSIONS})."
        ]
    lines = [
        f"Confirmed and corrected attendance: in {corrected.sessions_with_false:,} of {corrected.sessions:,} ended "
        f"sessions a lecturer undid an entry of the machine, {as_rate(corrected.false_entries)} of sessions; it wrote "
        f"{corrected.missed:,} absences that a lecturer undid. What nobody looked at counts as right.",
        "Distances of confirmed students end at the threshold in use: they do not say whom it misses.",
    ]
    if len(corrected.false):
        lines.append(f"The nearest of the undone entries was {corrected.false.min():.3f} away.")
    return lines


def caveats() -> list[str]:
    """What every calibration rests on."""
    return [
        "Enrolment photos are compared with each other. Cameras see worse faces: expect more misses than FNMR here.",
        f"Rates are known at steps of {CALIBRATION_STEP:g}; none is extrapolated beyond the comparisons made.",
    ]
