"""What the tables of several benchmarks have in common."""

from typing import Any

Rows = list[list[str]]


def measured_on(results: dict[str, Any]) -> str:
    """When and on what, of results that begin with `costs.circumstances`; without the end of the sentence."""
    return (
        f"Measured {results['measured_at'][:10]} on {results['processor']}, {results['cores']} cores, load before"
        f" {results['load_before']:.1f}"
    )


def markdown(rows: Rows) -> str:
    """A table; the first row is its head."""
    head, *body = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *body))


def target_line(target: str, reached: bool, figure: str) -> str:
    """What was to be reached, whether it was, and what was measured."""
    return f"{'reached    ' if reached else 'NOT REACHED'}  {target} ({figure})"
