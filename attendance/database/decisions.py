"""The machine's decisions: reads what is known of a session, and lets the entries follow what is concluded of it.

Whatever changes what is known ends here: the end of a session, a change of its times, an excuse, a sighting or an
observation that arrives after the end, a person who gives an entry back. So the same facts give the same register, in
whatever order they became known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import is_held_in
from attendance.database.conclusions import (
    NOTHING_YET,
    SHORTEST_WATCH,
    Conclusion,
    StudentFacts,
    basis_of,
    conclude,
    conclude_seen,
    grace_end,
    is_within,
    status_for,
    watch_begins,
)
from attendance.database.engine import rules_of
from attendance.database.entries import Author, change_entry, made_by_persons
from attendance.database.excused import excused_students
from attendance.database.held.waiting import withheld_students
from attendance.database.models import (
    Attendance,
    AttendanceChange,
    ClassSession,
    Closing,
    Source,
    Status,
    Student,
    Unrecorded,
)
from attendance.database.watching.observation import (
    Learnt,
    Observed,
    SessionMinute,
    observed_minutes,
    record_observation,
)
from attendance.texts import english

_HOUR = timedelta(hours=1)


def decide_session(
    db: Session, session: ClassSession, author: Author, without_entry: Iterable[int] = ()
) -> dict[int, Conclusion]:
    """Let every entry that the machine decides follow what is known now, in the caller's transaction.

    Args:
        db: begun with `begin_writing`.
        session: locked.
        author: why it is decided again.
        without_entry: ids of students who are expected and have no entry.

    Returns:
        What is concluded, as `conclusions_of` gives it.
    """
    db.flush()
    entries = _entries(db, session)
    concluded = _conclude(db, session, entries, without_entry)
    of_machine = (entry for entry in entries if entry.source is Source.MACHINE)
    differing = [
        entry.id
        for entry in of_machine
        if (entry.status, entry.unrecorded_reason, entry.watched_from)
        != astuple(concluded.get(entry.student_id, NOTHING_YET))
    ]
    rows = db.scalars(
        sa.select(Attendance)
        .where(Attendance.id.in_(differing), Attendance.source == Source.MACHINE)
        .order_by(Attendance.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for row in rows:
        decide_entry(db, row, concluded.get(row.student_id, NOTHING_YET), author)
    db.flush()
    return concluded


def decide_entry(db: Session, row: Attendance, conclusion: Conclusion, author: Author) -> None:
    """Let an entry that the machine decides be what was concluded, keeping the change if it is one."""
    if (row.status, row.unrecorded_reason) != (conclusion.status, conclusion.unrecorded):
        change_entry(db, row, conclusion.status, Source.MACHINE, author, unrecorded=conclusion.unrecorded)
    row.watched_from = conclusion.watched_from


def conclusions_of(db: Session, session: ClassSession, without_entry: Iterable[int] = ()) -> dict[int, Conclusion]:
    """What the machine makes of everybody who has an entry, whoever decided it, from all that is known now.

    Left out is whoever was not seen and got the entry from a person after the session was closed: that student was not
    expected then.

    Args:
        db: any session.
        session: its times, and how it was closed.
        without_entry: ids of students of whom to conclude as well: those who are expected and have no entry.
    """
    return _conclude(db, session, _entries(db, session), without_entry)


def _conclude(
    db: Session, session: ClassSession, entries: Sequence[Any], without_entry: Iterable[int]
) -> dict[int, Conclusion]:
    closing = basis_of(session)
    known = _known_of_entries(db, session, entries, closing) | _known_of_others(db, without_entry)
    unseen = [student for student, of in known.items() if of.first_seen is None]
    if unseen and closing is not None:
        excused = excused_students(db, session, unseen)
        known |= {student: replace(known[student], excused=True) for student in excused}
        known |= _withheld(db, session, entries, known)
    minutes = [] if closing is Closing.BEFORE_OBSERVATION else watched_of(db, session)
    return conclude(session, known, minutes, closing=closing, required=rules_of(db).required_observation)


def conclusion_of_sighting(db: Session, session: ClassSession, first_seen: datetime) -> Conclusion:
    """What the machine makes of a student who was first seen then, within the session's times."""
    if basis_of(session) is Closing.BEFORE_OBSERVATION:
        return Conclusion(status_for(session, first_seen))
    minutes = watched_of(db, session) if first_seen > grace_end(session) else []
    return conclude_seen(session, first_seen, minutes, required=rules_of(db).required_observation)


def watched_of(db: Session, session: ClassSession) -> list[SessionMinute]:
    """What was observed of a session, as far as anything is concluded from it or shown of it."""
    return observed_minutes(db, session, since=min(session.opens_at, watch_begins(session)))


def take_in_observation(db: Session, observed: Observed) -> bool:
    """Record what was observed, and let registers follow it, in the caller's transaction.

    Closed sessions that rest on less are decided again, and open ones with somebody who counts as present because the
    room had not been watched. Begin the transaction with `begin_writing`.

    Returns:
        Whether anything was learnt.
    """
    learnt = record_observation(db, observed)
    if learnt:
        follow_observation(db, observed.room_id, observed.hour, learnt)
    return bool(learnt)


