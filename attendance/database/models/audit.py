"""The audit log: who did what to whom, when and from where."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from attendance.database.models.base import UTF8, Base, utc_now
from attendance.database.types import UtcDateTime, enum_column_type, identifier_type


class AuditAction(StrEnum):
    """What was done. What stands before the full stop tells of what kind it is; filters and pages go by it."""

    SIGNED_IN = "sign_in.done"
    SIGN_IN_FAILED = "sign_in.failed"
    SIGNED_OUT = "sign_in.ended"
    SIGNED_OUT_ELSEWHERE = "sign_in.ended_elsewhere"
    SIGNED_OUT_THERE = "sign_in.ended_by_provider"
    IDENTITY_LINKED = "sign_in.linked"
    IDENTITY_UNLINKED = "sign_in.unlinked"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - no password, but what is done to one
    PASSWORD_RESET = "password.reset"  # noqa: S105
    PASSWORD_LINK_ASKED = "password.link_asked"  # noqa: S105
    PASSWORD_LINK_MADE = "password.link_made"  # noqa: S105
    PASSWORD_LINK_USED = "password.link_used"  # noqa: S105
    PASSWORD_LINK_REFUSED = "password.link_refused"  # noqa: S105
    SECOND_FACTOR_ADDED = "second_factor.added"
    SECOND_FACTOR_REMOVED = "second_factor.removed"
    SECOND_FACTOR_RENEWED = "second_factor.renewed"

    OWN_PAGE_LINK_ASKED = "own_page.link_asked"
    OWN_PAGE_LINK_MADE = "own_page.link_made"
    OWN_PAGE_LINK_REFUSED = "own_page.link_refused"
    OWN_PAGE_OPENED = "own_page.opened"
    OWN_PAGE_LEFT = "own_page.left"

    ACCOUNT_ADDED = "account.added"
    ACCOUNT_CHANGED = "account.changed"
    ACCOUNT_DELETED = "account.deleted"
    ROLE_GIVEN = "role.given"
    ROLE_TAKEN = "role.taken"

    STUDENT_ADDED = "student.added"
    STUDENT_CHANGED = "student.changed"
    STUDENT_RENUMBERED = "student.renumbered"
    STUDENT_DELETED = "student.deleted"
    CONSENT_GIVEN = "consent.given"
    CONSENT_WITHDRAWN = "consent.withdrawn"
    ERASURE_DONE = "erasure.done"
    PHOTOS_ADDED = "photos.added"
    PHOTOS_ENROLLED = "photos.enrolled"
    PHOTO_PROPOSED = "photos.proposed"
    PHOTO_TAKEN_BACK = "photos.taken_back"
    PHOTOS_DECIDED = "photos.decided"
    INDEX_PUBLISHED = "index.published"

    DEPARTMENT_ADDED = "department.added"
    DEPARTMENT_CHANGED = "department.changed"
    DEPARTMENT_DELETED = "department.deleted"
    COURSE_ADDED = "course.added"
    COURSE_CHANGED = "course.changed"
    COURSE_DELETED = "course.deleted"
    ENROLMENT_ADDED = "enrolment.added"
    ENROLMENT_REMOVED = "enrolment.removed"
    GROUP_ADDED = "group.added"
    GROUP_CHANGED = "group.changed"
    GROUP_DELETED = "group.deleted"
    GROUP_JOINED = "group.joined"
    GROUP_LEFT = "group.left"
    STATUS_ADDED = "status.added"
    STATUS_CHANGED = "status.changed"
    STATUS_REMOVED = "status.removed"
    STATUS_BROUGHT_BACK = "status.brought_back"
    ROOM_ADDED = "room.added"
    ROOM_CHANGED = "room.changed"
    ROOM_DELETED = "room.deleted"
    CAMERA_ADDED = "camera.added"
    CAMERA_CHANGED = "camera.changed"
    CAMERA_DELETED = "camera.deleted"
    CAMERA_VIEWED = "camera.viewed"
    CAMERA_VIEWED_CLEAR = "camera.viewed_clear"
    SESSION_ADDED = "session.added"
    SESSION_CHANGED = "session.changed"
    SESSION_CANCELLED = "session.cancelled"
    SESSION_RESTORED = "session.restored"
    SESSION_DELETED = "session.deleted"
    BREAK_ADDED = "break.added"
    BREAK_DELETED = "break.deleted"

    EXCUSE_ADDED = "excuse.added"
    EXCUSE_TAKEN_BACK = "excuse.taken_back"
    DISPUTE_RAISED = "dispute.raised"
    DISPUTE_TAKEN_BACK = "dispute.taken_back"
    DISPUTE_ANSWERED = "dispute.answered"

    IMPORTED = "file.imported"
    EXPORTED = "file.exported"
    MAIL_TESTED = "mail.tested"
    MAIL_SENT_AGAIN = "mail.sent_again"

    LTI_REGISTRATION_OFFERED = "lti.registration_offered"
    LTI_REGISTRATION_WITHDRAWN = "lti.registration_withdrawn"
    LTI_PLATFORM_REGISTERED = "lti.platform_registered"
    LTI_PLATFORM_CONFIRMED = "lti.platform_confirmed"
    LTI_PLATFORM_ADDED = "lti.platform_added"
    LTI_PLATFORM_CHANGED = "lti.platform_changed"
    LTI_PLATFORM_DELETED = "lti.platform_deleted"
    LTI_COURSE_LINKED = "lti.course_linked"
    LTI_PERSON_CONNECTED = "lti.person_connected"
    LTI_PERSON_DISCONNECTED = "lti.person_disconnected"
    LTI_RATES_SENT = "lti.rates_sent"
    LTI_KEY_MADE = "lti.key_made"
    LTI_KEY_WITHDRAWN = "lti.key_withdrawn"
    WEBHOOK_ADDED = "webhook.added"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_SECRET_RENEWED = "webhook.secret_renewed"  # noqa: S105
    WEBHOOK_ON = "webhook.on"
    WEBHOOK_OFF = "webhook.off"
    WEBHOOK_DELETED = "webhook.deleted"
    WEBHOOK_TESTED = "webhook.tested"
    WEBHOOK_SENT_AGAIN = "webhook.sent_again"

    CALENDAR_ADDED = "calendar.added"
    CALENDAR_CHANGED = "calendar.changed"
    CALENDAR_APPLIED = "calendar.applied"
    CALENDAR_DELETED = "calendar.deleted"
    FEED_MADE = "feed.made"
    FEED_ENDED = "feed.ended"

    TOKEN_MADE = "token.made"  # noqa: S105
    TOKEN_ENDED = "token.ended"  # noqa: S105
    SETTINGS_CHANGED = "settings.changed"
    COMMAND_RUN = "command.run"


class ActorKind(StrEnum):
    """Who did something."""

    ACCOUNT = "account"  # somebody signed in to the dashboard
    STUDENT = "student"  # on the own page; the entry's student
    COMMAND = "command"  # a user of the machine's operating system
    PROGRAM = "program"  # a program by itself
    NOBODY = "nobody"  # somebody who is not signed in


DELETED_STUDENT = "(deleted student)"
"""What stands in the log for the index number of a student who was deleted."""


class StartedProgram(Base):
    """The settings with which a program was started last, as fingerprints: which of them are changed is noted."""

    __tablename__ = "started_program"

    program: Mapped[str] = mapped_column(identifier_type(40), primary_key=True)
    salt: Mapped[str] = mapped_column(sa.String(32))
    settings: Mapped[dict[str, str]] = mapped_column(sa.JSON)  # by the name of its environment variable
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class AuditEntry(Base):
    """One thing that was done. Rows are added by `attendance.database.audit.noting`, and change in one way only.

    It points at no other row: what it tells of may be gone. The database itself refuses other changes, see
    `attendance.database.audit.protection`.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        # Each filter of the page is a range of one of these, in the order in which the page shows the log.
        sa.Index("ix_audit_entry_happened_at", "happened_at"),
        sa.Index("ix_audit_entry_action_happened_at", "action", "happened_at"),
        sa.Index("ix_audit_entry_actor_happened_at", "actor", "happened_at"),
        sa.Index("ix_audit_entry_subject_happened_at", "subject", "happened_at"),
        sa.Index("ix_audit_entry_student_happened_at", "student", "happened_at"),
        {**UTF8, "sqlite_autoincrement": True},  # a number is given once, so that a gap is seen
    )

    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True)
    happened_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    # An `AuditAction`; as text, so that a version that knows fewer of them still reads the log.
    action: Mapped[str] = mapped_column(identifier_type(40))
    actor_kind: Mapped[ActorKind] = mapped_column(enum_column_type(ActorKind))
    account_id: Mapped[int | None]  # of whoever was signed in; the account may be gone
    # The account's address at that time, the operating system's user, or the program; of students nothing.
    actor: Mapped[str | None] = mapped_column(identifier_type(254))
    address: Mapped[str | None] = mapped_column(sa.String(64))  # of the network, from which it was asked for
    student: Mapped[str | None] = mapped_column(identifier_type(64))  # whom it was done to: the index number
    subject: Mapped[str | None] = mapped_column(identifier_type(254))  # what else: a course, an account, a file
    details: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
