"""Observation: which minutes of a room its cameras watched, and how many faces they saw in it.

What a service reports is merged into one row a camera, room and hour: bits by OR, counts by their maxima. Any order and
any repetition of reports leaves the same row, whichever service they come from.

**Minutes** are those of the clock, UTC. A minute belongs to a session if it overlaps it: of a session from 9:15:30 to
10:00:00 the first is 9:15 and the last 9:59.

**A minute of a room is watched** when each of its cameras that is not `extra` watched it: whoever was not seen may have
sat where a dead camera looks. Its cameras are those that stand there now, had been added by then, and did not report
from another room in that hour; and those that reported from it in that hour and have been moved or removed since. A
camera without a token stands there, and is dead: who takes one down for good moves it out of the room, or removes it.
"""

import struct
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import NamedTuple

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from attendance.database.audiences import rooms_of
from attendance.database.models import Camera, ClassSession, Observation, Room
from attendance.database.transactions import ATTEMPTS, inserted
from attendance.database.watching.rooms import known_camera

log = structlog.get_logger()

_MINUTES = 60
_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)
_LARGEST_COUNT = 0xFFFF


class MinuteCounts(NamedTuple):
    """Faces, each number the largest in one frame of a minute; so they do not add up."""

    seen: int
    named: int
    """Of a student who was confirmed by then, or whom the frame alone showed clearly enough."""
    too_small: int
    """Smaller than any that may be named."""
    unknown: int
    """Like nobody enrolled."""
    unnamed: int
    """Not named, for whatever reason."""


NOBODY = MinuteCounts(0, 0, 0, 0, 0)
_LAYOUT = struct.Struct(f"<{len(NOBODY) * _MINUTES}H")


@dataclass(frozen=True, slots=True)
class MinuteOfCamera:
    """What one camera saw in one minute."""

    at: datetime
    """Its first moment, aware."""
    watched: bool
    """By frames of any origin."""
    watched_live: bool
    """By live frames alone."""
    blind: bool
    """Frames came that showed nothing."""
    counts: MinuteCounts = NOBODY
    recorded: bool = False
    """Watched by frames of a recording alone, which an operator played."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What one camera reports of one room in one hour.

    Raises:
        ValueError: the hour has no zone or is no full one, or bits or counts are not those of sixty minutes.
    """

    camera_id: int | None
    room_id: int
    hour: datetime
    """Its first moment, aware."""
    watched: int
    """Bit 0 is the first minute; watched by frames of any origin."""
    watched_live: int
    """By live frames alone."""
    blind: int
    """Frames came that showed nothing."""
    counts: bytes
    """Five times sixty unsigned 16-bit numbers, little-endian: the fields of `MinuteCounts` one after the other."""
    recorded: int = 0
    """By frames of a recording alone. That is said of a report, and not kept: it needs nobody's word."""

    def __post_init__(self) -> None:
        if self.hour.tzinfo is None or hour_of(self.hour) != self.hour:
            raise ValueError(f"{self.hour} is not the beginning of an hour, UTC")
        if any(not 0 <= bits < 1 << _MINUTES for bits in self._bits):
            raise ValueError("an hour of observation has bits beyond its sixty minutes")
        if len(self.counts) != _LAYOUT.size:
            raise ValueError(f"an hour of observation has {len(self.counts)} bytes of counts, not {_LAYOUT.size}")

    @property
    def _bits(self) -> tuple[int, ...]:
        return self.watched, self.watched_live, self.blind, self.recorded

    @property
    def by_kept(self) -> int:
        """The minutes of which something is said by frames that a camera had kept, as bits."""
        said = self.watched
        for minute in range(_MINUTES):
            said |= any(counts_of(self.counts, minute)) << minute
        return said & ~self.watched_live & ~self.recorded

    def only(self, minutes: int) -> "Observed":
        """Some of the minutes, given as bits."""
        counts = {minute: counts_of(self.counts, minute) for minute in range(_MINUTES) if minutes >> minute & 1}
        return replace(
            self,
            watched=self.watched & minutes,
            watched_live=self.watched_live & minutes,
            blind=self.blind & minutes,
            counts=_packed(counts),
            recorded=self.recorded & minutes,
        )

    def merged(self, other: "Observed") -> "Observed":
        """Both, of the same camera, room and hour."""
        return replace(
            self,
            watched=self.watched | other.watched,
            watched_live=self.watched_live | other.watched_live,
            blind=self.blind | other.blind,
            counts=_largest(self.counts, other.counts),
            recorded=self.recorded | other.recorded,
        )


@dataclass(frozen=True, slots=True)
class SessionMinute:
    """What was observed of a session in one minute, in all its rooms."""

    at: datetime
    """Its first moment, UTC."""
    watched: bool
    """In each of the session's rooms, by each of its cameras that is not extra."""
    watched_live: bool
    """The same, by live frames alone."""
    blind: bool
    """Such a camera sent pictures that showed nothing; it may have watched the rest of the minute."""
    away: bool
    """Such a camera sent no pictures, or too few; or a room has none."""
    counts: MinuteCounts | None
    """The largest numbers of any camera of a room, summed over the rooms; None when no camera looked."""


