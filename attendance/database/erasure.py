"""What the database keeps of a student's face, and removing it. The register itself stays: it is the university's."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.engine import begin_writing
from attendance.database.models import (
    AttendanceEvidence,
    GalleryJob,
    GalleryJobKind,
    GalleryJobPhoto,
    JobState,
    Student,
)


def withdraw(sessions: sessionmaker[Session], index_number: str, *, now: datetime) -> bool:
    """Record that a student's consent is withdrawn, and remove evidence and photos on their way into the gallery.

    Args:
        sessions: makes sessions of the database.
        index_number: the student's.
        now: aware; kept when the withdrawal was recorded before.

    Returns:
        Whether the database knows the student.
    """
    with sessions.begin() as db:
        begin_writing(db)
        student = withdraw_within(db, index_number, now=now)
        if student is not None:
            student.gallery_encodings, student.gallery_updated_at = 0, now
        return student is not None


def withdraw_within(db: Session, index_number: str, *, now: datetime) -> Student | None:
    """What `withdraw` does to the database, in a transaction of the caller's; what the gallery holds is as before.

    Returns:
        The student, or None if the database knows none of that number.
    """
    jobs = sa.select(GalleryJob.id).where(
        GalleryJob.index_number == index_number, GalleryJob.kind == GalleryJobKind.ENROL
    )
    db.execute(sa.delete(GalleryJobPhoto).where(GalleryJobPhoto.job_id.in_(jobs)))
    db.execute(
        sa.update(GalleryJob)
        .where(GalleryJob.id.in_(jobs), GalleryJob.state.in_((JobState.WAITING, JobState.WORKING)))
        .values(state=JobState.FAILED, finished_at=now, message="The student was erased meanwhile.")
    )
    student = db.scalars(sa.select(Student).where(Student.index_number == index_number)).one_or_none()
    if student is None:
        return None
    db.execute(sa.delete(AttendanceEvidence).where(AttendanceEvidence.student_id == student.id))
    student.consent_given_at = student.consent_means = None
    student.consent_withdrawn_at = student.consent_withdrawn_at or now
    return student


def forget_deleted_rows(engine: sa.Engine) -> None:
    """Let nothing of deleted rows stay in SQLite's log; MariaDB and MySQL purge theirs by themselves."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            # Past SQLAlchemy's transaction, in which a checkpoint would do nothing.
            cursor = connection.connection.cursor()
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.close()
