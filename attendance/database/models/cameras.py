"""Cameras, and what they watched."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from attendance.database.models.base import UTF8, Base, utc_now
from attendance.database.models.teaching import Room
from attendance.database.types import UtcDateTime, identifier_type


class Origin(StrEnum):
    """How a frame came to the service."""

    LIVE = "live"
    KEPT = "kept"  # by the camera while it had no service
    RECORDING = "recording"


class Camera(Base):
    """A camera. Its token's hash decides who may speak for it."""

    __tablename__ = "camera"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(identifier_type(80), unique=True)
    room_id: Mapped[int | None] = mapped_column(sa.ForeignKey("room.id", ondelete="SET NULL"), index=True)
    token_hash: Mapped[str | None] = mapped_column(sa.String(64), unique=True)  # None: revoked
    upsample: Mapped[int | None] = mapped_column(sa.SmallInteger)  # None: the engine's setting
    smallest_face: Mapped[int | None] = mapped_column(sa.SmallInteger)  # pixels; None: the service's setting
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    blind_since: Mapped[datetime | None] = mapped_column(UtcDateTime)  # its pictures show nothing; None: they do
    # An extra camera helps to see people; a room is watched without it.
    extra: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    # Where in its picture faces count, as `attendance.zones` writes it. None: anywhere.
    zones: Mapped[str | None] = mapped_column(sa.Text)
    # Host and port at which the service that held its stream last serves the aiming view. None: at none.
    aiming_address: Mapped[str | None] = mapped_column(sa.String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    room: Mapped[Room | None] = relationship()


class Observation(Base):
    """What one camera watched in one room in one hour, UTC.

    Rows are merged by `attendance.database.watching.observation` only: bits by OR, counts by their maxima, so that any
    order and any repetition of what a service reports leaves the same row.
    """

    __tablename__ = "observation"
    __table_args__ = (
        sa.UniqueConstraint("camera_id", "room_id", "hour"),
        sa.Index("ix_observation_room_id_hour", "room_id", "hour"),
        sa.Index("ix_observation_hour", "hour"),
        UTF8,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # None: the camera was removed since. What it watched was watched.
    camera_id: Mapped[int | None] = mapped_column(sa.ForeignKey("camera.id", ondelete="SET NULL"))
    room_id: Mapped[int] = mapped_column(sa.ForeignKey("room.id", ondelete="CASCADE"))
    hour: Mapped[datetime] = mapped_column(UtcDateTime)  # its first moment
    # Bit 0 is the hour's first minute.
    watched: Mapped[int] = mapped_column(sa.BigInteger, default=0)  # by frames of any origin
    watched_live: Mapped[int] = mapped_column(sa.BigInteger, default=0)  # by live frames alone
    blind: Mapped[int] = mapped_column(sa.BigInteger, default=0)  # frames came, and showed nothing
    # For each minute the largest number in one frame of faces seen, named, too small, unknown, and not named for any
    # reason: five times sixty unsigned 16-bit numbers, little-endian.
    counts: Mapped[bytes] = mapped_column(sa.LargeBinary(600))


class CameraHealth(Base):
    """What reached the service of one camera in one hour, UTC, and how its pictures looked.

    Rows are merged by `attendance.database.watching.health` only.
    """

    __tablename__ = "camera_health"
    __table_args__ = (sa.UniqueConstraint("camera_id", "hour"), sa.Index("ix_camera_health_hour", "hour"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    camera_id: Mapped[int] = mapped_column(sa.ForeignKey("camera.id", ondelete="CASCADE"))
    hour: Mapped[datetime] = mapped_column(UtcDateTime)  # its first moment
    minutes: Mapped[bytes] = mapped_column(sa.LargeBinary(1560))  # sixty, of 26 bytes each
