"""Erasures as rows: who has to carry them out, when they are finished, and what is left in a row then."""

import zlib
from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.consent import BY_COMMAND, BY_STUDENT, by_account
from attendance.database.engine import begin_writing
from attendance.database.models import (
    ConsentRecorder,
    Erasure,
    ErasureAcknowledgement,
    ErasureKind,
    FileContent,
    GalleryJob,
    GalleryJobKind,
    ImportedFile,
    ImportedFilePart,
    Service,
)
from attendance.database.upkeep.erasure import delete_student, withdraw_and_erase
from attendance.database.upkeep.erasure_requests import (
    acknowledge,
    being_erased,
    claim,
    erasures_for,
    finish_erasures,
    note_shared,
    request_erasure,
    unfinished_erasures,
    waited_for,
)
from attendance.database.upkeep.services import GONE_AFTER, register_service
from tests.factories import NINE, make_lecturer, make_student

LATER = NINE + timedelta(minutes=1)


@pytest.fixture
def student(db):
    made = make_student(db, "s1", "Ann")
    made.consent_given_at = NINE
    db.commit()
    return made


def begin(db):
    """A transaction of its own."""
    db.commit()
    begin_writing(db)


def withdraw(db, student, now=NINE):
    begin(db)
    withdraw_and_erase(db, student, now=now, recorder=BY_STUDENT)
    db.commit()


def carry_out_shared(db, now=LATER):
    """As the gallery's worker does."""
    begin(db)
    erasure = claim(db, now)
    assert erasure is not None
    note_shared(db, erasure, None, now)
    db.commit()


def finish(db, now=LATER):
    begin(db)
    finished = finish_erasures(db, now)
    db.commit()
    db.expire_all()
    return finished


def services(db, *names, now=NINE):
    begin(db)
    ids = [register_service(db, name, now) for name in names]
    db.commit()
    return ids


def names_waited_for(db, now=LATER):
    erasures = unfinished_erasures(db)
    return [[service.name for service in found] for found in waited_for(db, erasures, now).values()]


def test_an_erasure_is_finished_when_the_worker_and_every_service_have_done_their_part(db, student):
    one, two = services(db, "one", "two")
    withdraw(db, student)
    assert erasures_for(db, one) == erasures_for(db, two) != {}
    (erasure_id,) = erasures_for(db, one)
    assert erasures_for(db, one) == {erasure_id: "s1"}
    assert finish(db) == 0, "the worker has not begun"
    carry_out_shared(db)
    assert (finish(db), names_waited_for(db)) == (0, [["one", "two"]])
    for service in (two, two):  # said twice, it is known once
        begin(db)
        acknowledge(db, erasure_id, service, LATER)
        db.commit()
    assert (finish(db), names_waited_for(db), erasures_for(db, two)) == (0, [["one"]], {})
    assert being_erased(db, ["s1", "s2"]) == {"s1"}
    acknowledge(db, erasure_id, one, LATER)
    db.commit()
    assert finish(db) == 1
    erasure = db.scalars(sa.select(Erasure)).one()
    assert (erasure.finished_at, erasure.message, erasure.recorder) == (LATER, None, ConsentRecorder.STUDENT)
    assert erasure.index_number == "s1", "the student is still known, and the page shows what was done"
    assert being_erased(db, ["s1"]) == frozenset()


def test_a_service_that_is_gone_is_named_and_not_waited_for(db, student):
    (old,) = services(db, "old", now=NINE - GONE_AFTER)
    services(db, "new")
    withdraw(db, student)
    carry_out_shared(db)
    assert (finish(db), names_waited_for(db)) == (0, [["new", "old"]])
    begin(db)
    acknowledge(db, next(iter(erasures_for(db, old))), 2, LATER)
    db.commit()
    assert finish(db) == 1
    message = db.scalars(sa.select(Erasure.message)).one()
    assert message == "Not waited for, as they were not seen for an hour: old"


def test_a_service_that_came_later_and_went_again_never_knew_the_student(db, student):
    withdraw(db, student)
    carry_out_shared(db)
    services(db, "trial", now=LATER)
    assert names_waited_for(db) == [["trial"]]
    assert names_waited_for(db, LATER + GONE_AFTER * 2) == [[]]


