"""Tables as they leave in files: what a page shows, once, from which both CSV and Excel are written.

A page that offers a file makes `Sheet`s of the rows that it shows, and gives them to `answers.answer`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from webapp.tools.languages import say

Text = Any
"""A `str`, also an `attendance.texts.Text`, or a `flask_babel.lazy_gettext`; written in the reader's language."""
Cell = Any
"""What stands in a cell, as the column's `CellKind` wants it; None leaves it empty."""


class CellKind(Enum):
    """What the cells of a column are; it decides how they are written.

    Attributes:
        TEXT: `str`. Never a formula, whatever it begins with.
        WHOLE: `int`.
        NUMBER: `float`, with two decimals at most.
        SHARE: `float` from 0 to 1, written in whole percent and rounded down, as pages show it.
        DAY: `date`, or an aware `datetime` whose day at the institution is meant.
        CLOCK: an aware `datetime`; its hour and minute at the institution.
        CLOCK_SECONDS: the same with seconds.
        MOMENT: an aware `datetime`; day and time, with seconds, at the institution.
    """

    TEXT = "text"
    WHOLE = "whole"
    NUMBER = "number"
    SHARE = "share"
    DAY = "day"
    CLOCK = "clock"
    CLOCK_SECONDS = "clock with seconds"
    MOMENT = "moment"


@dataclass(frozen=True)
class SheetColumn:
    """A column of a sheet."""

    heading: Text
    kind: CellKind = CellKind.TEXT


@dataclass(frozen=True)
class Sheet:
    """A table.

    Attributes:
        name: of the sheet in a workbook; cleaned and made unique there.
        columns: at least one.
        rows: each with a cell for each column. An iterator is read once, a row at a time, and after the request's own
            database session was closed: it opens one of its own (`webapp.tools.storage.sessions_of`), and what one
            may see is decided before.
        frozen: how many columns stay in sight in Excel, from the first.
    """

    name: Text
    columns: Sequence[SheetColumn]
    rows: Iterable[Sequence[Cell]]
    frozen: int = 0


def spoken(text: Text) -> str:
    """A text as it is written, in the request's language."""
    return say(text) if isinstance(text, str) else str(text)
