"""What is taught, to whom, by whom, where and when."""

from datetime import date, datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from attendance.database.models.base import UTF8, Base, utc_now
from attendance.database.models.people import Account, AccountRole, Role, Student
from attendance.database.types import UtcDateTime, enum_column_type, identifier_type


class Department(Base):
    """A part of the institution that courses belong to."""

    __tablename__ = "department"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(identifier_type(120), unique=True)


class Course(Base):
    """A course that is taught."""

    __tablename__ = "course"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(identifier_type(32), unique=True)
    name: Mapped[str] = mapped_column(sa.String(160))
    # None: of no department, so that only administrators see it beside those who teach it.
    department_id: Mapped[int | None] = mapped_column(sa.ForeignKey("department.id", ondelete="RESTRICT"), index=True)

    # Percent of its recorded sessions that a student must attend; None: as the settings say. See `thresholds`.
    attendance_threshold: Mapped[int | None] = mapped_column(sa.SmallInteger)

    department: Mapped[Department | None] = relationship()
    # Those who teach it; heads of its department and assistants are not among them.
    lecturers: Mapped[list[Account]] = relationship(
        secondary=lambda: sa.inspect(AccountRole).local_table,
        primaryjoin=lambda: sa.and_(AccountRole.course_id == Course.id, AccountRole.role == Role.LECTURER),
        order_by=(Account.name, Account.id),
        viewonly=True,
    )
    students: Mapped[list[Student]] = relationship(secondary="enrolment", viewonly=True)
    groups: Mapped[list["CourseGroup"]] = relationship(
        back_populates="course", order_by="CourseGroup.name", passive_deletes=True
    )


