"""Entries of a register: the one place where status, label, source and remark change, with version and history."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from attendance.database.models import Attendance, AttendanceChange, Source, Status, Unrecorded, utc_now
from attendance.database.outgoing.events import EntryState, note_change
from attendance.database.transactions import inserted

NO_ENTRY = 0
"""The version of an entry that does not exist."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes an entry, when and why.

    Attributes:
        reason: for whoever reads the register later.
        account_id: None for the machine.
        now: when, aware; the present unless given.
        batch: the same for all entries of one bulk change; None for a change by itself.
    """

    reason: str
    account_id: int | None = None
    now: datetime | None = None
    batch: str | None = None


def locked_entry(db: Session, session_id: int, student_id: int) -> Attendance | None:
    """The entry as it is now, which nobody else changes until the transaction ends; None without one."""
    return locked_entries(db, session_id, (student_id,)).get(student_id)


def locked_entries(db: Session, session_id: int, student_ids: Collection[int]) -> dict[int, Attendance]:
    """By student, the entries that there are of some, as `locked_entry` gives one; locked in the order of students."""
    if not student_ids:
        return {}
    rows = db.scalars(
        sa.select(Attendance)
        .where(Attendance.session_id == session_id, Attendance.student_id.in_(student_ids))
        .order_by(Attendance.student_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {row.student_id: row for row in rows}


def first_versions(db: Session, session_id: int, student_ids: Collection[int]) -> dict[int, int]:
    """By student, the version of an entry that is made now: after that of one which was taken out, if there was one.

    Otherwise a page that shows the entry of before could change the one of now, as if it had been looked at.
    """
    query = (
        sa.select(AttendanceChange.student_id, sa.func.max(AttendanceChange.version))
        .where(AttendanceChange.session_id == session_id, AttendanceChange.attendance_id.is_(None))
        .group_by(AttendanceChange.student_id)
    )
    if len(student_ids) == 1:
        query = query.where(AttendanceChange.student_id.in_(student_ids))
    taken_out = {student: version or 0 for student, version in db.execute(query)}
    return {student: taken_out.get(student, NO_ENTRY) + 1 for student in student_ids}


def add_sighted(db: Session, row: Attendance) -> bool:
    """Insert the machine's entry of a student who was seen; its history begins when it changes.

    Returns:
        False when another was first, and nothing is done.
    """
    if not inserted(db, row):
        return False
    note_change(db, row.session_id, row.student_id, EntryState(), _state(row), row.source)
    return True


def add_entry(db: Session, row: Attendance, author: Author) -> bool:
    """Insert a person's entry with its history; False when another was first, and nothing is done."""
    row.version = first_versions(db, row.session_id, (row.student_id,))[row.student_id]
    if not inserted(db, row):
        return False
    _note(db, row, author, _NEW)
    return True


def change_entry(
    db: Session,
    row: Attendance,
    status: Status | None,
    source: Source,
    author: Author,
    *,
    unrecorded: Unrecorded | None = None,
    label_id: int | None = None,
) -> None:
    """Give an entry a status decided by `source`, in the caller's transaction; its version rises.

    Args:
        db: the session that loaded the entry.
        row: the entry, locked.
        status: None for nothing that is recorded.
        source: who decided.
        author: who changes it, and why.
        unrecorded: without a status, why there is none; None as well while nothing is known yet.
        label_id: of a person's label of this status; whatever label the entry had goes.
    """
    old = _decided(row)
    row.status, row.unrecorded_reason, row.source, row.version = status, unrecorded, source, row.version + 1
    row.label_id = label_id
    if source is Source.PERSON:
        row.watched_from = None  # the machine's note
    _note(db, row, author, old)


def change_entries(
    db: Session,
    rows: Sequence[Attendance],
    status: Status | None,
    source: Source,
    author: Author,
    *,
    unrecorded: Unrecorded | None = None,
    label_id: int | None = None,
    watched_from: datetime | None = None,
) -> None:
    """Do to many entries what `change_entry` does to one, in two statements whatever their number.

    `watched_from` is the machine's note, which goes with it.
    """
    if not rows:
        return
    db.flush()
    values = {
        "status": status,
        "unrecorded_reason": unrecorded,
        "label_id": label_id,
        "source": source,
        "watched_from": watched_from,
    }
    old = [_decided(row) for row in rows]
    db.execute(
        sa.update(Attendance)
        .where(Attendance.id.in_([row.id for row in rows]))
        .values(version=Attendance.version + 1, **values)
        .execution_options(synchronize_session=False)
    )
    for row in rows:
        for name, value in {**values, "version": row.version + 1}.items():
            set_committed_value(row, name, value)
    notes = [_noted(db, row, author, before) for row, before in zip(rows, old, strict=True)]
    db.execute(sa.insert(AttendanceChange), notes)


def change_remark(db: Session, row: Attendance, remark: str, author: Author) -> None:
    """Give an entry a remark, empty for none; its version rises, its status stays."""
    row.remark, row.version = remark or None, row.version + 1
    _note(db, row, author, _decided(row), remark=remark)


