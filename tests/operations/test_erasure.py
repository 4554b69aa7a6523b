"""An erasure leaves nothing: searched byte by byte in every file, whoever reads, waits, runs or dies meanwhile."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.access.student_links import make_student_link
from attendance.database.consent import BY_COMMAND, BY_STUDENT, give_consent
from attendance.database.engine import begin_writing
from attendance.database.evidence import record_evidence
from attendance.database.mail import queue_mail
from attendance.database.models import (
    ConsentChange,
    Dispute,
    Erasure,
    ErasureKind,
    GalleryJob,
    GalleryJobKind,
    PhotoProposal,
    QueuedMail,
    Status,
    Student,
    StudentLink,
    utc_now,
)
from attendance.database.register import Sighting
from attendance.database.upkeep.erasure import delete_student, withdraw, withdraw_and_erase, withdraw_within
from attendance.database.upkeep.erasure_requests import being_erased, request_erasure
from attendance.gallery.publishing import build_index
from attendance.gallery.store import read_store
from attendance.settings import Settings
from attendance.settings.families import traits_of
from operations.cli import gallery as commands
from operations.cli.main import attendance
from operations.erasure import carry_out, erase_students
from tests.factories import NINE
from tests.operations.erased import MARK, OTHER, WHO, Installation, reading
from tests.recognition_service.evidences import make_evidence
from tests.stores import write_store


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


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command and the worker wait for half a second, and for outboxes as long."""
    monkeypatch.setattr(commands, "erase_students", partial(erase_students, patience_s=0.5))
    monkeypatch.setattr("operations.gallery_work.carry_out", partial(carry_out, patience_s=0.5))
    monkeypatch.setattr("recognition_service.outbox.store.BUSY_S", 0.5)


def test_nothing_stays_of_what_waits_in_any_outbox_nor_anywhere_else(place: Installation) -> None:
    sqlite = place.engine.dialect.name == "sqlite"
    before = {"outbox.db-wal", "outbox-2.db-wal", "encodings.pickle", ".encodings.pickle.new", "labels.json"}
    assert before <= set(place.remains())
    assert ("attendance.db-wal" in place.remains()) is sqlite
    done = erase(WHO)
    assert done.exit_code == 0, done.output
    assert "Erased 3 encodings, 0 photos, 6 sightings and pieces of evidence on their way" in done.stdout
    assert ("The database server's logs (redo, undo, binary)" in done.stdout) is not sqlite
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


def test_backups_that_another_account_keeps_are_named_by_their_folder(
    place: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place.folder / "backups"
    folder.mkdir()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, *modes, **more: path != folder and real(path, *modes, **more))
    assert f"Backups made before still hold the students; delete them in {folder}, which root" in erase(WHO).stdout


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
        student = db.scalars(sa.select(Student).where(Student.index_number == WHO)).one()
        withdraw_and_erase(db, student, now=utc_now(), recorder=BY_COMMAND)


def erasure_of(place: Installation) -> Erasure:
    with place.sessions() as db:
        return db.scalars(sa.select(Erasure)).one()


def let_a_minute_pass(place: Installation) -> None:
    with place.sessions.begin() as db:
        db.execute(sa.update(Erasure).values(leased_until=NINE))


def test_the_worker_erases_what_the_dashboard_asked_for(place: Installation) -> None:
    ask(place)
    ask(place)  # again, before it was done: one job
    with place.sessions() as db:
        assert being_erased(db, [WHO, OTHER]) == {WHO}
    done = type_("work", "--once")
    assert done.exit_code == 0, done.output
    erasure = erasure_of(place)
    assert (erasure.kind, erasure.message, erasure.finished_at is None) == (ErasureKind.WITHDRAWAL, None, False)
    assert place.remains() == []
    with place.sessions() as db:
        assert being_erased(db, [WHO]) == frozenset()


@pytest.mark.usefixtures("impatient")
def test_the_workers_job_waits_until_nothing_is_left(place: Installation) -> None:
    ask(place)
    with reading(place.engine):
        done = type_("work", "--once")
        if place.engine.dialect.name != "sqlite":  # nobody's reading keeps it from deleting
            assert done.exit_code == 0
            assert erasure_of(place).finished_at is not None
            return
        assert done.exit_code == 1
        assert "1 erasures are not finished: what was" in done.stderr
        erasure = erasure_of(place)
        assert (erasure.shared_at, erasure.finished_at) == (None, None)
        assert "another program has been reading" in (erasure.message or "")
        assert "attendance.db" in {name.removesuffix("-wal") for name in place.remains()}
        assert type_("work", "--once").exit_code == 1, "not yet tried again"
        assert erasure_of(place).leased_until == erasure.leased_until
    let_a_minute_pass(place)
    done = type_("work", "--once")
    assert done.exit_code == 0, done.output
    assert erasure_of(place).finished_at is not None
    assert place.remains() == []


def test_an_outbox_that_cannot_be_used_keeps_the_job_open_and_the_rest_is_erased(place: Installation) -> None:
    broken = place.folder / "outbox-3.db"
    broken.write_bytes(b"something else entirely" * 100)
    ask(place)
    assert type_("work", "--once").exit_code == 1
    assert erasure_of(place).shared_at is None
    assert "outbox-3.db" in (erasure_of(place).message or "")
    assert place.remains() == []
    broken.unlink()
    let_a_minute_pass(place)
    assert type_("work", "--once").exit_code == 0
    assert erasure_of(place).finished_at is not None


def test_a_job_does_not_touch_who_got_the_number_later(place: Installation) -> None:
    with place.sessions.begin() as db:
        begin_writing(db)
        db.execute(sa.delete(Student).where(Student.index_number == WHO))
        request_erasure(db, WHO, kind=ErasureKind.DELETION, now=utc_now(), recorder=BY_COMMAND)
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
