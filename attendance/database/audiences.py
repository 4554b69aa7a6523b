"""Whom a session is for, and where it is: the one place that says who is expected and which rooms belong to it."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import ClassSession, Enrolment, Student


def expected_students(session: ClassSession) -> sa.Select[int]:
    """The query for the ids of the students who are expected in a session as things are now, each once."""
    return sa.select(Enrolment.student_id).where(Enrolment.course_id == session.course_id)


def is_expected(db: Session, session: ClassSession, student_id: int) -> bool:
    """Whether a student is expected in a session as things are now."""
    return db.scalar(expected_students(session).where(Enrolment.student_id == student_id)) is not None


def expected_by_index_number(db: Session, session: ClassSession, index_number: str) -> int | None:
    """The id of a student who is expected in a session and has not withdrawn consent; None for others."""
    return db.scalar(
        sa.select(Student.id).where(
            Student.index_number == index_number,
            Student.consent_withdrawn_at.is_(None),
            Student.id.in_(expected_students(session)),
        )
    )


def rooms_of(session: ClassSession) -> tuple[int, ...]:
    """The ids of the rooms in which a session is held."""
    return (session.room_id,)


def is_held_in(room_id: int) -> sa.ColumnElement[bool]:
    """The condition that a session is held in a room, there alone or also there."""
    return ClassSession.room_id == room_id
