"""What an import did with each line, and the same as a file to download."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

SHOWN = 200


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
    """

    line: int
    result: Result
    message: str = ""
    column: str | None = None
    content: str = ""
    records: int = 0
    question: str = ""


@dataclass
class Report:
    """The sum of an import.

    Attributes:
        lines: lines read, empty ones and the header aside.
        counts: lines by result.
        records: records added to the database; a line of a timetable may add many.
        refused: the first refused lines.
        changes: the first lines that changed something already there.
        asked: lines with a question.
        questions: the first of them.
        notes: what should be known about the file as a whole.
    """

    lines: int = 0
    counts: dict[str, int] = field(default_factory=lambda: {result.value: 0 for result in Result})
    records: int = 0
    refused: list[Outcome] = field(default_factory=list)
    changes: list[Outcome] = field(default_factory=list)
    asked: int = 0
    questions: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def count(self, outcome: Outcome) -> None:
        """Take one line into the sum."""
        self.lines += 1
        self.counts[outcome.result.value] += 1
        self.records += outcome.records
        if outcome.question:
            self.asked += 1
            if len(self.questions) < SHOWN:
                self.questions.append(outcome)
        if outcome.result is Result.REFUSED and len(self.refused) < SHOWN:
            self.refused.append(outcome)
        elif outcome.message and outcome.result is not Result.REFUSED and len(self.changes) < SHOWN:
            self.changes.append(outcome)

    def to_json(self) -> dict[str, Any]:
        """As plain values, for a JSON file."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Report":
        """The report that `to_json` wrote."""
        lists = {
            name: [Outcome(**{**item, "result": Result(item["result"])}) for item in values[name]]
            for name in ("refused", "changes", "questions")
        }
        return cls(**{**values, **lists})


REPORT_HEADER = ("line", "result", "column", "message", "content")


def report_row(outcome: Outcome) -> tuple[str, ...]:
    """A line of the report file."""
    said = " ".join(part for part in (outcome.message, outcome.question) if part)
    return (str(outcome.line), outcome.result.value, outcome.column or "", said, outcome.content)
