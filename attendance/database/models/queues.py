"""What every row has that waits until a worker carries it out: mail, and deliveries of webhooks."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Mapped, mapped_column

from attendance.database.models.base import utc_now
from attendance.database.types import SaidText, UtcDateTime, enum_column_type


class QueueState(StrEnum):
    """How far a row of a queue is."""

    WAITING = "waiting"
    SENDING = "sending"  # until `leased_until` it is one worker's
    SENT = "sent"  # the other side has taken it
    FAILED = "failed"
    DROPPED = "dropped"  # nobody wants it any more: what it would say is over


class Queued:
    """The columns of a queue; `attendance.database.outgoing.queue` is how they change."""

    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[QueueState] = mapped_column(enum_column_type(QueueState), default=QueueState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    not_before: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    first_tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when it was sent, failed or was dropped
    last_error: Mapped[str | None] = mapped_column(SaidText(500))  # a sentence for people
