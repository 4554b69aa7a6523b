"""Erasing a student: nothing of the encoding remains in any file, others stay, and an interruption can be completed."""

import hashlib
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from attendance.database.engine import create_database_engine, upgrade
from attendance.database.models import (
    AttendanceEvidence,
    GalleryJob,
    GalleryJobKind,
    GalleryJobPhoto,
    JobState,
    Student,
)
from attendance.database.register import Sighting
from attendance.gallery.format import load_gallery, versions_with
from attendance.gallery.provenance import Provenance
from attendance.gallery.publishing import build_index
from attendance.gallery.store import Store, read_store
from attendance.settings.families import traits_of
from operations.cli.main import attendance
from recognition_service.outbox.store import Outbox
from tests.factories import NINE, enrol, make_course, make_session
from tests.stores import write_store

WHO, OTHER = "2401-erased", "2402-stays"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder in which two students are everywhere."""
    folder = tmp_path / "data"
    monkeypatch.setenv("ATTENDANCE_DATA_DIRECTORY", str(folder))
    photo = tmp_path / "photos" / "a.jpg"
    photo.parent.mkdir()
    photo.write_bytes(b"a photo")
    random = np.random.default_rng(1)
    encodings = {name: random.normal(0, 0.1, (3, 128)) for name in (WHO, OTHER)}
    digest = hashlib.sha256(b"a photo").hexdigest()
    origins = [Provenance(source="folder:a.jpg", photo_sha256=digest, path=str(photo))] + [Provenance()] * 2
    store, index = folder / "gallery" / "encodings.pickle", folder / "gallery" / "index"
    write_store(store, Store(encodings, provenance={WHO: origins}))
    for _ in range(3):
        build_index(store, index, traits_of=traits_of)
    engine = create_database_engine(f"sqlite:///{folder / 'attendance.db'}")
    upgrade(engine)
    with Session(engine) as db:
        _fill(db)
    engine.dispose()
    outbox = Outbox(folder / "outbox.db")
    outbox.put([Sighting(1, name, NINE, NINE, 0.9, None) for name in (WHO, OTHER)])
    outbox.close()
    return folder


def _fill(db: Session) -> None:
    course = make_course(db)
    students = [
        Student(index_number=name, name=name, consent_given_at=NINE, gallery_encodings=3) for name in (WHO, OTHER)
    ]
    db.add_all(students)
    db.flush()
    enrol(db, course, *students)
    session = make_session(db, course)
    for student in students:
        db.add(
            AttendanceEvidence(
                uid=student.name, session_id=session.id, student_id=student.id, threshold=0.55, distance=0.4,
                margin=0.1, confidence=0.9, frames=3, first_frame_at=NINE, last_frame_at=NINE, details=[],
            )
        )  # fmt: skip
        job = GalleryJob(kind=GalleryJobKind.ENROL, index_number=student.index_number)
        job.photos.append(GalleryJobPhoto(file_name="x.jpg", content=f"photo of {student.name}".encode() * 50))
        db.add(job)
    db.commit()


def erase(*words: str) -> Result:
    return CliRunner().invoke(attendance, ["gallery", "erase", "--yes", *words])


def pieces(encodings: np.ndarray) -> set[bytes]:
    """Every run of 16 bytes, at the numbers' own places, of the encodings in both precisions."""
    found = set()
    for kind, size in ((np.float64, 8), (np.float32, 4)):
        for row in encodings.astype(kind):
            raw = row.tobytes()
            found |= {raw[place : place + 16] for place in range(0, len(raw) - 15, size)}
    return found