def hour_of(moment: datetime) -> datetime:
    """The beginning of a moment's hour, UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def minute_of(moment: datetime) -> datetime:
    """The beginning of a moment's minute, UTC."""
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def minutes_between(since: datetime, until: datetime) -> Iterator[datetime]:
    """The minutes that overlap the time from `since` until before `until`, by their beginnings, UTC."""
    at = minute_of(since)
    while at < until:
        yield at
        at += _MINUTE


def bits_between(hour: datetime, since: datetime, until: datetime) -> int:
    """The minutes of an hour that overlap a time, as bits."""
    first, after = max(hour, since), min(hour + _HOUR, until)
    return _bits(minutes_between(first, after)) if first < after else 0


def observed_hours(camera_id: int | None, room_id: int, minutes: Iterable[MinuteOfCamera]) -> list[Observed]:
    """Minutes of one camera in one room, as the hours that are reported of it; by hour."""
    by_hour: dict[datetime, list[MinuteOfCamera]] = defaultdict(list)
    for minute in minutes:
        by_hour[hour_of(minute.at)].append(minute)
    return [
        Observed(
            camera_id,
            room_id,
            hour,
            watched=_bits(minute.at for minute in own if minute.watched),
            watched_live=_bits(minute.at for minute in own if minute.watched_live),
            blind=_bits(minute.at for minute in own if minute.blind),
            counts=_packed({minute.at.minute: minute.counts for minute in own}),
            recorded=_bits(minute.at for minute in own if minute.recorded),
        )
        for hour, own in sorted(by_hour.items())
    ]


class Learnt(IntEnum):
    """What an observation has added to what is known; true when it is anything."""

    NOTHING = 0
    COUNTS = 1
    """More faces in minutes, of which it is known as before whether they were watched or blind."""
    MINUTES = 2
    """Of a minute that it was watched, or blind; or for the first time anything of a camera's hour."""


def record_observation(db: Session, observed: Observed) -> Learnt:
    """Merge what was observed into what is known, in the caller's transaction.

    Begin the transaction with `begin_writing`. What a camera watched that was removed since stays what it is.

    Returns:
        What changed. What was observed in a room that is gone changes nothing.
    """
    for _ in range(ATTEMPTS):
        if db.scalar(sa.select(Room.id).where(Room.id == observed.room_id)) is None:
            log.warning("observation_without_place", room=observed.room_id, hour=observed.hour.isoformat())
            return Learnt.NOTHING
        camera_id = _camera_or_held_room(db, observed)
        row = _locked_row(db, camera_id, observed)
        if row is not None:
            return _merge(db, row, observed)
        row = Observation(
            camera_id=camera_id,
            room_id=observed.room_id,
            hour=observed.hour,
            watched=observed.watched,
            watched_live=observed.watched_live,
            blind=observed.blind,
            counts=observed.counts,
        )
        if inserted(db, row):
            return Learnt.MINUTES
    raise RuntimeError(f"room {observed.room_id}: a camera's row of {observed.hour} appears and disappears")


def observed_minutes(
    db: Session, session: ClassSession, *, since: datetime | None = None, until: datetime | None = None
) -> list[SessionMinute]:
    """What was observed of a session, one for each minute that overlaps the time asked for, in order.

    Args:
        db: any session.
        session: wherever and whenever it is held now.
        since: the first moment; that from which being seen counts unless given.
        until: the moment after the last; the session's end unless given.
    """
    since = since or session.opens_at
    until = until or session.ends_at
    rooms = [_room_in_time(db, room_id, since, until) for room_id in rooms_of(session)]
    return [_session_minute(at, [room.cameras_at(at) for room in rooms]) for at in minutes_between(since, until)]


@dataclass(frozen=True, slots=True)
class _RoomInTime:
    """The cameras of one room, and what they reported, as far as a session's minutes need it."""

    standing: Mapping[int, datetime]
    """The cameras that stand there and count, with when they were added."""
    extra: Collection[int]
    elsewhere: Collection[tuple[int, datetime]]
    """Cameras with hours in which they reported from another room."""
    reported: Mapping[datetime, Sequence[Observation]]
    """By hour."""

    def cameras_at(self, at: datetime) -> "list[_CameraMinute]":
        """What each camera did in the minute."""
        rows = self.reported.get(hour_of(at), ())
        cameras = [_CameraMinute.of(row, at, counts_for_room=row.camera_id not in self.extra) for row in rows]
        heard = {row.camera_id for row in rows}
        silent = [
            camera_id
            for camera_id, added_at in self.standing.items()
            if camera_id not in heard and added_at < at + _MINUTE and (camera_id, hour_of(at)) not in self.elsewhere
        ]
        return cameras + [_SILENT] * len(silent)