def follow_observation(db: Session, room_id: int, hour: datetime, learnt: Learnt = Learnt.MINUTES) -> None:
    """Let registers follow what was recorded of an hour of a room, in the caller's transaction."""
    db.flush()
    noted = sa.exists().where(Attendance.session_id == ClassSession.id, Attendance.watched_from.is_not(None))
    # Locked: a closer that has not seen this observation has ended, or sees it.
    sessions = db.scalars(
        sa.select(ClassSession)
        .where(
            is_held_in(room_id),
            ClassSession.starts_at < hour + _HOUR + SHORTEST_WATCH,
            ClassSession.ends_at > hour,
        )
        .order_by(ClassSession.id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    ).all()
    for session in sessions:
        resting = basis_of(session) is Closing.OBSERVED
        # How many faces there were says something of those nobody saw, which are concluded of when it is closed.
        follows = session.closed_at is None and learnt is Learnt.MINUTES
        if resting or (follows and db.scalar(sa.select(noted).where(ClassSession.id == session.id))):
            decide_session(db, session, Author(english("What was watched became known after this had been decided.")))


def _entries(db: Session, session: ClassSession) -> Sequence[Any]:
    """Every entry of a session, with from when on its student could be recognised."""
    return db.execute(
        sa.select(
            Attendance.id,
            Attendance.student_id,
            Attendance.source,
            Attendance.status,
            Attendance.unrecorded_reason,
            Attendance.watched_from,
            Attendance.first_seen,
            Attendance.last_seen,
            Student.recognisable_since,
        )
        .join(Student, Student.id == Attendance.student_id)
        .where(Attendance.session_id == session.id)
    ).all()


def _known_of_entries(
    db: Session, session: ClassSession, entries: Sequence[Any], closing: Closing | None
) -> dict[int, StudentFacts]:
    strangers = _not_expected(db, session)
    was_absent = _absent_before(db, session) if closing is Closing.BEFORE_OBSERVATION else frozenset()
    found = {}
    for entry in entries:
        student, seen = entry.student_id, (entry.first_seen, entry.last_seen)
        counts = None not in seen and is_within(session, *seen)
        if not counts and student in strangers:
            continue
        by_machine = entry.source is Source.MACHINE
        status, unrecorded = (entry.status, entry.unrecorded_reason) if by_machine else (None, None)
        found[student] = StudentFacts(
            entry.first_seen if counts else None,
            recognisable_since=_recognisable(session, status, unrecorded, entry.recognisable_since),
            was_absent=student in was_absent or status is Status.ABSENT,
        )
    return found


def _recognisable(
    session: ClassSession, status: Status | None, unrecorded: Unrecorded | None, since: datetime | None
) -> datetime | None:
    """From when on a student could be recognised, as once concluded: later photos change nothing."""
    if status is Status.ABSENT or unrecorded is Unrecorded.UNNAMED:
        return session.starts_at
    return None if unrecorded is Unrecorded.UNRECOGNISABLE else since


def _known_of_others(db: Session, student_ids: Iterable[int]) -> dict[int, StudentFacts]:
    ids = list(student_ids)
    if not ids:
        return {}
    found = db.execute(sa.select(Student.id, Student.recognisable_since).where(Student.id.in_(ids)))
    return {student: StudentFacts(recognisable_since=since) for student, since in found}


def _withheld(
    db: Session, session: ClassSession, entries: Sequence[Any], known: Mapping[int, StudentFacts]
) -> dict[int, StudentFacts]:
    """Those of whom a sighting is held: no absence is concluded of them before a person has answered it.

    What came late takes no absence back that is recorded: a closed register stands until a person has said so.
    """
    absent = {entry.student_id for entry in entries if entry.source is Source.MACHINE and entry.status is Status.ABSENT}
    return {
        student: replace(known[student], held=True)
        for student, all_late in withheld_students(db, session).items()
        if student in known and not (all_late and student in absent)
    }


def _not_expected(db: Session, session: ClassSession) -> frozenset[int]:
    """Whom a person gave an entry after the session was closed: they were not on the roster then."""
    if session.closed_at is None:
        return frozenset()
    made = made_by_persons(session.id).where(AttendanceChange.changed_at >= session.closed_at)
    return frozenset(student for student, _ in db.execute(made))


def _absent_before(db: Session, session: ClassSession) -> frozenset[int]:
    """Whom the machine once recorded as absent, whatever became of it since."""
    return frozenset(
        db.scalars(
            sa.select(Attendance.student_id)
            .join(AttendanceChange, AttendanceChange.attendance_id == Attendance.id)
            .where(
                Attendance.session_id == session.id,
                AttendanceChange.old_status == Status.ABSENT,
                sa.or_(AttendanceChange.old_source == Source.MACHINE, AttendanceChange.old_source.is_(None)),
            )
        )
    )
