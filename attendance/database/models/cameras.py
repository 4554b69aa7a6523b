"""Cameras, and what they watched."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from attendance.database.models.base import Base, utc_now
from attendance.database.models.teaching import Room
from attendance.database.types import UtcDateTime, identifier_type


class Camera(Base):
    """A camera. Its token's hash decides who may speak for it."""

    __tablename__ = "camera"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(identifier_type(80), unique=True)
    room_id: Mapped[int | None] = mapped_column(sa.ForeignKey("room.id", ondelete="SET NULL"), index=True)
    token_hash: Mapped[str | None] = mapped_column(sa.String(64), unique=True)  # None: revoked
    upsample: Mapped[int | None] = mapped_column(sa.SmallInteger)  # None: the engine's setting
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    room: Mapped[Room | None] = relationship()
