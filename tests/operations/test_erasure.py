"""An erasure leaves nothing: searched byte by byte in every file, whoever reads, waits, runs or dies meanwhile."""

import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.access.student_links import make_student_link
from attendance.database.consent import BY_COMMAND, BY_STUDENT, give_consent
from attendance.database.engine import begin_writing
from attendance.database.evidence import Evidence, record_evidence
from attendance.database.mail import queue_mail
from attendance.database.models import (
    AttendanceEvidence,
    ConsentChange,
    Dispute,
    GalleryJob,
    GalleryJobKind,
    GalleryJobPhoto,
    JobState,
    PhotoProposal,
    QueuedMail,
    Status,
    Student,
    StudentLink,
    utc_now,
)
from attendance.database.register import Sighting
from attendance.database.upkeep.erasure import being_erased, delete_student, request_erasure, withdraw, withdraw_within
from attendance.gallery.publishing import build_index
from attendance.gallery.store import Store, read_store
from attendance.settings import Settings
from attendance.settings.families import traits_of
from operations.cli import gallery as commands
from operations.cli.main import attendance
from operations.erasure import erase_students
from recognition_service.outbox.store import Outbox
from tests.factories import NINE, enrol, make_course, make_session
from tests.recognition_service.evidences import make_evidence
from tests.stores import write_store

WHO, OTHER = "2401-erased", "2402-stays"
MARK = f"mark-of-{WHO}"
"""In all that the database keeps of the student's face."""


class Installation:
    """A data folder and a database in which two students are everywhere."""

    def __init__(self, settings: Settings, engine: sa.Engine) -> None:
        self.settings, self.engine = settings, engine
        self.folder = settings.data.directory
        self.sessions = sessionmaker(engine, expire_on_commit=False)
        with self.sessions.begin() as db:
            course = make_course(db)
            students = [Student(index_number=name, name="N", consent_given_at=NINE) for name in (WHO, OTHER)]
            db.add_all(students)
            db.flush()
            enrol(db, course, *students)
            self.session_id = make_session(db, course).id
        self._keep(students)
        self._publish()
        self.outboxes = [Outbox(self.folder / name) for name in ("outbox.db", "outbox-2.db")]
        for outbox in self.outboxes:
            self.wait_in(outbox)

    def _keep(self, students: list[Student]) -> None:
        """Evidence and photos of both, row by row in turns, so that pages of the file are split and joined."""
        for number in range(40):
            with self.sessions.begin() as db:
                begin_writing(db)
                for student in students:
                    record_evidence(db, self._evidence(student.index_number, f"{number}-of-{student.index_number}"))
                db.add(self._job(WHO, b"photo " + MARK.encode() * 40))
                proposal = PhotoProposal(student_id=students[0].id, file_name=f"{MARK}.jpg", reason=f"no: {MARK}")
                proposal.content = b"proposed " + MARK.encode() * 40
                db.add(proposal)
                if number % 3:
                    first = sa.select(sa.func.min(AttendanceEvidence.id)).scalar_subquery()
                    others = AttendanceEvidence.student_id == students[1].id
                    rows = db.scalars(sa.select(AttendanceEvidence).where(AttendanceEvidence.id == first, others))
                    for row in rows:
                        db.delete(row)
        near = {"photo": "a.jpg", "outcome": "like another student", "detail": f"0.4 to {MARK}", "other": WHO}
        with self.sessions.begin() as db:
            report = [near, near | {"other": None, "detail": "good"}]
            db.add(GalleryJob(kind=GalleryJobKind.ENROL, index_number=OTHER, state=JobState.DONE, report=report))

    def _evidence(self, student: str, uid: str) -> Evidence:
        version = MARK if student == WHO else "v1"
        return make_evidence(self.session_id, student, uid=uid[-36:], index_version=version)

    def _job(self, student: str, photo: bytes) -> GalleryJob:
        job = GalleryJob(kind=GalleryJobKind.ENROL, index_number=student)
        job.photos.append(GalleryJobPhoto(file_name=f"{MARK}.jpg", content=photo))
        return job

    def _publish(self) -> None:
        random = np.random.default_rng(1)
        store = self.settings.store_path
        write_store(store, Store({name: random.normal(0, 0.1, (3, 128)) for name in (WHO, OTHER)}))
        for _ in range(2):
            build_index(store, self.settings.index_path, traits_of=traits_of)
        unfinished = store.with_name(f".{store.name}.new")  # of a writer that was killed
        unfinished.write_bytes(store.read_bytes())

    def wait_in(self, outbox: Outbox) -> None:
        """Have sightings and evidence of both wait."""
        names = (WHO, OTHER)
        seen = [Sighting(session, name, NINE, NINE, 0.9, None) for session in (self.session_id, 7) for name in names]
        outbox.put(seen, [make_evidence(self.session_id, name, index_version=f"of-{name}") for name in names])

    def remains(self) -> list[str]:
        """The files that hold what the database, or anything else, is not to keep."""
        found = []
        for path in self.folder.parent.rglob("*"):
            if path.is_file():
                raw, own = path.read_bytes(), path.name.startswith("attendance.db")
                # The database goes on knowing the student: the register stays.
                if MARK.encode() in raw or (not own and WHO.encode() in raw):
                    found.append(path.name)
        return sorted(found)

    def kept(self) -> tuple[list[str], int]:
        """Of whom the database holds evidence, and how many photos wait of the student."""
        with self.sessions() as db:
            names = db.scalars(sa.select(Student.index_number).join(AttendanceEvidence).distinct()).all()
            photos = db.scalar(sa.select(sa.func.count()).select_from(GalleryJobPhoto)) or 0
        return list(names), photos

    def close(self) -> None:
        for outbox in self.outboxes:
            outbox.close()


