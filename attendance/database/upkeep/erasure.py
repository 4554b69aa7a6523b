"""What the database keeps of a student's face, and removing it. The register itself stays: it is the university's."""

import json
import sqlite3
import time
from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.audit.forgetting import forget_student
from attendance.database.audit.noting import note
from attendance.database.consent import BY_COMMAND, Recorder, actor_of, take_consent_away
from attendance.database.engine import DatabaseError, begin_writing
from attendance.database.mail import forget_recipient
from attendance.database.models import (
    DELETED_STUDENT,
    AttendanceEvidence,
    AuditAction,
    GalleryJob,
    GalleryJobKind,
    GalleryJobPhoto,
    Guest,
    JobState,
    PhotoProposal,
    Student,
)
from attendance.texts import english

PATIENCE_S = 30.0
"""How long an erasure waits for those who read a state of the database from before it, seconds."""
_TRY_S, _PAUSE_S = 0.2, 0.1
"""One try at emptying the log, during which others cannot write, and the pause in which they can, seconds."""


def withdraw(
    sessions: sessionmaker[Session], index_number: str, *, now: datetime, asked_at: datetime | None = None
) -> bool:
    """Record that a student's consent is withdrawn, and remove evidence and photos, proposed or taken to be enrolled.

    Args:
        sessions: makes sessions of the database.
        index_number: the student's.
        now: aware; kept when the withdrawal was recorded before.
        asked_at: when it was asked for, where that is a while ago: a student who was added later is somebody else, or
            begins anew, under a number that has become free.

    Returns:
        Whether the database knows the student.
    """
    with sessions.begin() as db:
        begin_writing(db)
        student = withdraw_within(db, index_number, now=now, recorder=BY_COMMAND, asked_at=asked_at)
        if student is not None:
            student.gallery_encodings, student.gallery_updated_at = 0, now
        return student is not None


