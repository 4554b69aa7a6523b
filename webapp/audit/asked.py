"""Which entries of the audit log an address asks for."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import request
from flask_babel import gettext

from attendance.database.audit.finding import EntryFilter, EntryPlace
from attendance.database.models import AuditEntry
from webapp.audit.words import ACTION_WORDS, KIND_WORDS
from webapp.tools.times import day_bounds, read_day, start_of_day

FILTERS = ("action", "person", "student", "from", "to")
_LONGEST = 254
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Asked:
    """The filter of an address.

    Attributes:
        wanted: what it asks for.
        arguments: the filter's parameters, without empty ones.
        errors: by parameter, what is wrong with it.
        first_day: from which day on.
        last_day: until which day.
    """

    wanted: EntryFilter
    arguments: dict[str, Any]
    errors: dict[str, str] = field(default_factory=dict)
    first_day: date | None = None
    last_day: date | None = None


def asked_filter() -> Asked:
    """What the request's address asks for."""
    given = {name: " ".join(request.args.get(name, "").split())[:_LONGEST] for name in FILTERS}
    arguments = {name: text for name, text in given.items() if text}
    errors: dict[str, str] = {}
    action = arguments.get("action")
    if action is not None and action not in KIND_WORDS and action not in ACTION_WORDS:
        errors["action"], action = gettext("Choose one of the list."), None
    first, last = _day(arguments, "from", errors), _day(arguments, "to", errors)
    if first and last and first > last:
        errors["to"] = gettext("This day is before the first one.")
    person = arguments.get("person")
    wanted = EntryFilter(
        action=action,
        # Addresses are kept in small letters; users of a machine have none.
        person=person.lower() if person and "@" in person else person,
        student=arguments.get("student"),
        since=None if first is None else start_of_day(first),
        before=None if last is None else day_bounds(last)[1],
    )
    return Asked(wanted, arguments, errors, first, last)


def place_in(name: str) -> EntryPlace | None:
    """The place of the log that a parameter of the address names; None for none, and for what is no place."""
    moment, _, number = request.args.get(name, "").partition("-")
    if not all(text.isascii() and text.isdecimal() and len(text) < 19 for text in (moment, number)):
        return None
    try:
        return EntryPlace(_EPOCH + timedelta(microseconds=int(moment)), int(number))
    except OverflowError:
        return None


def place_text(entry: AuditEntry) -> str:
    """The place of an entry, for an address."""
    return f"{(entry.happened_at - _EPOCH) // timedelta(microseconds=1)}-{entry.id}"


def _day(arguments: dict[str, Any], name: str, errors: dict[str, str]) -> date | None:
    text = arguments.get(name)
    day = None if text is None else read_day(text)
    if text is not None and day is None:
        errors[name] = gettext("This is no date. Write it like 2026-11-23.")
    return day
