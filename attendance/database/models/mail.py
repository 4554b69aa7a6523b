"""Mail that waits to be sent, and what timed work has to remember."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from attendance.database.models.base import UTF8, Base, utc_now
from attendance.database.models.queues import Queued
from attendance.database.types import UtcDateTime, identifier_type


class QueuedMail(Queued, Base):
    """A mail to one person. Its text is made when it is sent, so that no row holds a link that opens anything."""

    __tablename__ = "queued_mail"
    __table_args__ = (
        sa.Index("ix_queued_mail_state_not_before", "state", "not_before"),
        sa.Index("ix_queued_mail_kind_queued_at", "kind", "queued_at"),
        sa.Index("ix_queued_mail_ended_at", "ended_at"),
        UTF8,
    )

    kind: Mapped[str] = mapped_column(identifier_type(40))
    recipient: Mapped[str] = mapped_column(sa.String(254))
    language: Mapped[str | None] = mapped_column(sa.String(16))  # None: the institution's
    key: Mapped[str | None] = mapped_column(identifier_type(190), unique=True)  # what must not be said twice
    data: Mapped[dict[str, Any]] = mapped_column(sa.JSON)  # what its kind makes the text of; no secrets


class LowAttendance(Base):
    """A student who is below a course's threshold, and of whom that was noted: once for each time it is crossed."""

    __tablename__ = "low_attendance"

    course_id: Mapped[int] = mapped_column(sa.ForeignKey("course.id", ondelete="CASCADE"), primary_key=True)
    student_id: Mapped[int] = mapped_column(
        sa.ForeignKey("student.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    noted_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class TimedWork(Base):
    """Work at certain hours, and for which of them it was last done."""

    __tablename__ = "timed_work"

    name: Mapped[str] = mapped_column(identifier_type(40), primary_key=True)
    done_for: Mapped[datetime] = mapped_column(UtcDateTime)