def withdraw_within(
    db: Session, index_number: str, *, now: datetime, recorder: Recorder, asked_at: datetime | None = None
) -> Student | None:
    """What `withdraw` does to the database, in a transaction of the caller's; what the gallery holds is as before.

    `recorder` says who withdraws it.

    Returns:
        The student, or None if the database knows none of that number.
    """
    # The row first: who keeps evidence holds it until the commit (see `record_evidence`), so that none comes after.
    student = db.scalars(
        sa.select(Student)
        .where(Student.index_number == index_number)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    _remove_photos(db, index_number, now)
    _remove_from_reports(db, index_number)
    if student is None or (asked_at is not None and student.created_at > asked_at):
        return None
    db.execute(sa.delete(AttendanceEvidence).where(AttendanceEvidence.student_id == student.id))
    db.execute(sa.delete(Guest).where(Guest.student_id == student.id))
    db.execute(sa.delete(PhotoProposal).where(PhotoProposal.student_id == student.id))
    student.recognisable_since = None
    take_consent_away(db, student, now=now, recorder=recorder)
    return student


def withdraw_and_erase(db: Session, student: Student, *, now: datetime, recorder: Recorder) -> None:
    """Withdraw a student's consent, and ask the gallery's worker for the rest, in the caller's transaction.

    Said again while the student is being erased it changes nothing.

    Args:
        db: begun with `begin_writing`.
        student: the row, as it is now.
        now: aware.
        recorder: who withdraws it.
    """
    if not is_being_erased(db, student.index_number):
        withdraw_within(db, student.index_number, now=now, recorder=recorder)
        request_erasure(db, student.index_number, asked_by=recorder.account_id)


def delete_student(db: Session, student: Student, *, now: datetime, recorder: Recorder) -> None:
    """Delete a student with every trace in the registers, and ask the gallery's worker for the rest.

    Links, consent with its history, proposed photos, entries called wrong, and mail to the student go along, all in the
    caller's transaction. The audit log keeps what was done, and not to whom.

    Args:
        db: begun with `begin_writing`.
        student: the row.
        now: aware.
        recorder: who deletes.
    """
    withdraw_within(db, student.index_number, now=now, recorder=recorder)
    if student.email is not None:
        forget_recipient(db, student.email)
    db.execute(sa.delete(Student).where(Student.id == student.id))
    db.flush()
    forget_student(db, student.index_number)
    note(db, AuditAction.STUDENT_DELETED, actor=actor_of(recorder), student=DELETED_STUDENT)
    request_erasure(db, student.index_number, asked_by=recorder.account_id)


def request_erasure(db: Session, index_number: str, *, asked_by: int | None) -> None:
    """Ask the gallery's worker, in the caller's transaction, to erase a student from everywhere.

    Args:
        db: withdrawn in before, where the student is to be erased and not just renamed.
        index_number: the student's; the row may be gone.
        asked_by: the id of the lecturer who asks.
    """
    waiting = sa.select(GalleryJob.id).where(
        GalleryJob.index_number == index_number,
        GalleryJob.kind == GalleryJobKind.ERASE,
        GalleryJob.state == JobState.WAITING,
    )
    if db.scalar(waiting.limit(1)) is None:
        db.add(GalleryJob(kind=GalleryJobKind.ERASE, index_number=index_number, requested_by_id=asked_by))


def being_erased(db: Session, index_numbers: Collection[str]) -> frozenset[str]:
    """Those whose erasure waits or is worked on: what is added of them now would go with the rest."""
    query = sa.select(GalleryJob.index_number).where(
        GalleryJob.kind == GalleryJobKind.ERASE, GalleryJob.state.in_((JobState.WAITING, JobState.WORKING))
    )
    # All that are open, which are few: those asked for may be more than a statement takes.
    return frozenset(db.scalars(query)) & frozenset(index_numbers)


def is_being_erased(db: Session, index_number: str) -> bool:
    """Whether an erasure of the student waits or is worked on; until it is done, nothing may be added."""
    return index_number in being_erased(db, [index_number])


def forget_deleted_rows(engine: sa.Engine, *, patience_s: float = PATIENCE_S) -> None:
    """Let nothing of deleted rows stay in the files of an SQLite database.

    SQLite overwrites what is deleted (`secure_delete`), but in its write-ahead log first. The file itself is
    overwritten when the log is copied into it, and the log is cut off when nobody reads an older state any more:
    https://www.sqlite.org/pragma.html#pragma_wal_checkpoint. So this is tried again until readers let go.

    MariaDB and MySQL are left alone: they purge deleted rows by themselves, later.

    Args:
        engine: the database; the deletion is committed.
        patience_s: how long it is tried.

    Raises:
        DatabaseError: somebody read on for so long. Until it succeeds, what was deleted can be read in the files.
    """
    if engine.dialect.name != "sqlite":
        return
    deadline = time.monotonic() + patience_s
    while not _empty_log(engine):
        if time.monotonic() >= deadline:
            raise DatabaseError(
                f"what was deleted can still be read in the files of the database {engine.url.database}, because "
                "another program has been reading a state from before, without a pause"
            )
        time.sleep(_PAUSE_S)


def _empty_log(engine: sa.Engine) -> bool:
    """Copy the write-ahead log into the database's file and cut it off; whether all of it could be."""
    with engine.connect() as connection:
        # Past SQLAlchemy's transaction, in which a checkpoint would do nothing.
        cursor = connection.connection.cursor()
        try:
            cursor.execute("PRAGMA busy_timeout")
            (before,) = cursor.fetchone() or (0,)
            cursor.execute(f"PRAGMA busy_timeout = {_TRY_S * 1000:.0f}")
            try:
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                busy = (cursor.fetchone() or (1,))[0]
            except sqlite3.OperationalError:  # somebody else is at it
                busy = 1
            cursor.execute(f"PRAGMA busy_timeout = {before}")
        finally:
            cursor.close()
    return not busy


def _remove_photos(db: Session, index_number: str, now: datetime) -> None:
    """Delete photos on their way into the gallery, end their jobs, and delete what reports say of photos."""
    mine = sa.select(GalleryJob.id).where(
        GalleryJob.index_number == index_number, GalleryJob.kind == GalleryJobKind.ENROL
    )
    jobs = db.scalars(mine).all()  # read first: MariaDB refuses to update what the same statement selects from
    db.execute(sa.delete(GalleryJobPhoto).where(GalleryJobPhoto.job_id.in_(jobs)))
    db.execute(sa.update(GalleryJob).where(GalleryJob.id.in_(jobs)).values(report=sa.null()))
    db.execute(
        sa.update(GalleryJob)
        .where(GalleryJob.id.in_(jobs), GalleryJob.state.in_((JobState.WAITING, JobState.WORKING)))
        .values(state=JobState.FAILED, finished_at=now, message=str(english("The student was erased meanwhile.")))
    )


def _remove_from_reports(db: Session, index_number: str) -> None:
    """Delete what reports on others' photos say of this student, to whom such a photo was near."""
    said = json.dumps(index_number)
    query = sa.select(GalleryJob).where(
        GalleryJob.report.is_not(None), sa.type_coerce(GalleryJob.report, sa.Text).contains(said, autoescape=True)
    )
    for job in db.scalars(query):
        job.report = [
            line | {"detail": "", "other": None} if line.get("other") == index_number else line
            for line in job.report or []
        ]
