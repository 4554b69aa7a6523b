"""From which day to which a report counts: `?from=` and `?to=`, as the records have them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from flask import Flask, abort, request
from flask_babel import gettext as _

from attendance.database.models import ClassSession
from webapp.tools.requests import this_address
from webapp.tools.times import day_bounds, day_text, read_day, start_of_day


@dataclass(frozen=True, slots=True)
class Period:
    """Days at the institution, both included; one that is None has no bound.

    What counts is when a session begins.
    """

    first: date | None = None
    last: date | None = None

    def __bool__(self) -> bool:
        return self.first is not None or self.last is not None

    @property
    def conditions(self) -> tuple[sa.ColumnElement[bool], ...]:
        """That a session begins in it, on columns of `ClassSession`."""
        first = () if self.first is None else (ClassSession.starts_at >= start_of_day(self.first),)
        last = () if self.last is None else (ClassSession.starts_at < day_bounds(self.last)[1],)
        return first + last

    @property
    def arguments(self) -> Mapping[str, str]:
        """As an address holds it."""
        days = {"from": self.first, "to": self.last}
        return {name: day.isoformat() for name, day in days.items() if day is not None}

    @property
    def words(self) -> str:
        """In a sentence: "from Mon 2 Mar 2026 to Fri 3 Apr 2026"; empty without a bound."""
        first = "" if self.first is None else _("from %(day)s", day=day_text(self.first))
        last = "" if self.last is None else _("to %(day)s", day=day_text(self.last))
        return " ".join(filter(None, (first, last)))

    def touches(self, starts_at: datetime, ends_at: datetime) -> bool:
        """Whether a time lies in it, at least with a part."""
        after = self.first is None or ends_at > start_of_day(self.first)
        return after and (self.last is None or starts_at < day_bounds(self.last)[1])

    def file_words(self) -> Iterator[str]:
        """Words for a file's name."""
        yield from (f"{name}-{day}" for name, day in self.arguments.items())


def asked_period() -> Period:
    """What the address asks for; what is no day, or ends before it begins, is answered 400."""
    first, last = _asked_day("from"), _asked_day("to")
    if first and last and last < first:
        abort(400, _("“to” is before “from”: %(last)s is before %(first)s.", last=last, first=first))
    return Period(first, last)


def init_period(app: Flask) -> None:
    """Let templates keep the period in their links, and leave it."""
    app.jinja_env.globals.update(kept_period=_kept_period, whole_time_address=_whole_time_address)


def _kept_period() -> Mapping[str, str]:
    """What a link to another report takes along of this page's address."""
    days = {name: request.args.get(name, "") for name in ("from", "to")}
    return {name: day for name, day in days.items() if read_day(day)}


def _whole_time_address() -> str:
    """This page's address without a period."""
    return this_address("from", "to", "weeks")


def _asked_day(name: str) -> date | None:
    text = request.args.get(name, "").strip()
    day = read_day(text) if text else None
    if text and day is None:
        abort(400, _("“%(name)s” is a day like 2026-11-23.", name=name))
    return day