def test_after_a_deletion_nothing_in_the_row_names_the_student(db, student):
    (one,) = services(db, "one")
    withdraw(db, student)
    carry_out_shared(db)
    begin(db)
    lecturer = make_lecturer(db)
    acknowledge(db, next(iter(erasures_for(db, one))), one, LATER)
    finish_erasures(db, LATER)
    delete_student(db, student, now=LATER, recorder=by_account(lecturer.id))
    db.commit()
    first, second = db.scalars(sa.select(Erasure).order_by(Erasure.id)).all()
    assert (first.kind, first.index_number) == (ErasureKind.WITHDRAWAL, None), "what is finished needs it no more"
    assert (second.kind, second.index_number, second.requested_by_id) == (ErasureKind.DELETION, "s1", lecturer.id)
    carry_out_shared(db)
    acknowledge(db, second.id, one, LATER)
    db.commit()
    assert finish(db) == 1
    assert (second.index_number, second.finished_at) == (None, LATER)


def test_a_deletion_takes_over_a_withdrawal_that_is_not_finished(db, student):
    withdraw(db, student)
    carry_out_shared(db)
    begin(db)
    delete_student(db, student, now=LATER, recorder=BY_COMMAND)
    db.commit()
    erasure = db.scalars(sa.select(Erasure)).one()
    assert (erasure.kind, erasure.recorder) == (ErasureKind.DELETION, ConsentRecorder.COMMAND)
    assert (erasure.requested_at, erasure.shared_at) == (NINE, None), "the worker looks again"


def test_whoever_begun_before_it_was_asked_for_anew_says_nothing(db, student):
    withdraw(db, student)
    begin(db)
    early = claim(db, NINE)
    assert early is not None
    assert claim(db, NINE) is None, "it is somebody's"
    db.commit()
    begin(db)
    request_erasure(db, "s1", kind=ErasureKind.DELETION, now=LATER, recorder=BY_COMMAND)
    db.commit()
    begin(db)
    note_shared(db, early, None, LATER)
    db.commit()
    assert db.scalars(sa.select(Erasure.shared_at)).one() is None
    begin(db)
    again = claim(db, LATER)
    assert again is not None
    note_shared(db, again, "a disk is full", LATER)
    db.commit()
    assert claim(db, LATER + timedelta(seconds=59)) is None, "others have their turn first"
    assert claim(db, LATER + timedelta(seconds=61)) is not None
    assert db.scalars(sa.select(Erasure.message)).one() == "a disk is full"


def test_an_erasure_of_a_worker_that_died_is_taken_up(db, student):
    withdraw(db, student)
    begin(db)
    assert claim(db, NINE) is not None
    assert claim(db, NINE + timedelta(minutes=14)) is None
    assert claim(db, NINE + timedelta(minutes=16)) is not None


def test_a_service_that_is_removed_is_not_waited_for(db, student):
    (one,) = services(db, "one")
    withdraw(db, student)
    acknowledge(db, next(iter(erasures_for(db, one))), one, LATER)
    db.commit()
    db.execute(sa.delete(Service))
    db.commit()
    assert db.scalars(sa.select(ErasureAcknowledgement)).all() == []
    carry_out_shared(db)
    assert finish(db) == 1


def test_a_deletion_takes_files_being_imported_and_what_the_gallery_was_asked(db, student):
    lecturer = make_lecturer(db)
    other = make_student(db, "s2", "Bob")
    texts = {
        "by number.csv": (FileContent.FILE, b"index_number,name\ns1,A\n"),
        "by name.csv": (FileContent.FILE, "index_number;name\r\n17;Ann\r\n".encode("utf-16-le")),
        "report.csv": (FileContent.REPORT, b"2,refused,s1 withdrew the consent"),
        "other.csv": (FileContent.FILE, b"index_number,name\ns2,Bob\n"),
    }
    for name, (content, data) in texts.items():
        file = ImportedFile(token=name, account_id=lecturer.id, kind="students", file_name=name, report={})
        db.add(file)
        db.flush()
        for place in range(2):  # cut in the middle of a word
            piece = data[: len(data) // 2] if place == 0 else data[len(data) // 2 :]
            db.add(ImportedFilePart(file_id=file.id, content=content, place=place, data=zlib.compress(piece)))
    told = ImportedFile(
        token="t", account_id=lecturer.id, kind="students", file_name="f", report={"first": "s1 is new"}
    )
    db.add(told)
    for number in ("s1", "s2"):
        db.add(GalleryJob(kind=GalleryJobKind.ENROL, index_number=number))
    db.commit()
    begin(db)
    delete_student(db, student, now=NINE, recorder=BY_COMMAND)
    db.commit()
    assert db.scalars(sa.select(ImportedFile.file_name)).all() == ["other.csv"]
    assert db.scalars(sa.select(GalleryJob.index_number)).all() == [other.index_number]
