"""What students see of their attendance, what they say of it, and how a lecturer answers."""

import pytest
import sqlalchemy as sa

from attendance.database.corrections import correct
from attendance.database.evidence import record_evidence
from attendance.database.models import Attendance, Dispute, Excuse, Status, Unrecorded
from attendance.database.register import Sighting, record_sighting
from tests.factories import NINE, enrol, make_camera, make_course, make_lecturer, make_room, make_session, make_student
from tests.recognition_service.evidences import make_evidence
from tests.webapp.me.students import enter
from tests.webapp.visiting import plain


@pytest.fixture
def term(site_db):
    """Ann, seen in one session and absent from another; Bob, whom she must not see; and the lecturer of both."""
    db = site_db
    lecturer = make_lecturer(db, name="Grace Hopper")
    course = make_course(db, "CS101", "Computing", lecturers=(lecturer,))
    ann, bob = make_student(db, "s1", "Ann"), make_student(db, "s2", "Bob Secret")
    enrol(db, course, ann, bob)
    room = make_room(db, "Hall A")
    camera = make_camera(db, name="hall-left", room=room)
    seen = make_session(db, course, room)
    missed = make_session(db, course, room, starts_at=NINE.replace(day=24), closed_at=NINE.replace(day=25))
    for student in ("s1", "s2"):
        record_sighting(db, Sighting(seen.id, student, NINE, NINE.replace(minute=40), 0.9, camera.id))
        record_evidence(db, make_evidence(seen.id, student, uid=f"of-{student}", camera_id=camera.id))
    db.add(Attendance(session_id=missed.id, student_id=ann.id, status=Status.ABSENT))
    db.add(Attendance(session_id=missed.id, student_id=bob.id, unrecorded_reason=Unrecorded.UNNAMED))
    db.commit()
    return {"lecturer": lecturer, "ann": ann, "bob": bob, "seen": seen, "missed": missed, "course": course}


def test_the_page_shows_ones_own_courses_and_sessions_and_nobody_else(site, site_db, term):
    day = {"starts_at": NINE, "ends_at": NINE.replace(day=26), "reason": "flu", "reference": "paper 7"}
    site_db.add(Excuse(student_id=term["ann"].id, created_by_id=term["lecturer"].id, **day))
    site_db.commit()
    page = enter(site, site_db, term["ann"]).get("/me")
    text = plain(page.text)
    assert "Ann Index number s1 Attended 1 of 2 (50%)" in text
    assert "CS101 Computing 50% attended" in text
    assert "every course flu (paper 7)" in text
    assert "Bob" not in page.text
    assert "s2" not in text
    assert page.headers["Cache-Control"] == "no-store"


def test_an_entry_shows_what_it_rests_on_and_its_history(site, site_db, term):
    visitor = enter(site, site_db, term["ann"])
    text = visitor.text(f"/me/sessions/{term['seen'].id}")
    assert "Cameras saw you from 10:00 to 10:40." in text
    assert "hall-left" in text
    assert "pictures counted" in text
    for numbers in ("distance", "Distance", "Lead"):  # for lecturers, who judge it
        assert numbers not in text
    where = {"session_id": term["missed"].id, "student_id": term["ann"].id}
    correct(site_db, status=Status.EXCUSED, reason="ill, paper seen", account_id=term["lecturer"].id, **where)
    text = visitor.text(f"/me/sessions/{term['missed'].id}")
    assert "A person decided this; cameras do not change it." in text
    assert "ill, paper seen Grace Hopper," in text
    assert "No camera has recognised you in this session." in text


def test_no_session_is_opened_that_is_not_ones_own(site, site_db, term):
    other = make_session(site_db, make_course(site_db), closed_at=NINE)
    ahead = make_session(site_db, term["course"], starts_at=NINE.replace(year=2099))
    site_db.commit()
    visitor = enter(site, site_db, term["ann"])
    for session_id in (other.id, ahead.id, 99_999):
        assert visitor.get(f"/me/sessions/{session_id}").status_code == 404
        assert visitor.post(f"/me/sessions/{session_id}/wrong", {"claimed": "late", "text": "x"}).status_code == 404


