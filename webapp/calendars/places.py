"""What an event's words mean here: its courses and groups by its title, its rooms by its place."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Course, CourseGroup, Room, TimetableCalendar
from attendance.tables.errors import LineError
from attendance.texts import english
from webapp.calendars.ics.occurrences import Occurrence
from webapp.imports.plan import MissingError, RecordKind

_WORD = re.compile(r"[^\s()\[\]{},;:|/]+")
_PART = re.compile(r"[()\[\]{},;:|/]|\s[-\u2013\u2014]\s")
_SEVERAL = re.compile(r"[;,+/\n]|\\n")
_AFTER_GROUP = re.compile(r"\b(?:group|groupe|gruppe|grupa)\s+([^\s()\[\]{},;:|/]+)", re.IGNORECASE)
_LONGEST_NAME = 5
"""Words of a code or a room's name."""


@dataclass(frozen=True)
class Meaning:
    """Whom an event is for, and where."""

    course_codes: tuple[str, ...]
    groups: tuple[str, ...]
    rooms: tuple[str, ...]


@dataclass
class Words:
    """The courses, groups and rooms that there are, by what events may call them."""

    courses: Mapping[str, str] = field(default_factory=dict)
    rooms: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Of each course."""
    course: str | None = None
    """Of every event."""
    room: str | None = None
    """Of events that name none."""

    def meaning_of(self, occurrence: Occurrence) -> Meaning:
        """What an event means.

        Raises:
            LineError: no course, or no room, of ours stands in it.
        """
        codes = (self.course,) if self.course is not None else self._courses(occurrence)
        groups = self._groups(occurrence.summary, codes[0]) if len(codes) == 1 else ()
        return Meaning(codes, groups, self._rooms(occurrence.location))

    def _courses(self, occurrence: Occurrence) -> tuple[str, ...]:
        for text in (occurrence.summary, *occurrence.categories):
            found = _named(text, self.courses)
            if found:
                return found
        raise LineError(
            english("No code of a course that is there stands in the title: %(title)s", title=occurrence.summary[:200]),
            "SUMMARY",
        )

    def _groups(self, summary: str, code: str) -> tuple[str, ...]:
        """The course's groups that stand in the title by themselves: "(A)", "/ Seminar 2", "group B"."""
        ours = self.groups.get(code, {})
        words = [part.strip().casefold() for part in _PART.split(summary)]
        words += [after.casefold() for after in _AFTER_GROUP.findall(summary)]
        return tuple(dict.fromkeys(ours[word] for word in words if word in ours))

    def _rooms(self, location: str) -> tuple[str, ...]:
        whole = " ".join(location.split()).casefold()
        if whole in self.rooms:
            return (self.rooms[whole],)
        parts = [" ".join(part.split()) for part in _SEVERAL.split(location)]
        found = [self.rooms[part.casefold()] for part in parts if part.casefold() in self.rooms]
        found = found or list(_named(location, self.rooms))
        if found:
            return tuple(dict.fromkeys(found))
        if self.room is not None:
            return (self.room,)
        if not whole:
            raise LineError(english("The event names no room."), "LOCATION")
        text = english("No room that is there is called %(place)s.", place=location[:200])
        raise MissingError(text, "LOCATION", RecordKind.ROOMS, "")


def load_words(db: Session, calendar: TimetableCalendar) -> Words:
    """The words that events of a calendar may use."""
    courses = [code for (code,) in db.execute(sa.select(Course.code))]
    rooms = [name for (name,) in db.execute(sa.select(Room.name))]
    groups: defaultdict[str, dict[str, str]] = defaultdict(dict)
    rows = db.execute(sa.select(Course.code, CourseGroup.name).join(Course, Course.id == CourseGroup.course_id))
    for code, name in rows:
        groups[code][name.casefold()] = name
    return Words(
        courses=_by_word(courses),
        rooms=_by_word(rooms),
        groups=groups,
        course=calendar.course.code if calendar.course else None,
        room=calendar.room.name if calendar.room else None,
    )


def _by_word(names: Iterable[str]) -> dict[str, str]:
    """Names as events may write them, in any capitals; those that differ in capitals alone are meant as they are."""
    found: dict[str, str] = {}
    for name in sorted(names):
        found.setdefault(name.casefold(), name)
    return found


def _named(text: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """The names that stand in a text as whole words, in their order; of two that begin alike the longer one."""
    words = [(match.start(), match.end()) for match in _WORD.finditer(text)]
    found: list[str] = []
    at = 0
    while at < len(words):
        for last in range(min(at + _LONGEST_NAME, len(words)), at, -1):
            part = " ".join(text[words[at][0] : words[last - 1][1]].split()).casefold()
            if part in names:
                found.append(names[part])
                at = last
                break
        else:
            at += 1
    return tuple(dict.fromkeys(found))
