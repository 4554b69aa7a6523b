"""The register: entries, their history, what the cameras saw, and excuses."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from attendance.database.models.base import UTF8, Base, utc_now
from attendance.database.models.cameras import Camera, Origin
from attendance.database.models.people import Account, Student
from attendance.database.models.teaching import ClassSession, Course
from attendance.database.types import UtcDateTime, enum_column_type, identifier_type


class Status(StrEnum):
    """A student's attendance of one session. The machine sets EXCUSED only where an excuse covers it."""

    PRESENT = "present"
    LATE = "late"
    ABSENT = "absent"
    EXCUSED = "excused"


class Source(StrEnum):
    """Who decided a status last. What a person decided, the machine leaves alone."""

    MACHINE = "machine"
    PERSON = "person"


class Unrecorded(StrEnum):
    """Why an entry of a closed session has no status."""

    UNWATCHED = "unwatched"  # too little of the session was watched
    UNRECOGNISABLE = "unrecognisable"  # no camera could have known the student
    UNNAMED = "unnamed"  # people were seen who could not be named
    ENTERED_LATE = "entered_late"  # the session was entered after its end
    HELD = "held"  # a sighting of the student is held, and nobody has answered it


class HeldReason(StrEnum):
    """Why a sighting is held: neither entered in the register nor forgotten, until a person has answered it."""

    COPY_OF_PHOTO = "copy_of_photo"  # as good as identical to an enrolment photo
    SAME_PICTURE = "same_picture"  # frames that show the same picture
    NO_VARIANCE = "no_variance"  # the face did not vary as a living one does
    PLANE = "plane"  # face and background moved as one flat thing
    SCREEN = "screen"  # a bright rectangle around the face
    TWO_ROOMS = "two_rooms"  # in two rooms at once
    ONE_SPOT = "one_spot"  # many students at one spot, one after the other
    LIVENESS_MODEL = "liveness_model"  # a model took it for a picture
    LATE = "late"  # frames that a camera had kept came after the session was closed


