"""Whom an excuse covers in which session. What comes of it is decided with everything else, in `decisions`."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import courses_of
from attendance.database.models import ClassSession, Excuse


def excused_students(db: Session, session: ClassSession, student_ids: Collection[int]) -> frozenset[int]:
    """Those of the students whom an excuse covers in a session."""
    query = sa.select(Excuse.student_id).where(*_covers(session), Excuse.student_id.in_(student_ids))
    return frozenset(db.scalars(query))


def excuses_for(session: ClassSession, student_ids: Collection[int]) -> sa.Select[Excuse]:
    """The query for the excuses that cover any of the students in a session, the latest first."""
    return sa.select(Excuse).where(*_covers(session), Excuse.student_id.in_(student_ids)).order_by(Excuse.id.desc())


def reason_of_excuse(session: ClassSession, student_id: Any) -> sa.ScalarSelect[str | None]:
    """The reason of an excuse that covers a student in a session, as an expression of a query; NULL without one.

    Args:
        session: whose start decides.
        student_id: the column of the query that holds the student's id.
    """
    return (
        sa.select(sa.func.max(Excuse.reason))
        .where(*_covers(session), Excuse.student_id == student_id)
        .scalar_subquery()
    )


def _covers(session: ClassSession) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        Excuse.starts_at <= session.starts_at,
        Excuse.ends_at > session.starts_at,
        sa.or_(Excuse.course_id.is_(None), Excuse.course_id.in_(courses_of(session))),
    )
