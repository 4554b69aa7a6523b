"""Room, camera and start of a recording out of its file's name, by a pattern that the operator gives.

`{room}` and `{camera}` stand for their names, `*` for anything, and `%Y %y %m %d %H %M %S %z` for what they mean in
strftime(3): `{room}_%Y-%m-%d_%H-%M.mp4`. A pattern with a `/` is held against the path within the folder.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import PurePath

from attendance.errors import AttendanceError

_CODES = {
    "%Y": r"(?P<Y>\d{4})",
    "%y": r"(?P<y>\d{2})",
    "%m": r"(?P<m>\d{2})",
    "%d": r"(?P<d>\d{2})",
    "%H": r"(?P<H>\d{2})",
    "%M": r"(?P<M>\d{2})",
    "%S": r"(?P<S>\d{2})",
    "%z": r"(?P<z>Z|[+-]\d{2}:?\d{2})",
}
_FIELDS = {"{room}": r"(?P<room>[^/]+?)", "{camera}": r"(?P<camera>[^/]+?)"}
_PIECE = re.compile(r"%.|\{[^}]*\}?|\*")
_DAY = ("m", "d", "H", "M")


class PatternError(AttendanceError):
    """A pattern of names cannot be used."""


@dataclass(frozen=True, slots=True)
class NamedVideo:
    """What a name says."""

    room: str | None
    camera: str | None
    start: datetime | None
    """Naive unless the name has an offset; None: the pattern has no date."""


class NamePattern:
    """Reads names."""

    def __init__(self, text: str) -> None:
        """Understand a pattern.

        Raises:
            PatternError: it holds something unknown or twice, or a part of a date without the rest.
        """
        self._text = text
        self._whole = "/" in text
        written, at = [], 0
        for piece in _PIECE.finditer(text):
            written += [re.escape(text[at : piece.start()]), self._expression(piece[0])]
            at = piece.end()
        written.append(re.escape(text[at:]))
        try:
            self._expression_of_all = re.compile("".join(written))
        except re.error as error:
            raise PatternError(f"the pattern {text!r} has something twice: {error}") from None
        groups = self._expression_of_all.groupindex.keys()
        dated = groups & {*_DAY, "Y", "y", "S", "z"}
        if dated and not (groups >= {*_DAY} and groups & {"Y", "y"}):
            raise PatternError(f"the pattern {text!r} has a part of a date: it needs %Y, %m, %d, %H and %M")

    def _expression(self, piece: str) -> str:
        if piece == "*":
            return ".*?"
        found = _CODES.get(piece) or _FIELDS.get(piece)
        if found is None:
            known = " ".join([*_FIELDS, "*", *_CODES])
            raise PatternError(f"the pattern {self._text!r} holds {piece!r}; there are {known}")
        return found

    def read(self, path: PurePath) -> NamedVideo | None:
        """What the name of a file says; None: it is not of the pattern.

        Args:
            path: within the folder.

        Raises:
            PatternError: its date is none.
        """
        name = path.as_posix() if self._whole else path.name
        found = self._expression_of_all.fullmatch(name)
        if found is None:
            return None
        said = found.groupdict()
        return NamedVideo(said.get("room"), said.get("camera"), _start(said, name))


def _start(said: dict[str, str | None], name: str) -> datetime | None:
    if said.get("d") is None:
        return None
    year = said.get("Y") or f"20{said.get('y')}"
    numbers = [int(one or 0) for one in (year, *(said.get(code) for code in _DAY), said.get("S"))]
    try:
        return datetime(*numbers, tzinfo=_offset(said.get("z")))  # type: ignore[arg-type, misc]
    except ValueError as error:
        raise PatternError(f"{name}: its date is none: {error}") from None


def _offset(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text == "Z":
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:])
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)
