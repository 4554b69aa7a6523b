"""The one change of the log: a deleted student's number goes, and what was done stays."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import DELETED_STUDENT, AuditAction, AuditEntry, Student


def student_or_mark(db: Session, index_number: str) -> str:
    """How the log calls whoever has, or had, an index number: who was deleted does not come back into it."""
    known = db.scalar(sa.select(Student.id).where(Student.index_number == index_number))
    return DELETED_STUDENT if known is None else index_number


def forget_student(db: Session, index_number: str) -> int:
    """Put `DELETED_STUDENT` in the place of a student's number and former numbers, in the caller's transaction.

    Another student may have got a number since: of a former number, entries go that are older than its change.

    Args:
        db: begun with `begin_writing`.
        index_number: the student's present one.

    Returns:
        How many entries were about the student.
    """
    forgotten = 0
    numbers: list[tuple[str, int | None]] = [(index_number, None)]
    while numbers:
        number, before = numbers.pop()
        theirs = [AuditEntry.student == number]
        if before is not None:
            theirs.append(AuditEntry.id < before)
        renumbered = sa.select(AuditEntry.subject, AuditEntry.id).where(
            *theirs, AuditEntry.action == AuditAction.STUDENT_RENUMBERED.value, AuditEntry.subject.is_not(None)
        )
        numbers += [(str(former), key) for former, key in db.execute(renumbered)]
        # A former number stands beside the present one.
        subject = sa.case(
            (AuditEntry.action == AuditAction.STUDENT_RENUMBERED.value, sa.null()), else_=AuditEntry.subject
        )
        marked = sa.update(AuditEntry).where(*theirs).values(student=DELETED_STUDENT, subject=subject)
        result = db.execute(marked, execution_options={"synchronize_session": False})
        forgotten += result.rowcount  # type: ignore[attr-defined] # of a cursor's result, which Result does not promise
    return forgotten
