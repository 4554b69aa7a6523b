"""The register through the interface: reading it, and setting entries as a person does."""

import pytest
import sqlalchemy as sa

from attendance.database.corrections import correct
from attendance.database.labels import LabelValues, add_label
from attendance.database.models import Account, Attendance, AttendanceChange, LabelColour, Source, Status
from attendance.database.register import Sighting, record_sighting
from tests.factories import enrol, make_course, make_lecturer, make_session, make_student
from tests.webapp.api.programs import is_problem

BODY = {"status": "present", "reason": "I saw her."}


@pytest.fixture
def entry(lesson):
    """The address of Alan's entry."""
    return f"/sessions/{lesson.session.id}/attendance/{lesson.students[0].id}"


def tag(answer):
    return {"If-Match": answer.headers["ETag"]}


def test_an_entry_is_read_and_set(program, lesson, entry, site, site_db):
    before = program.get(entry)
    assert before.json["status"] is None
    assert (before.json["state"], before.json["version"], before.json["source"]) == ("unseen", 0, None)
    answer = program.send("PUT", entry, BODY, headers=tag(before))
    assert answer.status_code == 200, answer.text
    assert (answer.json["status"], answer.json["source"], answer.json["version"]) == ("present", "person", 1)
    assert program.get(entry).headers["ETag"] == answer.headers["ETag"] != before.headers["ETag"]
    change = site_db.scalars(sa.select(AttendanceChange)).one()
    assert (change.reason, change.account_id) == ("I saw her.", lesson.lecturer.id)
    # The page shows it, with who did it and why.
    page = site.visitor(lesson.lecturer).text(f"{entry.replace('/attendance/', '/students/')}")
    assert "I saw her." in page


def test_the_whole_register(program, lesson, entry):
    program.send("PUT", entry, BODY, headers={"If-Match": "*"})
    listed = program.items(f"/sessions/{lesson.session.id}/attendance")
    assert [(one["name"], one["status"]) for one in listed] == [("Alan", "present"), ("Kurt", None), ("Emmy", None)]
    assert listed[0] == program.read(entry)
    part = program.read(f"/sessions/{lesson.session.id}/attendance?limit=2")
    rest = program.read(f"/sessions/{lesson.session.id}/attendance?limit=2&cursor={part['next']}")
    assert [one["name"] for one in part["items"] + rest["items"]] == ["Alan", "Kurt", "Emmy"]


def test_nothing_is_set_without_saying_what_was_looked_at(program, entry, site_db):
    is_problem(program.send("PUT", entry, BODY), 428)
    for wrong in ('"7"', '"x"', 'W/"0"', '"1-abc"'):
        is_problem(program.send("PUT", entry, BODY, headers={"If-Match": wrong}), 412)
    assert site_db.scalar(sa.select(sa.func.count()).select_from(Attendance)) == 0


@pytest.mark.parametrize("shown", ['"0"', '"9", "0"', "*", '"0-abc:gzip"'])
def test_the_version_alone_is_enough(program, entry, shown):
    assert program.send("PUT", entry, BODY, headers={"If-Match": shown}).status_code == 200


def test_what_somebody_changed_meanwhile_stays(program, lesson, entry, site_db):
    looked_at = program.get(entry)
    told = {"session_id": lesson.session.id, "student_id": lesson.students[0].id, "account_id": lesson.lecturer.id}
    correct(site_db, **told, status=Status.LATE, reason="by hand")
    is_problem(program.send("PUT", entry, BODY, headers=tag(looked_at)), 412)
    assert program.read(entry)["status"] == "late"


def test_the_same_sent_twice_is_one_change(program, entry, site_db):
    looked_at = program.get(entry)
    first = program.send("PUT", entry, BODY, headers=tag(looked_at))
    second = program.send("PUT", entry, BODY, headers=tag(looked_at))
    assert (first.status_code, second.status_code) == (200, 200)
    assert site_db.scalar(sa.select(sa.func.count()).select_from(AttendanceChange)) == 1