def remains(folder: Path, wanted: set[bytes]) -> list[Path]:
    """Files that hold any of these, at any place."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            if any(raw[place : place + 16] in wanted for place in range(len(raw) - 15)):
                found.append(path)
    return found


def test_nothing_of_the_encodings_remains_and_the_other_student_stays(data: Path, tmp_path: Path) -> None:
    store, index = data / "gallery" / "encodings.pickle", data / "gallery" / "index"
    before = read_store(store)
    wanted = pieces(before.encodings[WHO])
    assert len(remains(data, wanted)) >= 4, "the search finds nothing even where there is something"

    done = erase(WHO)
    assert done.exit_code == 0, done.output
    assert "Erased 3 encodings, 1 photos, 1 sightings" in done.stdout
    assert remains(data, wanted) == []
    assert not (tmp_path / "photos" / "a.jpg").exists()
    for path in (data / "gallery").rglob("*"):
        assert not path.is_file() or WHO.encode() not in path.read_bytes()
    assert b"photo of " + WHO.encode() not in b"".join(path.read_bytes() for path in data.glob("attendance.db*"))
    assert WHO.encode() not in b"".join(path.read_bytes() for path in data.glob("outbox.db*"))

    assert np.array_equal(read_store(store).encodings[OTHER], before.encodings[OTHER])
    gallery = load_gallery(index)
    assert gallery.identities == (OTHER,)
    assert gallery.nearest(before.encodings[OTHER][:1].astype(np.float32))[0][0].student == OTHER
    outbox = Outbox(data / "outbox.db")
    assert [sighting.index_number for _, sighting in outbox.pending(10)] == [OTHER]
    outbox.close()


def test_the_database_keeps_the_withdrawal_and_the_others_evidence(data: Path) -> None:
    assert erase(WHO).exit_code == 0
    engine = create_database_engine(f"sqlite:///{data / 'attendance.db'}")
    with Session(engine) as db:
        student = db.scalars(sa.select(Student).where(Student.index_number == WHO)).one()
        assert (student.consent_given_at, student.gallery_encodings) == (None, 0)
        assert student.consent_withdrawn_at is not None
        assert student.consent_withdrawn_at <= datetime.now(UTC)
        assert db.scalars(sa.select(AttendanceEvidence.uid)).all() == [OTHER]
        jobs = {job.index_number: (job.state, len(job.photos)) for job in db.scalars(sa.select(GalleryJob))}
    engine.dispose()
    assert jobs == {WHO: (JobState.FAILED, 0), OTHER: (JobState.WAITING, 1)}


def test_an_unknown_student_is_named_and_nothing_is_done(data: Path) -> None:
    before = sorted(path.name for path in (data / "gallery" / "index" / "versions").iterdir())
    done = erase("nobody")
    assert done.exit_code == 1
    assert "neither the database nor the gallery knows 'nobody'" in done.stderr
    assert sorted(path.name for path in (data / "gallery" / "index" / "versions").iterdir()) == before


def test_a_photo_that_is_another_by_now_and_ones_to_be_kept_stay(data: Path, tmp_path: Path) -> None:
    photo = tmp_path / "photos" / "a.jpg"
    photo.write_bytes(b"another photo")
    assert "0 photos" in erase(WHO).stdout
    assert photo.exists()


def test_keep_photos_keeps_them(data: Path, tmp_path: Path) -> None:
    assert erase(WHO, "--keep-photos").exit_code == 0
    assert (tmp_path / "photos" / "a.jpg").exists()


def test_the_last_student_can_be_erased(data: Path) -> None:
    assert erase(WHO, OTHER).exit_code == 0
    assert load_gallery(data / "gallery" / "index").encodings == 0


_KILLED = """
import os, sys
import attendance.gallery.removal as erasure
for name in ("update_store", "build_index", "delete_older_versions"):
    def killed(*args, real=getattr(erasure, name), name=name, **more):
        if sys.argv[1] == "before " + name:
            os.kill(os.getpid(), 9)
        done = real(*args, **more)
        if sys.argv[1] == "after " + name:
            os.kill(os.getpid(), 9)
        return done
    setattr(erasure, name, killed)
from operations.cli.main import attendance
attendance(["gallery", "erase", "--yes", sys.argv[2]])
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["update_store", "build_index", "delete_older_versions"])
def test_killed_anywhere_the_gallery_is_whole_and_asking_again_completes(data: Path, step: str, when: str) -> None:
    store, index = data / "gallery" / "encodings.pickle", data / "gallery" / "index"
    wanted = pieces(read_store(store).encodings[WHO])
    killed = subprocess.run([sys.executable, "-c", _KILLED, f"{when} {step}", WHO], capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr
    assert OTHER in load_gallery(index).identities
    assert OTHER in read_store(store).encodings

    done = erase(WHO)
    assert done.exit_code == 0, done.output
    assert remains(data, wanted) == []
    assert versions_with(index, WHO) == []
    assert load_gallery(index).identities == (OTHER,)
