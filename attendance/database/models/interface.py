"""The interface for programs, `/api/v1`: its tokens, and answers kept so that what is sent twice is done once."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from attendance.database.models.base import UTF8, Base, utc_now
from attendance.database.models.people import Account
from attendance.database.models.teaching import Course
from attendance.database.types import UtcDateTime, identifier_type, picture_type


class AccessToken(Base):
    """A token with which a program acts for an account; see `attendance.database.access.access_tokens`."""

    __tablename__ = "access_token"
    __table_args__ = (
        sa.UniqueConstraint("account_id", "name"),
        {**UTF8, "sqlite_autoincrement": True},  # a number is given once, so that none is taken for another
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(identifier_type(80))  # what it is for
    token_hash: Mapped[str] = mapped_column(identifier_type(64), unique=True)
    scopes: Mapped[str] = mapped_column(sa.String(200))  # with a space between them
    # To some courses; when the last of them is deleted, it opens none.
    narrowed: Mapped[bool] = mapped_column(default=False)
    rests_on: Mapped[list[str]] = mapped_column(sa.JSON)  # the account's roles when it was made
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_address: Mapped[str] = mapped_column(sa.String(60), default="")  # of the network; "" where it is not known
    # The minute, since 1970, in which it was used last, and how often in it.
    minute: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    used: Mapped[int] = mapped_column(default=0)

    account: Mapped[Account] = relationship()
    courses: Mapped[list[Course]] = relationship(secondary="access_token_course", order_by=Course.code)


class AccessTokenCourse(Base):
    """A course that a narrowed token is for."""

    __tablename__ = "access_token_course"

    token_id: Mapped[int] = mapped_column(sa.ForeignKey("access_token.id", ondelete="CASCADE"), primary_key=True)
    course_id: Mapped[int] = mapped_column(sa.ForeignKey("course.id", ondelete="CASCADE"), primary_key=True, index=True)


class KeptAnswer(Base):
    """What a request with an idempotency key was answered, for a day; see `attendance.database.access.kept_answers`."""

    __tablename__ = "kept_answer"
    __table_args__ = (sa.UniqueConstraint("token_id", "idempotency_key"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    token_id: Mapped[int] = mapped_column(sa.ForeignKey("access_token.id", ondelete="CASCADE"))
    idempotency_key: Mapped[str] = mapped_column(identifier_type(128))
    request_hash: Mapped[str] = mapped_column(identifier_type(64))  # SHA-256 of what was asked
    # Whom the answer names, with whom it goes.
    student_id: Mapped[int | None] = mapped_column(sa.ForeignKey("student.id", ondelete="CASCADE"), index=True)
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    status: Mapped[int | None] = mapped_column(sa.SmallInteger)  # None: it is being answered
    headers: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    body: Mapped[bytes | None] = mapped_column(picture_type())
