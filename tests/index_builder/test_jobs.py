"""Jobs that the dashboard asks for, done by the command with the real engine on real faces."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.orm import Session

from attendance.database.models import (
    Erasure,
    ErasureKind,
    GalleryJob,
    GalleryJobKind,
    GalleryJobPhoto,
    JobState,
    Student,
)
from attendance.gallery.format import load_gallery, versions_with
from attendance.gallery.store import read_store
from attendance.texts import Text
from index_builder.photos.judging import judge_and_encode
from operations.cli.main import attendance

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _installation(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_DATA_DIRECTORY", str(tmp_path / "data"))
    monkeypatch.setenv("ATTENDANCE_DATABASE_URL", database_url)


@pytest.fixture
def student(db: Session) -> Student:
    row = Student(index_number="2401", name="Ada", consent_given_at=NOW, consent_means="form")
    db.add(row)
    db.commit()
    return row


def ask(db: Session, kind: GalleryJobKind, *photos: bytes, **values: object) -> int:
    job = GalleryJob(kind=kind, index_number="2401", **values)
    job.photos.extend(GalleryJobPhoto(file_name=f"{place}.jpg", content=data) for place, data in enumerate(photos))
    db.add(job)
    db.commit()
    return job.id


def work(db: Session, job: int) -> GalleryJob:
    db.expire_all()
    db.rollback()
    done = CliRunner().invoke(attendance, ["gallery", "work", "--once"])
    assert done.exit_code == 0, done.output
    return db.scalars(sa.select(GalleryJob).where(GalleryJob.id == job)).one()


def test_photos_become_encodings_and_are_deleted_then_the_student_is_erased(
    db: Session, student: Student, pictures: Path, tmp_path: Path
) -> None:
    face = (pictures / "obama.jpg").read_bytes()
    job = work(db, ask(db, GalleryJobKind.ENROL, face, b"no picture"))
    assert job.state is JobState.DONE, job.message
    assert job.report is not None
    assert [line["outcome"] for line in job.report] == ["ok", "unreadable"]
    assert job.message == "1 of 2 photos can be used."
    assert isinstance(job.message, Text)  # so that a page says it in any language
    assert job.message.values == {"good": 1, "photos": 2}
    assert db.scalar(sa.select(sa.func.count()).select_from(GalleryJobPhoto)) == 0
    db.refresh(student)
    assert student.gallery_encodings == 1
    folder = tmp_path / "data" / "gallery"
    assert load_gallery(folder / "index").identities == ("2401",)
    assert read_store(folder / "encodings.pickle").provenance["2401"][0].source == "dashboard:0.jpg"

    # As a dashboard of the version before asks, which may run on for a while.
    former = ask(db, GalleryJobKind.ERASE)
    db.rollback()
    done = CliRunner().invoke(attendance, ["gallery", "work", "--once"])
    assert done.exit_code == 0, done.output
    db.expire_all()
    assert db.get(GalleryJob, former) is None
    erasure = db.scalars(sa.select(Erasure)).one()
    assert (erasure.kind, erasure.index_number) == (ErasureKind.WITHDRAWAL, "2401")
    assert erasure.finished_at is not None, "no service is known that had to do anything"
    assert versions_with(folder / "index", "2401") == []
    db.refresh(student)
    assert (student.gallery_encodings, student.consent_given_at) == (0, None)


def test_without_consent_nothing_is_done(db: Session, student: Student, tmp_path: Path) -> None:
    student.consent_given_at = None
    db.commit()
    job = work(db, ask(db, GalleryJobKind.ENROL, b"photo"))
    assert (job.state, job.message) == (JobState.FAILED, "There is no consent: nothing was done.")
    assert db.scalar(sa.select(sa.func.count()).select_from(GalleryJobPhoto)) == 0
    assert not (tmp_path / "data" / "gallery").exists()


def test_who_is_erased_while_the_photos_are_looked_at_is_not_added(
    db: Session, student: Student, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge_and_be_erased(*args: Any, **more: Any) -> Any:
        verdicts = judge_and_encode(*args, **more)
        assert CliRunner().invoke(attendance, ["gallery", "erase", "--yes", "2401"]).exit_code == 0
        return verdicts

    monkeypatch.setattr("index_builder.jobs.judge_and_encode", judge_and_be_erased)
    job = work(db, ask(db, GalleryJobKind.ENROL, (pictures / "obama.jpg").read_bytes()))
    assert (job.state, job.message) == (JobState.FAILED, "The student was erased meanwhile.")
    assert not (tmp_path / "data" / "gallery" / "encodings.pickle").exists()
    assert versions_with(tmp_path / "data" / "gallery" / "index", "2401") == []
    db.refresh(student)
    assert student.gallery_encodings == 0


def test_a_job_of_a_worker_that_died_is_taken_up_and_one_at_work_is_left(db: Session, student: Student) -> None:
    student.consent_given_at = None
    db.commit()
    old = {"state": JobState.WORKING, "started_at": NOW - timedelta(hours=1)}
    died = ask(db, GalleryJobKind.ENROL, b"photo", **old)
    # Not `NOW`, which is when the tests were collected: that may be a quarter of an hour ago.
    busy = ask(db, GalleryJobKind.ENROL, b"photo", state=JobState.WORKING, started_at=datetime.now(UTC))
    assert work(db, died).state is JobState.FAILED
    assert db.scalars(sa.select(GalleryJob.state).where(GalleryJob.id == busy)).one() is JobState.WORKING
