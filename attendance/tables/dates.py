"""Dates, times and minutes as people type them into spreadsheets."""

import re
from datetime import date, datetime, time

from attendance.tables.errors import LineError
from attendance.texts import english

# Year first, or day first with dots: 05/10/2026 is left out, being May in one country and October in another.
_DATE_FORMATS = ("%Y-%m-%d", "%d.%m.%Y")
_CLOCK = re.compile(r"(\d{1,2})[:.](\d{2})(?::00)?", re.ASCII)
_EARLIEST, _LATEST = 2000, 2100

MOST_MINUTES = 240
"""Of early entry and of grace."""


def year_can_be_meant(day: date) -> bool:
    """Whether a day lies in years that a timetable or a consent may have."""
    return _EARLIEST <= day.year < _LATEST


def parse_date(text: str, column: str) -> date:
    """A date like 2026-10-05 or 05.10.2026.

    Raises:
        LineError: it is none.
    """
    for form in _DATE_FORMATS:
        try:
            day = datetime.strptime(text, form).date()
        except ValueError:
            continue
        if year_can_be_meant(day):
            return day
    raise LineError(
        english(
            "%(column)s %(text)s is no date. Write it like 2026-10-05 or 05.10.2026.", column=column, text=repr(text)
        ),
        column,
    )


def parse_clock(text: str, column: str) -> time:
    """A time of day like 9:00 or 09:00.

    Raises:
        LineError: it is none.
    """
    found = _CLOCK.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        return time(int(found[1]), int(found[2]))
    except ValueError:
        raise LineError(
            english("%(column)s %(text)s is no time of day. Write it like 09:00.", column=column, text=repr(text)),
            column,
        ) from None


def parse_minutes(text: str, column: str) -> int:
    """A whole number of minutes from 0 to `MOST_MINUTES`.

    Raises:
        LineError: it is none.
    """
    digits = text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_MINUTES))
    if not digits or int(text) > MOST_MINUTES:
        raise LineError(
            english(
                "%(column)s %(text)s must be a whole number of minutes from 0 to %(most_minutes)s.",
                column=column,
                text=repr(text),
                most_minutes=MOST_MINUTES,
            ),
            column,
        )
    return int(text)
