"""Two promises, searched byte by byte in every file of an installation, and on MariaDB in the server's tablespaces.

After a withdrawal no encoding, photo or evidence is left; after a deletion no name and no number either. Five
situations: quiet, somebody reads the database, evidence waits in outboxes, the gallery is at work, and MariaDB.
"""

import hashlib
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from attendance.database.access.student_links import make_student_link
from attendance.database.consent import BY_STUDENT, give_consent
from attendance.database.corrections import correct_status
from attendance.database.engine import begin_writing
from attendance.database.mail import queue_mail
from attendance.database.models import (
    ClassSession,
    Dispute,
    Erasure,
    Excuse,
    FileContent,
    GalleryJob,
    GalleryJobKind,
    GalleryJobPhoto,
    ImportedFile,
    ImportedFilePart,
    JobState,
    LowAttendance,
    Status,
    Student,
)
from attendance.database.register import Sighting, record_sighting
from attendance.database.upkeep.overwriting import tables_of_students
from attendance.gallery.provenance import Provenance
from attendance.gallery.publishing import build_index
from attendance.gallery.store import Store
from attendance.settings import Settings
from attendance.settings.families import traits_of
from index_builder.jobs import GalleryWork, work_once
from index_builder.photos.verdicts import PhotoOutcome, PhotoVerdict
from operations.cli.main import attendance
from operations.erasure import delete_students
from tests.factories import NINE, make_lecturer
from tests.operations.erased import MARK, OTHER, WHO, Installation, reading
from tests.recognition_service.engines import MODEL, SIZE, ColourEngine
from tests.stores import write_store

NAME = "Quentin Zyxwell-Erased"
ENCODING = np.random.default_rng(7).normal(0, 0.1, SIZE)
PHOTO = b"\xff\xd8 a photo of " + MARK.encode() * 20
FACE = {
    "the encoding, as the store keeps it": ENCODING.astype(np.float64).tobytes(),
    "the encoding, as the index keeps it": ENCODING.astype(np.float32).tobytes(),
    "a photo": PHOTO,
    "evidence, and whatever else was made of the face": MARK.encode(),
}
PERSON = {
    "the name": NAME.encode(),
    "the name, as JSON may write it": NAME.encode("utf-16-le"),
    "the number": WHO.encode(),
}


class Everything(Installation):
    """The installation of `Installation`, and whatever else may hold the face, the name or the number of a student."""

    def __init__(self, settings: Settings, engine: sa.Engine) -> None:
        super().__init__(settings, engine)
        self.photos = self.folder / "photos" / WHO
        self.photos.mkdir(parents=True)
        photo = self.photos / "1.jpg"
        photo.write_bytes(PHOTO)
        with self.sessions.begin() as db:
            begin_writing(db)
            student = db.scalars(sa.select(Student).where(Student.index_number == WHO)).one()
            self._fill_register(db, student)
            self._fill_queues(db, student)
        origin = Provenance(
            source=f"folder:{WHO}/1.jpg", path=str(photo), photo_sha256=hashlib.sha256(PHOTO).hexdigest()
        )
        rows = {OTHER: np.full((1, SIZE), 0.3), WHO: ENCODING[np.newaxis]}
        write_store(
            settings.store_path, Store({}, MODEL, SIZE).with_students(rows, {WHO: [origin], OTHER: [Provenance()]})
        )
        build_index(settings.store_path, settings.index_path, traits_of=traits_of)

    def _fill_register(self, db: Session, student: Student) -> None:
        student.name, student.email, student.gallery_encodings = NAME, f"{WHO}@example.edu", 1
        lecturer = make_lecturer(db)
        give_consent(db, student, given_at=NINE, means="form", recorder=BY_STUDENT)
        record_sighting(db, Sighting(self.session_id, WHO, NINE, NINE, 0.9, None))
        correct_status(
            db,
            session_id=self.session_id,
            student_id=student.id,
            status=Status.LATE,
            reason=f"{NAME} said so",
            account_id=lecturer.id,
        )
        span = {"starts_at": NINE, "ends_at": NINE + timedelta(days=1)}
        db.add(Excuse(student_id=student.id, reason=f"{NAME} is ill", created_by_id=lecturer.id, **span))
        said = Dispute(session_id=self.session_id, student_id=student.id, text=f"I, {NAME}, was there")
        said.claimed = Status.PRESENT
        db.add(said)
        make_student_link(db, student.id, now=NINE, lifetime=timedelta(hours=1))

    def _fill_queues(self, db: Session, student: Student) -> None:
        assert student.email is not None
        queue_mail(db, kind="student_link", to=student.email, language=None, key=None, data={"student": student.id})
        db.add(LowAttendance(course_id=db.get_one(ClassSession, self.session_id).course_id, student_id=student.id))
        report = [{"photo": f"{NAME}.jpg", "outcome": "ok", "detail": "", "other": None}]
        db.add(GalleryJob(kind=GalleryJobKind.ENROL, index_number=WHO, state=JobState.DONE, report=report))
        lecturer = make_lecturer(db)
        file = ImportedFile(token="t", account_id=lecturer.id, kind="students", file_name=f"{WHO}.csv", report={})
        db.add(file)
        db.flush()
        data = zlib.compress(f"index_number,name\n{WHO},{NAME}\n".encode())
        db.add(ImportedFilePart(file_id=file.id, content=FileContent.FILE, place=0, data=data))

    def found(self, needles: dict[str, bytes]) -> set[tuple[str, str]]:
        """In which files, of the installation and of a database server, which of these bytes are; and in file names."""
        hits = set()
        for path in [*self.folder.parent.rglob("*"), *self.tablespaces()]:
            raw = os.fsencode(path.name) + b"\0" + (path.read_bytes() if path.is_file() else b"")
            hits |= {(path.name, what) for what, needle in needles.items() if needle in raw}
        return hits

    def tablespaces(self) -> list[Path]:
        """The files of the tables on a server, with what the server has in memory written into them."""
        if self.engine.dialect.name == "sqlite":
            return []
        with self.engine.connect() as connection:
            folder = Path(connection.execute(sa.text("SELECT @@datadir")).scalar_one())
            tables = ", ".join(f"`{name}`" for name in tables_of_students())
            connection.execute(sa.text(f"FLUSH TABLES {tables} FOR EXPORT"))
            connection.execute(sa.text("UNLOCK TABLES"))
        return sorted((folder / str(self.engine.url.database)).glob("*.ibd"))


