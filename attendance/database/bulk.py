"""Many entries of one register changed at once, by a person, and undone again."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import expected_students
from attendance.database.corrections import NoEntryError, checked_reason, hand_to_machine
from attendance.database.entries import NO_ENTRY, Author, add_entries, change_entry
from attendance.database.models import Attendance, AttendanceChange, ClassSession, Source, Status
from attendance.database.register import session_in_force
from attendance.database.transactions import transact


@dataclass(frozen=True, slots=True)
class BulkChange:
    """What became of many entries.

    Attributes:
        batch: by which the change can be undone; None when nothing was changed.
        changed: ids of the students whose entries were changed.
        left: ids of those whose entries somebody else, or the machine, had changed meanwhile: they were left alone.
    """

    batch: str | None
    changed: tuple[int, ...]
    left: tuple[int, ...]


def correct_many(
    db: Session,
    *,
    session_id: int,
    versions: Mapping[int, int],
    status: Status,
    reason: str,
    lecturer_id: int,
    now: datetime | None = None,
) -> BulkChange:
    """Set one status for many students of a session, for one reason, in one transaction of its own.

    Args:
        db: a session with nothing pending.
        session_id: of the class session.
        versions: by the student's id, the version of the entry that the person looked at; `entries.NO_ENTRY` for none.
        status: the new one.
        reason: why; at most 500 characters.
        lecturer_id: who corrects.
        now: when, aware; the present unless given.

    Returns:
        What was done. The same sent twice is one change.

    Raises:
        CorrectionError: the reason is empty or too long.
        NoEntryError: there is no such session.
        sqlalchemy.exc.DBAPIError: the database is away, or too many races were lost.
    """
    author = Author(checked_reason(reason), lecturer_id, now, secrets.token_hex(16))

    def work(db: Session) -> BulkChange:
        session = session_in_force(db, session_id)
        if session is None:
            raise NoEntryError("There is no such session.")
        return _correct_in(db, session, versions, status, author)

    return transact(db, work)


def undo(db: Session, *, session_id: int, batch: str, lecturer_id: int, now: datetime | None = None) -> BulkChange:
    """Undo a bulk change, in one transaction of its own: each entry is again what it was.

    What the machine had decided it decides again, from what it knows now. An entry that was changed after the bulk
    change is left alone.

    Args:
        db: a session with nothing pending.
        session_id: of the class session.
        batch: of the bulk change.
        lecturer_id: who undoes, and who made the change: nobody else's is undone.
        now: when, aware; the present unless given.

    Returns:
        What was done, without a batch.

    Raises:
        NoEntryError: there is no such session.
        sqlalchemy.exc.DBAPIError: the database is away, or too many races were lost.
    """

    def work(db: Session) -> BulkChange:
        session = session_in_force(db, session_id)
        if session is None:
            raise NoEntryError("There is no such session.")
        return _undo_in(db, session, batch, Author("A change of several entries was undone.", lecturer_id, now))

    return transact(db, work)


def _correct_in(
    db: Session, session: ClassSession, versions: Mapping[int, int], status: Status, author: Author
) -> BulkChange:
    rows = _locked_entries(db, session.id, Attendance.student_id.in_(versions))
    roster = set(db.scalars(expected_students(session)))
    new = [
        Attendance(session_id=session.id, student_id=student, status=status, source=Source.PERSON, version=NO_ENTRY + 1)
        for student, version in versions.items()
        if student not in rows and student in roster and version == NO_ENTRY
    ]
    as_seen = [row for student, row in rows.items() if row.version == versions[student]]
    add_entries(db, new, author)
    for row in as_seen:
        change_entry(db, row, status, Source.PERSON, author)
    db.flush()
    changed = {row.student_id for row in (*new, *as_seen)}
    others = {student: row for student, row in rows.items() if student not in changed}
    sent_before = _sent_before(db, others, versions, status, author)
    done = changed | sent_before.keys()
    batch = author.batch if changed else next(iter(sent_before.values()), None)
    return BulkChange(batch, tuple(sorted(done)), tuple(sorted(versions.keys() - done)))


def _sent_before(
    db: Session, rows: Mapping[int, Attendance], versions: Mapping[int, int], status: Status, author: Author
) -> dict[int, str | None]:
    """Of the entries, those that the same bulk change made what they are: by student, its batch. It was sent twice."""
    found = db.execute(
        sa.select(Attendance.student_id, AttendanceChange.version, AttendanceChange.batch)
        .join(Attendance, Attendance.id == AttendanceChange.attendance_id)
        .where(
            Attendance.id.in_([row.id for row in rows.values()]),
            AttendanceChange.version == Attendance.version,
            AttendanceChange.batch.is_not(None),
            AttendanceChange.lecturer_id == author.lecturer_id,
            AttendanceChange.new_status == status,
            AttendanceChange.reason == author.reason,
        )
    )
    return {student: batch for student, version, batch in found if version == versions[student] + 1}


def _undo_in(db: Session, session: ClassSession, batch: str, author: Author) -> BulkChange:
    changes = db.scalars(
        sa.select(AttendanceChange).where(
            AttendanceChange.batch == batch,
            AttendanceChange.lecturer_id == author.lecturer_id,
            AttendanceChange.attendance_id.is_not(None),
        )
    ).all()
    rows = {
        row.id: row
        for row in _locked_entries(db, session.id, Attendance.id.in_([c.attendance_id for c in changes])).values()
    }
    changed, left = [], []
    for change in changes:
        row = rows.get(change.attendance_id or 0)
        if row is None:
            continue  # another session's
        if row.version != change.version:
            left.append(row.student_id)
            continue
        changed.append(row.student_id)
        if change.old_source is Source.PERSON and change.old_status is not None:
            change_entry(db, row, change.old_status, Source.PERSON, author)
        else:
            hand_to_machine(db, session, row, author)
    db.flush()
    return BulkChange(None, tuple(sorted(changed)), tuple(sorted(left)))


def _locked_entries(db: Session, session_id: int, which: sa.ColumnElement[bool]) -> dict[int, Attendance]:
    """Entries of a session, by student, which nobody else changes until the transaction ends."""
    rows = db.scalars(
        sa.select(Attendance)
        .where(Attendance.session_id == session_id, which)
        .order_by(Attendance.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {row.student_id: row for row in rows}
