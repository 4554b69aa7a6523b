"""A calendar's text, cut into its events and zones before anything of it is understood."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from attendance.errors import AttendanceError
from attendance.texts import english

MAX_BYTES = 10_000_000
"""A term of a whole faculty has about 2 MB."""
MAX_EVENTS = 20_000
_MAX_LINES = 1_000_000
_LONGEST_LINE = 20_000
"""Characters. A longer title is cut; an event with a longer list of times is not read."""
_DEEPEST = 10
_END_OF_LINE = re.compile(r"\r\n|\n|\r")
_NAME = re.compile(r"[A-Za-z0-9-]+")
_MEANT = frozenset({
    "UID", "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "SEQUENCE", "STATUS",
    "SUMMARY", "LOCATION", "CATEGORIES",
})  # fmt: skip
"""What is read of an event. Everything else, alarms and attachments too, is left aside unread."""


class CalendarError(AttendanceError):
    """A calendar as a whole cannot be read; the message says why."""


@dataclass
class Block:
    """An event or a zone, as lines that are not folded any more.

    Attributes:
        line: its first line's number, as a text editor counts.
        lines: of an event those that mean something here, of a zone all of them.
        too_long: the property of a line that is longer than anybody's; "" for none.
    """

    line: int
    lines: list[str] = field(default_factory=list)
    too_long: str = ""

    def value(self, name: str) -> str:
        """The first value of a property, as it stands; "" without one."""
        return next((line.partition(":")[2] for line in self.lines if name_of(line) == name), "")

    def has(self, *names: str) -> bool:
        """Whether it has any of these properties."""
        return any(name_of(line) in names for line in self.lines)


@dataclass
class CalendarText:
    """What stands in a calendar.

    Attributes:
        events: in their order.
        zones: definitions of zones.
    """

    events: list[Block] = field(default_factory=list)
    zones: list[Block] = field(default_factory=list)


def read_text(data: bytes) -> CalendarText:
    """Cut a calendar into its events and zones.

    Raises:
        CalendarError: it is none, or too large.
    """
    if len(data) > MAX_BYTES:
        raise CalendarError(
            english("The calendar is larger than %(most)s MB. Take one of fewer courses.", most=MAX_BYTES // 1_000_000)
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CalendarError(english("The calendar is not text in UTF-8.")) from None
    if not text.lstrip()[:15].upper().startswith("BEGIN:VCALENDAR"):
        raise CalendarError(english("This is no calendar: it does not begin with BEGIN:VCALENDAR."))
    found, open_blocks = CalendarText(), _Open()
    for number, line in _lines(text):
        open_blocks.take(number, line, found)
        if len(found.events) > MAX_EVENTS:
            raise CalendarError(
                english("The calendar has more than %(most)s events. Take one of fewer courses.", most=MAX_EVENTS)
            )
    if open_blocks.names:
        raise CalendarError(
            english("The calendar breaks off: END:%(name)s is missing. Fetch it again.", name=open_blocks.names[-1])
        )
    return found


def name_of(line: str) -> str:
    """The name of a line's property, in capitals."""
    found = _NAME.match(line)
    return found[0].upper() if found else ""


@dataclass
class _Open:
    """The parts of a calendar that have begun and not ended."""

    names: list[str] = field(default_factory=list)
    block: Block | None = None

    def take(self, number: int, line: str, found: CalendarText) -> None:
        """Take the next line."""
        name = name_of(line)
        if name == "BEGIN":
            self._begin(number, line)
        elif name == "END":
            self._end(line, found)
        elif self.block is not None and ("VTIMEZONE" in self.names or (self.names[-1] == "VEVENT" and name in _MEANT)):
            self.block.lines.append(line[:_LONGEST_LINE])
            if len(line) > _LONGEST_LINE and name not in ("SUMMARY", "LOCATION", "CATEGORIES"):
                self.block.too_long = name

    def _begin(self, number: int, line: str) -> None:
        name = line.partition(":")[2].strip().upper()
        if len(self.names) == _DEEPEST:
            raise CalendarError(english("The calendar is nested too deep, at line %(line)s.", line=str(number)))
        if self.block is None and name in ("VEVENT", "VTIMEZONE"):
            self.block = Block(number)
        elif "VTIMEZONE" in self.names and self.block is not None:
            self.block.lines.append(line)
        self.names.append(name)

    def _end(self, line: str, found: CalendarText) -> None:
        name = line.partition(":")[2].strip().upper()
        if not self.names or self.names[-1] != name:
            raise CalendarError(
                english("The calendar is damaged: END:%(name)s ends nothing that has begun.", name=name[:40])
            )
        self.names.pop()
        if self.block is None:
            return
        if name == "VEVENT" and "VEVENT" not in self.names:
            found.events.append(self.block)
            self.block = None
        elif name == "VTIMEZONE":
            found.zones.append(self.block)
            self.block = None
        elif "VTIMEZONE" in self.names:
            self.block.lines.append(line)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines with their numbers in the file, long ones that were folded put together again."""
    number = 1
    for count, physical in enumerate(_unfolded(text)):
        if count > _MAX_LINES:
            raise CalendarError(english("The calendar has too many lines."))
        line, folds = physical
        if line.strip():
            yield number, line
        number += 1 + folds


def _unfolded(text: str) -> Iterator[tuple[str, int]]:
    """Each line, and how many times it was folded."""
    waiting: list[str] | None = None
    for line in _END_OF_LINE.split(text):
        if waiting is not None and line[:1] in (" ", "\t"):
            waiting.append(line[1:])
            continue
        if waiting is not None:
            yield "".join(waiting), len(waiting) - 1
        waiting = [line]
    if waiting is not None:
        yield "".join(waiting), len(waiting) - 1
