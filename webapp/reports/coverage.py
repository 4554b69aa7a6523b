"""What cameras watched of the sessions of some courses: camera by camera, in minutes of the clock."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import TAKES_PLACE, Condition, session_ids_of_courses, sessions_in_rooms
from attendance.database.models import Camera, ClassSession, Observation, Room
from attendance.database.watching.observation import hour_of, minutes_between

_Hours = dict[datetime, int]
"""By hour, its minutes as bits; bit 0 is the first."""


@dataclass(frozen=True, slots=True)
class CameraCoverage:
    """What one camera did in one room while sessions took place there.

    Attributes:
        camera: its name; None: it was removed since.
        extra: whether the room is watched without it.
        minutes: of sessions, while it stood there.
        watched: of these, watched by frames of any origin.
        live: watched by live frames.
        blind: not watched, and frames came that showed nothing.
        seen_at: when it was last heard of.
    """

    room: str
    camera: str | None
    extra: bool
    minutes: int
    watched: int
    live: int
    blind: int
    seen_at: datetime | None

    @property
    def away(self) -> int:
        """Minutes in which it sent nothing, or too little."""
        return self.minutes - self.watched - self.blind

    @property
    def share(self) -> float | None:
        """Share of the minutes that it watched, 0 to 1; None without a minute."""
        return self.watched / self.minutes if self.minutes else None


@dataclass(frozen=True, slots=True)
class Coverage:
    """The cameras of the rooms in which sessions took place, and the rooms that had none.

    Attributes:
        cameras: by room and name.
        without_camera: names of rooms.
    """

    cameras: Sequence[CameraCoverage]
    without_camera: Sequence[str]


def read_coverage(db: Session, courses: Condition, since: datetime, until: datetime) -> Coverage:
    """What the cameras watched of the courses' sessions that start in a time; a few statements.

    A camera is held against the sessions in the room where it stands now, from when it was added; in another room only
    against the hours in which it reported from there. (`attendance.database.watching.observation` says the same.)

    Args:
        db: any session.
        courses: whose sessions.
        since: aware; the first start.
        until: aware; starts before this.
    """
    wanted = _minutes_of_rooms(db, courses, since, until)
    rooms = {room.id: room.name for room in db.scalars(sa.select(Room).where(Room.id.in_(wanted)))}
    reported = _reported(db, wanted)
    standing = {camera.id: camera for camera in db.scalars(sa.select(Camera).where(_here(wanted, reported)))}
    lines = []
    for room_id, hours in wanted.items():
        here = {camera.id for camera in standing.values() if camera.room_id == room_id}
        for camera_id in here | {camera_id for room, camera_id in reported if room == room_id}:
            camera = standing.get(camera_id) if camera_id is not None else None
            own = reported.get((room_id, camera_id), {})
            lines.append(_line(rooms[room_id], camera, camera_id in here, hours, own))
    lines = [line for line in lines if line.minutes]
    lines.sort(key=lambda line: (line.room, line.camera or "", line.extra))
    covered = {line.room for line in lines}
    return Coverage(lines, sorted(name for name in rooms.values() if name not in covered))


def _minutes_of_rooms(db: Session, courses: Condition, since: datetime, until: datetime) -> Mapping[int, _Hours]:
    """By room, the minutes that overlap a session."""
    in_time = (TAKES_PLACE, ClassSession.starts_at >= since, ClassSession.starts_at < until)
    theirs = session_ids_of_courses(courses, *in_time)
    rooms = sessions_in_rooms(lambda _room_id: sa.true(), *in_time)
    query = (
        sa.select(rooms.c.room_id, ClassSession.starts_at, ClassSession.ends_at)
        .join(ClassSession, ClassSession.id == rooms.c.session_id)
        .join(theirs, theirs.c.session_id == ClassSession.id)
    )
    found: dict[int, _Hours] = defaultdict(lambda: defaultdict(int))
    for room_id, starts_at, ends_at in db.execute(query):
        _add(found[room_id], starts_at, min(ends_at, until))
    return found


def _add(hours: _Hours, since: datetime, until: datetime) -> None:
    """Note the minutes that overlap a time; whole hours at once."""
    at = hour_of(since)
    while at < until:
        hours[at] |= _bits(max(since, at), min(until, at + timedelta(hours=1)))
        at += timedelta(hours=1)


def _bits(since: datetime, until: datetime) -> int:
    bits = 0
    for minute in minutes_between(since, until):
        bits |= 1 << minute.minute
    return bits


@dataclass(frozen=True, slots=True)
class _Hour:
    watched: int
    live: int
    blind: int


_SILENT = _Hour(0, 0, 0)


def _reported(db: Session, wanted: Mapping[int, _Hours]) -> Mapping[tuple[int, int | None], Mapping[datetime, _Hour]]:
    """By room and camera, what was reported in the hours of the sessions; without the counts of faces."""
    if not wanted:
        return {}
    hours = [hour for of in wanted.values() for hour in of]
    query = sa.select(
        Observation.room_id,
        Observation.camera_id,
        Observation.hour,
        Observation.watched,
        Observation.watched_live,
        Observation.blind,
    ).where(Observation.room_id.in_(wanted), Observation.hour.between(min(hours), max(hours)))
    found: dict[tuple[int, int | None], dict[datetime, _Hour]] = defaultdict(dict)
    for room_id, camera_id, hour, watched, live, blind in db.execute(query):
        if hour in wanted[room_id]:
            found[room_id, camera_id][hour] = _Hour(watched, live, blind)
    return found


def _here(rooms: Collection[int], reported: Iterable[tuple[int, int | None]]) -> sa.ColumnElement[bool]:
    heard = {camera_id for _, camera_id in reported if camera_id is not None}
    return sa.or_(Camera.room_id.in_(rooms), Camera.id.in_(heard))


def _line(
    room: str, camera: Camera | None, stands: bool, wanted: _Hours, reported: Mapping[datetime, _Hour]
) -> CameraCoverage:
    minutes = watched = live = blind = 0
    for hour, bits in wanted.items():
        if hour not in reported and not (stands and camera is not None and camera.created_at <= hour):
            continue
        own = reported.get(hour, _SILENT)
        minutes += bits.bit_count()
        watched += (bits & own.watched).bit_count()
        live += (bits & own.live).bit_count()
        blind += (bits & own.blind & ~own.watched).bit_count()
    return CameraCoverage(
        room,
        camera.name if camera else None,
        extra=camera.extra if camera else False,
        minutes=minutes,
        watched=watched,
        live=live,
        blind=blind,
        seen_at=camera.last_seen_at if camera else None,
    )
