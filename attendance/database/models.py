"""The tables. Times are UTC; every unique rule that the programs rely on is a constraint here."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from attendance.database.types import UtcDateTime, enum_column_type, identifier_type, picture_type

_UTF8 = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def utc_now() -> datetime:
    """The present moment, aware, UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can change them on any database."""

    # Names are in any script, whatever the server's default character set is.
    __table_args__: Any = _UTF8

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Role(StrEnum):
    """What a person who signs in may do."""

    LECTURER = "lecturer"
    ADMIN = "admin"


class TokenRole(StrEnum):
    """What a program with an operator's token may do."""

    ENROLMENT = "enrolment"
    MONITORING = "monitoring"


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


class Lecturer(Base):
    """A person who signs in; administrators are lecturers with the admin role."""

    __tablename__ = "lecturer"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(identifier_type(254), unique=True)  # stored in lower case
    name: Mapped[str] = mapped_column(sa.String(120))
    password_hash: Mapped[str] = mapped_column(sa.String(255))
    role: Mapped[Role] = mapped_column(enum_column_type(Role), default=Role.LECTURER)
    active: Mapped[bool] = mapped_column(default=True)
    # Raised when the password changes, so that sign-ins made with the old one end.
    sign_in_epoch: Mapped[int] = mapped_column(default=0)
    picture: Mapped[bytes | None] = mapped_column(picture_type(), deferred=True)
    picture_digest: Mapped[str | None] = mapped_column(sa.String(64))  # SHA-256 hex; also the address of the picture
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    courses: Mapped[list["Course"]] = relationship(secondary="course_lecturer", back_populates="lecturers")


class Student(Base):
    """A student. `index_number` is also the name under which the gallery keeps the student's encodings."""

    __tablename__ = "student"

    id: Mapped[int] = mapped_column(primary_key=True)
    index_number: Mapped[str] = mapped_column(identifier_type(64), unique=True)
    name: Mapped[str] = mapped_column(sa.String(120))
    consent_given_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    consent_means: Mapped[str | None] = mapped_column(sa.String(120))  # e.g. "signed form", "student portal"
    consent_withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    declared_group: Mapped[str | None] = mapped_column(sa.String(80))  # self-declared, for reports of errors by group
    # What the gallery held when it was last changed for this student; the gallery itself is in files.
    gallery_encodings: Mapped[int] = mapped_column(default=0)
    gallery_updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Course(Base):
    """A course that is taught."""

    __tablename__ = "course"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(identifier_type(32), unique=True)
    name: Mapped[str] = mapped_column(sa.String(160))

    lecturers: Mapped[list[Lecturer]] = relationship(secondary="course_lecturer", back_populates="courses")
    students: Mapped[list[Student]] = relationship(secondary="enrolment", viewonly=True)