@dataclass(frozen=True, slots=True)
class _CameraMinute:
    counts_for_room: bool
    watched: bool
    watched_live: bool
    blind: bool
    counts: MinuteCounts

    @classmethod
    def of(cls, row: Observation, at: datetime, *, counts_for_room: bool) -> "_CameraMinute":
        bit = 1 << at.minute
        counts = counts_of(row.counts, at.minute)
        return cls(
            counts_for_room, bool(row.watched & bit), bool(row.watched_live & bit), bool(row.blind & bit), counts
        )


_SILENT = _CameraMinute(True, False, False, False, NOBODY)


def _session_minute(at: datetime, rooms: Sequence[Sequence[_CameraMinute]]) -> SessionMinute:
    needed = [[camera for camera in cameras if camera.counts_for_room] for cameras in rooms]
    looked = [camera for cameras in rooms for camera in cameras if camera.watched or any(camera.counts)]
    return SessionMinute(
        at,
        watched=all(cameras and all(camera.watched for camera in cameras) for cameras in needed),
        watched_live=all(cameras and all(camera.watched_live for camera in cameras) for cameras in needed),
        blind=any(camera.blind for cameras in needed for camera in cameras),
        away=any(not cameras or any(not (camera.watched or camera.blind) for camera in cameras) for cameras in needed),
        counts=_summed(rooms) if looked else None,
    )


def _summed(rooms: Sequence[Sequence[_CameraMinute]]) -> MinuteCounts:
    largest = [
        [max(numbers) for numbers in zip(*(camera.counts for camera in cameras), strict=True)]
        for cameras in rooms
        if cameras
    ]
    return MinuteCounts(*(sum(numbers) for numbers in zip(*largest, strict=True)))


def _room_in_time(db: Session, room_id: int, since: datetime, until: datetime) -> _RoomInTime:
    hours = (hour_of(since), hour_of(until))
    cameras = db.scalars(sa.select(Camera).where(Camera.room_id == room_id)).all()
    reported: dict[datetime, list[Observation]] = defaultdict(list)
    for row in db.scalars(
        sa.select(Observation)
        .where(Observation.room_id == room_id, Observation.hour.between(*hours))
        .order_by(Observation.id)
        .execution_options(populate_existing=True)  # services write them all the time
    ):
        reported[row.hour].append(row)
    heard = {row.camera_id for rows in reported.values() for row in rows if row.camera_id is not None}
    elsewhere = db.execute(
        sa.select(Observation.camera_id, Observation.hour).where(
            Observation.camera_id.in_([camera.id for camera in cameras]),
            Observation.room_id != room_id,
            Observation.hour.between(*hours),
        )
    ).all()
    extra = set(db.scalars(sa.select(Camera.id).where(Camera.id.in_(heard), Camera.extra)))
    return _RoomInTime(
        standing={camera.id: camera.created_at for camera in cameras if not camera.extra},
        extra=extra,
        elsewhere={(camera_id, hour) for camera_id, hour in elsewhere if camera_id is not None},
        reported=reported,
    )


def _camera_or_held_room(db: Session, observed: Observed) -> int | None:
    """The camera; None when it was removed. Then the room is held, so that its row without a camera is made once."""
    known = known_camera(db, observed.camera_id)
    if known is None:
        db.scalar(sa.select(Room.id).where(Room.id == observed.room_id).with_for_update())
    return known


def _locked_row(db: Session, camera_id: int | None, observed: Observed) -> Observation | None:
    return db.scalars(
        sa.select(Observation)
        .where(
            Observation.camera_id.is_(None) if camera_id is None else Observation.camera_id == camera_id,
            Observation.room_id == observed.room_id,
            Observation.hour == observed.hour,
        )
        .order_by(Observation.id)
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()


def _merge(db: Session, row: Observation, observed: Observed) -> Learnt:
    before = Observed(observed.camera_id, row.room_id, row.hour, row.watched, row.watched_live, row.blind, row.counts)
    after = before.merged(replace(observed, recorded=0))
    row.watched, row.watched_live, row.blind, row.counts = after.watched, after.watched_live, after.blind, after.counts
    db.flush()
    if after == before:
        return Learnt.NOTHING
    return Learnt.COUNTS if replace(after, counts=before.counts) == before else Learnt.MINUTES


def counts_of(counts: bytes, minute: int) -> MinuteCounts:
    """The counts of one minute of an hour, 0 to 59."""
    numbers = struct.unpack_from
    return MinuteCounts(*(numbers("<H", counts, 2 * (field * _MINUTES + minute))[0] for field in range(len(NOBODY))))


def _packed(minutes: Mapping[int, MinuteCounts]) -> bytes:
    table = [minutes.get(minute, NOBODY) for minute in range(_MINUTES)]
    return _LAYOUT.pack(*(min(number, _LARGEST_COUNT) for field in zip(*table, strict=True) for number in field))


def _largest(one: bytes, other: bytes) -> bytes:
    return _LAYOUT.pack(*map(max, _LAYOUT.unpack(one), _LAYOUT.unpack(other)))


def _bits(minutes: Iterable[datetime]) -> int:
    bits = 0
    for at in minutes:
        bits |= 1 << at.minute
    return bits
