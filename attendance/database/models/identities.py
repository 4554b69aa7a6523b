"""Whom the institution's provider (OpenID Connect) knows as whom here."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from attendance.database.models.base import UTF8, Base, utc_now
from attendance.database.models.people import Account, Student
from attendance.database.types import UtcDateTime, enum_column_type, identifier_type


class IdentityKind(StrEnum):
    """As what a person of the provider is here; somebody who teaches and studies is both."""

    ACCOUNT = "account"
    STUDENT = "student"


class ProviderIdentity(Base):
    """A person of a provider, bound to an account or a student here; see `attendance.database.access.identities`."""

    __tablename__ = "provider_identity"
    __table_args__ = (
        sa.UniqueConstraint("subject", "issuer", "kind"),
        sa.UniqueConstraint("account_id", "issuer"),
        sa.UniqueConstraint("student_id", "issuer"),
        # As what, and nothing else: two columns and the kind cannot contradict each other.
        sa.CheckConstraint(
            "(kind = 'account' AND account_id IS NOT NULL AND student_id IS NULL)"
            " OR (kind = 'student' AND student_id IS NOT NULL AND account_id IS NULL)",
            name="is_of_its_kind",
        ),
        UTF8,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[IdentityKind] = mapped_column(enum_column_type(IdentityKind))
    account_id: Mapped[int | None] = mapped_column(sa.ForeignKey("account.id", ondelete="CASCADE"))
    student_id: Mapped[int | None] = mapped_column(sa.ForeignKey("student.id", ondelete="CASCADE"))
    issuer: Mapped[str] = mapped_column(identifier_type(255))
    subject: Mapped[str] = mapped_column(
        identifier_type(255)
    )  # the claim `sub`, which the provider gives to nobody else
    linked_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)  # at the last sign-in

    account: Mapped[Account | None] = relationship()
    student: Mapped[Student | None] = relationship()


class SpentAnswer(Base):
    """An answer of a provider that was used: it never counts again, whatever the provider says of it."""

    __tablename__ = "spent_answer"

    digest: Mapped[str] = mapped_column(identifier_type(64), primary_key=True)  # SHA-256 hex of what makes it unique
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)  # after that it is too old to be believed