class CourseLecturer(Base):
    """Who teaches what."""

    __tablename__ = "course_lecturer"

    course_id: Mapped[int] = mapped_column(sa.ForeignKey("course.id", ondelete="CASCADE"), primary_key=True)
    lecturer_id: Mapped[int] = mapped_column(
        sa.ForeignKey("lecturer.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Enrolment(Base):
    """Who takes what: a course's enrolments are its roster."""

    __tablename__ = "enrolment"

    course_id: Mapped[int] = mapped_column(sa.ForeignKey("course.id", ondelete="CASCADE"), primary_key=True)
    student_id: Mapped[int] = mapped_column(
        sa.ForeignKey("student.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Room(Base):
    """A lecture room."""

    __tablename__ = "room"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(identifier_type(80), unique=True)


class Camera(Base):
    """A camera. Its token's hash decides who may speak for it."""

    __tablename__ = "camera"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(identifier_type(80), unique=True)
    room_id: Mapped[int | None] = mapped_column(sa.ForeignKey("room.id", ondelete="SET NULL"), index=True)
    token_hash: Mapped[str | None] = mapped_column(sa.String(64), unique=True)  # None: revoked
    upsample: Mapped[int | None] = mapped_column(sa.SmallInteger)  # None: the engine's setting
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    room: Mapped[Room | None] = relationship()


class ApiToken(Base):
    """A token of a program that is no camera: enrolment tools, monitoring."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(identifier_type(80), unique=True)
    role: Mapped[TokenRole] = mapped_column(enum_column_type(TokenRole))
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class ClassSession(Base):
    """One meeting of a course in a room. Attendance counts from `early_minutes` before the start until the end."""

    __tablename__ = "class_session"
    __table_args__ = (
        sa.CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        sa.Index("ix_class_session_room_id_starts_at", "room_id", "starts_at"),
        sa.Index("ix_class_session_course_id_starts_at", "course_id", "starts_at"),
        sa.Index("ix_class_session_closed_at_ends_at", "closed_at", "ends_at"),
        sa.Index("ix_class_session_starts_at", "starts_at"),
        _UTF8,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(sa.ForeignKey("course.id", ondelete="CASCADE"))
    room_id: Mapped[int] = mapped_column(sa.ForeignKey("room.id", ondelete="RESTRICT"))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    early_minutes: Mapped[int] = mapped_column(sa.SmallInteger, default=10)
    grace_minutes: Mapped[int] = mapped_column(sa.SmallInteger, default=10)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when absences were written

    course: Mapped[Course] = relationship()
    room: Mapped[Room] = relationship()


class Attendance(Base):
    """A student's attendance of a session, the entry in its register: one row at most.

    Status, source, remark and version change through `attendance.database.entries` only.
    """

    __tablename__ = "attendance"
    __table_args__ = (sa.UniqueConstraint("session_id", "student_id"), _UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(sa.ForeignKey("class_session.id", ondelete="CASCADE"))
    student_id: Mapped[int] = mapped_column(sa.ForeignKey("student.id", ondelete="CASCADE"), index=True)
    status: Mapped[Status] = mapped_column(enum_column_type(Status))
    source: Mapped[Source] = mapped_column(enum_column_type(Source), default=Source.MACHINE)
    first_seen: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_seen: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confidence: Mapped[float | None] = mapped_column(sa.Double)  # best of the confirming tracks, 0 to 1
    camera_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("camera.id", ondelete="SET NULL")
    )  # of the first sighting
    remark: Mapped[str | None] = mapped_column(sa.String(500))  # a person's note beside the status
    # Raised by each change of the status, of who decided it, and of the remark, so that a person who changes an entry
    # can be told of a change that was not there yet when the page was opened. Being seen again is no such change.
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)

    session: Mapped[ClassSession] = relationship()
    student: Mapped[Student] = relationship()
    camera: Mapped[Camera | None] = relationship()
    changes: Mapped[list["AttendanceChange"]] = relationship(
        back_populates="attendance", order_by="AttendanceChange.id", passive_deletes=True
    )


class AttendanceChange(Base):
    """Who changed an entry, when and why. Rows are only ever added.

    The columns that may be empty beside `attendance_id`, `lecturer_id` and the statuses are so in older rows.
    """

    __tablename__ = "attendance_change"
    __table_args__ = (sa.Index("ix_attendance_change_session_id_student_id", "session_id", "student_id"), _UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    # None: the entry was taken out again; then, and only then, `session_id` and `student_id` say whose it was.
    attendance_id: Mapped[int | None] = mapped_column(sa.ForeignKey("attendance.id", ondelete="CASCADE"), index=True)
    session_id: Mapped[int | None] = mapped_column(sa.ForeignKey("class_session.id", ondelete="CASCADE"))
    student_id: Mapped[int | None] = mapped_column(sa.ForeignKey("student.id", ondelete="CASCADE"), index=True)
    lecturer_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("lecturer.id", ondelete="SET NULL")
    )  # None: the machine
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    old_status: Mapped[Status | None] = mapped_column(enum_column_type(Status))  # None: there was no entry
    new_status: Mapped[Status | None] = mapped_column(enum_column_type(Status))  # None: the entry was taken out
    old_source: Mapped[Source | None] = mapped_column(enum_column_type(Source))
    version: Mapped[int | None]  # of the entry after this change
    batch: Mapped[str | None] = mapped_column(identifier_type(32), index=True)  # the same for all of one bulk change
    remark: Mapped[str | None] = mapped_column(sa.String(500))  # what it became, empty for none; None: not changed
    reason: Mapped[str] = mapped_column(sa.String(500))

    attendance: Mapped[Attendance | None] = relationship(back_populates="changes")
    lecturer: Mapped[Lecturer | None] = relationship()


class Excuse(Base):
    """That a student is excused from sessions that start in a time; a row of its own, not a status.

    What it makes of the register is `attendance.database.excuses`' rule, and goes when the row goes.
    """

    __tablename__ = "excuse"
    __table_args__ = (
        sa.CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        sa.Index("ix_excuse_student_id_ends_at", "student_id", "ends_at"),
        _UTF8,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    student_id: Mapped[int] = mapped_column(sa.ForeignKey("student.id", ondelete="CASCADE"))
    # None: of every course.
    course_id: Mapped[int | None] = mapped_column(sa.ForeignKey("course.id", ondelete="CASCADE"), index=True)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)  # the first day's first moment at the institution
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)  # that of the day after the last
    reason: Mapped[str] = mapped_column(sa.String(500))
    reference: Mapped[str | None] = mapped_column(sa.String(120))  # of a paper that proves it
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("lecturer.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    course: Mapped[Course | None] = relationship()
    created_by: Mapped[Lecturer | None] = relationship()

    @property
    def last_moment(self) -> datetime:
        """The last moment that is covered: on the last day."""
        return self.ends_at - timedelta(microseconds=1)


class AttendanceEvidence(Base):
    """What confirmed a student: distances and frames, no picture and no encoding. One row a confirmed track."""

    __tablename__ = "attendance_evidence"
    __table_args__ = (sa.Index("ix_attendance_evidence_session_id_student_id", "session_id", "student_id"), _UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    # Given when the track was confirmed, so that a commit made twice is one row.
    uid: Mapped[str] = mapped_column(sa.String(36), unique=True)
    session_id: Mapped[int] = mapped_column(sa.ForeignKey("class_session.id", ondelete="CASCADE"))
    student_id: Mapped[int] = mapped_column(sa.ForeignKey("student.id", ondelete="CASCADE"), index=True)
    camera_id: Mapped[int | None] = mapped_column(sa.ForeignKey("camera.id", ondelete="SET NULL"))
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

    camera: Mapped[Camera | None] = relationship()


class GalleryJobKind(StrEnum):
    """What is to be done to the gallery."""

    ENROL = "enrol"
    ERASE = "erase"


class JobState(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"


JOB_ABANDONED = timedelta(minutes=15)
"""A job of the gallery that began so long ago was left by a worker that died."""


class GalleryJob(Base):
    """Work on the gallery that the dashboard asks for and `attendance gallery work` does.

    It names the student by index number, because erasure outlives the student's row.
    """

    __tablename__ = "gallery_job"
    __table_args__ = (sa.Index("ix_gallery_job_state_id", "state", "id"), _UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[GalleryJobKind] = mapped_column(enum_column_type(GalleryJobKind))
    index_number: Mapped[str] = mapped_column(identifier_type(64), index=True)
    state: Mapped[JobState] = mapped_column(enum_column_type(JobState), default=JobState.WAITING)
    requested_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("lecturer.id", ondelete="SET NULL"))
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    message: Mapped[str | None] = mapped_column(sa.String(500))  # how it ended, for people
    report: Mapped[list[dict[str, Any]] | None] = mapped_column(sa.JSON)  # one object a photo

    requested_by: Mapped[Lecturer | None] = relationship()
    photos: Mapped[list["GalleryJobPhoto"]] = relationship(order_by="GalleryJobPhoto.id", passive_deletes=True)


class GalleryJobPhoto(Base):
    """A photo on its way into the gallery; deleted when its job ends."""

    __tablename__ = "gallery_job_photo"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(sa.ForeignKey("gallery_job.id", ondelete="CASCADE"), index=True)
    file_name: Mapped[str] = mapped_column(sa.String(255))
    content: Mapped[bytes] = mapped_column(picture_type(), deferred=True)


class IndexVersion(Base):
    """A published index: what was in use when."""

    __tablename__ = "index_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(sa.String(64), unique=True)
    model: Mapped[str] = mapped_column(sa.String(120))
    identities: Mapped[int]
    encodings: Mapped[int]
    sha256: Mapped[str] = mapped_column(sa.String(64))
    published_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class FileContent(StrEnum):
    """What a part belongs to."""

    FILE = "file"
    REPORT = "report"


class ImportedFile(Base):
    """A file that an administrator tries and then imports, with the report of both; kept for a day.

    In the database and not on a disk, so that any replica of the dashboard can go on with it.
    """

    __tablename__ = "imported_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(identifier_type(32), unique=True)  # its word in addresses
    lecturer_id: Mapped[int] = mapped_column(sa.ForeignKey("lecturer.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(sa.String(32))
    file_name: Mapped[str] = mapped_column(sa.String(120))
    # The only course meant, if one is; the file goes with it.
    course_id: Mapped[int | None] = mapped_column(sa.ForeignKey("course.id", ondelete="CASCADE"), index=True)
    done: Mapped[bool] = mapped_column(default=False)  # imported; before, only tried
    report: Mapped[dict[str, Any]] = mapped_column(sa.JSON)  # of the trial, then of the import
    uploaded_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)


class ImportedFilePart(Base):
    """A part of a file or of its report, small enough for one statement."""

    __tablename__ = "imported_file_part"
    __table_args__ = (sa.UniqueConstraint("file_id", "content", "place"), _UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    file_id: Mapped[int] = mapped_column(sa.ForeignKey("imported_file.id", ondelete="CASCADE"))
    content: Mapped[FileContent] = mapped_column(enum_column_type(FileContent))
    place: Mapped[int]  # 0 is the first
    data: Mapped[bytes] = mapped_column(picture_type())  # compressed by zlib


class SignInAttempt(Base):
    """An attempt at a password that was wrong, or that is being checked.

    Keyed hashes tell accounts and network addresses apart; neither is kept.
    """

    __tablename__ = "sign_in_attempt"
    __table_args__ = (
        sa.Index("ix_sign_in_attempt_account_tried_at", "account", "tried_at"),
        sa.Index("ix_sign_in_attempt_address_tried_at", "address", "tried_at"),
        sa.Index("ix_sign_in_attempt_tried_at", "tried_at"),
        {**_UTF8, "sqlite_autoincrement": True},  # a number is given once, so that none is taken for another
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(identifier_type(32))
    address: Mapped[str] = mapped_column(identifier_type(32))
    tried_at: Mapped[datetime] = mapped_column(UtcDateTime)
    failed: Mapped[bool] = mapped_column(default=False)  # before: being checked
