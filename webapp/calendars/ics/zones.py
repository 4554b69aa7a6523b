"""What zones of a calendar mean: names of the IANA, those of Windows, and definitions that agree with ours."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from icalendar import Timezone
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from attendance.tables.errors import LineError
from attendance.texts import english
from webapp.calendars.ics.text import Block

_PARAMETER = re.compile(r';TZID=(?:"([^"]*)"|([^":;,]*))', re.IGNORECASE)
_LOOKED_AT = timedelta(days=3)


class CalendarZones:
    """The zones of one calendar."""

    def __init__(self, ours: ZoneInfo, definitions: Sequence[Block], since: datetime, until: datetime) -> None:
        """Get ready.

        Args:
            ours: the institution's.
            definitions: those that the calendar holds.
            since: from when on times matter, aware.
            until: until when.
        """
        self.ours = ours
        self._definitions = {block.value("TZID").strip(): block for block in definitions}
        self._span = since, until
        self._known: dict[str, ZoneInfo | None] = {}

    @property
    def ends(self) -> datetime:
        """Until when times matter."""
        return self._span[1]

    def rewrite(self, line: str) -> str:
        """A line with the name that the IANA has for its zone.

        Raises:
            LineError: nobody knows the zone; names it.
        """
        head, colon, value = _split(line)
        found = _PARAMETER.search(head)
        if found is None:
            return line
        name = found[1] if found[1] is not None else found[2]
        return f"{head[: found.start()]};TZID={self.zone(name).key}{head[found.end() :]}{colon}{value}"

    def zone(self, name: str) -> ZoneInfo:
        """The zone of a name.

        Raises:
            LineError: nobody knows it; names it.
        """
        if name not in self._known:
            self._known[name] = self._find(name)
        known = self._known[name]
        if known is None:
            raise LineError(
                english("The time zone %(zone)s is not known, so nobody can say when this is.", zone=name[:100]), "zone"
            )
        return known

    def _find(self, name: str) -> ZoneInfo | None:
        parts = name.strip("/ ").split("/")
        # "/mozilla.org/20050126_1/Europe/Berlin" and the like: the last parts are the IANA's.
        names = [name, WINDOWS_TO_OLSON.get(name, ""), *("/".join(parts[-count:]) for count in (3, 2))]
        definition = self._definitions.get(name)
        if definition is not None:
            names.append(definition.value("X-LIC-LOCATION").strip())
        found = next((zone for zone in map(_iana, names) if zone is not None), None)
        if found is None and definition is not None and self._agrees(definition):
            return self.ours
        return found

    def _agrees(self, definition: Block) -> bool:
        """Whether a definition gives the times of our own zone, all the while that matters."""
        # The library keeps zones by name for all calendars: without one, none of them is another calendar's.
        lines = [line if not line.upper().startswith("TZID") else "TZID:of this calendar" for line in definition.lines]
        text = "\r\n".join(["BEGIN:VTIMEZONE", *lines, "END:VTIMEZONE"])
        try:
            read = Timezone.from_ical(text)
            theirs = read.to_tz(lookup_tzid=False) if isinstance(read, Timezone) else None
            return theirs is not None and _same(theirs, self.ours, *self._span)
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError):
            return False  # a definition that makes no sense


def _split(line: str) -> tuple[str, str, str]:
    """A line's name and parameters, the colon, and its value; a colon within quotation marks is none."""
    quoted = False
    for place, sign in enumerate(line):
        if sign == '"':
            quoted = not quoted
        elif sign == ":" and not quoted:
            return line[:place], ":", line[place + 1 :]
    return line, "", ""


def _iana(name: str) -> ZoneInfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _same(theirs: tzinfo, ours: ZoneInfo, since: datetime, until: datetime) -> bool:
    moment = since.astimezone(UTC)
    while moment <= until:
        wall = moment.astimezone(ours).replace(tzinfo=None)
        if theirs.utcoffset(wall.replace(tzinfo=theirs)) != moment.astimezone(ours).utcoffset():
            return False
        moment += _LOOKED_AT
    return True
