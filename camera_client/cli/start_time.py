"""The time at which a recording began, as a person types it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import click

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
    if parsed.tzinfo is not None:
        return parsed
    if institution.zone_warning is not None:
        raise click.BadParameter(
            f"{text!r} has no offset, and the institution's time zone is not set on this machine: write the offset, "
            f"e.g. {text}+01:00, or set ATTENDANCE_INSTITUTION_TIMEZONE (Etc/UTC if its clocks show UTC)",
            param_hint=_OPTION,
        )
    zone = ZoneInfo(institution.timezone)
    first, second = (parsed.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first
    shown = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == parsed
    times = "twice" if shown else "never"
    raise click.BadParameter(
        f"clocks in {institution.timezone} showed {text} {times}, when they were changed: write the offset, "
        f"e.g. {text}{first.isoformat()[-6:]}",
        param_hint=_OPTION,
    )