def note_word(db: Session, row: Attendance, author: Author) -> None:
    """Keep in an entry's history what a person said of it that changed no status; its version rises."""
    row.version += 1
    _note(db, row, author, _decided(row))


def add_entries(db: Session, session_id: int, rows: Sequence[Attendance], author: Author) -> None:
    """Insert entries of persons in one session with their history.

    Raises:
        sqlalchemy.exc.IntegrityError: another was first with one of them; the transaction is to be run again.
    """
    versions = first_versions(db, session_id, [row.student_id for row in rows])
    for row in rows:
        row.version = versions[row.student_id]
    db.add_all(rows)
    db.flush()
    if rows:
        db.execute(sa.insert(AttendanceChange), [_noted(db, row, author, _NEW) for row in rows])


def take_out_entries(db: Session, rows: Sequence[Attendance], author: Author) -> None:
    """Let there be no such entries again. Their history stays and is found by session and student."""
    for row in rows:
        row.version += 1
        _note(db, row, author, _decided(row), gone=True)
    db.flush()
    ids = [row.id for row in rows]
    of_entry = sa.select(Attendance).where(Attendance.id == AttendanceChange.attendance_id)
    db.execute(
        sa.update(AttendanceChange)
        .where(AttendanceChange.attendance_id.in_(ids))
        .ordered_values(  # MariaDB reads a column as the same statement has set it
            (AttendanceChange.session_id, of_entry.with_only_columns(Attendance.session_id).scalar_subquery()),
            (AttendanceChange.student_id, of_entry.with_only_columns(Attendance.student_id).scalar_subquery()),
            (AttendanceChange.attendance_id, None),
        )
        .execution_options(synchronize_session=False)
    )
    db.execute(sa.delete(Attendance).where(Attendance.id.in_(ids)).execution_options(synchronize_session=False))
    for row in rows:
        db.expunge(row)


def history_of(session_id: int, student_id: int) -> sa.Select[AttendanceChange]:
    """The query for every change of a student's entry in a session, the newest first."""
    of_entry = (
        sa.select(AttendanceChange.id)
        .join(Attendance, Attendance.id == AttendanceChange.attendance_id)
        .where(Attendance.session_id == session_id, Attendance.student_id == student_id)
    )
    of_entries_gone = sa.select(AttendanceChange.id).where(
        AttendanceChange.session_id == session_id, AttendanceChange.student_id == student_id
    )
    found = sa.union_all(of_entry, of_entries_gone).subquery("found")
    return (
        sa.select(AttendanceChange).join(found, found.c.id == AttendanceChange.id).order_by(AttendanceChange.id.desc())
    )


def made_by_persons(session_id: int) -> sa.Select[int, datetime]:
    """The query for the entries of a session that a person made: the student's id, and when."""
    return (
        sa.select(Attendance.student_id, AttendanceChange.changed_at)
        .join(Attendance, Attendance.id == AttendanceChange.attendance_id)
        .where(Attendance.session_id == session_id, *is_creation())
    )


def is_creation() -> tuple[sa.ColumnElement[bool], ...]:
    """The conditions on a change that made its entry."""
    return AttendanceChange.old_status.is_(None), AttendanceChange.old_source.is_(None)


@dataclass(frozen=True, slots=True)
class _Decided:
    """What an entry was before a change."""

    status: Status | None
    unrecorded: Unrecorded | None
    label_id: int | None
    source: Source | None


_NEW = _Decided(None, None, None, None)


def _state(row: Attendance) -> EntryState:
    return EntryState(row.status, row.unrecorded_reason, row.label_id)


def _decided(row: Attendance) -> _Decided:
    return _Decided(row.status, row.unrecorded_reason, row.label_id, row.source)


def _note(
    db: Session, row: Attendance, author: Author, old: _Decided, *, remark: str | None = None, gone: bool = False
) -> None:
    db.add(AttendanceChange(**_noted(db, row, author, old, remark=remark, gone=gone)))


def _noted(
    db: Session, row: Attendance, author: Author, old: _Decided, *, remark: str | None = None, gone: bool = False
) -> dict[str, Any]:
    """The row of a change's history; who wants to be told of it is, with the commit."""
    before = EntryState(old.status, old.unrecorded, old.label_id)
    note_change(db, row.session_id, row.student_id, before, EntryState() if gone else _state(row), row.source)
    return {
        "attendance_id": row.id,
        "account_id": author.account_id,
        "changed_at": author.now or utc_now(),
        "old_status": old.status,
        "old_unrecorded": old.unrecorded,
        "old_label_id": old.label_id,
        "old_source": old.source,
        "new_status": None if gone else row.status,
        "new_unrecorded": None if gone else row.unrecorded_reason,
        "new_label_id": None if gone else row.label_id,
        "version": row.version,
        "batch": author.batch,
        "remark": remark,
        "reason": author.reason,
    }
