"""The time at which a recording began, as a person types it."""

from datetime import datetime

import click

from attendance.settings.clocks import ClockError, moment_of
from attendance.settings.installation import InstitutionSettings

_OPTION = "--start-time"


def parse_start(text: str, institution: InstitutionSettings) -> datetime:
    """When a recording began; without an offset it is the time that clocks of the institution showed.

    Args:
        text: ISO 8601.
        institution: says in which zone its clocks are.

    Raises:
        click.BadParameter: no date and time, the zone is not known, or clocks showed the time twice or never.
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no ISO 8601 date and time, e.g. 2026-03-02T08:00+01:00 or 2026-03-02T07:00Z",
            param_hint=_OPTION,
        ) from None
    try:
        return moment_of(parsed, institution)
    except ClockError as error:
        raise click.BadParameter(str(error), param_hint=_OPTION) from None