@pytest.fixture
def settings(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    folder = tmp_path / "data"
    monkeypatch.setenv("ATTENDANCE_DATA_DIRECTORY", str(folder))
    monkeypatch.setenv("ATTENDANCE_DATABASE_URL", database_url)
    return Settings.model_validate({"data": {"directory": folder}, "database": {"url": database_url}})


@pytest.fixture
def place(settings: Settings, engine: sa.Engine) -> Iterator[Installation]:
    place = Installation(settings, engine)
    yield place
    place.close()


def type_(*words: str) -> Result:
    return CliRunner().invoke(attendance, ["gallery", *words])


def erase(*students: str) -> Result:
    return type_("erase", "--yes", *students)


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Somebody who reads the database as it is now, and goes on."""
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT count(*) FROM attendance_evidence")).all()
        yield connection


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command and the worker wait for half a second, and for outboxes as long."""
    hurried = partial(erase_students, patience_s=0.5)
    monkeypatch.setattr(commands, "erase_students", hurried)
    monkeypatch.setattr("operations.gallery_work.erase_students", hurried)
    monkeypatch.setattr("recognition_service.outbox.store.BUSY_S", 0.5)


def test_nothing_stays_of_what_waits_in_any_outbox_nor_anywhere_else(place: Installation) -> None:
    sqlite = place.engine.dialect.name == "sqlite"
    before = {"outbox.db-wal", "outbox-2.db-wal", "encodings.pickle", ".encodings.pickle.new", "labels.json"}
    assert before <= set(place.remains())
    assert ("attendance.db-wal" in place.remains()) is sqlite
    done = erase(WHO)
    assert done.exit_code == 0, done.output
    assert "Erased 3 encodings, 0 photos, 6 sightings and pieces of evidence on their way" in done.stdout
    assert ("The database server overwrites deleted rows later" in done.stdout) is not sqlite
    assert place.remains() == []
    assert place.kept() == ([OTHER], 0)
    for outbox in place.outboxes:
        assert {sighting.index_number for _, sighting in outbox.pending(10)} == {OTHER}
        waiting = outbox.evidence_of([Sighting(place.session_id, OTHER, NINE, NINE, 0.9, None)])
        assert [evidence.index_version for _, evidence in waiting] == [f"of-{OTHER}"]
    with place.sessions() as db:
        report = db.scalars(sa.select(GalleryJob.report).where(GalleryJob.index_number == OTHER)).one()
    assert report is not None
    assert [line["detail"] for line in report] == ["", "good"]


def test_asked_for_again_it_says_that_all_is_gone(place: Installation) -> None:
    assert erase(WHO).exit_code == 0
    again = erase(WHO)
    assert again.exit_code == 0, "the database still knows the student"
    assert "Erased 0 encodings, 0 photos, 0 sightings" in again.stdout


def test_of_several_those_known_are_erased_and_the_others_named(place: Installation) -> None:
    done = erase("nobody", WHO)
    assert done.exit_code == 1
    assert "neither the database nor the gallery knows 'nobody', and no outbox does" in done.stderr
    assert place.remains() == []


def test_who_is_in_an_outbox_only_is_erased_too(place: Installation) -> None:
    with place.sessions.begin() as db:
        db.execute(sa.delete(Student).where(Student.index_number == WHO))
    write_store(place.settings.store_path, read_store(place.settings.store_path).without([WHO]))
    for _ in range(5):
        build_index(place.settings.store_path, place.settings.index_path, traits_of=traits_of)
    done = erase(WHO)
    assert done.exit_code == 0, done.output
    assert place.remains() == []


def test_a_service_does_not_put_again_what_it_remembers(place: Installation) -> None:
    outbox = place.outboxes[0]
    assert erase(WHO).exit_code == 0
    place.wait_in(outbox)
    assert place.remains() == []
    assert {sighting.index_number for _, sighting in outbox.pending(10)} == {OTHER}


def test_backups_are_named(place: Installation) -> None:
    written = place.folder / "backups" / "attendance-20261123T090000Z.sqlite"
    written.parent.mkdir()
    written.write_text(MARK)
    done = erase(WHO)
    assert f"still hold the students; delete them in {written.parent}: {written.name}." in done.stdout
    assert place.remains() == [written.name]


@pytest.mark.usefixtures("impatient")
def test_while_somebody_reads_on_it_says_so_and_is_completed_later(place: Installation) -> None:
    with reading(place.engine):
        done = erase(WHO)
        left = place.remains()
    if place.engine.dialect.name == "sqlite":
        assert done.exit_code == 1
        assert "not everything is erased: what was deleted can still be read in the files of the data" in done.stderr
        assert "Ask for the erasure again" in done.stderr
        assert {name.removesuffix("-wal") for name in left} == {"attendance.db"}, "the search finds what is there"
    else:
        assert (done.exit_code, left) == (0, [])
    assert erase(WHO).exit_code == 0
    assert place.remains() == []


def test_it_waits_for_who_reads_for_a_while(place: Installation) -> None:
    def read() -> None:
        with reading(place.engine):
            started.set()
            time.sleep(1.5)

    started = threading.Event()
    reader = threading.Thread(target=read)
    reader.start()
    started.wait(30)
    done = erase(WHO)
    reader.join()
    assert done.exit_code == 0, done.output
    assert place.remains() == []


@pytest.mark.usefixtures("impatient")
def test_a_reader_of_an_outbox_is_named_and_the_rest_is_erased(place: Installation) -> None:
    reader = sqlite3.connect(place.outboxes[1].path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM evidence").fetchall()
    done = erase(WHO)
    assert done.exit_code == 1
    assert "outbox-2.db: what was erased can still be read in its log" in done.stderr
    assert {name.removesuffix("-wal") for name in place.remains()} == {"outbox-2.db"}
    reader.close()
    assert erase(WHO).exit_code == 0
    assert place.remains() == []


_KILLED = """
import os, sys
import operations.erasure as erasure
def killed(*args, real=getattr(erasure, sys.argv[1]), **more):
    done = real(*args, **more)
    os.kill(os.getpid(), 9)
setattr(erasure, sys.argv[1], killed)
from operations.cli.main import attendance
attendance(["gallery", "erase", "--yes", sys.argv[2]])
"""


@pytest.mark.parametrize("step", ["withdraw", "erase_from_outbox", "erase_from_gallery", "forget_deleted_rows"])
def test_killed_after_any_step_asking_again_completes(place: Installation, step: str) -> None:
    killed = subprocess.run([sys.executable, "-c", _KILLED, step, WHO], capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr
    done = erase(WHO)
    assert done.exit_code == 0, done.output
    assert place.remains() == []
    assert place.kept() == ([OTHER], 0)


# The gallery's worker, asked by the dashboard.


def ask(place: Installation) -> None:
    with place.sessions.begin() as db:
        begin_writing(db)
        withdraw_within(db, WHO, now=utc_now(), recorder=BY_COMMAND)
        request_erasure(db, WHO, asked_by=None)


def job_of(place: Installation) -> GalleryJob:
    with place.sessions() as db:
        return db.scalars(sa.select(GalleryJob).where(GalleryJob.kind == GalleryJobKind.ERASE)).one()


def let_a_minute_pass(place: Installation) -> None:
    with place.sessions.begin() as db:
        job = db.scalars(sa.select(GalleryJob).where(GalleryJob.kind == GalleryJobKind.ERASE)).one()
        job.started_at = NINE if job.started_at is None else job.started_at.replace(year=job.started_at.year - 1)


def test_the_worker_erases_what_the_dashboard_asked_for(place: Installation) -> None:
    ask(place)
    ask(place)  # again, before it was done: one job
    with place.sessions() as db:
        assert being_erased(db, [WHO, OTHER]) == {WHO}
    done = type_("work", "--once")
    assert done.exit_code == 0, done.output
    assert (job_of(place).state, job_of(place).message) == (JobState.DONE, "Erased.")
    assert place.remains() == []
    with place.sessions() as db:
        assert being_erased(db, [WHO]) == frozenset()


@pytest.mark.usefixtures("impatient")
def test_the_workers_job_waits_until_nothing_is_left(place: Installation) -> None:
    ask(place)
    with reading(place.engine):
        done = type_("work", "--once")
        if place.engine.dialect.name != "sqlite":  # nobody's reading keeps it from deleting
            assert (done.exit_code, job_of(place).state) == (0, JobState.DONE)
            return
        assert done.exit_code == 1
        assert "1 erasures are not finished: Not finished, and tried again every minute: what was" in done.stderr
        job = job_of(place)
        assert (job.state, job.finished_at) == (JobState.WAITING, None)
        assert "another program has been reading" in (job.message or "")
        assert "attendance.db" in {name.removesuffix("-wal") for name in place.remains()}
        assert type_("work", "--once").exit_code == 1, "not yet tried again"
        assert job_of(place).started_at == job.started_at
    let_a_minute_pass(place)
    done = type_("work", "--once")
    assert done.exit_code == 0, done.output
    assert job_of(place).state is JobState.DONE
    assert place.remains() == []


def test_an_outbox_that_cannot_be_used_keeps_the_job_open_and_the_rest_is_erased(place: Installation) -> None:
    broken = place.folder / "outbox-3.db"
    broken.write_bytes(b"something else entirely" * 100)
    ask(place)
    assert type_("work", "--once").exit_code == 1
    assert job_of(place).state is JobState.WAITING
    assert "outbox-3.db" in (job_of(place).message or "")
    assert place.remains() == []
    broken.unlink()
    let_a_minute_pass(place)
    assert type_("work", "--once").exit_code == 0
    assert job_of(place).state is JobState.DONE


def test_a_job_does_not_touch_who_got_the_number_later(place: Installation) -> None:
    with place.sessions.begin() as db:
        begin_writing(db)
        db.execute(sa.delete(Student).where(Student.index_number == WHO))
        request_erasure(db, WHO, asked_by=None)
    with place.sessions.begin() as db:
        db.add(Student(index_number=WHO, name="New", consent_given_at=NINE))
    assert type_("work", "--once").exit_code == 0
    with place.sessions() as db:
        student = db.scalars(sa.select(Student).where(Student.index_number == WHO)).one()
    assert (student.consent_given_at, student.consent_withdrawn_at) == (NINE, None)
    assert place.remains() == []


# Evidence that is committed at the moment of the withdrawal.


def in_background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.5)  # until it waits, or is through
    return thread


def test_evidence_on_its_way_into_the_database_does_not_outlive_a_withdrawal(
    sessions: sessionmaker[Session], place: Installation
) -> None:
    late = make_evidence(place.session_id, WHO, uid="late", index_version=MARK)
    with sessions() as db:
        begin_writing(db)
        record_evidence(db, late)
        withdrawal = in_background(lambda: withdraw(sessions, WHO, now=utc_now()))
        db.commit()
    withdrawal.join()
    assert place.kept()[0] == [OTHER]


def test_evidence_that_comes_during_a_withdrawal_is_not_kept(
    sessions: sessionmaker[Session], place: Installation
) -> None:
    def record() -> None:
        with sessions.begin() as db:
            begin_writing(db)
            record_evidence(db, make_evidence(place.session_id, WHO, uid="late", index_version=MARK))

    with sessions() as db:
        begin_writing(db)
        withdraw_within(db, WHO, now=utc_now(), recorder=BY_COMMAND)
        recording = in_background(record)
        db.commit()
    recording.join()
    assert place.kept()[0] == [OTHER]


def test_a_deletion_takes_all_that_students_do_along(place: Installation) -> None:
    session_id = place.session_id
    with place.sessions.begin() as db:
        begin_writing(db)
        student = db.scalars(sa.select(Student).where(Student.index_number == WHO)).one()
        student.name, student.email = f"name {MARK}", f"{MARK}@example.edu"
        give_consent(db, student, given_at=NINE, means=f"by {MARK}", recorder=BY_STUDENT)
        make_student_link(db, student.id, now=NINE, lifetime=timedelta(hours=1))
        queue_mail(db, kind="student_link", to=student.email, language=None, key=MARK, data={"of": MARK})
        claim = {"session_id": session_id, "student_id": student.id, "claimed": Status.LATE}
        db.add_all([Dispute(**claim, text=f"{number} {MARK}", open=sa.null(), answer=MARK) for number in range(50)])
    assert "attendance.db" in {name.removesuffix("-wal") for name in place.remains()} or not is_sqlite(place.engine)
    with place.sessions.begin() as db:
        begin_writing(db)
        student = db.scalars(sa.select(Student).where(Student.index_number == WHO)).one()
        delete_student(db, student, now=utc_now(), recorder=BY_COMMAND)
    assert type_("work", "--once").exit_code == 0
    assert place.remains() == []
    with place.sessions() as db:
        assert db.scalars(sa.select(Student.index_number)).all() == [OTHER]
        for table in (ConsentChange, Dispute, PhotoProposal, QueuedMail, StudentLink):
            assert db.scalar(sa.select(sa.func.count()).select_from(table)) == 0, table


def is_sqlite(engine: sa.Engine) -> bool:
    return engine.dialect.name == "sqlite"


def test_reports_are_searched_by_the_number_as_it_is_written(sessions: sessionmaker[Session]) -> None:
    line = {"photo": "a", "outcome": "like another student", "detail": "0.4 to é%_/1", "other": "é%_/1"}
    with sessions.begin() as db:
        db.add(GalleryJob(kind=GalleryJobKind.ENROL, index_number="1", report=[line, line | {"other": "é%_/12"}]))
    withdraw(sessions, "é%_/1", now=utc_now())
    with sessions() as db:
        report = db.scalars(sa.select(GalleryJob.report)).one()
    assert json.loads(json.dumps(report)) == [line | {"detail": "", "other": None}, line | {"other": "é%_/12"}]
