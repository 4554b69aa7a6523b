"""The page of erasures: what is not finished, who has not carried it out, and what is recorded of those that are."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.models import (
    ConsentRecorder,
    Erasure,
    ErasureAcknowledgement,
    ErasureKind,
    Role,
    Service,
    utc_now,
)
from tests.factories import make_lecturer, make_student
from tests.webapp.me.students import enter
from tests.webapp.visiting import plain


@pytest.fixture
def admin(site, site_db):
    lecturer = make_lecturer(site_db, name="Barbara Liskov", role=Role.ADMIN)
    site_db.commit()
    return site.visitor(lecturer)


@pytest.fixture
def services(site_db):
    now = utc_now()
    made = [Service(name="hall-1:50051"), Service(name="hall-2:50051")]
    made.append(
        Service(name="attic:50051", first_seen_at=now - timedelta(days=9), last_seen_at=now - timedelta(hours=3))
    )
    site_db.add_all(made)
    site_db.commit()
    return made


def add(db, number, **values):
    defaults = {"kind": ErasureKind.WITHDRAWAL, "recorder": ConsentRecorder.STUDENT}
    erasure = Erasure(index_number=number, requested_at=utc_now() - timedelta(minutes=9), **(defaults | values))
    db.add(erasure)
    db.commit()
    return erasure


def test_it_says_which_services_have_not_carried_an_erasure_out(admin, site_db, services):
    erasure = add(site_db, "s1", shared_at=utc_now() - timedelta(minutes=8))
    site_db.add(ErasureAcknowledgement(erasure_id=erasure.id, service_id=services[0].id))
    site_db.commit()
    text = plain(admin.get("/admin/erasures").text)
    assert "s1 Withdrawal: no encoding, photo or evidence stays" in text
    assert "by the student, on the own page" in text
    assert "Not erased yet in: hall-2:50051" in text
    assert "Not waited for: attic:50051, last seen" in text
    assert "The gallery's worker has not erased" not in text
    overview = plain(admin.get("/admin").text)
    assert "The erasure of s1 is not finished" in overview
    assert "Not erased yet in: hall-2:50051" in overview


def test_a_running_erasure_of_a_moment_ago_troubles_nobody(admin, site_db, services):
    add(site_db, "s1", shared_at=utc_now() - timedelta(seconds=20))
    assert "is not finished" not in plain(admin.get("/admin").text)


def test_the_students_page_says_it_too(admin, site_db, services):
    student = make_student(site_db, "s1", "Ann")
    student.consent_withdrawn_at = utc_now()
    add(site_db, "s1", shared_at=utc_now())
    text = plain(admin.get(f"/admin/students/{student.id}").text)
    assert "Not erased yet in: hall-1:50051, hall-2:50051" in text
    assert "A new consent can be recorded when that is done." in text
    erasure = site_db.scalars(sa.select(Erasure)).one()
    erasure.finished_at, erasure.message = utc_now(), "Not waited for, as they were not seen for an hour: attic:50051"
    site_db.commit()
    text = plain(admin.get(f"/admin/students/{student.id}").text)
    assert "Not waited for, as they were not seen for an hour: attic:50051" in text
    assert "Not erased yet in" not in text


def test_of_a_finished_deletion_nothing_names_the_student(admin, site_db, services):
    lecturer = make_lecturer(site_db, name="Ada Deleter")
    kind, by = ErasureKind.DELETION, ConsentRecorder.ACCOUNT
    add(site_db, None, kind=kind, recorder=by, requested_by_id=lecturer.id, finished_at=utc_now())
    add(site_db, None, kind=kind, recorder=by, finished_at=utc_now())
    text = plain(admin.get("/admin/erasures").text)
    assert "Everything that was asked for is erased." in text
    assert "Deletion: no name or number stays either" in text
    assert "by Ada Deleter" in text
    assert "by somebody whose account is gone" in text
    assert "hall-1:50051" in text


def test_the_own_page_says_how_many_services_are_left(site, site_db, services):
    student = make_student(site_db, "s1", "Ann")
    student.consent_withdrawn_at = utc_now()
    site_db.commit()
    visitor = enter(site, site_db, student)
    add(site_db, "s1", shared_at=utc_now())
    text = visitor.text("/me/consent")
    assert "2 programs that recognise faces have not erased yet what they remember of you." in text
    assert "hall-1" not in text
