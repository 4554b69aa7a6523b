"""Webhooks: who wants to be told of what, what there is to tell, and the deliveries of it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from attendance.database.models.base import UTF8, Base, utc_now
from attendance.database.models.queues import Queued
from attendance.database.models.teaching import Department
from attendance.database.types import SaidText, UtcDateTime, identifier_type


class EventKind(StrEnum):
    """What webhooks tell of; the value is the `type` that receivers get, and does not change."""

    SESSION_CLOSED = "session.closed"
    STATUS_CHANGED = "attendance.changed"
    NOT_RECORDED = "register.not_recorded"
    AT_RISK = "student.at_risk"
    CAMERA_AWAY = "camera.away"
    PING = "ping"  # a test that an administrator asks for; of no endpoint's choice


class WebhookEndpoint(Base):
    """Where events are sent to."""

    __tablename__ = "webhook_endpoint"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(identifier_type(80), unique=True)
    url: Mapped[str] = mapped_column(sa.String(2000))
    events: Mapped[list[str]] = mapped_column(sa.JSON)  # values of `EventKind`
    # None: of all departments. An endpoint of one that is deleted goes with it, rather than be told of all.
    department_id: Mapped[int | None] = mapped_column(sa.ForeignKey("department.id", ondelete="CASCADE"), index=True)
    # Signs what is sent: a receiver needs it to be sure of the sender, and so must we have it, readable.
    secret: Mapped[str] = mapped_column(sa.String(80), deferred=True, deferred_group="secrets")
    former_secret: Mapped[str | None] = mapped_column(sa.String(80), deferred=True, deferred_group="secrets")
    former_until: Mapped[datetime | None] = mapped_column(UtcDateTime)  # both sign until then
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    off_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # None: it is on
    off_reason: Mapped[str | None] = mapped_column(SaidText(500))  # None while off: a person switched it off
    succeeded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when it last took something
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)  # None: the last attempt went well
    failures: Mapped[int] = mapped_column(default=0)  # in a row
    paused_until: Mapped[datetime | None] = mapped_column(UtcDateTime)  # nothing is sent to it before

    department: Mapped[Department | None] = relationship()

    @property
    def on(self) -> bool:
        """Whether it is told anything."""
        return self.off_at is None


class WebhookEvent(Base):
    """Something that happened. Its text is made when it is sent, of ids: whoever is deleted is in no text any more."""

    __tablename__ = "webhook_event"
    __table_args__ = (sa.Index("ix_webhook_event_happened_at", "happened_at"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(identifier_type(40), unique=True)  # by which a receiver knows it again
    kind: Mapped[str] = mapped_column(identifier_type(40))
    key: Mapped[str | None] = mapped_column(identifier_type(190), unique=True)  # of what must not be told twice
    data: Mapped[dict[str, Any]] = mapped_column(sa.JSON)  # ids and values, no names
    happened_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class WebhookDelivery(Queued, Base):
    """An event on its way to one endpoint."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        sa.UniqueConstraint("event_id", "endpoint_id"),
        sa.Index("ix_webhook_delivery_state_not_before", "state", "not_before"),
        sa.Index("ix_webhook_delivery_endpoint_id_state", "endpoint_id", "state"),
        sa.Index("ix_webhook_delivery_ended_at", "ended_at"),
        UTF8,
    )

    event_id: Mapped[int] = mapped_column(sa.ForeignKey("webhook_event.id", ondelete="CASCADE"))
    endpoint_id: Mapped[int] = mapped_column(sa.ForeignKey("webhook_endpoint.id", ondelete="CASCADE"))
    # Those before it was last sent again by a person: the pauses between attempts begin anew then.
    earlier_attempts: Mapped[int] = mapped_column(default=0)
    answer: Mapped[int | None] = mapped_column(sa.SmallInteger)  # the receiver's last status; None: it gave none

    event: Mapped[WebhookEvent] = relationship()
    endpoint: Mapped[WebhookEndpoint] = relationship()
