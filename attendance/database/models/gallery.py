"""The gallery's work and its published indexes; the gallery itself is in files."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from attendance.database.models.base import UTF8, Base, utc_now
from attendance.database.models.people import Account
from attendance.database.types import SaidText, UtcDateTime, enum_column_type, identifier_type, picture_type


class GalleryJobKind(StrEnum):
    """What is to be done to the gallery."""

    ENROL = "enrol"
    ERASE = "erase"


class JobState(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"


JOB_ABANDONED = timedelta(minutes=15)
"""A job of the gallery that began so long ago was left by a worker that died."""


class GalleryJob(Base):
    """Work on the gallery that the dashboard asks for and `attendance gallery work` does.

    It names the student by index number, because erasure outlives the student's row.
    """

    __tablename__ = "gallery_job"
    __table_args__ = (sa.Index("ix_gallery_job_state_id", "state", "id"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[GalleryJobKind] = mapped_column(enum_column_type(GalleryJobKind))
    index_number: Mapped[str] = mapped_column(identifier_type(64), index=True)
    state: Mapped[JobState] = mapped_column(enum_column_type(JobState), default=JobState.WAITING)
    requested_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("account.id", ondelete="SET NULL"))
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    message: Mapped[str | None] = mapped_column(SaidText(500))  # how it ended, for people
    report: Mapped[list[dict[str, Any]] | None] = mapped_column(sa.JSON)  # one object a photo

    requested_by: Mapped[Account | None] = relationship()
    photos: Mapped[list["GalleryJobPhoto"]] = relationship(order_by="GalleryJobPhoto.id", passive_deletes=True)


class GalleryJobPhoto(Base):
    """A photo on its way into the gallery; deleted when its job ends."""

    __tablename__ = "gallery_job_photo"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(sa.ForeignKey("gallery_job.id", ondelete="CASCADE"), index=True)
    file_name: Mapped[str] = mapped_column(sa.String(255))
    content: Mapped[bytes] = mapped_column(picture_type(), deferred=True)


class IndexVersion(Base):
    """A published index: what was in use when."""

    __tablename__ = "index_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(sa.String(64), unique=True)
    model: Mapped[str] = mapped_column(sa.String(120))
    identities: Mapped[int]
    encodings: Mapped[int]
    sha256: Mapped[str] = mapped_column(sa.String(64))
    published_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
