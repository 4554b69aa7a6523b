"""Which videos a run takes, of which camera each is, and when it began: by a table, by names, or by the container.

A folder is looked through with what is below it. A list is a table (CSV) with the columns `file`, `room`, `camera` and
`start`, of which `room` or `camera` and the start may be left to the file's name and to the container; its paths are
relative to it. What cannot be taken is left out and named.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Camera, Room
from attendance.errors import AttendanceError
from attendance.settings.clocks import ClockError, moment_of
from attendance.settings.installation import InstitutionSettings
from attendance.tables.errors import LineError
from attendance.tables.fields import CAMERA_NAME, ROOM_NAME
from attendance.tables.reading import Column, Line, read_table_file
from attendance.zones import Zones, ZonesError, parse
from operations.recordings.container_dates import container_date
from operations.recordings.folders import is_video, videos_below
from operations.recordings.names import NamedVideo, NamePattern, PatternError

_SAMPLE = 1 << 20
_FIRST_YEAR, _LAST_YEAR = 2000, 2200
_NOTHING = NamedVideo(None, None, None)

FILE = Column("file", aliases=("path", "video", "recording"), verbatim=True)
ROOM = Column("room", required=False, aliases=("room_name", "location"), rule=ROOM_NAME)
CAMERA = Column("camera", required=False, aliases=("camera_name",), rule=CAMERA_NAME)
START = Column("start", required=False, aliases=("starts_at", "start_time", "begin"))


class ListError(AttendanceError):
    """There is nothing to take: no such folder or list, or no video in it."""


class StartFrom(StrEnum):
    """What says when a recording began."""

    TABLE = "the table"
    NAME = "its name"
    CONTAINER = "its container"


@dataclass(frozen=True, slots=True)
class TakenBy:
    """The camera that took a recording, as the database has it."""

    id: int
    name: str
    room_id: int
    room: str
    upsample: int | None
    smallest_face: int | None
    zones: Zones


@dataclass(frozen=True, slots=True)
class Video:
    """A recording that can be taken."""

    path: Path
    camera: TakenBy
    starts_at: datetime
    """Of its first picture, aware, UTC."""
    start_from: StartFrom


@dataclass(frozen=True, slots=True)
class LeftOutVideo:
    """A recording, or a part of one, that is left out."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Choices:
    """What is taken where neither a table nor a name says it."""

    pattern: NamePattern | None = None
    room: str | None = None
    camera: str | None = None
    container_dates: bool = False
    """Whether a container's date is believed."""


def find_videos(
    db: Session, place: Path, choices: Choices, institution: InstitutionSettings
) -> tuple[list[Video], list[LeftOutVideo]]:
    """The recordings of a folder or a list, by their start.

    Args:
        db: of the shared database.
        place: the folder, the list, or one video.
        choices: what else is known.
        institution: in whose zone times without an offset are.

    Raises:
        ListError: there is nothing.
        TableError: the list cannot be read.
    """
    videos: list[Video] = []
    left: list[LeftOutVideo] = []
    seen: set[Path] = set()
    for path, within, line in _candidates(place):
        try:
            if isinstance(line, LineError | ListError):
                raise line
            real = path.resolve()
            if real in seen:
                raise ListError("it is listed twice")
            seen.add(real)
            videos.append(_video(db, real, within, line, choices, institution))
        except (AttendanceError, OSError) as error:
            left.append(LeftOutVideo(str(path), getattr(error, "strerror", None) or str(error)))
    if not videos and not left:
        raise ListError(f"there is no video in {place}")
    return sorted(videos, key=lambda one: (one.starts_at, one.path)), left


