"""What a sighting, the end of a session, and a change of its times make of the register.

What is concluded of each student is in `conclusions`, the rules, and `decisions`, which asks the database for them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.audiences import expected_by_index_number, expected_by_index_numbers, expected_students
from attendance.database.conclusions import Conclusion, basis_of, closing_of, is_within
from attendance.database.decisions import conclusion_of_sighting, decide_entry, decide_session
from attendance.database.engine import rules_of
from attendance.database.entries import (
    Author,
    add_entry,
    add_sighted,
    first_versions,
    locked_entries,
    locked_entry,
    take_out_entries,
)
from attendance.database.models import Attendance, ClassSession, Closing, HeldReason, Origin, Source, Status, utc_now
from attendance.database.outgoing.closing import tell_of_closing
from attendance.database.transactions import ATTEMPTS, transact
from attendance.database.watching.rooms import known_camera, known_cameras

log = structlog.get_logger()

_LATE = "A sighting arrived after this had been decided."


@dataclass(frozen=True, slots=True)
class Sighting:
    """A confirmed student, seen in a class session for some time."""

    session_id: int
    index_number: str
    first_seen: datetime
    last_seen: datetime
    confidence: float
    """From 0 to 1."""
    camera_id: int | None
    origin: Origin = Origin.LIVE
    """How the frames came."""
    held: tuple[HeldReason, ...] = ()
    """Why it changes no entry before a person has accepted it (`attendance.database.held`); empty: it is entered."""


def record_sighting(
    db: Session, sighting: Sighting, *, decide: bool = True, author: Author | None = None
) -> Attendance | None:
    """Enter one sighting in the register, in the caller's transaction, as `enter_sightings` enters many.

    Begin the transaction with `begin_writing`.

    Args:
        db: the caller's session.
        sighting: the sighting.
        decide: whether to decide a closed session again at once. Without, the caller does, in the same transaction.
        author: who lets it count, where that was a person; the entry's history says so then.

    Returns:
        The row; None when there is nothing to enter it for.
    """
    session = session_in_force(db, sighting.session_id)
    if session is None:
        return None
    [row] = enter_sightings(db, session, (sighting,), author=author)
    if row is not None and decide:
        decide_if_closed(db, session)
    return row


def enter_sightings(
    db: Session, session: ClassSession, sightings: Sequence[Sighting], *, author: Author | None = None
) -> list[Attendance | None]:
    """Enter sightings of one session in its register, in the caller's transaction.

    Those of students who have an entry share a few statements, however many they are; a new entry has its own.
    Any order and any repetition of the same sightings leaves the same rows. A status that a person set stays; only the
    times seen are brought up to date. Let `decide_if_closed` follow in the same transaction.

    Args:
        db: the caller's session.
        session: as `session_in_force` gave it.
        sightings: all of that session.
        author: who lets them count, where that was a person; the entries' histories say so then.

    Returns:
        For each its row; None when there is nothing to enter it for: the student is gone, has left the roster or
        withdrawn consent, or the session's times have changed so that the sighting is outside it.
    """
    students = expected_by_index_numbers(db, session, {one.index_number for one in sightings})
    cameras = known_cameras(db, (one.camera_id for one in sightings))
    rows = locked_entries(db, session.id, students.values())
    entered: list[Attendance | None] = []
    for one in sightings:
        student_id = students.get(one.index_number)
        if student_id is None or not is_within(session, one.first_seen, one.last_seen):
            entered.append(None)
            continue
        known = replace(one, camera_id=one.camera_id if one.camera_id in cameras else None)
        row = rows.get(student_id)
        if row is None:
            row = _enter(db, session, student_id, known, author)
        else:
            _merge(db, session, row, known, author or Author(_LATE))
        if row is not None:
            rows[student_id] = row
        entered.append(row)
    db.flush()
    return entered


def decide_if_closed(db: Session, session: ClassSession) -> None:
    """Decide a session again, if it is closed, in the transaction that recorded sightings in it.

    What came after the end counts as if it had been known then, also for those who were not seen.
    """
    if session.closed_at is not None:
        decide_session(db, session, Author(_LATE))


def close_ended_sessions(sessions: sessionmaker[Session], now: datetime) -> int:
    """Complete the register of every session that has ended, `attendance.settle_minutes` after its end.

    Everybody who was expected has an entry then: a status, or why there is none. Runs in transactions of its own, one a
    session. Several processes may run it at once.

    Returns:
        The number of sessions closed.
    """
    with sessions() as db:
        ended = db.scalars(
            sa.select(ClassSession.id)
            .where(ClassSession.closed_at.is_(None), ClassSession.ends_at <= now - _settling(db))
            .order_by(ClassSession.ends_at)
        ).all()
    return sum(_close(sessions, session_id, now) for session_id in ended)


def apply_session_times(db: Session, session: ClassSession, now: datetime | None = None) -> None:
    """Let the register follow a session whose times or room were changed, in the caller's transaction.

    What the machine decided is decided again from what is known of the session's new time and place. A session that has
    not ended any more is open again: nothing is recorded of those who were not seen in its new time, and it is decided
    at its new end. One that was moved to a time which had passed counts as entered late, since nobody looked for its
    students then.
    """
    now = now or utc_now()
    if _is_moved_into_the_past(session, now):
        session.entered_at = now
    db.flush()
    if session.closed_at is not None and session.ends_at > now:
        session.closed_at = session.closed_as = None
    elif basis_of(session) is Closing.OBSERVED:
        session.closed_as = closing_of(session)
    if session.closed_at is None:
        _take_back(db, session)
    decide_session(db, session, Author("The session's times were changed."))


def _is_moved_into_the_past(session: ClassSession, now: datetime) -> bool:
    """Whether a change that is not flushed gives the session a time of which most has passed and was not its own."""
    starts_at, ends_at, room_id = (_before(session, name) for name in ("starts_at", "ends_at", "room_id"))
    if session.ends_at > now or (starts_at, ends_at, room_id) == (session.starts_at, session.ends_at, session.room_id):
        return False
    kept = min(ends_at, session.ends_at) - max(starts_at, session.starts_at)
    return bool(room_id != session.room_id or 2 * kept < session.ends_at - session.starts_at)


def _before(session: ClassSession, name: str) -> Any:
    """What an attribute was before it was changed, as far as the change is not flushed."""
    deleted = sa.inspect(session).attrs[name].history.deleted
    return deleted[0] if deleted else getattr(session, name)


def _take_back(db: Session, session: ClassSession) -> None:
    """Let a session that is open again have no entries of those who were not seen; their history stays."""
    rows = db.scalars(
        sa.select(Attendance)
        .where(
            Attendance.session_id == session.id,
            sa.or_(
                sa.and_(Attendance.source == Source.MACHINE, Attendance.first_seen.is_(None)),
                # What a person left unrecorded is open as well.
                sa.and_(Attendance.source == Source.PERSON, Attendance.status.is_(None)),
            ),
        )
        .order_by(Attendance.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    if rows:
        take_out_entries(db, rows, Author("The session is open again."))


def _settling(db: Session) -> timedelta:
    return timedelta(minutes=rules_of(db).settle_minutes)


def session_in_force(db: Session, session_id: int) -> ClassSession | None:
    """The session, whose times nobody changes until the transaction ends.

    Without the lock a sighting judged by the old times could be written after `apply_session_times` has looked.
    """
    return db.scalar(
        sa.select(ClassSession)
        .where(ClassSession.id == session_id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    )


def _enter(
    db: Session, session: ClassSession, student_id: int, sighting: Sighting, author: Author | None
) -> Attendance | None:
    """Make the entry of a student who has none; None when the student is gone."""
    for _ in range(ATTEMPTS):
        concluded = conclusion_of_sighting(db, session, sighting.first_seen)
        row = Attendance(
            session_id=session.id,
            student_id=student_id,
            status=concluded.status,
            watched_from=concluded.watched_from,
            source=Source.MACHINE,
            first_seen=sighting.first_seen,
            last_seen=sighting.last_seen,
            confidence=sighting.confidence,
            camera_id=sighting.camera_id,
            version=first_versions(db, session.id, (student_id,))[student_id],
            origin=sighting.origin,
        )
        if add_sighted(db, row) if author is None else add_entry(db, row, author):
            return row
        # Another was first, or the student or the camera is gone.
        if expected_by_index_number(db, session, sighting.index_number) is None:
            return None
        sighting = replace(sighting, camera_id=known_camera(db, sighting.camera_id))
        kept = locked_entry(db, session.id, student_id)
        if kept is not None:
            _merge(db, session, kept, sighting, author or Author(_LATE))
            return kept
    raise RuntimeError(f"session {sighting.session_id}: a student's row appears and disappears")


def _merge(db: Session, session: ClassSession, row: Attendance, sighting: Sighting, author: Author) -> None:
    first_seen, last_seen, confidence = sighting.first_seen, sighting.last_seen, sighting.confidence
    seen_by, origin = sighting.camera_id, sighting.origin
    # Times that are the session's no more, since it was moved, say nothing of this one.
    if row.first_seen is not None and row.last_seen is not None and is_within(session, row.first_seen, row.last_seen):
        # The smaller camera number on a tie, and the surer origin, so that the order of arrival does not matter.
        known = row.first_seen, _place(row.camera_id), _rank(row.origin)
        if known < (first_seen, _place(seen_by), _rank(origin)):
            first_seen, seen_by, origin = row.first_seen, row.camera_id, row.origin or Origin.LIVE
        last_seen, confidence = max(row.last_seen, last_seen), max(row.confidence or 0.0, confidence)
    # What is concluded rests on the first sighting alone; what else it rests on is followed where that changes.
    concludes = first_seen != row.first_seen
    row.first_seen, row.last_seen, row.confidence, row.camera_id = first_seen, last_seen, confidence, seen_by
    row.origin = origin
    if concludes and row.source is Source.MACHINE and session.closed_at is None:
        decide_entry(db, row, conclusion_of_sighting(db, session, first_seen), author)


def _place(camera_id: int | None) -> float:
    return float("inf") if camera_id is None else camera_id


def _rank(origin: Origin | None) -> int:
    """Live ones first; an entry of a version that did not note it counts as live."""
    return tuple(Origin).index(origin or Origin.LIVE)


def _close(sessions: sessionmaker[Session], session_id: int, now: datetime) -> bool:
    with sessions() as db:
        # A sighting of the same student may be committed meanwhile, or the two may wait for each other.
        counts = transact(db, lambda db: _close_in(db, session_id, now))
    if counts is not None:
        log.info("session_closed", session=session_id, **counts)
    return counts is not None


def _close_in(db: Session, session_id: int, now: datetime) -> dict[str, int] | None:
    """Close the session if it is to be closed; what became of those without an entry, None when it is not."""
    session = db.scalar(sa.select(ClassSession).where(ClassSession.id == session_id).with_for_update())
    if session is None or session.closed_at is not None or session.ends_at > now - _settling(db):
        return None
    session.closed_at, session.closed_as = now, closing_of(session)
    have_a_row = sa.select(Attendance.student_id).where(Attendance.session_id == session_id)
    expected = expected_students(session).subquery().c.student_id
    missing = db.scalars(sa.select(expected).where(expected.not_in(have_a_row))).all()
    concluded = decide_session(db, session, Author("Decided at the session's end."), missing)
    _add(db, session_id, {student: concluded[student] for student in missing})
    tell_of_closing(db, session)
    return Counter(_word(concluded[student]) for student in missing)


def _add(db: Session, session_id: int, concluded: Mapping[int, Conclusion]) -> None:
    """Insert the machine's entries of those who have none, all at once."""
    if not concluded:
        return
    versions = first_versions(db, session_id, concluded.keys())
    rows = [
        {
            "session_id": session_id,
            "student_id": student,
            "status": conclusion.status,
            "unrecorded_reason": conclusion.unrecorded,
            "source": Source.MACHINE,
            "version": versions[student],
        }
        for student, conclusion in concluded.items()
    ]
    db.execute(sa.insert(Attendance), rows)


def _word(conclusion: Conclusion) -> str:
    return (conclusion.status or conclusion.unrecorded or Status.ABSENT).value
