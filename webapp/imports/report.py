"""What an import did with each line, and the same as a file to download."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from attendance.texts import english, english_list, from_plain, to_plain

SHOWN = 200
_SHOWN_STRETCHES = 40
_MOST_MISSING = 2_000
_PLAIN_TEXT = {"text", "plural", "values"}


class Result(StrEnum):
    """What became of a line."""

    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True)
class Outcome:
    """What became of one line.

    Attributes:
        line: its number in the file.
        result: what was done.
        message: what is wrong or what changed; "" where the result says all.
        column: the column at fault, if one is.
        content: the line as it stands in the file, shortened; for refused lines.
        records: how many records of the database the line added.
        question: what a person should look at before the line is imported; "" if nothing.
        missing: the noun of what is not there and could be made, and what the line calls it.
    """

    line: int
    result: Result
    message: str = ""
    column: str | None = None
    content: str = ""
    records: int = 0
    question: str = ""
    missing: tuple[str, str] | None = None


@dataclass
class Fault:
    """Lines that cannot be imported for one and the same reason.

    Attributes:
        message: what is wrong with each.
        column: the column at fault, if one is.
        content: the first of the lines, shortened.
        lines: how many there are.
        stretches: first and last number of those that follow each other; the first `_SHOWN_STRETCHES` of them.
        told: how many lines the stretches hold.
    """

    message: str
    column: str | None
    content: str
    lines: int = 0
    stretches: list[list[int]] = field(default_factory=list)
    told: int = 0

    def count(self, line: int) -> None:
        """Take one more line, of a higher number than those before."""
        self.lines += 1
        if self.stretches and self.lines == self.told + 1 and line == self.stretches[-1][1] + 1:
            self.stretches[-1][1] = line
        elif self.lines == self.told + 1 and len(self.stretches) < _SHOWN_STRETCHES:
            self.stretches.append([line, line])
        else:
            return
        self.told += 1

    def numbers(self, most: int = _SHOWN_STRETCHES) -> str:
        """The lines in words: "4", "4 to 6, 9, 12", "4 to 6, 9 and 290 more"."""
        shown = self.stretches[:most]
        said = english_list(
            ", ",
            [
                str(first) if first == last else english("%(first)s to %(last)s", first=str(first), last=str(last))
                for first, last in shown
            ],
        )
        rest = self.lines - sum(last - first + 1 for first, last in shown)
        return english("%(lines)s and %(more)s more", lines=said, more=rest) if rest else said


@dataclass
class Report:
    """The sum of an import.

    Attributes:
        lines: lines read, empty ones and the header aside.
        counts: lines by result.
        records: records added to the database; a line of a timetable may add many.
        refused: the first refused lines.
        faults: the same by their reason, in the order of their first lines, the first `SHOWN` reasons.
        changes: the first lines that changed something already there.
        asked: lines with a question.
        questions: the first of them.
        missing: by noun, what lines name that is not there and could be made, and how many lines name it.
        create: the nouns of what may be made.
        created: by noun, what was made because lines name it, or would be.
        notes: what should be known about the file as a whole.
    """

    lines: int = 0
    counts: dict[str, int] = field(default_factory=lambda: {result.value: 0 for result in Result})
    records: int = 0
    refused: list[Outcome] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    changes: list[Outcome] = field(default_factory=list)
    asked: int = 0
    questions: list[Outcome] = field(default_factory=list)
    missing: dict[str, dict[str, int]] = field(default_factory=dict)
    create: list[str] = field(default_factory=list)
    created: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Find faults by their reason, while lines are counted."""
        self._by_reason = {(fault.message, fault.column): fault for fault in self.faults}

    def count(self, outcome: Outcome) -> None:
        """Take one line into the sum."""
        self.lines += 1
        self.counts[outcome.result.value] += 1
        self.records += outcome.records
        if outcome.question:
            self.asked += 1
            if len(self.questions) < SHOWN:
                self.questions.append(outcome)
        if outcome.result is Result.REFUSED:
            self._refuse(outcome)
        elif outcome.message and len(self.changes) < SHOWN:
            self.changes.append(outcome)

    @property
    def good(self) -> int:
        """Lines that add or change something."""
        return self.counts[Result.ADDED] + self.counts[Result.UPDATED]

    @property
    def unexplained(self) -> int:
        """Refused lines whose reasons are not among `faults`, because there are too many."""
        return self.counts[Result.REFUSED] - sum(fault.lines for fault in self.faults)

    def _refuse(self, outcome: Outcome) -> None:
        if len(self.refused) < SHOWN:
            self.refused.append(outcome)
        reason = (outcome.message, outcome.column)
        fault = self._by_reason.get(reason)
        if fault is None and len(self.faults) < SHOWN:
            fault = self._by_reason[reason] = Fault(outcome.message, outcome.column, outcome.content)
            self.faults.append(fault)
        if fault is not None:
            fault.count(outcome.line)
        if outcome.missing is not None:
            record, name = outcome.missing
            names = self.missing.setdefault(record, {})
            if name in names or len(names) < _MOST_MISSING:
                names[name] = names.get(name, 0) + 1

    def to_json(self) -> dict[str, Any]:
        """As plain values, for a JSON file."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Report":
        """The report that `to_json` wrote."""
        values = _with_texts(values)
        lists = {
            name: [
                Outcome(
                    **{
                        **item,
                        "result": Result(item["result"]),
                        "missing": tuple(item["missing"]) if item.get("missing") else None,
                    }
                )
                for item in values[name]
            ]
            for name in ("refused", "changes", "questions")
        }
        # Reports of the version before have no faults yet; they are kept for a day.
        faults = [Fault(**item) for item in values.get("faults", ())]
        return cls(**{**values, **lists, "faults": faults})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return to_plain(value) if isinstance(value, str) else value


def _with_texts(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_texts(each) for each in value]
    if isinstance(value, dict):
        return from_plain(value) if value.keys() == _PLAIN_TEXT else {n: _with_texts(each) for n, each in value.items()}
    return value


REPORT_HEADER = ("line", "result", "column", "message", "content")


def report_row(outcome: Outcome) -> tuple[str, ...]:
    """A line of the report file."""
    said = " ".join(part for part in (outcome.message, outcome.question) if part)
    return (str(outcome.line), outcome.result.value, outcome.column or "", said, outcome.content)


FAULTS_HEADER = ("lines", "which", "column", "message", "first_line")


def fault_rows(faults: Sequence[Fault]) -> list[tuple[str, ...]]:
    """The lines of the file of faults."""
    return [(str(one.lines), one.numbers(), one.column or "", one.message, one.content) for one in faults]
