"""A student calls an entry of a register wrong; a person answers with a reason, and corrects the entry or leaves it."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from attendance.database.audiences import TAKES_PLACE, Condition, counts_for, is_expected
from attendance.database.audit.noting import NO_DETAILS, THE_STUDENT, Actor, Details, note, words_of_session
from attendance.database.corrections import correct_status
from attendance.database.models import Attendance, AuditAction, ClassSession, Dispute, Status, Student, utc_now
from attendance.database.transactions import transact
from attendance.errors import AttendanceError
from attendance.tables.fields import DISPUTE_ANSWER, DISPUTE_TEXT, TextRule
from attendance.texts import english

MOST_OF_AN_ENTRY = 3
"""How often an entry may be called wrong, answers between them: nobody is asked for ever."""
MOST_OPEN = 20
"""Open ones of one student: the whole term is a talk with the lecturer, not a list."""
_OPEN = Dispute.open.is_(True)


class DisputeError(AttendanceError, ValueError):
    """An entry cannot be called wrong so, or not be answered so; the message says why, for the person."""


def raise_dispute(
    db: Session, *, session_id: int, student_id: int, claimed: Status, text: str, now: datetime | None = None
) -> Dispute:
    """Call an entry wrong as its student, in a transaction of its own.

    Args:
        db: a session with nothing pending.
        session_id: of a class session that is closed, or in which the student has an entry with a status or a reason.
        student_id: whose entry it is.
        claimed: what would be right.
        text: why, at most 500 characters.
        now: when, aware; the present unless given.

    Returns:
        The row, committed.

    Raises:
        DisputeError: the text is empty or too long; there is no such entry; it says already what is claimed; one is
            open; or too many were raised.
        sqlalchemy.exc.DBAPIError: the database is away, or too many races were lost.
    """
    text = _fitting(DISPUTE_TEXT, text, "What you write")

    def work(db: Session) -> Dispute:
        # The student's row first: of two that are sent at once, the second finds the first.
        db.execute(sa.select(Student.id).where(Student.id == student_id).with_for_update())
        require_disputable(db, session_id, student_id, claimed)
        row = Dispute(session_id=session_id, student_id=student_id, claimed=claimed, text=text)
        row.raised_at = now or utc_now()
        db.add(row)
        db.flush()
        _note(db, AuditAction.DISPUTE_RAISED, row, THE_STUDENT)
        return row

    return transact(db, work)


def require_disputable(db: Session, session_id: int, student_id: int, claimed: Status | None = None) -> None:
    """Refuse what cannot be called wrong.

    Raises:
        DisputeError: as for `raise_dispute`.
    """
    session = db.get(ClassSession, session_id)
    entry = db.scalar(
        sa.select(Attendance).where(Attendance.session_id == session_id, Attendance.student_id == student_id)
    )
    decided = entry is not None and (entry.status is not None or entry.unrecorded_reason is not None)
    expected = session is not None and session.closed_at is not None and is_expected(db, session, student_id)
    if session is None or session.cancelled or not (decided or expected):
        raise DisputeError(english("Nothing is recorded of you in this session yet."))
    if entry is not None and entry.status is claimed and claimed is not None:
        raise DisputeError(english("This is what the register says already."))
    mine = sa.select(sa.func.count()).select_from(Dispute).where(Dispute.student_id == student_id)
    of_entry = mine.where(Dispute.session_id == session_id)
    if db.scalar(of_entry.where(_OPEN)):
        raise DisputeError(english("You have called this entry wrong already; it waits for an answer."))
    if (db.scalar(of_entry) or 0) >= MOST_OF_AN_ENTRY:
        raise DisputeError(english("This entry was looked at several times. Talk to your lecturer."))
    if (db.scalar(mine.where(_OPEN)) or 0) >= MOST_OPEN:
        raise DisputeError(english("Many of your entries wait for an answer already. Talk to your lecturer."))


def answer_dispute(
    db: Session,
    *,
    dispute_id: int,
    status: Status | None,
    answer: str,
    account_id: int,
    version: int | None = None,
    now: datetime | None = None,
) -> Dispute:
    """Answer a student, in a transaction of its own; a correction is made in the same one, with the answer as reason.

    Args:
        db: a session with nothing pending.
        dispute_id: of the row.
        status: what the entry is corrected to; None leaves it as it is.
        answer: why, for the student and for the entry's history; at most 500 characters.
        account_id: who answers.
        version: of the entry that the person looked at, as for `corrections.correct`.
        now: when, aware; the present unless given.

    Returns:
        The row, committed.

    Raises:
        DisputeError: the answer is empty or too long, or somebody has answered meanwhile.
        NoEntryError: the student is neither on the roster nor on the register any more.
        EntryChangedError: the entry has another version now; nothing is changed.
        sqlalchemy.exc.DBAPIError: the database is away, or too many races were lost.
    """
    answer = _fitting(DISPUTE_ANSWER, answer, "The answer")

    def work(db: Session) -> Dispute:
        locked = sa.select(Dispute).where(Dispute.id == dispute_id, _OPEN).with_for_update()
        row = db.scalar(locked.execution_options(populate_existing=True))
        if row is None:
            raise DisputeError(english("This is answered already, or was taken back."))
        if status is not None:
            correct_status(
                db,
                session_id=row.session_id,
                student_id=row.student_id,
                status=status,
                reason=answer,
                account_id=account_id,
                version=version,
                now=now,
            )
        row.open, row.accepted, row.answer = None, status is not None, answer
        row.answered_at, row.answered_by_id = now or utc_now(), account_id
        _note(db, AuditAction.DISPUTE_ANSWERED, row, account_id, {"corrected": int(status is not None)})
        return row

    return transact(db, work)


def take_back_dispute(db: Session, *, dispute_id: int, student_id: int) -> bool:
    """Delete a dispute that nobody has answered, as its student, in a transaction of its own; False without one."""

    def work(db: Session) -> bool:
        mine = (Dispute.id == dispute_id, Dispute.student_id == student_id, _OPEN)
        row = db.scalar(sa.select(Dispute).where(*mine).with_for_update())
        if row is not None:
            _note(db, AuditAction.DISPUTE_TAKEN_BACK, row, THE_STUDENT)
            db.delete(row)
        return row is not None

    return transact(db, work)


def disputes_of_entry(db: Session, session_id: int, student_id: int) -> Sequence[Dispute]:
    """What was said of one entry, the newest first, with who answered."""
    query = sa.select(Dispute).options(joinedload(Dispute.answered_by))
    query = query.where(Dispute.session_id == session_id, Dispute.student_id == student_id)
    return db.scalars(query.order_by(Dispute.id.desc())).all()


def open_disputes(reach: Condition) -> sa.Select[int, int, datetime]:
    """The query for open ones of students who count for certain courses: session, how many, since when."""
    return (
        sa.select(Dispute.session_id, sa.func.count(), sa.func.min(Dispute.raised_at, type_=Dispute.raised_at.type))
        .join(ClassSession, ClassSession.id == Dispute.session_id)
        .where(_OPEN, TAKES_PLACE, counts_for(Dispute.student_id, reach))
        .group_by(Dispute.session_id)
    )


def _note(db: Session, action: AuditAction, row: Dispute, actor: Actor | int, details: Details = NO_DETAILS) -> None:
    student = db.get_one(Student, row.student_id).index_number
    words = words_of_session(db.get_one(ClassSession, row.session_id))
    note(db, action, actor=actor, student=student, subject=words, details=details)


def _fitting(rule: TextRule, text: str, subject: str) -> str:
    text = rule.clean(text)
    problem = rule.problem(text)
    if problem is not None:
        raise DisputeError(f"{subject} {problem}.")
    return text
