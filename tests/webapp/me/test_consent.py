"""Students give and withdraw consent themselves."""

import sqlalchemy as sa

from attendance.database.evidence import record_evidence
from attendance.database.models import (
    AttendanceEvidence,
    ConsentChange,
    ConsentKind,
    ConsentRecorder,
    Erasure,
    ErasureKind,
    PhotoProposal,
    utc_now,
)
from tests.factories import enrol, make_course, make_session, make_student
from tests.recognition_service.evidences import make_evidence
from tests.webapp.me.students import enter


def test_given_withdrawn_and_given_again_with_every_change_in_sight(site, site_db):
    ann = make_student(site_db, "s1", "Ann")
    course = make_course(site_db)
    enrol(site_db, course, ann)
    session = make_session(site_db, course)
    site_db.commit()
    visitor = enter(site, site_db, ann)
    assert "Being recognised by cameras Not given" in visitor.text("/me/consent")
    for _ in range(2):  # pressed twice
        assert visitor.post("/me/consent/give").status_code == 302
    assert "Given" in visitor.text("/me/consent")
    record_evidence(site_db, make_evidence(session.id, "s1"))
    site_db.add(PhotoProposal(student_id=ann.id, file_name="a.jpg", content=b"x"))
    site_db.commit()

    asked = visitor.text("/me/consent/withdraw")
    assert "Your photos, and the numbers that describe your face, are erased." in asked
    assert visitor.get("/me/consent/withdraw").status_code == 200
    site_db.refresh(ann)
    assert ann.consent_given_at is not None  # asking changes nothing
    for _ in range(2):
        assert visitor.post("/me/consent/withdraw").status_code == 302
    site_db.rollback()
    erasure = site_db.scalars(sa.select(Erasure)).one()
    assert (erasure.kind, erasure.index_number) == (ErasureKind.WITHDRAWAL, "s1")
    assert (erasure.recorder, erasure.requested_by_id) == (ConsentRecorder.STUDENT, None)
    assert site_db.scalars(sa.select(AttendanceEvidence.id)).all() == []
    assert site_db.scalars(sa.select(PhotoProposal.id)).all() == []
    text = visitor.text("/me/consent")
    assert "is being erased. You can consent again when that is done." in text
    visitor.post("/me/consent/give")
    assert "is still being erased. Try again" in visitor.text("/me/consent")

    erasure.finished_at = utc_now()
    site_db.commit()
    visitor.post("/me/consent/give")
    assert "by the student, on the own page" in visitor.text("/me/consent")
    site_db.rollback()
    changes = site_db.scalars(sa.select(ConsentChange).order_by(ConsentChange.id)).all()
    given, withdrawn = ConsentKind.GIVEN, ConsentKind.WITHDRAWN
    assert [(each.kind, each.means) for each in changes] == [
        (given, "own page"), (withdrawn, None), (given, "own page"),
    ]  # fmt: skip
    assert {(each.recorder, each.account_id) for each in changes} == {(ConsentRecorder.STUDENT, None)}
