"""Excuses: what they make of the register, when they are given and when they are taken back.

An excuse is no status. Whoever was not seen in a session that an excuse covers is *excused* there instead of *absent*:
when the session is closed, and at once in sessions that are closed. Whoever was seen stays present or late, and what a
person decided stays, too. Without the excuse the machine decides anew, so that exactly what it did is undone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import among, sessions_of_courses
from attendance.database.audit.noting import note
from attendance.database.decisions import decide_session
from attendance.database.entries import Author
from attendance.database.models import Attendance, AuditAction, ClassSession, Course, Excuse, Student
from attendance.database.transactions import transact
from attendance.errors import AttendanceError
from attendance.tables.fields import EXCUSE_REASON, EXCUSE_REFERENCE, TextRule
from attendance.texts import english

LONGEST = timedelta(days=366)
"""A longer excuse is more likely a slip of the year than meant."""


class ExcuseError(AttendanceError, ValueError):
    """An excuse lacks something or makes no sense; the message says what, for the person who gives it."""


@dataclass(frozen=True, slots=True)
class NewExcuse:
    """An excuse to be given.

    Attributes:
        student_id: whose.
        course_ids: of which courses, one excuse each; None for every course, also those the student joins later.
        starts_at: aware; sessions that start then or later are covered.
        ends_at: aware; sessions that start earlier are covered.
        reason: at most 500 characters.
        reference: of a paper that proves it, at most 120 characters; empty for none.
    """

    student_id: int
    course_ids: Sequence[int] | None
    starts_at: datetime
    ends_at: datetime
    reason: str
    reference: str = ""


def give_excuse(db: Session, new: NewExcuse, *, account_id: int, now: datetime | None = None) -> list[Excuse]:
    """Excuse a student, in a transaction of its own; the registers of closed sessions follow at once.

    Args:
        db: a session with nothing pending.
        new: the excuse.
        account_id: who gives it.
        now: when, aware; the present unless given.

    Returns:
        The rows, committed. An excuse that is there already, the same in everything, is not added again.

    Raises:
        ExcuseError: the range is backwards or longer than `LONGEST`; a text is empty or too long; no course is meant;
            or the student is gone.
        sqlalchemy.exc.DBAPIError: the database is away, or too many races were lost.
    """
    reason, reference = _checked(new)

    def work(db: Session) -> list[Excuse]:
        number = db.scalar(sa.select(Student.index_number).where(Student.id == new.student_id).with_for_update())
        if number is None:
            raise ExcuseError(english("There is no such student any more."))
        courses: Sequence[int | None] = (None,) if new.course_ids is None else new.course_ids
        rows = [
            Excuse(
                student_id=new.student_id,
                course_id=course_id,
                starts_at=new.starts_at,
                ends_at=new.ends_at,
                reason=reason,
                reference=reference or None,
                created_by_id=account_id,
            )
            for course_id in courses
        ]
        rows = [_same(db, row) or row for row in rows]
        for row in rows:
            if row.id is None:
                _note(db, AuditAction.EXCUSE_ADDED, row, number, account_id)
        db.add_all(rows)
        for row in rows:
            _decide_anew(db, row, Author(f"Excused: {reason}"[: EXCUSE_REASON.longest], account_id, now))
        return rows

    return transact(db, work)


def take_back_excuse(db: Session, excuse_id: int, *, account_id: int, now: datetime | None = None) -> bool:
    """Delete an excuse and undo what it did, in a transaction of its own.

    Args:
        db: a session with nothing pending.
        excuse_id: of the excuse.
        account_id: who takes it back.
        now: when, aware; the present unless given.

    Returns:
        Whether there was such an excuse.

    Raises:
        sqlalchemy.exc.DBAPIError: the database is away, or too many races were lost.
    """

    def work(db: Session) -> bool:
        row = db.scalar(
            sa.select(Excuse).where(Excuse.id == excuse_id).with_for_update().execution_options(populate_existing=True)
        )
        if row is None:
            return False
        number = db.get_one(Student, row.student_id).index_number
        _note(db, AuditAction.EXCUSE_TAKEN_BACK, row, number, account_id)
        db.delete(row)
        _decide_anew(db, row, Author(english("The excuse was taken back."), account_id, now))
        return True

    return transact(db, work)


def _note(db: Session, action: AuditAction, excuse: Excuse, index_number: str, account_id: int) -> None:
    course = None if excuse.course_id is None else db.get_one(Course, excuse.course_id).code
    note(db, action, actor=account_id, student=index_number, subject=course)


def _decide_anew(db: Session, excuse: Excuse, author: Author) -> None:
    """Let closed sessions that an excuse covers or covered follow all excuses that there are now."""
    db.flush()
    covered = [ClassSession.starts_at >= excuse.starts_at, ClassSession.starts_at < excuse.ends_at]
    if excuse.course_id is not None:
        of_course = sessions_of_courses(among([excuse.course_id]), *covered)
        covered.append(ClassSession.id.in_(db.scalars(sa.select(of_course.c.session_id)).all()))
    # A session that is being closed by another waits here, or is waited for, and is closed with this excuse or before.
    sessions = db.scalars(
        sa.select(ClassSession)
        .where(*covered)
        .order_by(ClassSession.id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    ).all()
    registered = set(
        db.scalars(
            sa.select(Attendance.session_id).where(
                Attendance.student_id == excuse.student_id,
                Attendance.session_id.in_([session.id for session in sessions if session.closed_at is not None]),
            )
        )
    )
    for session in sessions:
        if session.id in registered:
            decide_session(db, session, author)


def _same(db: Session, row: Excuse) -> Excuse | None:
    """The excuse that is there already and says the same: it was sent twice."""
    same = (Excuse.student_id, Excuse.starts_at, Excuse.ends_at, Excuse.reason, Excuse.created_by_id)
    return db.scalar(
        sa.select(Excuse)
        .where(
            *(column == getattr(row, column.key) for column in same),
            # NULL is equal to nothing, and a reference or a course may be none.
            Excuse.course_id.is_(None) if row.course_id is None else Excuse.course_id == row.course_id,
            Excuse.reference.is_(None) if row.reference is None else Excuse.reference == row.reference,
        )
        .limit(1)
    )


def _checked(new: NewExcuse) -> tuple[str, str]:
    if new.ends_at <= new.starts_at:
        raise ExcuseError(english("The last day is before the first."))
    if new.ends_at - new.starts_at > LONGEST:
        raise ExcuseError(english("An excuse is for a year at most. Is the year right?"))
    if new.course_ids is not None and not new.course_ids:
        raise ExcuseError(english("Choose a course."))
    reason = _fitting(english("The reason"), EXCUSE_REASON, new.reason)
    reference = _fitting(english("The reference"), EXCUSE_REFERENCE, new.reference) if new.reference.strip() else ""
    return reason, reference


def _fitting(name: str, rule: TextRule, text: str) -> str:
    text = rule.clean(text)
    problem = rule.problem(text)
    if problem is not None:
        raise ExcuseError(f"{name} {problem}.")
    return text
