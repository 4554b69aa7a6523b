"""What students do themselves on their own page: links to it, consent, photos they propose, entries they call wrong."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from attendance.database.models.base import UTF8, Base, utc_now
from attendance.database.models.people import Account, Student
from attendance.database.models.register import Status
from attendance.database.models.teaching import ClassSession
from attendance.database.types import UtcDateTime, enum_column_type, identifier_type, picture_type


class StudentLink(Base):
    """A link to a student's own page, for once; see `attendance.database.access.student_links`."""

    __tablename__ = "student_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    student_id: Mapped[int] = mapped_column(sa.ForeignKey("student.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(identifier_type(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class ConsentKind(StrEnum):
    """What became of a consent."""

    GIVEN = "given"
    WITHDRAWN = "withdrawn"


class ConsentRecorder(StrEnum):
    """Who recorded a change of consent."""

    ACCOUNT = "account"  # somebody who signs in to the dashboard, by a form or a file
    STUDENT = "student"  # on the own page
    COMMAND = "command"  # whoever runs commands on the server
    EARLIER = "earlier"  # known from before changes were kept


class ConsentChange(Base):
    """That a student gave consent or withdrew it. Rows are only ever added, by `attendance.database.consent`."""

    __tablename__ = "consent_change"

    id: Mapped[int] = mapped_column(primary_key=True)
    student_id: Mapped[int] = mapped_column(sa.ForeignKey("student.id", ondelete="CASCADE"), index=True)
    kind: Mapped[ConsentKind] = mapped_column(enum_column_type(ConsentKind))
    happened_at: Mapped[datetime] = mapped_column(UtcDateTime)  # of a day without a time, its first moment
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    means: Mapped[str | None] = mapped_column(sa.String(120))  # by which it was given
    recorder: Mapped[ConsentRecorder] = mapped_column(enum_column_type(ConsentRecorder))
    account_id: Mapped[int | None] = mapped_column(sa.ForeignKey("account.id", ondelete="SET NULL"))

    account: Mapped[Account | None] = relationship()


class ProposalState(StrEnum):
    """What became of a photo that a student proposed."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class PhotoProposal(Base):
    """A photo that a student wants to be recognised by; nothing is made of it before a person has accepted it."""

    __tablename__ = "photo_proposal"
    __table_args__ = (sa.Index("ix_photo_proposal_student_id_state", "student_id", "state"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    student_id: Mapped[int] = mapped_column(sa.ForeignKey("student.id", ondelete="CASCADE"))
    file_name: Mapped[str] = mapped_column(sa.String(255))
    content: Mapped[bytes | None] = mapped_column(picture_type(), deferred=True)  # None: decided, and deleted here
    proposed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    state: Mapped[ProposalState] = mapped_column(enum_column_type(ProposalState), default=ProposalState.WAITING)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("account.id", ondelete="SET NULL"))
    reason: Mapped[str | None] = mapped_column(sa.String(500))  # why it was rejected

    student: Mapped[Student] = relationship()
    decided_by: Mapped[Account | None] = relationship()


class Dispute(Base):
    """That a student calls an entry of a register wrong, and what a person answered."""

    __tablename__ = "dispute"
    __table_args__ = (
        # Only one of an entry is open: `open` is true or nothing, and nothing is equal to nothing.
        sa.UniqueConstraint("session_id", "student_id", "open"),
        UTF8,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(sa.ForeignKey("class_session.id", ondelete="CASCADE"))
    student_id: Mapped[int] = mapped_column(sa.ForeignKey("student.id", ondelete="CASCADE"), index=True)
    open: Mapped[bool | None] = mapped_column(default=True, index=True)
    claimed: Mapped[Status] = mapped_column(enum_column_type(Status))  # what would be right
    text: Mapped[str] = mapped_column(sa.String(500))
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    accepted: Mapped[bool | None]  # None: not answered
    answer: Mapped[str | None] = mapped_column(sa.String(500))
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answered_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("account.id", ondelete="SET NULL"))

    session: Mapped[ClassSession] = relationship()
    student: Mapped[Student] = relationship()
    answered_by: Mapped[Account | None] = relationship()
