"""What is taught, to whom, by whom, where and when."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from attendance.database.models.base import UTF8, Base, utc_now
from attendance.database.models.people import Lecturer, Student
from attendance.database.types import UtcDateTime, enum_column_type, identifier_type


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


class Closing(StrEnum):
    """What the entries of a closed session rest on."""

    OBSERVED = "observed"  # on what was watched
    ENTERED_LATE = "entered_late"  # the session had ended before it was entered
    BEFORE_OBSERVATION = "unobserved"  # closed by a version that kept no record of what was watched


class ClassSession(Base):
    """One meeting of a course in a room. Attendance counts from `early_minutes` before the start until the end."""

    __tablename__ = "class_session"
    __table_args__ = (
        sa.CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        sa.Index("ix_class_session_room_id_starts_at", "room_id", "starts_at"),
        sa.Index("ix_class_session_course_id_starts_at", "course_id", "starts_at"),
        sa.Index("ix_class_session_closed_at_ends_at", "closed_at", "ends_at"),
        sa.Index("ix_class_session_starts_at", "starts_at"),
        UTF8,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(sa.ForeignKey("course.id", ondelete="CASCADE"))
    room_id: Mapped[int] = mapped_column(sa.ForeignKey("room.id", ondelete="RESTRICT"))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    early_minutes: Mapped[int] = mapped_column(sa.SmallInteger, default=10)
    grace_minutes: Mapped[int] = mapped_column(sa.SmallInteger, default=10)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when the register was completed
    # None: open; or closed by a program of the version before, without a look at what was watched.
    closed_as: Mapped[Closing | None] = mapped_column(enum_column_type(Closing))
    # When it was entered, or moved to a time that had passed; None: by a version that did not note it.
    entered_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=utc_now)

    course: Mapped[Course] = relationship()
    room: Mapped[Room] = relationship()
