"""What is older than its retention goes, and nothing else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.orm import Session

from attendance.database.models import (
    AccessToken,
    Attendance,
    AttendanceChange,
    AttendanceEvidence,
    Base,
    ClassSession,
    GalleryJob,
    GalleryJobKind,
    GalleryJobPhoto,
    ImportedFile,
    ImportedFilePart,
    JobState,
    Observation,
    QueuedMail,
    QueueState,
    SignIn,
    SignInAttempt,
)
from attendance.database.watching.observation import hour_of
from operations.cli.main import attendance
from tests.attendance.database.full_database import fill

NOW = datetime.now(UTC)


def count(db: Session, table: type[Base]) -> int:
    db.rollback()
    number = db.scalar(sa.select(sa.func.count()).select_from(table)) or 0
    db.rollback()  # a purge waits for whoever reads
    return number


@pytest.fixture
def aged(db: Session) -> Session:
    """A row of everything, evidence and job of 100 days ago, the class session of 400 days ago."""
    fill(db)
    old = NOW - timedelta(days=100)
    db.execute(sa.update(AttendanceEvidence).values(recorded_at=old))
    db.execute(sa.update(GalleryJob).values(requested_at=old))
    session = db.scalars(sa.select(ClassSession)).one()
    session.starts_at, session.ends_at = NOW - timedelta(days=400, hours=2), NOW - timedelta(days=400)
    db.commit()
    return db


def purge(**days: int) -> str:
    environment = {f"ATTENDANCE_RETENTION_{key.upper()}": str(value) for key, value in days.items()}
    done = CliRunner(env=environment).invoke(attendance, ["purge"])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(autouse=True)
def _database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_DATABASE_URL", database_url)


def test_mail_goes_after_its_days_and_what_waits_stays(db: Session) -> None:
    given = {"kind": "test", "recipient": "ada@example.edu", "data": {}, "not_before": NOW - timedelta(days=40)}
    for days, state in (
        (31, QueueState.SENT),
        (31, QueueState.FAILED),
        (31, QueueState.DROPPED),
        (29, QueueState.SENT),
    ):
        db.add(QueuedMail(**given, state=state, ended_at=NOW - timedelta(days=days)))
    db.add(QueuedMail(**given))
    db.commit()
    assert "Deleted 3 mails that were sent or failed" in purge()
    assert count(db, QueuedMail) == 2
    assert "Deleted 0 mails" in purge(mail_days=0)
    refused = CliRunner(env={"ATTENDANCE_RETENTION_MAIL_DAYS": "7"}).invoke(attendance, ["purge"])
    assert "ATTENDANCE_RETENTION_MAIL_DAYS: must be 0, or 8 or more" in refused.output


def test_only_what_is_older_goes(aged: Session) -> None:
    assert "Deleted 0 evidence" in purge(evidence_days=101, job_days=101, attendance_days=401)
    assert (count(aged, AttendanceEvidence), count(aged, GalleryJob), count(aged, Attendance)) == (1, 1, 1)
    assert "Deleted 1 evidence" in purge(evidence_days=99, job_days=101)
    assert (count(aged, AttendanceEvidence), count(aged, GalleryJob), count(aged, Attendance)) == (0, 1, 1)


def test_what_was_watched_goes_with_the_sessions_of_its_time(aged: Session) -> None:
    aged.execute(sa.update(Observation).values(hour=hour_of(NOW - timedelta(days=400))))
    aged.commit()
    purge(attendance_days=0)
    purge(attendance_days=402)
    assert (count(aged, Observation), count(aged, ClassSession)) == (1, 1)
    assert "Deleted 1 hours of what cameras watched" in purge(attendance_days=399)
    assert (count(aged, Observation), count(aged, ClassSession)) == (0, 0)


def test_a_request_that_nobody_took_up_goes_with_its_photos(aged: Session) -> None:
    assert "Deleted 1 requests to the gallery that nobody took up" in purge(job_days=99)
    assert count(aged, GalleryJobPhoto) == 0


def test_an_erasure_that_nobody_carried_out_stays(aged: Session) -> None:
    aged.execute(sa.update(GalleryJob).values(kind=GalleryJobKind.ERASE))
    aged.commit()
    assert "Deleted 0 requests to the gallery" in purge(job_days=1)
    assert count(aged, GalleryJob) == 1


def test_what_was_deleted_is_out_of_the_files_unless_somebody_reads_on(
    aged: Session, engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine.dialect.name == "sqlite":
        monkeypatch.setattr("operations.cli.upkeep._PATIENCE_S", 0.3)
    aged.execute(sa.update(AttendanceEvidence).values(uid="purge-this-uid"))
    aged.commit()

    def is_in_files() -> bool:
        path = Path(sa.make_url(database_url).database or "")
        return any(b"purge-this-uid" in file.read_bytes() for file in path.parent.glob(f"{path.name}*"))

    with engine.connect() as reader:
        reader.execute(sa.select(AttendanceEvidence.uid)).all()
        done = CliRunner(env={"ATTENDANCE_RETENTION_EVIDENCE_DAYS": "99"}).invoke(attendance, ["purge"])
        assert done.exit_code == 0, done.output
        assert "Deleted 1 evidence" in done.stdout
        assert is_in_files() is (engine.dialect.name == "sqlite")
        assert ("can still be read in the files of the database" in done.stderr) is (engine.dialect.name == "sqlite")
    purge(evidence_days=99)
    assert not is_in_files()


def test_a_finished_job_is_kept_from_its_end_on(aged: Session) -> None:
    aged.execute(sa.update(GalleryJob).values(state=JobState.DONE, finished_at=NOW - timedelta(days=2)))
    aged.commit()
    purge(job_days=3)
    assert count(aged, GalleryJob) == 1
    assert "Deleted 1 reports of work on the gallery" in purge(job_days=1)


def test_a_session_goes_with_its_attendance_and_history(aged: Session) -> None:
    assert count(aged, AttendanceChange) > 0
    assert "Deleted 1 class sessions" in purge(attendance_days=399)
    assert [count(aged, table) for table in (ClassSession, Attendance, AttendanceChange, AttendanceEvidence)] == [0] * 4


def test_nought_keeps_for_ever(aged: Session) -> None:
    purge(evidence_days=0, job_days=0, attendance_days=0)
    assert (count(aged, AttendanceEvidence), count(aged, GalleryJob), count(aged, Attendance)) == (1, 1, 1)


def test_many_rows_go_in_parts(aged: Session) -> None:
    row = aged.scalars(sa.select(AttendanceEvidence)).one()
    values = {column.name: getattr(row, column.name) for column in AttendanceEvidence.__table__.columns}
    aged.execute(sa.insert(AttendanceEvidence), [values | {"id": None, "uid": f"u{number}"} for number in range(1200)])
    aged.commit()
    assert "Deleted 1,201 evidence" in purge(evidence_days=1)


def test_a_sign_in_goes_a_day_after_its_end(aged: Session) -> None:
    aged.execute(sa.update(SignIn).values(expires_at=NOW - timedelta(hours=23)))
    aged.commit()
    assert "Deleted 0 sign-ins that expired\n" in purge()
    aged.execute(sa.update(SignIn).values(expires_at=NOW - timedelta(hours=25)))
    aged.commit()
    assert "Deleted 3 sign-ins that expired\n" in purge()
    assert count(aged, SignIn) == 0


def test_a_token_of_a_program_goes_when_it_has_long_expired(aged: Session) -> None:
    """With the network from which it was used last, whether somebody makes another or not."""
    aged.execute(sa.update(AccessToken).values(expires_at=NOW - timedelta(days=90)))
    aged.commit()
    assert "Deleted 0 tokens of programs" in purge()
    aged.execute(sa.update(AccessToken).values(expires_at=NOW - timedelta(days=92)))
    aged.commit()
    assert "Deleted 1 tokens of programs" in purge()
    assert count(aged, AccessToken) == 0


def test_what_the_dashboard_needs_for_hours_goes_after_a_day(aged: Session) -> None:
    aged.execute(sa.update(ImportedFile).values(uploaded_at=NOW - timedelta(hours=23)))
    aged.execute(sa.update(SignInAttempt).values(tried_at=NOW - timedelta(hours=23)))
    aged.commit()
    assert "Deleted 0 files that were tried or imported\nDeleted 0 attempts to sign in\n" in purge()
    aged.execute(sa.update(ImportedFile).values(uploaded_at=NOW - timedelta(hours=25)))
    aged.execute(sa.update(SignInAttempt).values(tried_at=NOW - timedelta(hours=25)))
    aged.commit()
    assert "Deleted 1 files that were tried or imported\nDeleted 1 attempts to sign in\n" in purge()
    assert [count(aged, table) for table in (ImportedFile, ImportedFilePart, SignInAttempt)] == [0] * 3
