"""People: who signs in, students, and programs with a token."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from attendance.database.models.base import UTF8, Base, utc_now
from attendance.database.types import UtcDateTime, enum_column_type, identifier_type, picture_type

if TYPE_CHECKING:
    from attendance.database.models.identities import ProviderIdentity
    from attendance.database.models.teaching import Course, Department


class Role(StrEnum):
    """What an account is, somewhere; what each may is `webapp.account.permissions`."""

    ADMIN = "administrator"  # of all
    DEPARTMENT = "department"  # of a department: reads and corrects its courses
    LECTURER = "lecturer"  # of a course
    ASSISTANT = "assistant"  # of a course, for its registers


class TokenRole(StrEnum):
    """What a program with an operator's token may do."""

    ENROLMENT = "enrolment"
    MONITORING = "monitoring"
    RECORDER = "recorder"  # of whoever puts recorded lectures into registers in bulk
    RECORDING = "recording"  # beside a camera's token: what it sends as a recording, an operator plays
    REPLICA = "replica"  # of a recognition service on another machine, which is given the index


class Account(Base):
    """Who signs in."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(identifier_type(254), unique=True)  # stored in lower case
    name: Mapped[str] = mapped_column(sa.String(120))
    password_hash: Mapped[str] = mapped_column(sa.String(255))
    active: Mapped[bool] = mapped_column(default=True)
    language: Mapped[str | None] = mapped_column(sa.String(16))  # of pages and mail; None: the browser's
    picture: Mapped[bytes | None] = mapped_column(picture_type(), deferred=True)
    picture_digest: Mapped[str | None] = mapped_column(sa.String(64))  # SHA-256 hex; also the address of the picture
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    last_sign_in_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # None: never, or before this was noted

    roles: Mapped[list["AccountRole"]] = relationship(
        back_populates="account", cascade="all, delete-orphan", passive_deletes=True
    )
    second_factor: Mapped["SecondFactor | None"] = relationship(cascade="all, delete-orphan", passive_deletes=True)

    @property
    def administers(self) -> bool:
        """Whether it is an administrator's."""
        return any(role.role is Role.ADMIN for role in self.roles)

    @property
    def second_factor_since(self) -> datetime | None:
        """Since when the sign-in asks for the second factor, too; None: the password is enough."""
        return None if self.second_factor is None else self.second_factor.confirmed_at


