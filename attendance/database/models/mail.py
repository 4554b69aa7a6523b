"""Mail that waits to be sent, and what timed work has to remember."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from attendance.database.models.base import UTF8, Base, utc_now
from attendance.database.types import UtcDateTime, enum_column_type, identifier_type


class MailState(StrEnum):
    """How far a mail is."""

    WAITING = "waiting"
    SENDING = "sending"  # until `leased_until` it is one worker's
    SENT = "sent"  # the mail server has taken it
    FAILED = "failed"
    DROPPED = "dropped"  # nobody wants it any more: what it would say is over


class QueuedMail(Base):
    """A mail to one person. Its text is made when it is sent, so that no row holds a link that opens anything."""

    __tablename__ = "queued_mail"
    __table_args__ = (
        sa.Index("ix_queued_mail_state_not_before", "state", "not_before"),
        sa.Index("ix_queued_mail_kind_queued_at", "kind", "queued_at"),
        sa.Index("ix_queued_mail_ended_at", "ended_at"),
        UTF8,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(identifier_type(40))
    recipient: Mapped[str] = mapped_column(sa.String(254))
    language: Mapped[str | None] = mapped_column(sa.String(16))  # None: the institution's
    key: Mapped[str | None] = mapped_column(identifier_type(190), unique=True)  # what must not be said twice
    data: Mapped[dict[str, Any]] = mapped_column(sa.JSON)  # what its kind makes the text of; no secrets
    state: Mapped[MailState] = mapped_column(enum_column_type(MailState), default=MailState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    not_before: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    first_tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when it was sent, failed or was dropped
    last_error: Mapped[str | None] = mapped_column(sa.String(500))  # a sentence for people


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
