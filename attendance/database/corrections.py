"""What a person makes of an entry of the register: a correction, for good."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from attendance.database.audiences import is_expected
from attendance.database.conclusions import NOTHING_YET, Conclusion
from attendance.database.decisions import conclusions_of
from attendance.database.entries import (
    NO_ENTRY,
    Author,
    add_entry,
    change_entries,
    change_entry,
    change_remark,
    history_of,
    locked_entry,
    take_out_entries,
)
from attendance.database.labels import require_label
from attendance.database.models import Attendance, AttendanceChange, ClassSession, Source, Status
from attendance.database.register import session_in_force
from attendance.database.transactions import transact
from attendance.errors import AttendanceError
from attendance.tables.fields import CORRECTION_REASON, REMARK
from attendance.texts import english


class CorrectionError(AttendanceError, ValueError):
    """A correction lacks something; the message says what, for the person who corrects."""


class NoEntryError(AttendanceError, LookupError):
    """There is no place in a register for this: no such session, or the student is not on its roster."""


class EntryChangedError(AttendanceError):
    """Somebody else, or the machine, changed the entry after the person who corrects had looked at it."""


def correct(
    db: Session,
    *,
    session_id: int,
    student_id: int,
    status: Status,
    reason: str,
    account_id: int,
    label_id: int | None = None,
    version: int | None = None,
    now: datetime | None = None,
) -> Attendance:
    """Set a status as a person, for good, in a transaction of its own: pages, interfaces and commands call this.

    The machine may write the same row at the same moment; the correction is then made again, on what it wrote.

    Args:
        db: a session with nothing pending.
        session_id: of the class session.
        student_id: of the student.
        status: the new one.
        reason: why, for whoever reads the register later; at most 500 characters.
        account_id: who corrects.
        label_id: of a label of this status that the session offers; None for the plain status.
        version: of the entry that the person looked at, `entries.NO_ENTRY` when there was none; None corrects whatever
            is there.
        now: when, aware; the present unless given.

    Returns:
        The row of the register, committed. The same correction of the same version sent twice is one change.

    Raises:
        CorrectionError: the reason is empty or too long.
        LabelGoneError: there is no such label for this session any more.
        NoEntryError: there is no such session, or the student is neither on its roster nor on its register.
        EntryChangedError: the entry has another version now; nothing is changed.
        sqlalchemy.exc.DBAPIError: the database is away, or too many races were lost.
    """

    def work(db: Session) -> Attendance:
        return correct_status(
            db,
            session_id=session_id,
            student_id=student_id,
            status=status,
            reason=reason,
            account_id=account_id,
            label_id=label_id,
            version=version,
            now=now,
        )

    return transact(db, work)


def correct_status(
    db: Session,
    *,
    session_id: int,
    student_id: int,
    status: Status,
    reason: str,
    account_id: int,
    label_id: int | None = None,
    version: int | None = None,
    now: datetime | None = None,
) -> Attendance:
    """What `correct` does, in the caller's transaction, with who did it, when and why.

    Raises:
        CorrectionError: the reason is empty or too long.
        LabelGoneError: there is no such label for this session any more.
        NoEntryError: there is no such session, or the student is neither on its roster nor on its register.
        EntryChangedError: the entry has another version now.
    """
    author = Author(checked_reason(reason), account_id, now)
    session = db.get(ClassSession, session_id)
    if session is None:
        raise NoEntryError(english("There is no such session."))
    row = locked_entry(db, session_id, student_id)
    if row is not None and version is not None and _is_done(db, row, (status, label_id), author, version):
        return row
    require_label(db, session, status, label_id)
    if row is None and version in (None, NO_ENTRY):
        if not is_expected(db, session, student_id):
            raise NoEntryError(english("The student is not on the roster of this session."))
        row = Attendance(
            session_id=session_id,
            student_id=student_id,
            status=status,
            label_id=label_id,
            source=Source.PERSON,
            version=NO_ENTRY + 1,
        )
        if add_entry(db, row, author):
            db.flush()
            return row
        row = locked_entry(db, session_id, student_id)
        if row is not None and version is not None and _is_done(db, row, (status, label_id), author, version):
            return row
    require_version(row, version)
    if row is None:
        raise NoEntryError(english("The row was removed meanwhile."))
    change_entry(db, row, status, Source.PERSON, author, label_id=label_id)
    db.flush()
    return row


def give_back(
    db: Session,
    *,
    session_id: int,
    student_id: int,
    account_id: int,
    version: int | None = None,
    now: datetime | None = None,
) -> Attendance | None:
    """Undo a person's decision, in a transaction of its own: the machine decides anew from what is known, and goes on.

    Args:
        db: a session with nothing pending.
        session_id: of the class session.
        student_id: of the student.
        account_id: who gives the entry back.
        version: of the entry that the person looked at; None for whatever is there.
        now: when, aware; the present unless given.

    Returns:
        The entry, committed; None when the machine has nothing to enter: nobody was seen and the session is not closed,
        or the student was not on the roster when it was. The history stays either way. Given back twice is one change.

    Raises:
        CorrectionError: no person has decided this entry.
        NoEntryError: there is no such session or no entry.
        EntryChangedError: the entry has another version now; nothing is changed.
        sqlalchemy.exc.DBAPIError: the database is away, or too many races were lost.
    """
    author = Author(english("Given back to the machine."), account_id, now)

    def work(db: Session) -> Attendance | None:
        session = session_in_force(db, session_id)
        row = locked_entry(db, session_id, student_id)
        if version is not None and _is_last_change(db, session_id, student_id, author, version + 1):
            return row
        require_version(row, version)
        if session is None or row is None:
            raise NoEntryError(english("There is no such entry."))
        if row.source is not Source.PERSON:
            raise CorrectionError(english("The machine decides this entry already."))
        hand_to_machine(db, [row], conclusions_of(db, session), author)
        return locked_entry(db, session_id, student_id)

    return transact(db, work)


def hand_to_machine(
    db: Session, rows: Sequence[Attendance], concluded: Mapping[int, Conclusion], author: Author
) -> None:
    """Let the machine decide persons' entries of one session anew, in the caller's transaction.

    Args:
        db: the session that loaded the entries.
        rows: the entries, locked.
        concluded: what the machine makes of the session (`decisions.conclusions_of`). Where it has nothing to enter,
            no entry is left.
        author: who gives them back.
    """
    alike: defaultdict[Conclusion, list[Attendance]] = defaultdict(list)
    for row in rows:
        alike[concluded.get(row.student_id, NOTHING_YET)].append(row)
    gone = alike.pop(NOTHING_YET, [])
    for to, some in alike.items():
        change_entries(
            db, some, to.status, Source.MACHINE, author, unrecorded=to.unrecorded, watched_from=to.watched_from
        )
    if gone:
        take_out_entries(db, gone, author)
    db.flush()


def set_remark(
    db: Session,
    *,
    session_id: int,
    student_id: int,
    remark: str,
    account_id: int,
    version: int | None = None,
    now: datetime | None = None,
) -> Attendance:
    """Write a note beside the status of an entry, in a transaction of its own. Who decided the status stays the same.

    Args:
        db: a session with nothing pending.
        session_id: of the class session.
        student_id: of the student.
        remark: at most 500 characters; empty takes the remark away.
        account_id: who writes it.
        version: of the entry that the person looked at; None for whatever is there.
        now: when, aware; the present unless given.

    Returns:
        The entry, committed. A remark that it has already is no change.

    Raises:
        CorrectionError: the remark is too long.
        NoEntryError: there is no entry: a remark stands beside a status.
        EntryChangedError: the entry has another version now; nothing is changed.
        sqlalchemy.exc.DBAPIError: the database is away, or too many races were lost.
    """
    remark = remark.strip()
    if len(remark) > REMARK.longest:
        raise CorrectionError(english("A remark has at most %(longest)s characters.", longest=REMARK.longest))

    def work(db: Session) -> Attendance:
        row = locked_entry(db, session_id, student_id)
        if row is not None and (row.remark or "") == remark:
            return row
        require_version(row, version)
        if row is None:
            raise NoEntryError(english("A remark stands beside a status; there is none yet."))
        change_remark(db, row, remark, Author(english("The remark was changed."), account_id, now))
        db.flush()
        return row

    return transact(db, work)


def checked_reason(reason: str) -> str:
    """The reason without space around it.

    Raises:
        CorrectionError: it is empty or too long.
    """
    reason = reason.strip()
    if not reason:
        raise CorrectionError(english("A correction needs a reason."))
    if len(reason) > CORRECTION_REASON.longest:
        raise CorrectionError(
            english("A reason has at most %(longest)s characters.", longest=CORRECTION_REASON.longest)
        )
    return reason


def require_version(row: Attendance | None, version: int | None) -> None:
    """Refuse to change what the person has not seen.

    Args:
        row: the entry now, locked; None when there is none.
        version: of the entry that the person looked at; None for whatever is there.

    Raises:
        EntryChangedError: the entry has another version.
    """
    if version is not None and version != (NO_ENTRY if row is None else row.version):
        raise EntryChangedError(english("This entry was changed after you had opened it."))


def _is_done(db: Session, row: Attendance, decided: tuple[Status, int | None], author: Author, version: int) -> bool:
    """Whether the entry is what this very correction of that version made of it: it was sent twice."""
    if (row.status, row.label_id) != decided or row.source is not Source.PERSON:
        return False
    if version == NO_ENTRY:  # an entry that was made again goes on counting where the one before ended
        made: AttendanceChange | None = db.scalar(history_of(row.session_id, row.student_id).limit(1))
        version = row.version - 1 if made is not None and made.old_source is None else NO_ENTRY
    return row.version == version + 1 and _is_last_change(db, row.session_id, row.student_id, author, row.version)


def _is_last_change(db: Session, session_id: int, student_id: int, author: Author, version: int) -> bool:
    """Whether the last change of the entry is this person's, for this reason, and led to that version."""
    last: AttendanceChange | None = db.scalar(history_of(session_id, student_id).limit(1))
    return (
        last is not None
        and last.remark is None
        and (last.version, last.account_id, last.reason) == (version, author.account_id, author.reason)
    )