@pytest.fixture
def settings(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    folder = tmp_path / "data"
    monkeypatch.setenv("ATTENDANCE_DATA_DIRECTORY", str(folder))
    monkeypatch.setenv("ATTENDANCE_DATABASE_URL", database_url)
    monkeypatch.setattr("recognition_service.outbox.store.BUSY_S", 0.5)
    return Settings.model_validate({"data": {"directory": folder}, "database": {"url": database_url}})


@pytest.fixture
def place(settings: Settings, engine: sa.Engine) -> Iterator[Everything]:
    place = Everything(settings, engine)
    yield place
    place.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command waits for readers of the database for half a second."""
    monkeypatch.setattr("operations.cli.students.delete_students", partial(delete_students, patience_s=0.5))


def type_(*words: str) -> Result:
    return CliRunner().invoke(attendance, list(words))


def withdraw() -> Result:
    return type_("gallery", "erase", "--yes", WHO)


def delete() -> Result:
    return type_("student", "delete", "--yes", WHO)


def kinds(found: set[tuple[str, str]]) -> set[str]:
    return {what for _, what in found}


# Quiet; on MariaDB with the tables written anew, which is the fifth situation.


def test_a_withdrawal_leaves_nothing_of_the_face(place: Everything) -> None:
    assert kinds(place.found(FACE)) == set(FACE), "the search finds what is there"
    done = withdraw()
    assert done.exit_code == 0, done.output
    assert place.found(FACE) == set()
    assert "the name" in kinds(place.found(PERSON)), "the register stays"
    assert not place.photos.exists(), "the folder named the student"


def test_a_deletion_leaves_neither_face_nor_name_nor_number(place: Everything) -> None:
    assert {"the name", "the number"} <= kinds(place.found(PERSON))
    done = delete()
    assert done.exit_code == 0, done.output
    assert place.found(FACE | PERSON) == set()
    with place.sessions() as db:
        erasure = db.scalars(sa.select(Erasure)).one()
        assert (erasure.index_number, erasure.finished_at is None, erasure.overwritten_at is None) == (
            None,
            False,
            False,
        )
        assert db.scalars(sa.select(ImportedFile)).all() == []
        assert db.scalars(sa.select(Student.index_number)).all() == [OTHER]
    on_server = place.engine.dialect.name != "sqlite"
    assert ("logs (redo, undo, binary) hold deleted rows" in done.stdout) is on_server


@pytest.mark.exhaustive
def test_a_student_who_withdrew_before_is_deleted_from_that_record_too(place: Everything) -> None:
    assert withdraw().exit_code == 0
    assert delete().exit_code == 0
    assert place.found(FACE | PERSON) == set()
    with place.sessions() as db:
        assert db.scalars(sa.select(Erasure.index_number)).all() == [None, None]


# Somebody reads the database.


@pytest.mark.usefixtures("impatient")
def test_what_a_reader_holds_back_is_said_and_gone_when_asked_again(place: Everything) -> None:
    if place.engine.dialect.name != "sqlite":
        pytest.skip("a server's readers are the next test's")
    with reading(place.engine):
        done = delete()
        assert done.exit_code == 1
        assert "what was deleted can still be read in the files of the database" in done.stderr
        assert place.found(FACE | PERSON), "the search finds what is there"
    again = delete()
    assert "Ask for the erasure again" not in again.stderr
    assert place.found(FACE | PERSON) == set()


@pytest.mark.usefixtures("impatient")
def test_a_table_that_somebody_reads_is_written_anew_by_the_nightly_purge(place: Everything) -> None:
    if place.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no tables to write anew")
    with reading(place.engine):
        done = delete()
        assert done.exit_code == 0, done.output
        assert "For now the database server has not written the table attendance_evidence anew" in done.stdout
    assert type_("purge").exit_code == 0
    assert place.found(FACE | PERSON) == set()
    with place.sessions() as db:
        assert db.scalars(sa.select(Erasure.overwritten_at)).one() is not None


# Evidence waits in outboxes, and one of them is read.


def test_evidence_that_waits_in_an_outbox_which_somebody_reads(place: Everything) -> None:
    reader = sqlite3.connect(place.outboxes[1].path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM evidence").fetchall()
    done = delete()
    assert done.exit_code == 1
    assert "outbox-2.db: what was erased can still be read in its log" in done.stderr
    assert {name.removesuffix("-wal") for name, _ in place.found(FACE | PERSON)} <= {"outbox-2.db", "attendance.db"} | {
        path.name for path in place.tablespaces()
    }
    reader.close()
    with place.sessions.begin() as db:
        db.execute(sa.update(Erasure).values(leased_until=NINE))
    worked = type_("gallery", "work", "--once")
    assert worked.exit_code == 0, worked.output
    assert type_("purge").exit_code == 0
    assert place.found(FACE | PERSON) == set()


# The gallery is at work.


def test_photos_that_are_being_looked_at(place: Everything, monkeypatch: pytest.MonkeyPatch) -> None:
    def judge_while_deleted(*_: Any, **__: Any) -> list[PhotoVerdict]:
        done.append(delete())
        return [PhotoVerdict(f"{NAME}.jpg", PhotoOutcome.OK, encoding=ENCODING, quality=1.0, sha256="0" * 64)]

    done: list[Result] = []
    monkeypatch.setattr("index_builder.jobs.judge_and_encode", judge_while_deleted)
    with place.sessions.begin() as db:
        db.execute(sa.update(GalleryJob).where(GalleryJob.state == JobState.WAITING).values(state=JobState.DONE))
        job = GalleryJob(kind=GalleryJobKind.ENROL, index_number=WHO)
        job.photos.append(GalleryJobPhoto(file_name=f"{NAME}.jpg", content=PHOTO))
        db.add(job)
    worker = threading.Thread(target=work_once, args=(place.sessions, work_of(place)))
    worker.start()
    worker.join(60)
    assert done[0].exit_code == 0, done[0].output
    time.sleep(0.1)
    assert type_("gallery", "work", "--once").exit_code == 0
    with place.sessions() as db:
        assert db.scalars(sa.select(GalleryJob).where(GalleryJob.index_number == WHO)).all() == []
    if place.engine.dialect.name == "sqlite":
        assert place.found(FACE | PERSON) == set()


def work_of(place: Everything) -> GalleryWork:
    """Work on the gallery with an engine that is asked for nothing but what it is."""
    settings = place.settings
    return GalleryWork(
        store_path=settings.store_path,
        index_path=settings.index_path,
        engine=ColourEngine,
        max_pixels=1_000_000,
        numbers_of=settings.matching.numbers_of,
        erase=lambda _: None,
        published=lambda _: None,
    )