class Enrolment(Base):
    """Who takes what: a course's enrolments are its roster."""

    __tablename__ = "enrolment"

    course_id: Mapped[int] = mapped_column(sa.ForeignKey("course.id", ondelete="CASCADE"), primary_key=True)
    student_id: Mapped[int] = mapped_column(
        sa.ForeignKey("student.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class CourseGroup(Base):
    """A part of a course that meets by itself, like a seminar group. A student may be in several."""

    __tablename__ = "course_group"
    __table_args__ = (sa.UniqueConstraint("course_id", "name"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(sa.ForeignKey("course.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(identifier_type(80))

    course: Mapped[Course] = relationship(back_populates="groups")


class CourseGroupMember(Base):
    """Who is in a group. Counts only while the student takes the course: `attendance.database.audiences` asks both."""

    __tablename__ = "course_group_member"

    group_id: Mapped[int] = mapped_column(sa.ForeignKey("course_group.id", ondelete="CASCADE"), primary_key=True)
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


class SessionState(StrEnum):
    """Whether a session takes place."""

    SCHEDULED = "scheduled"
    CANCELLED = "cancelled"


class SeriesOrigin(StrEnum):
    """What a series was made from."""

    FILE = "file"  # a line of a timetable
    FORM = "form"
    SESSION = "session"  # a session that was there before there were series


class SessionSeries(Base):
    """Sessions that belong together, so that a timetable that is imported again finds them, moved or not."""

    __tablename__ = "session_series"

    id: Mapped[int] = mapped_column(primary_key=True)
    # Given by the file that it came from (`external`), else made when the series was.
    uid: Mapped[str] = mapped_column(identifier_type(190), unique=True)
    external: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    origin: Mapped[SeriesOrigin] = mapped_column(enum_column_type(SeriesOrigin))
    # Its first audience, which finds it where no session of it is left.
    course_id: Mapped[int] = mapped_column(sa.ForeignKey("course.id", ondelete="CASCADE"), index=True)
    group_id: Mapped[int | None] = mapped_column(sa.ForeignKey("course_group.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    # That it came from; None: from a file, a form, or a calendar that is not read any more.
    calendar_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("timetable_calendar.id", ondelete="SET NULL"), index=True
    )


class DroppedOccurrence(Base):
    """A session of a series that a person deleted: importing the series again does not bring it back."""

    __tablename__ = "dropped_occurrence"

    series_id: Mapped[int] = mapped_column(sa.ForeignKey("session_series.id", ondelete="CASCADE"), primary_key=True)
    planned_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)  # as of the session


class ClassSession(Base):
    """One meeting of one or more courses, or groups of courses, in one or more rooms.

    Attendance counts from `early_minutes` before the start until the end. Whom it is for and where it is, all of it,
    says `attendance.database.audiences`: the columns here name the first audience and the first room.
    """

    __tablename__ = "class_session"
    __table_args__ = (
        sa.CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        sa.Index("ix_class_session_room_id_starts_at", "room_id", "starts_at"),
        sa.Index("ix_class_session_course_id_starts_at", "course_id", "starts_at"),
        sa.Index("ix_class_session_closed_at_ends_at", "closed_at", "ends_at"),
        sa.Index("ix_class_session_starts_at", "starts_at"),
        sa.Index("ix_class_session_series_id_planned_at", "series_id", "planned_at"),
        sa.Index("ix_class_session_group_id", "group_id"),
        UTF8,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(sa.ForeignKey("course.id", ondelete="CASCADE"))
    # Of the course; None: all of it.
    group_id: Mapped[int | None] = mapped_column(sa.ForeignKey("course_group.id", ondelete="RESTRICT"))
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
    state: Mapped[SessionState] = mapped_column(
        enum_column_type(SessionState), default=SessionState.SCHEDULED, server_default=SessionState.SCHEDULED.value
    )
    cancelled_reason: Mapped[str | None] = mapped_column(sa.String(500))
    note: Mapped[str | None] = mapped_column(sa.String(500))  # for those who open the register
    series_id: Mapped[int | None] = mapped_column(sa.ForeignKey("session_series.id", ondelete="SET NULL"))
    # When the series has it start. Stays where it is when the session is moved.
    planned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # When a person last moved, shortened, cancelled or restored it: imports leave it alone since. None: nobody did.
    changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    changed_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("account.id", ondelete="SET NULL"))

    course: Mapped[Course] = relationship()
    group: Mapped[CourseGroup | None] = relationship()
    room: Mapped[Room] = relationship()
    series: Mapped[SessionSeries | None] = relationship()
    changed_by: Mapped[Account | None] = relationship()
    further_audiences: Mapped[list["SessionAudience"]] = relationship(
        order_by="SessionAudience.id", cascade="all, delete-orphan", passive_deletes=True
    )
    further_rooms: Mapped[list["SessionRoom"]] = relationship(
        order_by="SessionRoom.room_id", cascade="all, delete-orphan", passive_deletes=True
    )

    @property
    def opens_at(self) -> datetime:
        """From when on being seen counts."""
        return self.starts_at - timedelta(minutes=self.early_minutes)

    @property
    def cancelled(self) -> bool:
        """Whether it does not take place."""
        return self.state is SessionState.CANCELLED


class SessionAudience(Base):
    """A course, or a group of one, that a session is for beside its first."""

    __tablename__ = "session_audience"
    __table_args__ = (sa.Index("ix_session_audience_course_id_session_id", "course_id", "session_id"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(sa.ForeignKey("class_session.id", ondelete="CASCADE"), index=True)
    course_id: Mapped[int] = mapped_column(sa.ForeignKey("course.id", ondelete="CASCADE"))
    # None: all of the course.
    group_id: Mapped[int | None] = mapped_column(sa.ForeignKey("course_group.id", ondelete="RESTRICT"), index=True)

    course: Mapped[Course] = relationship()
    group: Mapped[CourseGroup | None] = relationship()


class SessionRoom(Base):
    """A room that a session is held in beside its first."""

    __tablename__ = "session_room"

    session_id: Mapped[int] = mapped_column(sa.ForeignKey("class_session.id", ondelete="CASCADE"), primary_key=True)
    room_id: Mapped[int] = mapped_column(sa.ForeignKey("room.id", ondelete="RESTRICT"), primary_key=True, index=True)

    room: Mapped[Room] = relationship()


class TeachingBreak(Base):
    """Days without teaching: timetables leave them out."""

    __tablename__ = "teaching_break"
    __table_args__ = (sa.CheckConstraint("last_day >= first_day", name="ends_after_start"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    first_day: Mapped[date] = mapped_column(sa.Date, index=True)
    last_day: Mapped[date] = mapped_column(sa.Date)
    name: Mapped[str] = mapped_column(sa.String(80))
