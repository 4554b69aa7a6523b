"""Erasures: of whom something is to go, who asked, and which services have carried it out."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from attendance.database.models.base import UTF8, Base, utc_now
from attendance.database.models.own_page import ConsentRecorder
from attendance.database.models.people import Account
from attendance.database.types import UtcDateTime, enum_column_type, identifier_type


class ErasureKind(StrEnum):
    """What is promised."""

    WITHDRAWAL = "withdrawal"  # no encoding, photo or evidence stays; the register does
    DELETION = "deletion"  # and no name or number
    FORMER_NUMBER = "former_number"  # as a deletion, of a number that the student does not have any more


class Erasure(Base):
    """That a student is to be erased. It names the student by index number, because it outlives the student's row.

    The number of a deletion goes when everybody has carried it out: what is left then can name nobody.
    """

    __tablename__ = "erasure"
    __table_args__ = (sa.Index("ix_erasure_finished_at_id", "finished_at", "id"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[ErasureKind] = mapped_column(enum_column_type(ErasureKind))
    index_number: Mapped[str | None] = mapped_column(identifier_type(64), index=True)
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    recorder: Mapped[ConsentRecorder] = mapped_column(enum_column_type(ConsentRecorder))
    requested_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("account.id", ondelete="SET NULL"))
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)  # nobody else begins before
    message: Mapped[str | None] = mapped_column(sa.String(500))  # what is not erased yet, for people
    # When the database, the gallery and the outboxes that the gallery's worker reaches held nothing any more.
    shared_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when every service had done its part, too
    # When the files of the database were rid of what was deleted from its tables, this row's number included.
    overwritten_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    requested_by: Mapped[Account | None] = relationship()
    acknowledgements: Mapped[list["ErasureAcknowledgement"]] = relationship(passive_deletes=True)


class ErasureAcknowledgement(Base):
    """That a service holds nothing of a student any more, in its memory or in its outbox."""

    __tablename__ = "erasure_acknowledgement"

    erasure_id: Mapped[int] = mapped_column(sa.ForeignKey("erasure.id", ondelete="CASCADE"), primary_key=True)
    service_id: Mapped[int] = mapped_column(
        sa.ForeignKey("service.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    done_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
