"""Many entries of one register changed at once, by a person, and undone again."""

import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import expected_students
from attendance.database.corrections import NoEntryError, checked_reason, hand_to_machine
from attendance.database.decisions import conclusions_of
from attendance.database.entries import NO_ENTRY, Author, add_entries, change_entries, is_creation
from attendance.database.labels import require_label
from attendance.database.models import Attendance, AttendanceChange, ClassSession, Source, Status, Unrecorded
from attendance.database.register import session_in_force
from attendance.database.transactions import transact
from attendance.texts import english

_Outcome = tuple[Status | None, Unrecorded | None, int | None]
"""What an entry becomes: a status, or none and why, and the id of the status' label."""


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


@dataclass(frozen=True, slots=True)
class WantedEntry:
    """What a person wants of one entry.

    Attributes:
        version: of the entry that the person looked at; `entries.NO_ENTRY` for none.
        status: the new one; None leaves the entry without a status, for the reason it has: only where it has none.
        label_id: of a label of this status that the session offers; None for the plain status.
    """

    version: int
    status: Status | None
    label_id: int | None = None


def correct_many(
    db: Session,
    *,
    session_id: int,
    versions: Mapping[int, int],
    status: Status,
    reason: str,
    account_id: int,
    label_id: int | None = None,
    now: datetime | None = None,
) -> BulkChange:
    """Set one status for many students of a session: `decide_many` with the same status for all."""
    wanted = {student: WantedEntry(version, status, label_id) for student, version in versions.items()}
    return decide_many(db, session_id=session_id, wanted=wanted, reason=reason, account_id=account_id, now=now)


def decide_many(
    db: Session,
    *,
    session_id: int,
    wanted: Mapping[int, WantedEntry],
    reason: str,
    account_id: int,
    now: datetime | None = None,
) -> BulkChange:
    """Decide many entries of a session as a person, for one reason, in one transaction of its own.

    Args:
        db: a session with nothing pending.
        session_id: of the class session.
        wanted: by the student's id, what becomes of the entry.
        reason: why; at most 500 characters.
        account_id: who corrects.
        now: when, aware; the present unless given.

    Returns:
        What was done. The same sent twice is one change.

    Raises:
        CorrectionError: the reason is empty or too long.
        LabelGoneError: a label is not there for this session any more; nothing is changed.
        NoEntryError: there is no such session.
        sqlalchemy.exc.DBAPIError: the database is away, or too many races were lost.
    """
    author = Author(checked_reason(reason), account_id, now, secrets.token_hex(16))

    def work(db: Session) -> BulkChange:
        session = session_in_force(db, session_id)
        if session is None:
            raise NoEntryError(english("There is no such session."))
        for status, label_id in {(of.status, of.label_id) for of in wanted.values()}:
            require_label(db, session, status, label_id)
        return _decide_in(db, session, wanted, author)

    return transact(db, work)


def undo(db: Session, *, session_id: int, batch: str, account_id: int, now: datetime | None = None) -> BulkChange:
    """Undo a bulk change, in one transaction of its own: each entry is again what it was.

    What the machine had decided it decides again, from what it knows now. An entry that was changed after the bulk
    change is left alone.

    Args:
        db: a session with nothing pending.
        session_id: of the class session.
        batch: of the bulk change.
        account_id: who undoes, and who made the change: nobody else's is undone.
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
            raise NoEntryError(english("There is no such session."))
        return _undo_in(db, session, batch, Author(english("A change of several entries was undone."), account_id, now))

    return transact(db, work)


def _decide_in(db: Session, session: ClassSession, wanted: Mapping[int, WantedEntry], author: Author) -> BulkChange:
    rows = _locked_entries(db, session.id, Attendance.student_id.in_(wanted))
    roster = set(db.scalars(expected_students(session)))
    new = [
        Attendance(
            session_id=session.id, student_id=student, status=of.status, label_id=of.label_id, source=Source.PERSON
        )
        for student, of in wanted.items()
        if student not in rows and student in roster and of.version == NO_ENTRY and of.status is not None
    ]
    as_seen = [row for student, row in rows.items() if _may_become(row, wanted[student])]
    add_entries(db, session.id, new, author)
    alike: defaultdict[_Outcome, list[Attendance]] = defaultdict(list)
    for row in as_seen:
        of = wanted[row.student_id]
        alike[of.status, row.unrecorded_reason if of.status is None else None, of.label_id].append(row)
    _change(db, alike, author)
    changed = {row.student_id for row in (*new, *as_seen)}
    others = [row for student, row in rows.items() if student not in changed]
    sent_before = _sent_before(db, others, wanted, author)
    done = changed | sent_before.keys()
    batch = author.batch if changed else next(iter(sent_before.values()), None)
    return BulkChange(batch, tuple(sorted(done)), tuple(sorted(wanted.keys() - done)))


def _may_become(row: Attendance, wanted: WantedEntry) -> bool:
    """Whether the entry is the one that the person looked at, and can be what is wanted."""
    return row.version == wanted.version and not (wanted.status is None and row.status is not None)


def _sent_before(
    db: Session, rows: Sequence[Attendance], wanted: Mapping[int, WantedEntry], author: Author
) -> dict[int, str | None]:
    """Of the entries, those that the same bulk change made what they are: by student, its batch. It was sent twice."""
    found = db.execute(
        sa.select(
            Attendance.student_id,
            AttendanceChange.version,
            AttendanceChange.batch,
            AttendanceChange.new_status,
            AttendanceChange.new_label_id,
            sa.and_(*is_creation()).label("made"),
        )
        .join(Attendance, Attendance.id == AttendanceChange.attendance_id)
        .where(
            Attendance.id.in_([row.id for row in rows]),
            AttendanceChange.version == Attendance.version,
            AttendanceChange.batch.is_not(None),
            AttendanceChange.account_id == author.account_id,
            AttendanceChange.reason == author.reason,
        )
    )
    return {
        student: batch
        for student, version, batch, status, label_id, made in found
        if (status, label_id) == (wanted[student].status, wanted[student].label_id)
        and (made if wanted[student].version == NO_ENTRY else version == wanted[student].version + 1)
    }


def _undo_in(db: Session, session: ClassSession, batch: str, author: Author) -> BulkChange:
    changes = db.scalars(
        sa.select(AttendanceChange).where(
            AttendanceChange.batch == batch,
            AttendanceChange.account_id == author.account_id,
            AttendanceChange.attendance_id.is_not(None),
        )
    ).all()
    rows = {
        row.id: row
        for row in _locked_entries(db, session.id, Attendance.id.in_([c.attendance_id for c in changes])).values()
    }
    handed, changed, left = [], [], []
    alike: defaultdict[_Outcome, list[Attendance]] = defaultdict(list)
    for change in changes:
        row = rows.get(change.attendance_id or 0)
        if row is None:
            continue  # another session's
        if row.version != change.version:
            left.append(row.student_id)
            continue
        changed.append(row.student_id)
        if change.old_source is Source.PERSON:
            alike[change.old_status, change.old_unrecorded, change.old_label_id].append(row)
        else:
            handed.append(row)
    _change(db, alike, author)
    if handed:
        hand_to_machine(db, handed, conclusions_of(db, session), author)
    db.flush()
    return BulkChange(None, tuple(sorted(changed)), tuple(sorted(left)))


def _change(db: Session, alike: Mapping[_Outcome, Sequence[Attendance]], author: Author) -> None:
    for (status, unrecorded, label_id), rows in alike.items():
        change_entries(db, rows, status, Source.PERSON, author, unrecorded=unrecorded, label_id=label_id)


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
