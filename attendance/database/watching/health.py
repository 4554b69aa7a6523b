"""The health of cameras: minute by minute what reached the service, and how the pictures looked.

What a service reports is merged into one row a camera and hour. Of two reports of one minute the one with more frames
stays, so that any order and any repetition of reports leaves the same row, whichever service they come from.
"""

import struct
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from attendance.database.models import Camera, CameraHealth
from attendance.database.transactions import ATTEMPTS, inserted
from attendance.database.watching.observation import hour_of

log = structlog.get_logger()

HEIGHTS = (16, 24, 32, 48, 64, 96, 160)
"""Pixels at which the classes of faces' heights end; a last class has no end."""
_MINUTES = 60
_LARGEST = 0xFFFF
_LAYOUT = struct.Struct(f"<HBiBH{len(HEIGHTS) + 1}H")
"""Of a minute: frames, what is known, clock offset in milliseconds, brightness, sharpness, faces by height."""
_FIELDS = 5 + len(HEIGHTS) + 1
_HOUR_LAYOUT = struct.Struct("<" + _MINUTES * _LAYOUT.format.removeprefix("<"))
_HOUR_BYTES = _HOUR_LAYOUT.size
_CONNECTED, _OFFSET, _LOOKED = 1, 2, 4
_NOTHING = bytes(_LAYOUT.size)


@dataclass(frozen=True, slots=True)
class PictureQuality:
    """How pictures looked."""

    brightness: float
    """Mean grey level, 0 to 255."""
    sharpness: float
    """Standard deviation of the Laplacian of the grey picture; larger is sharper."""


class MinuteOfHealth(NamedTuple):
    """What came of one camera in one minute, by the service's clock."""

    at: datetime
    """Its first moment, aware."""
    frames: int
    connected: bool = True
    clock_offset_ms: int | None = None
    """By how much the camera's clock is ahead; None: not known."""
    picture: PictureQuality | None = None
    """The mean of what was looked at; None: nothing was."""
    heights: tuple[int, ...] = (0,) * (len(HEIGHTS) + 1)
    """How many faces were found in the frames, by `height_class`."""


def height_class(pixels: float) -> int:
    """The class of a face's height: 0 is the smallest, `len(HEIGHTS)` the largest."""
    return bisect_right(HEIGHTS, pixels)


@dataclass(frozen=True, slots=True)
class HealthHour:
    """What one camera did in one hour.

    Raises:
        ValueError: the hour has no zone or is no full one, or the minutes are not sixty.
    """

    camera_id: int
    hour: datetime
    """Its first moment, aware."""
    minutes: bytes

    def __post_init__(self) -> None:
        if self.hour.tzinfo is None or hour_of(self.hour) != self.hour:
            raise ValueError(f"{self.hour} is not the beginning of an hour, UTC")
        if len(self.minutes) != _HOUR_BYTES:
            raise ValueError(f"an hour of health has {len(self.minutes)} bytes, not {_HOUR_BYTES}")

    def merged(self, other: "HealthHour") -> "HealthHour":
        """Both, of the same camera and hour."""
        pairs = zip(_parts(self.minutes), _parts(other.minutes), strict=True)
        return HealthHour(self.camera_id, self.hour, b"".join(max(pair, key=_rank) for pair in pairs))


def health_hours(camera_id: int, minutes: Iterable[MinuteOfHealth]) -> list[HealthHour]:
    """Minutes of one camera as the hours that are reported of it; by hour."""
    by_hour: dict[datetime, list[bytes]] = defaultdict(lambda: [_NOTHING] * _MINUTES)
    for minute in minutes:
        own = by_hour[hour_of(minute.at)]
        own[minute.at.minute] = max(own[minute.at.minute], _packed(minute), key=_rank)
    return [HealthHour(camera_id, hour, b"".join(own)) for hour, own in sorted(by_hour.items())]


class HealthColumns(NamedTuple):
    """Minutes that follow one another, field by field; what is not known is None."""

    connected: Sequence[bool]
    frames: Sequence[int]
    clock_offsets_ms: Sequence[float | None]
    brightness: Sequence[float | None]
    sharpness: Sequence[float | None]
    heights: Sequence[Sequence[int]]
    """For each class of heights, how many faces in each minute."""


def columns_of(minutes: bytes, first: int = 0, end: int = _MINUTES) -> HealthColumns:
    """Some minutes of a row. A term of a camera has two thousand rows, which are read at once.

    Args:
        minutes: as the row has them.
        first: the first minute wanted, 0 to 59.
        end: the minute before which they end.
    """
    values = _HOUR_LAYOUT.unpack(minutes)[first * _FIELDS : end * _FIELDS]
    known = values[1::_FIELDS]

    def where(bit: int, field: int, divisor: int = 1) -> list[Any]:
        return [
            value / divisor if each & bit else None for value, each in zip(values[field::_FIELDS], known, strict=True)
        ]

    return HealthColumns(
        connected=[bool(each & _CONNECTED) for each in known],
        frames=values[0::_FIELDS],
        clock_offsets_ms=where(_OFFSET, 2),
        brightness=where(_LOOKED, 3),
        sharpness=where(_LOOKED, 4, 100),
        heights=[values[5 + size :: _FIELDS] for size in range(len(HEIGHTS) + 1)],
    )


def record_health(db: Session, reported: HealthHour) -> bool:
    """Merge what is reported into what is known, in the caller's transaction, begun with `begin_writing`.

    Returns:
        Whether anything changed. Of a camera that is gone nothing is kept.
    """
    for _ in range(ATTEMPTS):
        if db.scalar(sa.select(Camera.id).where(Camera.id == reported.camera_id)) is None:
            log.warning("health_without_place", camera=reported.camera_id, hour=reported.hour.isoformat())
            return False
        row = db.scalars(
            sa.select(CameraHealth)
            .where(CameraHealth.camera_id == reported.camera_id, CameraHealth.hour == reported.hour)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).first()
        if row is not None:
            after = HealthHour(row.camera_id, row.hour, row.minutes).merged(reported)
            changed, row.minutes = after.minutes != row.minutes, after.minutes
            db.flush()
            return changed
        if inserted(db, CameraHealth(camera_id=reported.camera_id, hour=reported.hour, minutes=reported.minutes)):
            return True
    raise RuntimeError(f"camera {reported.camera_id}: its row of {reported.hour} appears and disappears")


def _packed(minute: MinuteOfHealth) -> bytes:
    offset, picture = minute.clock_offset_ms, minute.picture
    known = _CONNECTED * minute.connected | _OFFSET * (offset is not None) | _LOOKED * (picture is not None)
    bound = 2**31 - 1
    return _LAYOUT.pack(
        min(minute.frames, _LARGEST),
        known,
        max(-bound, min(offset or 0, bound)),
        max(0, min(round(picture.brightness), 255)) if picture else 0,
        max(0, min(round(100 * picture.sharpness), _LARGEST)) if picture else 0,
        *(min(count, _LARGEST) for count in minute.heights),
    )


def _parts(minutes: bytes) -> list[bytes]:
    return [minutes[start : start + _LAYOUT.size] for start in range(0, _HOUR_BYTES, _LAYOUT.size)]


def _rank(part: bytes) -> tuple[int, bytes]:
    """The more frames, the more is known; beyond that any order that is always the same."""
    return int.from_bytes(part[:2], "little"), part