class AccountRole(Base):
    """A role of an account, and where it has it: everywhere, in a department or in a course.

    Where a role does not reach is empty, and no database counts two empty fields as the same. So each of the three
    is unique beside the account for itself: nobody is the same thing twice, and nobody is two things in one course.
    """

    __tablename__ = "account_role"
    __table_args__ = (
        sa.UniqueConstraint("account_id", "everywhere"),
        sa.UniqueConstraint("account_id", "department_id"),
        sa.UniqueConstraint("account_id", "course_id"),
        # A comparison with an empty field is neither true nor false, and a check refuses only what is false.
        sa.CheckConstraint(
            "(role = 'administrator' AND everywhere IS NOT NULL AND everywhere = 1"
            " AND department_id IS NULL AND course_id IS NULL)"
            " OR (role = 'department' AND everywhere IS NULL AND department_id IS NOT NULL AND course_id IS NULL)"
            " OR (role IN ('lecturer', 'assistant') AND everywhere IS NULL"
            " AND department_id IS NULL AND course_id IS NOT NULL)",
            name="reaches_as_far_as_its_role",
        ),
        UTF8,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id", ondelete="CASCADE"))
    role: Mapped[Role] = mapped_column(enum_column_type(Role))
    everywhere: Mapped[bool | None]  # true or empty
    department_id: Mapped[int | None] = mapped_column(sa.ForeignKey("department.id", ondelete="CASCADE"), index=True)
    course_id: Mapped[int | None] = mapped_column(sa.ForeignKey("course.id", ondelete="CASCADE"), index=True)
    # By a rule about what the provider says (`oidc.roles`): it goes with the group. Else given by hand.
    from_provider: Mapped[bool] = mapped_column(default=False, server_default=sa.false())

    account: Mapped[Account] = relationship(back_populates="roles")
    department: Mapped["Department | None"] = relationship()
    course: Mapped["Course | None"] = relationship()


class PasswordLink(Base):
    """A link with which a lecturer sets a password, once; see `attendance.database.access.links`."""

    __tablename__ = "password_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class Student(Base):
    """A student. `index_number` is also the name under which the gallery keeps the student's encodings."""

    __tablename__ = "student"

    id: Mapped[int] = mapped_column(primary_key=True)
    index_number: Mapped[str] = mapped_column(identifier_type(64), unique=True)
    name: Mapped[str] = mapped_column(sa.String(120))
    # In lower case. Where links to the own page go, whatever is typed to ask for one.
    email: Mapped[str | None] = mapped_column(identifier_type(254), unique=True)
    language: Mapped[str | None] = mapped_column(sa.String(16))  # of mail and the own page; None: the browser's
    # These three change through `attendance.database.consent` only, which keeps every change.
    consent_given_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    consent_means: Mapped[str | None] = mapped_column(sa.String(120))  # e.g. "signed form", "student portal"
    consent_withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    declared_group: Mapped[str | None] = mapped_column(sa.String(80))  # self-declared, for reports of errors by group
    # What the gallery held when it was last changed for this student; the gallery itself is in files.
    gallery_encodings: Mapped[int] = mapped_column(default=0)
    gallery_updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # When the first index of an unbroken row of published ones that hold the student was published; None: the present
    # one does not. Of a session that began before, the machine concludes no absence.
    recognisable_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class ApiToken(Base):
    """A token of a program that is no camera: enrolment tools, monitoring."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(identifier_type(80), unique=True)
    role: Mapped[TokenRole] = mapped_column(enum_column_type(TokenRole))
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class SignInAttempt(Base):
    """An attempt at a password that was wrong, or that is being checked.

    Keyed hashes tell accounts and network addresses apart; neither is kept.
    """

    __tablename__ = "sign_in_attempt"
    __table_args__ = (
        sa.Index("ix_sign_in_attempt_account_tried_at", "account", "tried_at"),
        sa.Index("ix_sign_in_attempt_address_tried_at", "address", "tried_at"),
        sa.Index("ix_sign_in_attempt_tried_at", "tried_at"),
        {**UTF8, "sqlite_autoincrement": True},  # a number is given once, so that none is taken for another
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(identifier_type(32))
    address: Mapped[str] = mapped_column(identifier_type(32))
    tried_at: Mapped[datetime] = mapped_column(UtcDateTime)
    failed: Mapped[bool] = mapped_column(default=False)  # before: being checked


class SignIn(Base):
    """A browser in which somebody is signed in; see `attendance.database.access.sign_ins`."""

    __tablename__ = "sign_in"
    __table_args__ = (
        sa.CheckConstraint("(account_id IS NULL) <> (student_id IS NULL)", name="is_of_one_person"),
        {**UTF8, "sqlite_autoincrement": True},  # a number is given once, so that none is taken for another
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int | None] = mapped_column(sa.ForeignKey("account.id", ondelete="CASCADE"), index=True)
    student_id: Mapped[int | None] = mapped_column(sa.ForeignKey("student.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(identifier_type(64), unique=True)
    rests_on: Mapped[str] = mapped_column(identifier_type(64))  # SHA-256 hex; another one now: the sign-in has ended
    awaits_code: Mapped[bool] = mapped_column(default=False)  # the password was right, the second factor is missing
    made_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)  # to about a minute
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    address: Mapped[str] = mapped_column(sa.String(60))  # of the network; "" where it is not known
    browser: Mapped[str] = mapped_column(sa.String(60))  # e.g. "Firefox, Linux"; "" where it is not known
    # Of one through the provider: it ends when whom it was made for is not that person of the provider any more.
    identity_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("provider_identity.id", ondelete="CASCADE"), index=True
    )
    provider_session: Mapped[str | None] = mapped_column(identifier_type(255))  # the claim `sid`
    id_token: Mapped[str | None] = mapped_column(sa.Text, deferred=True)  # to sign out there without being asked

    account: Mapped[Account | None] = relationship()
    student: Mapped[Student | None] = relationship()
    identity: Mapped["ProviderIdentity | None"] = relationship()


class SecondFactor(Base):
    """An account's app that makes codes for the sign-in (TOTP); see `attendance.database.access.second_factors`."""

    __tablename__ = "second_factor"

    account_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    secret: Mapped[str | None] = mapped_column(sa.String(64), deferred=True)  # base32; None: not in use yet
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # since when the secret is in use
    last_step: Mapped[int | None] = mapped_column(sa.BigInteger)  # of the newest code that was used; none up to it is
    # An app that is being set up, in the place of the one in use if there is one.
    next_secret: Mapped[str | None] = mapped_column(sa.String(64), deferred=True)
    next_made_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RecoveryCode(Base):
    """A code that takes the place of the app's, once; rows go when they are used."""

    __tablename__ = "recovery_code"
    __table_args__ = (sa.UniqueConstraint("account_id", "code_hash"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id", ondelete="CASCADE"))
    code_hash: Mapped[str] = mapped_column(identifier_type(64))
