"""What became of the photos, student by student, as a table for a terminal."""

from collections import Counter

from rich.table import Table
from rich.text import Text

from attendance.reports.names import printable
from index_builder.enrolment import EnrolmentResult
from index_builder.photos.verdicts import PhotoOutcome

_MOST_ROWS = 60
"""Beyond so many students only those are listed whom somebody should look at."""


def summary_table(enrolment: EnrolmentResult) -> Table:
    """A row for each student: photos used, doubtful, set aside and refused, and why."""
    needing = [student for student in enrolment.verdicts if needs_attention(enrolment, student)]
    every = list(enrolment.verdicts)
    shown = every if len(every) <= _MOST_ROWS else needing[:_MOST_ROWS]
    left_out = len(every) - len(shown)
    table = Table(
        box=None,
        pad_edge=False,
        header_style="bold",
        caption_justify="left",
        caption=f"{left_out} more students are not listed; --report FILE.html shows them all." if left_out else None,
    )
    for title in ("Student", "Used", "Doubtful", "Set aside", "Refused"):
        table.add_column(title, justify="left" if title == "Student" else "right")
    table.add_column("Why")
    for student in shown:
        outcomes = Counter(verdict.outcome for verdict in enrolment.verdicts[student])
        used = sum(count for outcome, count in outcomes.items() if outcome.gives_encoding)
        refused = {outcome: count for outcome, count in outcomes.items() if not outcome.gives_encoding}
        cells = [
            printable(student),
            str(used - outcomes[PhotoOutcome.SET_ASIDE]),
            str(outcomes[PhotoOutcome.DOUBTFUL] or ""),
            str(outcomes[PhotoOutcome.SET_ASIDE] or ""),
            str(sum(refused.values()) or ""),
            ", ".join(f"{outcome} ({count})" if count > 1 else outcome for outcome, count in refused.items()),
        ]
        table.add_row(*(Text(cell) for cell in cells), style="" if used else "bold red")
    return table


def needs_attention(enrolment: EnrolmentResult, student: str) -> bool:
    """Whether any photo of a student is not simply fine, or there is none."""
    verdicts = enrolment.verdicts[student]
    return not verdicts or any(verdict.outcome is not PhotoOutcome.OK for verdict in verdicts)
