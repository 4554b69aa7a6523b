"""What the university's other systems call what is here, and the learning platforms that open registers (LTI)."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from attendance.database.models.base import UTF8, Base, utc_now
from attendance.database.models.people import Account, Student
from attendance.database.models.teaching import Course, CourseGroup, Department
from attendance.database.types import SaidText, UtcDateTime, enum_column_type, identifier_type


class ExternalKind(StrEnum):
    """What another system's identity stands for here."""

    DEPARTMENT = "department"
    COURSE = "course"
    CLASS = "class"  # a course, or a group of it
    STUDENT = "student"
    ACCOUNT = "account"


class ExternalIdentity(Base):
    """What another system calls a department, a course, a class or a person, by the identity that it never changes.

    A changed roster (OneRoster's delta) and a launch (LTI) name nothing else.
    """

    __tablename__ = "external_identity"
    __table_args__ = (sa.UniqueConstraint("system", "kind", "external_id"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(identifier_type(120))  # "oneroster:" and its code, or "lti:" and the platform
    kind: Mapped[ExternalKind] = mapped_column(enum_column_type(ExternalKind))
    external_id: Mapped[str] = mapped_column(identifier_type(255))
    # One of these, by the kind; of a class the course and, where it is a group of it, the group.
    department_id: Mapped[int | None] = mapped_column(sa.ForeignKey("department.id", ondelete="CASCADE"), index=True)
    course_id: Mapped[int | None] = mapped_column(sa.ForeignKey("course.id", ondelete="CASCADE"), index=True)
    group_id: Mapped[int | None] = mapped_column(sa.ForeignKey("course_group.id", ondelete="CASCADE"), index=True)
    student_id: Mapped[int | None] = mapped_column(sa.ForeignKey("student.id", ondelete="CASCADE"), index=True)
    account_id: Mapped[int | None] = mapped_column(sa.ForeignKey("account.id", ondelete="CASCADE"), index=True)
    noted_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    department: Mapped[Department | None] = relationship()
    course: Mapped[Course | None] = relationship()
    group: Mapped[CourseGroup | None] = relationship()
    student: Mapped[Student | None] = relationship()
    account: Mapped[Account | None] = relationship()


class LtiMatching(StrEnum):
    """How somebody whom a platform names becomes somebody here."""

    CONNECT = "connect"  # they sign in here once, and say that they are the same
    EMAIL = "email"  # also by the e-mail address that the platform says they have


class LtiPlatform(Base):
    """A learning platform whose courses open registers here (LTI 1.3: a registration of this tool)."""

    __tablename__ = "lti_platform"
    __table_args__ = (sa.UniqueConstraint("issuer", "client_id"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(identifier_type(80), unique=True)
    issuer: Mapped[str] = mapped_column(identifier_type(255))
    client_id: Mapped[str] = mapped_column(identifier_type(255))
    keys_url: Mapped[str] = mapped_column(sa.String(500))
    authorisation_url: Mapped[str] = mapped_column(sa.String(500))
    token_url: Mapped[str] = mapped_column(sa.String(500))
    frame_origins: Mapped[str] = mapped_column(sa.String(500), default="")  # whose pages may frame ours, beside its own
    matching: Mapped[LtiMatching] = mapped_column(enum_column_type(LtiMatching), default=LtiMatching.CONNECT)
    active: Mapped[bool] = mapped_column(default=True)
    # It registered itself, and no administrator has confirmed it yet; until then it is switched off.
    waiting: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    deployments: Mapped[list["LtiDeployment"]] = relationship(
        back_populates="platform",
        order_by="LtiDeployment.external_id",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )


class LtiRegistrationAddress(Base):
    """An address at which a platform registers itself, once (LTI Dynamic Registration); one of each administrator."""

    __tablename__ = "lti_registration_address"

    account_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    token_hash: Mapped[str] = mapped_column(identifier_type(64), unique=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)

    account: Mapped[Account] = relationship()


class LtiDeployment(Base):
    """A deployment of this tool in a platform; launches of others are refused."""

    __tablename__ = "lti_deployment"
    __table_args__ = (sa.UniqueConstraint("platform_id", "external_id"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    platform_id: Mapped[int] = mapped_column(sa.ForeignKey("lti_platform.id", ondelete="CASCADE"))
    external_id: Mapped[str] = mapped_column(identifier_type(255))

    platform: Mapped[LtiPlatform] = relationship(back_populates="deployments")


class LtiCourse(Base):
    """A course of a platform from which somebody who teaches it was here (LTI: a context), and which course it is."""

    __tablename__ = "lti_course"
    __table_args__ = (sa.UniqueConstraint("deployment_id", "external_id"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    deployment_id: Mapped[int] = mapped_column(sa.ForeignKey("lti_deployment.id", ondelete="CASCADE"))
    external_id: Mapped[str] = mapped_column(identifier_type(255))
    label: Mapped[str] = mapped_column(sa.String(255), default="")
    title: Mapped[str] = mapped_column(sa.String(255), default="")
    course_id: Mapped[int | None] = mapped_column(sa.ForeignKey("course.id", ondelete="SET NULL"), index=True)
    # Whether who teaches there becomes lecturer, or assistant, of the course here.
    gives_roles: Mapped[bool] = mapped_column(default=False)
    sends_rates: Mapped[bool] = mapped_column(default=False)  # as a column of grades there
    # What the last launch said; None: the platform lets this tool not ask.
    memberships_url: Mapped[str | None] = mapped_column(sa.String(1000))
    line_items_url: Mapped[str | None] = mapped_column(sa.String(1000))
    line_item_url: Mapped[str | None] = mapped_column(sa.String(1000))  # our column there, once it is made
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    rates_sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)  # until then one worker sends its rates
    problem: Mapped[str | None] = mapped_column(SaidText(500))  # why the last sending failed, a sentence

    deployment: Mapped[LtiDeployment] = relationship()
    course: Mapped[Course | None] = relationship()


class LtiRate(Base):
    """The rate of a student that a platform was told last: only what changed is sent."""

    __tablename__ = "lti_rate"

    lti_course_id: Mapped[int] = mapped_column(sa.ForeignKey("lti_course.id", ondelete="CASCADE"), primary_key=True)
    student_id: Mapped[int] = mapped_column(
        sa.ForeignKey("student.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    percent: Mapped[int | None] = mapped_column(sa.SmallInteger)  # None: nothing is recorded
    sent_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class LtiNonce(Base):
    """A launch that was let in: the same one is not again. Kept until it would be too old anyhow."""

    __tablename__ = "lti_nonce"

    nonce_hash: Mapped[str] = mapped_column(identifier_type(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class LtiKey(Base):
    """A key with which this tool signs its requests to platforms. The private part is sealed with the web secret."""

    __tablename__ = "lti_key"

    kid: Mapped[str] = mapped_column(identifier_type(64), primary_key=True)
    public: Mapped[dict[str, Any]] = mapped_column(sa.JSON)  # as it stands among the keys that platforms fetch
    sealed: Mapped[str] = mapped_column(sa.Text)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