def digest_of(path: Path) -> str:
    """What tells a video from another, whatever it is called: its size, and a MiB of its beginning, middle and end.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        size = path.stat().st_size
        digest.update(str(size).encode())
        for at in (0, size // 2, max(0, size - _SAMPLE)):
            file.seek(at)
            digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


def _candidates(place: Path) -> Iterator[tuple[Path, Path, Line | LineError | ListError | None]]:
    """Each file, its path within the folder, and its line of the list or what is wrong with one of them."""
    if place.is_dir():
        for path, refused in videos_below(place):
            yield path, path.relative_to(place), None if refused is None else ListError(refused)
    elif is_video(place) and place.is_file():
        yield place, Path(place.name), None
    elif not place.exists():
        raise ListError(f"{place}: no such folder or list")
    else:
        for line in read_table_file(place, (FILE, ROOM, CAMERA, START)).lines():
            if line.error is not None:
                yield Path(f"{place}, line {line.number}"), Path(), line.error
                continue
            named = line.values.get(FILE.name, "")
            if not named:
                yield Path(f"{place}, line {line.number}"), Path(), LineError("it names no file", FILE.name)
                continue
            yield place.parent / named, Path(named), line


def _video(  # noqa: PLR0917 - what is known of it
    db: Session, path: Path, within: Path, line: Line | None, choices: Choices, institution: InstitutionSettings
) -> Video:
    if not path.is_file():
        raise ListError("there is no such file")
    read = choices.pattern.read(within) if choices.pattern else None
    if choices.pattern and read is None and line is None and not (choices.room or choices.camera):
        raise PatternError("its name is not of the pattern, and nothing else says in which room it was taken")
    named = read or _NOTHING
    camera = _camera(db, *_said(line, named, choices))
    starts_at, start_from = _start(path, line, named, choices, institution)
    if not _FIRST_YEAR <= starts_at.year < _LAST_YEAR:
        raise ListError(f"by {start_from} it began in the year {starts_at.year}")
    return Video(path, camera, starts_at.astimezone(UTC), start_from)


def _start(
    path: Path, line: Line | None, named: NamedVideo, choices: Choices, institution: InstitutionSettings
) -> tuple[datetime, StartFrom]:
    text = "" if line is None else line.values.get(START.name, "")
    try:
        if text:
            return moment_of(datetime.fromisoformat(text), institution), StartFrom.TABLE
        if named.start is not None:
            return moment_of(named.start, institution), StartFrom.NAME
    except ClockError:
        raise
    except ValueError:
        raise ListError(f"its start {text!r} is no ISO 8601 date and time, e.g. 2026-03-02T08:00+01:00") from None
    date = container_date(path) if choices.container_dates else None
    if date is not None:
        return date, StartFrom.CONTAINER
    if choices.container_dates:
        raise ListError("nothing says when it began: neither a table nor its name, and its container has no date")
    if choices.pattern is not None:
        raise PatternError("its name is not of the pattern, and no table says when it began")
    raise ListError(
        "nothing says when it began: give a list with a column `start`, or a pattern of names (--name), or say that "
        "the containers' dates are right (--container-dates)"
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """The name of a room or a camera."""

    name: str
    by: str


def _said(line: Line | None, named: NamedVideo, choices: Choices) -> tuple[_Said | None, _Said | None]:
    """Room and camera, each from the first of list, name and command that says it.

    A camera stands in one room: once it is said, whatever goes after it is not asked for the room.
    """
    room: _Said | None = None
    listed = (None, None) if line is None else (line.optional_text(ROOM), line.optional_text(CAMERA))
    sources = (
        ("the list", *listed),
        ("its name", named.room, named.camera),
        ("the command", choices.room, choices.camera),
    )
    for by, said_room, said_camera in sources:
        if said_room and room is None:
            room = _Said(said_room, by)
        if said_camera:
            return room, _Said(said_camera, by)
    return room, None


def _camera(db: Session, room: _Said | None, camera: _Said | None) -> TakenBy:
    """The one camera that is meant."""
    if room is None and camera is None:
        raise ListError("nothing says in which room it was taken: give --room or --camera, a list, or a pattern")
    query = sa.select(Camera).join(Room).order_by(Camera.id)
    if room is not None:
        if db.scalar(sa.select(Room.id).where(Room.name == room.name)) is None:
            raise ListError(f"there is no room {room.name!r}")
        query = query.where(Room.name == room.name)
    if camera is not None:
        found = db.scalars(query.where(Camera.name == camera.name)).all()
        if not found:
            raise ListError(_why_not_there(db, room, camera))
        return _taken_by(found[0])
    found = db.scalars(query).all()
    chosen = found if len(found) == 1 else [one for one in found if not one.extra]
    if len(chosen) != 1:
        raise ListError(_why_not_one(room, chosen))
    return _taken_by(chosen[0])


def _why_not_there(db: Session, room: _Said | None, camera: _Said) -> str:
    elsewhere = db.scalar(sa.select(Room.name).join(Camera).where(Camera.name == camera.name))
    if room is None or elsewhere is None:
        return f"no room has a camera {camera.name!r}"
    return (
        f"there is no camera {camera.name!r} ({camera.by} says it) in the room {room.name!r} ({room.by} says it): it "
        f"stands in the room {elsewhere!r}"
    )


def _why_not_one(room: _Said | None, found: Sequence[Camera]) -> str:
    name = "" if room is None else room.name
    if not found:
        return f"the room {name!r} has no camera: `attendance camera add` registers the one that took the recording"
    names = ", ".join(one.name for one in found)
    return f"the room {name!r} has several cameras ({names}): say which took the recording"


def _taken_by(camera: Camera) -> TakenBy:
    if camera.room is None or camera.room_id is None:
        raise ListError(f"the camera {camera.name!r} stands in no room")
    try:
        zones = parse(camera.zones)
    except ZonesError as error:
        raise ListError(f"the zones of the camera {camera.name!r} cannot be read: {error}") from None
    return TakenBy(
        camera.id, camera.name, camera.room_id, camera.room.name, camera.upsample, camera.smallest_face, zones
    )
