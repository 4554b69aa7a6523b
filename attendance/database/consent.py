"""When consent counts, and recording it: whoever records a change of it comes here, and each change is kept.

Pages, imports, commands and the student's own page are the callers; a withdrawal also erases, see `upkeep.erasure`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from attendance.database.audit.noting import THE_STUDENT, Actor, by_command, note
from attendance.database.models import AuditAction, ConsentChange, ConsentKind, ConsentRecorder, Student, utc_now


@dataclass(frozen=True, slots=True)
class Recorder:
    """Who records a change of consent.

    Attributes:
        kind: in which way.
        account_id: of whoever is signed in to the dashboard.
    """

    kind: ConsentRecorder
    account_id: int | None = None


BY_COMMAND = Recorder(ConsentRecorder.COMMAND)
BY_STUDENT = Recorder(ConsentRecorder.STUDENT)


def by_account(account_id: int) -> Recorder:
    """Whoever is signed in to the dashboard."""
    return Recorder(ConsentRecorder.ACCOUNT, account_id)


def actor_of(recorder: Recorder) -> Actor | int | None:
    """Who that is in the audit log."""
    if recorder.kind is ConsentRecorder.COMMAND:
        return by_command()
    return THE_STUDENT if recorder.kind is ConsentRecorder.STUDENT else recorder.account_id


def outlives_withdrawal(given_at: datetime, withdrawn_at: datetime | None) -> bool:
    """Whether consent counts beside a withdrawal: only one that was given later does.

    Args:
        given_at: aware; of a day without a time, its first moment, so that one of the withdrawal's own day does not
            count.
        withdrawn_at: aware, or None for no withdrawal.
    """
    return withdrawn_at is None or given_at > withdrawn_at


def give_consent(db: Session, student: Student, *, given_at: datetime, means: str | None, recorder: Recorder) -> None:
    """Record that a student consents, in the caller's transaction; what is recorded just so already is no change.

    Args:
        db: begun with `begin_writing`.
        student: may be new, and is flushed then.
        given_at: aware; `outlives_withdrawal` has been asked.
        means: by which it was given.
        recorder: who records it.
    """
    before = (student.consent_given_at, student.consent_means, student.consent_withdrawn_at)
    student.consent_given_at, student.consent_means, student.consent_withdrawn_at = given_at, means, None
    if before != (given_at, means, None):
        db.flush()
        db.execute(sa.insert(ConsentChange), [given_row(student.id, given_at, means, recorder)])
        note(db, AuditAction.CONSENT_GIVEN, actor=actor_of(recorder), student=student.index_number)


def take_consent_away(db: Session, student: Student, *, now: datetime, recorder: Recorder) -> None:
    """Record that a student does not consent any more, in the caller's transaction; said again it is no change.

    Only `upkeep.erasure` calls this: whoever withdraws consent is erased.
    """
    student.consent_given_at = student.consent_means = None
    if student.consent_withdrawn_at is None:
        student.consent_withdrawn_at = now
        db.flush()
        row = {"student_id": student.id, "kind": ConsentKind.WITHDRAWN, "happened_at": now, "means": None}
        db.execute(sa.insert(ConsentChange), [row | _by(recorder)])
        note(db, AuditAction.CONSENT_WITHDRAWN, actor=actor_of(recorder), student=student.index_number)


def keep_given(db: Session, rows: Iterable[dict[str, Any]]) -> None:
    """Keep changes of students who were written by the caller's own statements: rows as `given_row` makes them."""
    kept = list(rows)
    if not kept:
        return
    db.execute(sa.insert(ConsentChange), kept)
    query = sa.select(Student.id, Student.index_number).where(Student.id.in_([row["student_id"] for row in kept]))
    numbers = dict(iter(db.execute(query)))
    for row in kept:
        actor = actor_of(Recorder(row["recorder"], row["account_id"]))
        note(db, AuditAction.CONSENT_GIVEN, actor=actor, student=numbers[row["student_id"]])


def given_row(student_id: int, given_at: datetime, means: str | None, recorder: Recorder) -> dict[str, Any]:
    """The row that keeps a consent."""
    row = {"student_id": student_id, "kind": ConsentKind.GIVEN, "happened_at": given_at, "means": means}
    return row | _by(recorder)


def consent_history(db: Session, student_id: int) -> Sequence[ConsentChange]:
    """Every change of a student's consent, the newest first, with whoever recorded it."""
    query = sa.select(ConsentChange).options(joinedload(ConsentChange.account))
    return db.scalars(query.where(ConsentChange.student_id == student_id).order_by(ConsentChange.id.desc())).all()


def _by(recorder: Recorder) -> dict[str, Any]:
    return {"recorder": recorder.kind, "account_id": recorder.account_id, "recorded_at": utc_now()}