class LabelColour(StrEnum):
    """The colours that a label may have; each is legible in light and dark, as is the text on it."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"
    VIOLET = "violet"
    BLUE = "blue"
    TEAL = "teal"
    PINK = "pink"
    GREY = "grey"


class StatusLabel(Base):
    """A status of an institution's or a course's own, like "Online": a label on one of the four kinds.

    Rules and the machine know kinds only. A label is a person's word; which one an entry may get, and what becomes of
    one in use, is `attendance.database.labels`' rule.
    """

    __tablename__ = "status_label"
    __table_args__ = (
        sa.CheckConstraint("weight >= 0 AND weight <= 1", name="weight_is_a_share"),
        sa.CheckConstraint("(kind = 'excused') = (weight IS NULL)", name="excused_has_no_weight"),
        UTF8,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # None: the institution's, for every course.
    course_id: Mapped[int | None] = mapped_column(sa.ForeignKey("course.id", ondelete="CASCADE"), index=True)
    kind: Mapped[Status] = mapped_column(enum_column_type(Status))
    name: Mapped[str] = mapped_column(identifier_type(40))
    letter: Mapped[str] = mapped_column(identifier_type(2))  # for where a name has no place
    colour: Mapped[LabelColour] = mapped_column(enum_column_type(LabelColour))
    # How much of a session attended it counts for in rates, 0 to 1; None for excused, who were not expected.
    weight: Mapped[float | None] = mapped_column(sa.Double)
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # from then on it is not offered any more
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    course: Mapped[Course | None] = relationship()


class Attendance(Base):
    """A student's attendance of a session, the entry in its register: one row at most.

    Status, label, source, remark and version change through `attendance.database.entries` only.
    """

    __tablename__ = "attendance"
    __table_args__ = (
        sa.UniqueConstraint("session_id", "student_id"),
        sa.Index("ix_attendance_session_id_status", "session_id", "status"),
        UTF8,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(sa.ForeignKey("class_session.id", ondelete="CASCADE"))
    student_id: Mapped[int] = mapped_column(sa.ForeignKey("student.id", ondelete="CASCADE"), index=True)
    # None: nothing is recorded, for the reason beside it; without a reason, nothing is known yet.
    status: Mapped[Status | None] = mapped_column(enum_column_type(Status))
    unrecorded_reason: Mapped[Unrecorded | None] = mapped_column(enum_column_type(Unrecorded))
    # A person's, of the kind that the status is; it goes when the status is decided again.
    label_id: Mapped[int | None] = mapped_column(sa.ForeignKey("status_label.id", ondelete="SET NULL"), index=True)
    source: Mapped[Source] = mapped_column(enum_column_type(Source), default=Source.MACHINE)
    first_seen: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_seen: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confidence: Mapped[float | None] = mapped_column(sa.Double)  # best of the confirming tracks, 0 to 1
    camera_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("camera.id", ondelete="SET NULL")
    )  # of the first sighting
    origin: Mapped[Origin | None] = mapped_column(enum_column_type(Origin))  # of the first sighting
    # Present rather than late, because the room was not watched before this moment.
    watched_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    remark: Mapped[str | None] = mapped_column(sa.String(500))  # a person's note beside the status
    # Raised by each change of the status, of who decided it, and of the remark, so that a person who changes an entry
    # can be told of a change that was not there yet when the page was opened. Being seen again is no such change.
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)

    session: Mapped[ClassSession] = relationship()
    student: Mapped[Student] = relationship()
    label: Mapped[StatusLabel | None] = relationship()
    camera: Mapped[Camera | None] = relationship()
    changes: Mapped[list["AttendanceChange"]] = relationship(
        back_populates="attendance", order_by="AttendanceChange.id", passive_deletes=True
    )


class Guest(Base):
    """A student of a session's course who was seen in it without being expected, like one of another group.

    No attendance is recorded of a guest.
    """

    __tablename__ = "guest"

    session_id: Mapped[int] = mapped_column(sa.ForeignKey("class_session.id", ondelete="CASCADE"), primary_key=True)
    student_id: Mapped[int] = mapped_column(
        sa.ForeignKey("student.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    first_seen: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen: Mapped[datetime] = mapped_column(UtcDateTime)
    confidence: Mapped[float] = mapped_column(sa.Double)  # best of the confirming tracks, 0 to 1

    student: Mapped[Student] = relationship()


class AttendanceChange(Base):
    """Who changed an entry, when and why. Rows are only ever added.

    The columns that may be empty beside `attendance_id`, `account_id` and the statuses are so in older rows.
    """

    __tablename__ = "attendance_change"
    __table_args__ = (sa.Index("ix_attendance_change_session_id_student_id", "session_id", "student_id"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    # None: the entry was taken out again; then, and only then, `session_id` and `student_id` say whose it was.
    attendance_id: Mapped[int | None] = mapped_column(sa.ForeignKey("attendance.id", ondelete="CASCADE"), index=True)
    session_id: Mapped[int | None] = mapped_column(sa.ForeignKey("class_session.id", ondelete="CASCADE"))
    student_id: Mapped[int | None] = mapped_column(sa.ForeignKey("student.id", ondelete="CASCADE"), index=True)
    account_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("account.id", ondelete="SET NULL")
    )  # None: the machine
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    old_status: Mapped[Status | None] = mapped_column(enum_column_type(Status))  # None: no entry, or none recorded
    new_status: Mapped[Status | None] = mapped_column(enum_column_type(Status))  # None: taken out, or none recorded
    old_unrecorded: Mapped[Unrecorded | None] = mapped_column(enum_column_type(Unrecorded))
    new_unrecorded: Mapped[Unrecorded | None] = mapped_column(enum_column_type(Unrecorded))
    old_label_id: Mapped[int | None] = mapped_column(sa.ForeignKey("status_label.id", ondelete="SET NULL"), index=True)
    new_label_id: Mapped[int | None] = mapped_column(sa.ForeignKey("status_label.id", ondelete="SET NULL"), index=True)
    old_source: Mapped[Source | None] = mapped_column(enum_column_type(Source))
    version: Mapped[int | None]  # of the entry after this change
    batch: Mapped[str | None] = mapped_column(identifier_type(32), index=True)  # the same for all of one bulk change
    remark: Mapped[str | None] = mapped_column(sa.String(500))  # what it became, empty for none; None: not changed
    reason: Mapped[str] = mapped_column(sa.String(500))

    attendance: Mapped[Attendance | None] = relationship(back_populates="changes")
    account: Mapped[Account | None] = relationship()
    old_label: Mapped[StatusLabel | None] = relationship(foreign_keys=[old_label_id])
    new_label: Mapped[StatusLabel | None] = relationship(foreign_keys=[new_label_id])


class Excuse(Base):
    """That a student is excused from sessions that start in a time; a row of its own, not a status.

    What it makes of the register is `attendance.database.excuses`' rule, and goes when the row goes.
    """

    __tablename__ = "excuse"
    __table_args__ = (
        sa.CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        sa.Index("ix_excuse_student_id_ends_at", "student_id", "ends_at"),
        UTF8,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    student_id: Mapped[int] = mapped_column(sa.ForeignKey("student.id", ondelete="CASCADE"))
    # None: of every course.
    course_id: Mapped[int | None] = mapped_column(sa.ForeignKey("course.id", ondelete="CASCADE"), index=True)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)  # the first day's first moment at the institution
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)  # that of the day after the last
    reason: Mapped[str] = mapped_column(sa.String(500))
    reference: Mapped[str | None] = mapped_column(sa.String(120))  # of a paper that proves it
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("account.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    course: Mapped[Course | None] = relationship()
    created_by: Mapped[Account | None] = relationship()

    @property
    def last_moment(self) -> datetime:
        """The last moment that is covered: on the last day."""
        return self.ends_at - timedelta(microseconds=1)


class HeldSighting(Base):
    """A sighting that changes no entry until a person has accepted it; its rules are `attendance.database.held`'s.

    One row a session, student, camera and way of coming: reasons are united and times widened, so that any order and
    any repetition of what a service reports leaves the same row.
    """

    __tablename__ = "held_sighting"
    __table_args__ = (sa.UniqueConstraint("session_id", "student_id", "camera_id", "origin", "late"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(sa.ForeignKey("class_session.id", ondelete="CASCADE"))
    student_id: Mapped[int] = mapped_column(sa.ForeignKey("student.id", ondelete="CASCADE"), index=True)
    camera_id: Mapped[int | None] = mapped_column(sa.ForeignKey("camera.id", ondelete="SET NULL"), index=True)
    origin: Mapped[Origin] = mapped_column(enum_column_type(Origin))
    # Whether it came when the session was closed, so that the register stands as it was concluded without it.
    late: Mapped[bool]
    reasons: Mapped[list[str]] = mapped_column(sa.JSON)  # values of `HeldReason`
    first_seen: Mapped[datetime] = mapped_column(UtcDateTime)  # when it claims to be from
    last_seen: Mapped[datetime] = mapped_column(UtcDateTime)
    confidence: Mapped[float] = mapped_column(sa.Double)  # best of the confirming tracks, 0 to 1
    arrived_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)  # the first of it
    accepted: Mapped[bool | None]  # None: not answered
    answer: Mapped[str | None] = mapped_column(sa.String(500))  # why, in a person's words
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answered_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("account.id", ondelete="SET NULL"))

    session: Mapped[ClassSession] = relationship()
    student: Mapped[Student] = relationship()
    camera: Mapped[Camera | None] = relationship()
    answered_by: Mapped[Account | None] = relationship()


class HeldObservation(Base):
    """What one camera says it watched of a closed session, in an hour, by kept frames; it counts once accepted.

    One row a session, camera, room and hour, UTC, merged as `Observation` is.
    """

    __tablename__ = "held_observation"
    __table_args__ = (sa.UniqueConstraint("session_id", "camera_id", "room_id", "hour"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(sa.ForeignKey("class_session.id", ondelete="CASCADE"))
    camera_id: Mapped[int | None] = mapped_column(sa.ForeignKey("camera.id", ondelete="SET NULL"), index=True)
    room_id: Mapped[int] = mapped_column(sa.ForeignKey("room.id", ondelete="CASCADE"), index=True)
    hour: Mapped[datetime] = mapped_column(UtcDateTime)  # its first moment
    watched: Mapped[int] = mapped_column(sa.BigInteger)  # bit 0 is the hour's first minute
    counts: Mapped[bytes] = mapped_column(sa.LargeBinary(600))  # as `Observation.counts`
    arrived_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)  # the first of it
    accepted: Mapped[bool | None]  # None: not answered
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answered_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("account.id", ondelete="SET NULL"))

    session: Mapped[ClassSession] = relationship()
    camera: Mapped[Camera | None] = relationship()


class AttendanceEvidence(Base):
    """What confirmed a student: distances and frames, no picture and no encoding. One row a confirmed track."""

    __tablename__ = "attendance_evidence"
    __table_args__ = (sa.Index("ix_attendance_evidence_session_id_student_id", "session_id", "student_id"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    # Given when the track was confirmed, so that a commit made twice is one row.
    uid: Mapped[str] = mapped_column(sa.String(36), unique=True)
    session_id: Mapped[int] = mapped_column(sa.ForeignKey("class_session.id", ondelete="CASCADE"))
    student_id: Mapped[int] = mapped_column(sa.ForeignKey("student.id", ondelete="CASCADE"), index=True)
    camera_id: Mapped[int | None] = mapped_column(sa.ForeignKey("camera.id", ondelete="SET NULL"))
    origin: Mapped[Origin] = mapped_column(
        enum_column_type(Origin), default=Origin.LIVE, server_default=Origin.LIVE.value
    )
    index_version: Mapped[str | None] = mapped_column(sa.String(64))
    threshold: Mapped[float] = mapped_column(sa.Double)  # Euclidean distance, as are `distance` and `margin`
    distance: Mapped[float] = mapped_column(sa.Double)  # mean over the frames
    margin: Mapped[float] = mapped_column(sa.Double)  # mean distance by which the runner-up was farther
    confidence: Mapped[float] = mapped_column(sa.Double)
    frames: Mapped[int]
    first_frame_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_frame_at: Mapped[datetime] = mapped_column(UtcDateTime)
    details: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON)  # one object a frame, see `evidence.py`
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    # Of a sighting that is held; it counts for the register only once a person has accepted that.
    held: Mapped[bool] = mapped_column(default=False, server_default=sa.false())

    camera: Mapped[Camera | None] = relationship()
