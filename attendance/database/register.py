"""The rules of attendance: what a sighting, the end of a session, and a change of its times make of the register."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.audiences import expected_by_index_number, expected_students
from attendance.database.entries import Author, change_entry, locked_entry, take_out_entries
from attendance.database.excuses import excused_students, missing_status
from attendance.database.models import (
    Attendance,
    AttendanceChange,
    Camera,
    ClassSession,
    Origin,
    Source,
    Status,
    utc_now,
)
from attendance.database.transactions import ATTEMPTS, inserted, transact

log = structlog.get_logger()


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


def status_for(session: ClassSession, first_seen: datetime) -> Status:
    """What the machine makes of a student first seen then: present until the grace period ends, then late."""
    grace_ends = session.starts_at + timedelta(minutes=session.grace_minutes)
    return Status.PRESENT if first_seen <= grace_ends else Status.LATE


def record_sighting(db: Session, sighting: Sighting) -> Attendance | None:
    """Enter a sighting in the register, in the caller's transaction.

    Any order and any repetition of the same sightings leaves the same row. A status that a person set stays; only the
    times seen are brought up to date. Begin the transaction with `begin_writing`.

    Returns:
        The row; None when there is nothing to enter it for: the session or the student is gone, the student has left
        the roster or withdrawn consent, or the session's times have changed so that the sighting is outside it.
    """
    for _ in range(ATTEMPTS):
        session = session_in_force(db, sighting.session_id)
        student_id = expected_by_index_number(db, session, sighting.index_number) if session else None
        if session is None or student_id is None or not _counts(session, sighting.first_seen, sighting.last_seen):
            log.warning("sighting_without_place", session=sighting.session_id, student=sighting.index_number)
            return None
        camera_id = _known_camera(db, sighting.camera_id)
        row = locked_entry(db, session.id, student_id)
        if row is not None:
            _merge(db, session, row, sighting, camera_id)
            return row
        row = Attendance(
            session_id=session.id,
            student_id=student_id,
            status=status_for(session, sighting.first_seen),
            source=Source.MACHINE,
            first_seen=sighting.first_seen,
            last_seen=sighting.last_seen,
            confidence=sighting.confidence,
            camera_id=camera_id,
            origin=sighting.origin,
        )
        if inserted(db, row):
            return row
    raise RuntimeError(f"session {sighting.session_id}: a student's row appears and disappears")


def close_ended_sessions(sessions: sessionmaker[Session], now: datetime) -> int:
    """Mark everybody on the roster absent, or excused, who was not seen, in every session that has ended.

    Runs in transactions of its own, one a session. Several processes may run it at once.

    Returns:
        The number of sessions closed.
    """
    with sessions() as db:
        ended = db.scalars(
            sa.select(ClassSession.id)
            .where(ClassSession.closed_at.is_(None), ClassSession.ends_at <= now)
            .order_by(ClassSession.ends_at)
        ).all()
    return sum(_close(sessions, session_id, now) for session_id in ended)


def apply_session_times(db: Session, session: ClassSession, now: datetime | None = None) -> None:
    """Let the register follow a session whose times were changed, in the caller's transaction.

    What the machine decided is decided again from the times seen. A session that has not ended any more is open again,
    and its machine-made absences are taken back.
    """
    now = now or utc_now()
    db.flush()
    if session.closed_at is not None and session.ends_at > now:
        session.closed_at = None
    machine = db.scalars(
        sa.select(Attendance)
        .where(Attendance.session_id == session.id, Attendance.source == Source.MACHINE)
        .with_for_update()
    ).all()
    for row in machine:
        if row.first_seen is None or row.last_seen is None:
            if session.closed_at is None:
                _take_back(db, row)
            else:
                _decide(db, row, missing_status(db, session, row.student_id), "The session's times were changed.")
        elif _counts(session, row.first_seen, row.last_seen):
            _decide(db, row, status_for(session, row.first_seen), "The session's times were changed.")
        else:
            status = missing_status(db, session, row.student_id)
            _decide(db, row, status, "Seen outside the session's new times.")
    db.flush()


def machine_status(db: Session, session: ClassSession, row: Attendance) -> Status | None:
    """What the machine makes of an entry that a person set, from all that is known now; None: there would be no entry.

    Args:
        db: any session.
        session: of the entry.
        row: the entry.
    """
    if row.first_seen is not None and row.last_seen is not None:
        counts = _counts(session, row.first_seen, row.last_seen)
        return status_for(session, row.first_seen) if counts else missing_status(db, session, row.student_id)
    if session.closed_at is None or not _expected_at_closing(db, session.closed_at, row):
        return None
    return missing_status(db, session, row.student_id)


def _expected_at_closing(db: Session, closed_at: datetime, row: Attendance) -> bool:
    """Whether closing the session gave the student an entry, or would have without the person's.

    An entry that a person made after the session was closed is one of somebody who was not on the roster then.
    """
    made_by_a_person = db.scalar(
        sa.select(AttendanceChange.changed_at)
        .where(AttendanceChange.attendance_id == row.id, AttendanceChange.old_status.is_(None))
        .order_by(AttendanceChange.id)
        .limit(1)
    )
    return made_by_a_person is None or made_by_a_person < closed_at


def _take_back(db: Session, row: Attendance) -> None:
    if row.version > 1:  # it has a history
        take_out_entries(db, [row], Author("The session is open again."))
    else:
        db.delete(row)


def _counts(session: ClassSession, first_seen: datetime, last_seen: datetime) -> bool:
    opens_at = session.starts_at - timedelta(minutes=session.early_minutes)
    return first_seen < session.ends_at and last_seen >= opens_at


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


def _known_camera(db: Session, camera_id: int | None) -> int | None:
    """The camera, None when it was removed: that somebody was seen outlives what saw it."""
    if camera_id is None:
        return None
    return db.scalar(sa.select(Camera.id).where(Camera.id == camera_id))


def _merge(db: Session, session: ClassSession, row: Attendance, sighting: Sighting, camera_id: int | None) -> None:
    first_seen, last_seen, confidence = sighting.first_seen, sighting.last_seen, sighting.confidence
    seen_by, origin = camera_id, sighting.origin
    # Times that are the session's no more, since it was moved, say nothing of this one.
    if row.first_seen is not None and row.last_seen is not None and _counts(session, row.first_seen, row.last_seen):
        # The smaller camera number on a tie, and the surer origin, so that the order of arrival does not matter.
        known = row.first_seen, _place(row.camera_id), _rank(row.origin)
        if known < (first_seen, _place(camera_id), _rank(origin)):
            first_seen, seen_by, origin = row.first_seen, row.camera_id, row.origin or Origin.LIVE
        last_seen, confidence = max(row.last_seen, last_seen), max(row.confidence or 0.0, confidence)
    row.first_seen, row.last_seen, row.confidence, row.camera_id = first_seen, last_seen, confidence, seen_by
    row.origin = origin
    if row.source is Source.MACHINE:
        _decide(db, row, status_for(session, first_seen), "A sighting arrived after this had been decided.")
    db.flush()


def _place(camera_id: int | None) -> float:
    return float("inf") if camera_id is None else camera_id


def _rank(origin: Origin | None) -> int:
    """Live ones first; an entry of a version that did not note it counts as live."""
    return tuple(Origin).index(origin or Origin.LIVE)


def _decide(db: Session, row: Attendance, status: Status, reason: str) -> None:
    """Change the machine's own status, keeping the change."""
    if row.status is not status:
        change_entry(db, row, status, Source.MACHINE, Author(reason))


def _close(sessions: sessionmaker[Session], session_id: int, now: datetime) -> bool:
    with sessions() as db:
        # A sighting of the same student may be committed meanwhile, or the two may wait for each other.
        absent = transact(db, lambda db: _close_in(db, session_id, now))
    if absent is not None:
        log.info("session_closed", session=session_id, absent=absent)
    return absent is not None


def _close_in(db: Session, session_id: int, now: datetime) -> int | None:
    """Close the session if it is to be closed; how many are absent, None when it is not."""
    session = db.scalar(sa.select(ClassSession).where(ClassSession.id == session_id).with_for_update())
    if session is None or session.closed_at is not None or session.ends_at > now:
        return None
    have_a_row = sa.select(Attendance.student_id).where(Attendance.session_id == session_id)
    expected = expected_students(session).subquery().c.student_id
    missing = db.scalars(sa.select(expected).where(expected.not_in(have_a_row))).all()
    excused = excused_students(db, session, missing)
    db.add_all(
        Attendance(
            session_id=session_id,
            student_id=student_id,
            status=Status.EXCUSED if student_id in excused else Status.ABSENT,
            source=Source.MACHINE,
        )
        for student_id in missing
    )
    session.closed_at = now
    return len(missing) - len(excused)
