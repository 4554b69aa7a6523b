"""Deleting a course: what goes with it, and what others need of it."""

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from attendance.database.audiences import audiences_of, courses_of, set_audiences
from attendance.database.models import (
    Attendance,
    ClassSession,
    Course,
    CourseGroup,
    Enrolment,
    Guest,
    SessionAudience,
    SessionSeries,
)


def sessions_only_of(course_id: int) -> sa.Select[int]:
    """The query for the ids of the sessions that are for nobody but this course, and go with it."""
    other = sa.exists().where(
        SessionAudience.session_id == ClassSession.id, SessionAudience.course_id != ClassSession.course_id
    )
    return sa.select(ClassSession.id).where(ClassSession.course_id == course_id, ~other)


def delete_course(db: Session, course_id: int) -> None:
    """Delete a course with its groups, and with the sessions and registers that are for nobody else.

    Joint sessions stay, for the other courses; entries of students who are in none of these go. In the caller's
    transaction, begun with `begin_writing`.
    """
    db.execute(sa.delete(ClassSession).where(ClassSession.id.in_(db.scalars(sessions_only_of(course_id)).all())))
    shared = sa.select(SessionAudience.session_id).where(SessionAudience.course_id == course_id)
    joint = db.scalars(
        sa.select(ClassSession)
        .options(selectinload(ClassSession.further_audiences))
        .where(sa.or_(ClassSession.course_id == course_id, ClassSession.id.in_(shared)))
    ).all()
    for session in joint:
        _leave(db, session, course_id)
    db.flush()
    db.execute(sa.delete(CourseGroup).where(CourseGroup.course_id == course_id))
    db.execute(sa.delete(Course).where(Course.id == course_id))


def _leave(db: Session, session: ClassSession, course_id: int) -> None:
    set_audiences(session, [audience for audience in audiences_of(session) if audience.course_id != course_id])
    first = audiences_of(session)[0]
    db.execute(
        sa.update(SessionSeries)
        .where(SessionSeries.id == session.series_id, SessionSeries.course_id == course_id)
        .values(course_id=first.course_id, group_id=first.group_id)
    )
    db.flush()
    remaining = sa.select(Enrolment.student_id).where(Enrolment.course_id.in_(courses_of(session)))
    for table in (Attendance, Guest):
        db.execute(sa.delete(table).where(table.session_id == session.id, table.student_id.not_in(remaining)))
