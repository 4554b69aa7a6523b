"""The rules of attendance: what a sighting, the end of a session, and a person's correction make of the register."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import (
    Attendance,
    AttendanceChange,
    Camera,
    ClassSession,
    Enrolment,
    Source,
    Status,
    Student,
    utc_now,
)
from attendance.database.transactions import ATTEMPTS, inserted, transact
from attendance.errors import AttendanceError
from attendance.tables.fields import CORRECTION_REASON

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
        session = _session_in_force(db, sighting.session_id)
        student_id = _student_on_roster(db, session, sighting.index_number) if session else None
        if session is None or student_id is None or not _counts(session, sighting.first_seen, sighting.last_seen):
            log.warning("sighting_without_place", session=sighting.session_id, student=sighting.index_number)
            return None
        camera_id = _known_camera(db, sighting.camera_id)
        row = _locked_row(db, session.id, student_id)
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
        )
        if inserted(db, row):
            return row
    raise RuntimeError(f"session {sighting.session_id}: a student's row appears and disappears")


def close_ended_sessions(sessions: sessionmaker[Session], now: datetime) -> int:
    """Mark everybody on the roster absent who was not seen, in every session that has ended.

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


class CorrectionError(AttendanceError, ValueError):
    """A correction lacks something; the message says what, for the person who corrects."""


class NoEntryError(AttendanceError, LookupError):
    """There is no place in a register for this: no such session, or the student is not on its roster."""


def correct(
    db: Session,
    *,
    session_id: int,
    student_id: int,
    status: Status,
    reason: str,
    lecturer_id: int,
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
        lecturer_id: who corrects.
        now: when, aware; the present unless given.

    Returns:
        The row of the register, committed.

    Raises:
        CorrectionError: the reason is empty or too long.
        NoEntryError: there is no such session, or the student is neither on its roster nor on its register.
        sqlalchemy.exc.DBAPIError: the database is away, or too many races were lost.
    """

    def work(db: Session) -> Attendance:
        return correct_status(
            db,
            session_id=session_id,
            student_id=student_id,
            status=status,
            reason=reason,
            lecturer_id=lecturer_id,
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
    lecturer_id: int,
    now: datetime | None = None,
) -> Attendance:
    """What `correct` does, in the caller's transaction, with who did it, when and why.

    Raises:
        CorrectionError: the reason is empty or too long.
        NoEntryError: there is no such session, or the student is neither on its roster nor on its register.
    """
    reason = reason.strip()
    if not reason:
        raise CorrectionError("A correction needs a reason.")
    if len(reason) > CORRECTION_REASON.longest:
        raise CorrectionError(f"A reason has at most {CORRECTION_REASON.longest} characters.")
    session = db.get(ClassSession, session_id)
    if session is None:
        raise NoEntryError("There is no such session.")
    row = _row_to_correct(db, session, student_id, status)
    old = row.status if row.id is not None else None
    if row.id is None and not inserted(db, row):
        raced = _locked_row(db, session_id, student_id)
        if raced is None:
            raise NoEntryError("The row was removed meanwhile.")
        row, old = raced, raced.status
    row.status = status
    row.source = Source.PERSON
    db.add(
        AttendanceChange(
            attendance_id=row.id,
            lecturer_id=lecturer_id,
            changed_at=now or utc_now(),
            old_status=old,
            new_status=status,
            reason=reason,
        )
    )
    db.flush()
    return row


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
                db.delete(row)
        elif _counts(session, row.first_seen, row.last_seen):
            _decide(db, row, status_for(session, row.first_seen), "The session's times were changed.")
        else:
            _decide(db, row, Status.ABSENT, "Seen outside the session's new times.")
    db.flush()


def _counts(session: ClassSession, first_seen: datetime, last_seen: datetime) -> bool:
    opens_at = session.starts_at - timedelta(minutes=session.early_minutes)
    return first_seen < session.ends_at and last_seen >= opens_at


def _session_in_force(db: Session, session_id: int) -> ClassSession | None:
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


def _student_on_roster(db: Session, session: ClassSession, index_number: str) -> int | None:
    return db.scalar(
        sa.select(Student.id)
        .join(Enrolment, Enrolment.student_id == Student.id)
        .where(
            Student.index_number == index_number,
            Enrolment.course_id == session.course_id,
            Student.consent_withdrawn_at.is_(None),
        )
    )


def _locked_row(db: Session, session_id: int, student_id: int) -> Attendance | None:
    return db.scalar(
        sa.select(Attendance)
        .where(Attendance.session_id == session_id, Attendance.student_id == student_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def _merge(db: Session, session: ClassSession, row: Attendance, sighting: Sighting, camera_id: int | None) -> None:
    first_seen, last_seen, confidence, seen_by = (
        sighting.first_seen,
        sighting.last_seen,
        sighting.confidence,
        camera_id,
    )
    # Times that are the session's no more, since it was moved, say nothing of this one.
    if row.first_seen is not None and row.last_seen is not None and _counts(session, row.first_seen, row.last_seen):
        # The smaller camera number on a tie, so that the order of arrival does not matter.
        if (row.first_seen, _place(row.camera_id)) < (first_seen, _place(camera_id)):
            first_seen, seen_by = row.first_seen, row.camera_id
        last_seen, confidence = max(row.last_seen, last_seen), max(row.confidence or 0.0, confidence)
    row.first_seen, row.last_seen, row.confidence, row.camera_id = first_seen, last_seen, confidence, seen_by
    if row.source is Source.MACHINE:
        _decide(db, row, status_for(session, first_seen), "A sighting arrived after this had been decided.")
    db.flush()


def _place(camera_id: int | None) -> float:
    return float("inf") if camera_id is None else camera_id


def _decide(db: Session, row: Attendance, status: Status, reason: str) -> None:
    """Change the machine's own status, keeping the change."""
    if row.status is not status:
        db.add(AttendanceChange(attendance_id=row.id, old_status=row.status, new_status=status, reason=reason))
        row.status = status


def _row_to_correct(db: Session, session: ClassSession, student_id: int, status: Status) -> Attendance:
    row = _locked_row(db, session.id, student_id)
    if row is not None:
        return row
    if db.get(Enrolment, (session.course_id, student_id)) is None:
        raise NoEntryError("The student is not on the roster of this session.")
    return Attendance(session_id=session.id, student_id=student_id, status=status, source=Source.PERSON)


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
    has_row = (
        sa.select(Attendance.id)
        .where(Attendance.session_id == session_id, Attendance.student_id == Enrolment.student_id)
        .exists()
    )
    missing = db.scalars(
        sa.select(Enrolment.student_id).where(Enrolment.course_id == session.course_id, ~has_row)
    ).all()
    db.add_all(
        Attendance(session_id=session_id, student_id=student_id, status=Status.ABSENT, source=Source.MACHINE)
        for student_id in missing
    )
    session.closed_at = now
    return len(missing)
