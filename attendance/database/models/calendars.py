"""Calendars: those that the timetable is read from, and feeds that people subscribe to."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from attendance.database.models.base import Base, utc_now
from attendance.database.models.people import Account, Student
from attendance.database.models.teaching import Course, Room
from attendance.database.types import SaidText, UtcDateTime, enum_column_type, identifier_type, picture_type


class TimetableCalendar(Base):
    """A calendar that tells when sessions are: fetched from an address, or uploaded."""

    __tablename__ = "timetable_calendar"
    __table_args__: Any = (
        sa.Index("ix_timetable_calendar_next_fetch_at", "next_fetch_at"),
        sa.CheckConstraint("last_day >= first_day", name="ends_after_start"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(identifier_type(80), unique=True)
    # None: files are uploaded. It may be a secret: whoever knows it reads the calendar.
    url: Mapped[str | None] = mapped_column(sa.String(2000), deferred=True)
    # Of every event; None: the events' titles say.
    course_id: Mapped[int | None] = mapped_column(sa.ForeignKey("course.id", ondelete="CASCADE"), index=True)
    # Of events that name none.
    room_id: Mapped[int | None] = mapped_column(sa.ForeignKey("room.id", ondelete="SET NULL"), index=True)
    first_day: Mapped[date] = mapped_column(sa.Date)
    last_day: Mapped[date] = mapped_column(sa.Date)
    every_minutes: Mapped[int] = mapped_column(sa.SmallInteger, default=60)
    # Whether changes are written at once where nothing is to be asked; otherwise a person says so each time.
    by_itself: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    next_fetch_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # None: it is not fetched
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)  # of all time; only the last may write
    fetched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # with success
    entity_tag: Mapped[str | None] = mapped_column(sa.String(200))  # of what was fetched, by its server
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failures: Mapped[int] = mapped_column(default=0)  # in a row
    problem: Mapped[str | None] = mapped_column(SaidText(500))  # of the last attempt

    applied_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when the sessions last followed it
    # A calendar that a person is asked about, compressed; None: nobody is.
    waiting: Mapped[bytes | None] = mapped_column(picture_type(), deferred=True)
    waiting_digest: Mapped[str | None] = mapped_column(sa.String(64))  # SHA-256 of it
    waiting_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # What the waiting one would do, else what the last one did.
    report: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True), deferred=True)

    course: Mapped[Course | None] = relationship()
    room: Mapped[Room | None] = relationship()


class FeedKind(StrEnum):
    """Whose sessions a feed holds."""

    LECTURER = "lecturer"
    ROOM = "room"
    STUDENT = "student"


class CalendarFeed(Base):
    """A secret address at which a calendar program reads times, rooms and courses."""

    __tablename__ = "calendar_feed"
    __table_args__: Any = (
        sa.CheckConstraint(
            "(account_id IS NOT NULL) + (room_id IS NOT NULL) + (student_id IS NOT NULL) = 1", name="is_of_one"
        ),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[FeedKind] = mapped_column(enum_column_type(FeedKind))
    account_id: Mapped[int | None] = mapped_column(sa.ForeignKey("account.id", ondelete="CASCADE"), unique=True)
    room_id: Mapped[int | None] = mapped_column(sa.ForeignKey("room.id", ondelete="CASCADE"), unique=True)
    student_id: Mapped[int | None] = mapped_column(sa.ForeignKey("student.id", ondelete="CASCADE"), unique=True)
    token_hash: Mapped[str] = mapped_column(identifier_type(64), unique=True)  # SHA-256 of 256 random bits
    made_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # How often it was read in the hour that began then.
    hour_began_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reads: Mapped[int] = mapped_column(default=0)

    account: Mapped[Account | None] = relationship()
    room: Mapped[Room | None] = relationship()
    student: Mapped[Student | None] = relationship()
