"""The calendar of days without teaching."""

from collections.abc import Iterable, Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import TeachingBreak


class BreakCalendar:
    """The breaks, to be asked for many days."""

    def __init__(self, breaks: Sequence[TeachingBreak]) -> None:
        self._breaks = breaks

    def name_of(self, day: date) -> str | None:
        """What the day belongs to; None for a day of teaching."""
        return next((each.name for each in self._breaks if each.first_day <= day <= each.last_day), None)

    def split(self, days: Iterable[date]) -> tuple[list[date], dict[str, int]]:
        """The days of teaching among these, and how many of the others fall into each break."""
        kept: list[date] = []
        left_out: dict[str, int] = {}
        for day in days:
            name = self.name_of(day)
            if name is None:
                kept.append(day)
            else:
                left_out[name] = left_out.get(name, 0) + 1
        return kept, left_out


def load_breaks(db: Session) -> BreakCalendar:
    """All breaks there are: a few a year."""
    return BreakCalendar(db.scalars(sa.select(TeachingBreak).order_by(TeachingBreak.first_day, TeachingBreak.id)).all())
