"""What clocks of the institution showed, as a moment: the one rule, for commands that are given a date and a time."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from attendance.errors import AttendanceError
from attendance.settings.installation import InstitutionSettings


class ClockError(AttendanceError):
    """A time without an offset is no moment: the zone is not known, or clocks showed it twice or never."""


def moment_of(shown: datetime, institution: InstitutionSettings) -> datetime:
    """A date and time as a moment; without an offset it is the time that clocks of the institution showed.

    Args:
        shown: aware or naive.
        institution: says in which zone its clocks are. A zone is never guessed.

    Raises:
        ClockError: see there; the message says what to write.
    """
    if shown.tzinfo is not None:
        return shown
    text = shown.isoformat(timespec="minutes" if not (shown.second or shown.microsecond) else "auto")
    if institution.zone_warning is not None:
        raise ClockError(
            f"{text!r} has no offset, and the institution's time zone is not set on this machine: write the offset, "
            f"e.g. {text}+01:00, or set ATTENDANCE_INSTITUTION_TIMEZONE (Etc/UTC if its clocks show UTC)"
        )
    zone = ZoneInfo(institution.timezone)
    first, second = (shown.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first
    was_shown = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == shown
    times = "twice" if was_shown else "never"
    raise ClockError(
        f"clocks in {institution.timezone} showed {text} {times}, when they were changed: write the offset, "
        f"e.g. {text}{first.isoformat()[-6:]}"
    )
