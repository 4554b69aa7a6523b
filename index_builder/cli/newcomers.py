"""People whom enrolling would add to the database: listed, and asked about, since a folder's name may be nobody's."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import click

from attendance.reports.names import printable

ASK, ADD, LEAVE_OUT = "ask", "add", "leave-out"
_FEWEST_IN_A_RANGE = 6
"""So many numbers that look alike are listed by their first and last."""


def new_people_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of commands that may add students: what becomes of new ones, and a run that writes nothing."""
    dry = click.option("--dry-run", is_flag=True, help="Say what would become of everybody; write nothing.")
    new = click.option(
        "--new",
        type=click.Choice([ASK, ADD, LEAVE_OUT]),
        default=ASK,
        show_default=True,
        help="What becomes of people whom the database does not know; a script says add or leave-out.",
    )
    return new(dry(command))


def left_out_of(new: Sequence[str], decision: str, *, dry_run: bool) -> frozenset[str]:
    """Say who would be added, and ask whether they shall be.

    Args:
        new: index numbers that the database does not know.
        decision: `ASK`, `ADD` or `LEAVE_OUT`.
        dry_run: nobody is asked, since nobody is added.

    Returns:
        Those who are not to be enrolled.

    Raises:
        click.ClickException: nobody is there to answer.
    """
    if not new:
        return frozenset()
    click.echo(f"Not in the database yet: {len(new)}. Enrolling adds them as students, with their consent:")
    for line in listed(new):
        click.echo(f"  {line}")
    if decision == ASK and not dry_run:
        try:
            decision = ADD if click.confirm("Add them? (No leaves them out.)") else LEAVE_OUT
        except click.Abort:
            raise click.ClickException(
                "nobody answered whether the new people shall be added: give --new add or --new leave-out, "
                "or look first with --dry-run"
            ) from None
    return frozenset(new) if decision == LEAVE_OUT else frozenset()


def listed(new: Sequence[str]) -> list[str]:
    """A line for each person, or for many whose index numbers look alike; the unusual ones first."""
    by_shape: dict[str, list[str]] = {}
    for number in new:
        by_shape.setdefault(_shape(number), []).append(number)
    lines = []
    for alike in sorted(by_shape.values(), key=len):
        if len(alike) < _FEWEST_IN_A_RANGE:
            lines += [_line(number) for number in alike]
        else:
            first, last = min(alike), max(alike)
            lines.append(f"{printable(first)} to {printable(last)} ({len(alike)} that look alike)")
    return lines


def _line(number: str) -> str:
    has_digit = any(unicodedata.category(letter) == "Nd" for letter in number)
    return printable(number) + ("" if has_digit else "   (has no digit: is it a person's index number?)")


def _shape(number: str) -> str:
    """E.g. "A000000" of "S240101"."""
    return re.sub(r"[^\W\d_]", "A", re.sub(r"\d", "0", number))
