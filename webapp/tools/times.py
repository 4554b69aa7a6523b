"""Moments as people read them: in the institution's zone, and never to be taken for another date."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import Flask, current_app
from markupsafe import Markup, escape

from webapp.tools.languages import day_in_language, short_day_in_language, weekday_in_language

YEARS = range(1990, 2200)
"""Of days that people type; another year is a slip."""

_ZONE = "INSTITUTION_ZONE"


def init_times(app: Flask, timezone: str) -> None:
    """Set the zone and the template filters; `day`, `clock`, `clock_s` and `moment` make time elements.

    Templates know the zone as `institution_zone`.
    """
    app.config[_ZONE] = ZoneInfo(timezone)
    app.jinja_env.filters.update(
        day=lambda value: _tag(value, day_text(value)),
        clock=lambda value: _tag(value, clock_text(value)),
        clock_s=lambda value: _tag(value, clock_text(value, seconds=True)),
        moment=lambda value: _tag(value, moment_text(value)),
        moment_text=moment_text,
        clock_text=clock_text,
        short_day=short_day_text,
        iso_minute=lambda value: local(value).isoformat(timespec="minutes"),
        weekday=weekday_in_language,
        iso_day=lambda value: local(value).date().isoformat(),
    )
    app.jinja_env.globals.update(present_moment=lambda: datetime.now(UTC), institution_zone=timezone)


def zone() -> ZoneInfo:
    """The institution's zone."""
    value: ZoneInfo = current_app.config[_ZONE]
    return value


def local(moment: datetime) -> datetime:
    """The moment in the institution's zone."""
    return moment.astimezone(zone())


def today() -> date:
    """The date at the institution now."""
    return datetime.now(zone()).date()


def read_day(text: str) -> date | None:
    """A day as an address holds it, like "2026-11-23"; None for what is none, or has a year that cannot be meant."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.year in YEARS else None


def monday_of(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def start_of_day(day: date) -> datetime:
    """The first moment of the day at the institution, in UTC."""
    return datetime.combine(day, time(), tzinfo=zone()).astimezone(UTC)


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """First moment of the day and of the next one, in UTC; 23 to 25 hours apart."""
    return start_of_day(day), start_of_day(day + timedelta(days=1))


def day_text(moment: datetime | date) -> str:
    """A date like "Mon 23 Nov 2026"."""
    day = local(moment).date() if isinstance(moment, datetime) else moment
    return day_in_language(day)


def short_day_text(moment: datetime | date) -> str:
    """A date like "23 Nov", where the year is clear."""
    return short_day_in_language(local(moment).date() if isinstance(moment, datetime) else moment)


def clock_text(moment: datetime, *, seconds: bool = False) -> str:
    """A time of day like "09:05", or "09:05:30"."""
    return local(moment).strftime("%H:%M:%S" if seconds else "%H:%M")


def moment_text(moment: datetime) -> str:
    """A date and time like "Mon 23 Nov 2026, 09:05"."""
    return f"{day_text(moment)}, {clock_text(moment)}"


def _tag(value: datetime | date | None, text: str) -> Markup:
    if value is None:
        return Markup("")
    stamp = local(value).isoformat(timespec="seconds") if isinstance(value, datetime) else value.isoformat()
    # Not by format(), which takes ten times as long: a register of hundreds shows two in each row.
    return Markup(f'<time datetime="{stamp}">{escape(text)}</time>')  # noqa: S704 - digits, and escaped