def test_said_to_be_wrong_it_is_marked_counted_answered_and_read(site, site_db, term):
    student, lecturer = enter(site, site_db, term["ann"]), site.visitor(term["lecturer"])
    missed = term["missed"].id
    refused = student.post(f"/me/sessions/{missed}/wrong", {"text": ""})
    assert refused.status_code == 422
    assert "Choose what would be right." in plain(refused.text)
    assert "Why? is empty." in plain(refused.text)
    said = {"claimed": "present", "text": "I sat <b>behind</b> a pillar."}
    assert student.post(f"/me/sessions/{missed}/wrong", said).status_code == 302
    assert "Waits for an answer" in student.text(f"/me/sessions/{missed}")
    assert "Called wrong" in student.text("/me")

    assert "Students say that entries are wrong CS101 Computing" in lecturer.text("/")
    register = f"/sessions/{missed}"
    assert "1 student says that the entry is wrong." in lecturer.text(register)
    narrowed = lecturer.get(f"{register}?state=disputed").text
    assert "I sat" not in narrowed
    assert 'id="student-1"' in narrowed
    assert 'id="student-2"' not in narrowed
    entry = lecturer.get(f"{register}/students/1").text
    assert "I sat &lt;b&gt;behind&lt;/b&gt; a pillar." in entry

    path = f"{register}/students/1/dispute"
    assert lecturer.post(path, {"decision": "present"}).status_code == 422
    assert lecturer.post(path, {"decision": "gone", "answer": "x"}).status_code == 422
    conflict = lecturer.post(path, {"decision": "present", "answer": "x", "version": "7"})
    assert conflict.status_code == 409
    assert "The entry was changed meanwhile." in plain(conflict.text)
    done = lecturer.post(path, {"decision": "present", "answer": "I saw you.", "version": "1"}, follow_redirects=True)
    assert "Ann is answered." in plain(done.text)
    assert "says that the entry is wrong" not in plain(done.text)
    assert lecturer.post(path, {"decision": "leave", "answer": "x"}).status_code == 404
    assert "Students say that entries are wrong" not in lecturer.text("/")
    text = student.text(f"/me/sessions/{missed}")
    assert "Corrected I saw you. Grace Hopper" in text
    assert "Present" in text
    site_db.rollback()
    assert site_db.scalars(sa.select(Dispute.accepted)).all() == [True]


def test_left_as_it_is_with_a_reason_from_a_script(site, site_db, term):
    student, lecturer = enter(site, site_db, term["ann"]), site.visitor(term["lecturer"])
    missed = term["missed"].id
    student.post(f"/me/sessions/{missed}/wrong", {"claimed": "late", "text": "Traffic."})
    answer = lecturer.post(
        f"/sessions/{missed}/students/1/dispute",
        {"decision": "leave", "answer": "You came after the end.", "version": "1"},
        headers={"X-Requested-With": "fetch"},
    )
    assert answer.json["id"] == 1
    assert "data-disputed" not in answer.json["html"]
    assert "Left as it is You came after the end." in student.text(f"/me/sessions/{missed}")
    site_db.rollback()
    of_ann = sa.select(Attendance.status).where(Attendance.session_id == missed, Attendance.student_id == 1)
    assert site_db.scalars(of_ann).one() is Status.ABSENT


def test_nobody_answers_for_a_course_of_others_and_a_student_takes_back_only_the_own(site, site_db, term):
    stranger = make_lecturer(site_db)
    site_db.commit()
    ann, bob = enter(site, site_db, term["ann"]), enter(site, site_db, term["bob"])
    missed = term["missed"].id
    ann.post(f"/me/sessions/{missed}/wrong", {"claimed": "late", "text": "x"})
    path = f"/sessions/{missed}/students/1/dispute"
    assert site.visitor(stranger).post(path, {"decision": "leave", "answer": "x"}).status_code == 404
    assert "Students say that entries are wrong" not in site.visitor(stranger).text("/")
    assert bob.post(f"/me/sessions/{missed}/wrong/1/take-back").status_code == 404
    assert ann.post(f"/me/sessions/{missed}/wrong/1/take-back").status_code == 302
    site_db.rollback()
    assert site_db.scalars(sa.select(Dispute.id)).all() == []