def test_the_machine_leaves_it_alone_until_it_is_given_back(program, lesson, entry, site_db):
    program.send("PUT", entry, BODY | {"status": "excused"}, headers={"If-Match": "*"})
    session = lesson.session
    record_sighting(site_db, Sighting(session.id, "s0", session.starts_at, session.ends_at, 0.9, None))
    site_db.commit()
    now = program.get(entry)
    assert now.json["status"] == "excused"
    back = program.send("POST", f"{entry}/give-back", headers=tag(now))
    assert (back.json["status"], back.json["source"]) == ("present", "machine")
    is_problem(program.send("POST", f"{entry}/give-back", headers={"If-Match": "*"}), 409)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": "present"}, "reason"),
        ({"status": "present", "reason": "  "}, "reason"),
        ({"status": "present", "reason": "x" * 501}, "reason"),
        ({"status": "here", "reason": "x"}, "status"),
        ({"status": "present", "reason": "x", "note": "y"}, "note"),
        ({"status": "present", "reason": "x", "label_id": 999}, "label_id"),
        ({"status": "present", "reason": "x", "label_id": "1"}, "label_id"),
        ([], "_schema"),
    ],
)
def test_what_an_entry_cannot_be(program, entry, body, field):
    answer = is_problem(program.send("PUT", entry, body, headers={"If-Match": "*"}), 422)
    assert field in answer["errors"]["json"]


def test_what_is_wrong_is_said_in_the_language_of_the_account(program, lesson, entry, site_db):
    site_db.get_one(Account, lesson.lecturer.id).language = "fr"
    site_db.commit()
    answer = is_problem(program.send("PUT", entry, BODY | {"reason": " "}, headers={"If-Match": "*"}), 422)
    assert answer["errors"]["json"]["reason"] == ["«\xa0reason\xa0»\xa0est vide."]


def test_a_label_of_the_course(program, lesson, entry, site_db):
    values = LabelValues(Status.LATE, "Tram", "T", LabelColour.BLUE, 1.0)
    label = add_label(site_db, values, course_id=lesson.course.id)
    offered = program.items(f"/sessions/{lesson.session.id}/statuses")
    assert offered == [{"id": label.id, "name": "Tram", "kind": "late", "letter": "T", "colour": "blue"}]
    body = {"status": "late", "label_id": label.id, "reason": "The tram."}
    answer = program.send("PUT", entry, body, headers={"If-Match": "*"})
    assert (answer.json["status"], answer.json["label_id"]) == ("late", label.id)
    wrong = program.send("PUT", entry, body | {"status": "present"}, headers={"If-Match": "*"})
    is_problem(wrong, 422)


def test_who_is_on_no_roster_has_no_entry(program, lesson, site_db):
    stranger = make_student(site_db)
    site_db.commit()
    path = f"/sessions/{lesson.session.id}/attendance/{stranger.id}"
    is_problem(program.get(path), 404)
    is_problem(program.send("PUT", path, BODY, headers={"If-Match": "*"}), 404)


def test_in_a_joint_session_each_sees_the_own_students(made, lesson, site_db):
    theirs = make_student(site_db, name="Theirs")
    lecturer = make_lecturer(site_db)
    other = make_course(site_db, "PHY1", lecturers=(lecturer,))
    enrol(site_db, other, theirs)
    joint = make_session(site_db, lesson.course, also_for=(other,), starts_at=lesson.session.starts_at)
    site_db.commit()
    listed = made(lecturer).items(f"/sessions/{joint.id}/attendance")
    assert [one["name"] for one in listed] == ["Theirs"]
    theirs_path = f"/sessions/{joint.id}/attendance/{theirs.id}"
    is_problem(made(lesson.lecturer).send("PUT", theirs_path, BODY, headers={"If-Match": "*"}), 404)
    several = {"entries": [{"student_id": theirs.id, "version": 0, "status": "late"}], "reason": "x"}
    is_problem(made(lesson.lecturer).send("POST", f"/sessions/{joint.id}/attendance", several), 404)


def test_several_entries_at_once(program, lesson, entry, site_db):
    program.send("PUT", entry, BODY, headers={"If-Match": "*"})
    entries = [
        {"student_id": student.id, "version": 0, "status": status}
        for student, status in zip(lesson.students, ("late", "absent", "excused"), strict=True)
    ]
    body = {"entries": entries, "reason": "The paper list."}
    answer = program.send("POST", f"/sessions/{lesson.session.id}/attendance", body)
    assert answer.status_code == 200, answer.text
    assert answer.json["changed"] == [student.id for student in lesson.students[1:]]
    assert answer.json["left"] == [lesson.students[0].id]
    listed = program.items(f"/sessions/{lesson.session.id}/attendance")
    assert [one["status"] for one in listed] == ["present", "absent", "excused"]
    rows = site_db.scalars(sa.select(Attendance)).all()
    assert {row.source for row in rows} == {Source.PERSON}
    twice = {"entries": [entries[0], entries[0]], "reason": "x"}
    is_problem(program.send("POST", f"/sessions/{lesson.session.id}/attendance", twice), 422)
