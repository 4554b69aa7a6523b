"""What programs change beside entries: excuses, sessions, enrolments, imports."""

import pytest
import sqlalchemy as sa

from attendance.database.models import AuditEntry, Course, CourseGroupMember, Enrolment, Excuse, Role, Room, Student
from tests.factories import make_course, make_group, make_lecturer, make_session, make_student
from tests.webapp.api.programs import is_problem

EXCUSE = {"first_day": "2026-11-02", "last_day": "2026-11-20", "reason": "Illness"}


def actions(db):
    return list(db.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.id)))


def test_an_excuse_is_given_and_taken_back(program, lesson, site_db):
    path = f"/students/{lesson.students[0].id}/excuses"
    answer = program.send("POST", path, EXCUSE | {"reference": "Dr. No, 7"})
    assert answer.status_code == 201, answer.text
    (given,) = answer.json["items"]
    assert given["course_id"] == lesson.course.id
    assert (given["starts_at"], given["ends_at"]) == ("2026-11-01T23:00:00+00:00", "2026-11-20T23:00:00+00:00")
    assert program.items(path) == [given]
    assert program.send("DELETE", f"{path}/{given['id']}").status_code == 204
    assert program.items(path) == []
    is_problem(program.send("DELETE", f"{path}/{given['id']}"), 404)
    assert actions(site_db) == ["excuse.added", "excuse.taken_back"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"last_day": "2026-11-01"}, "last_day"),
        ({"last_day": "2028-11-01"}, "last_day"),
        ({"first_day": "0002-11-01"}, "first_day"),
        ({"first_day": "tomorrow"}, "first_day"),
        ({"reason": " "}, "reason"),
        ({"course_ids": []}, "course_ids"),
        ({"course_ids": [12345]}, "course_ids"),
    ],
)
def test_what_is_no_excuse(program, lesson, site_db, given, field):
    answer = program.send("POST", f"/students/{lesson.students[0].id}/excuses", EXCUSE | given)
    assert field in is_problem(answer, 422)["errors"]["json"]
    assert site_db.scalar(sa.select(sa.func.count()).select_from(Excuse)) == 0


def test_an_excuse_of_every_course_is_an_administrators(of_admin, made, administrator, lesson, site_db):
    path = f"/students/{lesson.students[0].id}/excuses"
    (of_all,) = of_admin.send("POST", path, EXCUSE).json["items"]
    assert of_all["course_id"] is None
    narrowed = made(administrator, courses=[lesson.course])
    (of_course,) = narrowed.send("POST", path, EXCUSE | {"reason": "Other"}).json["items"]
    assert of_course["course_id"] == lesson.course.id
    is_problem(narrowed.send("DELETE", f"{path}/{of_all['id']}"), 404)


def test_a_session_is_cancelled_and_restored(program, lesson, site_db):
    path = f"/sessions/{lesson.session.id}"
    answer = program.send("POST", f"{path}/cancel", {"reason": "Strike"})
    assert (answer.json["state"], answer.json["cancelled_reason"]) == ("cancelled", "Strike")
    taken = make_session(site_db, make_course(site_db), lesson.session.room, starts_at=lesson.session.starts_at)
    site_db.commit()
    problem = is_problem(program.send("POST", f"{path}/restore"), 409)
    assert "Hall A" in problem["detail"]
    site_db.delete(taken)
    site_db.commit()
    assert program.send("POST", f"{path}/restore").json["state"] == "scheduled"
    assert actions(site_db) == ["session.cancelled", "session.restored"]


def test_enrolling_is_for_administrators(program, of_admin, lesson, site_db):
    new = make_student(site_db, "new")
    site_db.commit()
    path = f"/courses/{lesson.course.id}/students/{new.id}"
    is_problem(program.send("PUT", path), 403)
    for _ in range(2):  # the second time there is nothing to do
        assert of_admin.send("PUT", path).status_code == 204
    group = make_group(site_db, lesson.course, members=(new,))
    site_db.commit()
    assert site_db.get(Enrolment, (lesson.course.id, new.id)) is not None
    site_db.rollback()
    for _ in range(2):
        assert of_admin.send("DELETE", path).status_code == 204
    site_db.rollback()
    assert site_db.get(Enrolment, (lesson.course.id, new.id)) is None
    assert site_db.get(CourseGroupMember, (group.id, new.id)) is None
    assert actions(site_db) == ["enrolment.added", "enrolment.removed"]
    is_problem(of_admin.send("PUT", f"/courses/{lesson.course.id}/students/99999"), 404)


CSV = {"Content-Type": "text/csv"}
STUDENTS = "index_number,name\n900001,Grace Hopper\n900002,\ns0,Alan M. Turing\n"


def test_an_import_is_tried_then_done(of_admin, site_db):
    tried = of_admin.send("POST", "/imports/students", headers=CSV, data=STUDENTS.encode())
    assert tried.status_code == 201, tried.text
    assert tried.json["done"] is False
    assert (tried.json["lines"], tried.json["counts"]["refused"]) == (3, 1)
    assert site_db.scalar(sa.select(Student.id).where(Student.index_number == "900001")) is None
    path = tried.headers["Location"].removeprefix("/api/v1")
    assert of_admin.read(path) == tried.json
    (refused,) = of_admin.read(f"{path}/lines")["refused"]
    assert (refused["line"], refused["column"]) == (3, "name")
    for _ in range(2):  # done twice is done once
        done = of_admin.send("POST", f"{path}/apply", {})
        assert (done.status_code, done.json["done"]) == (200, True)
    site_db.rollback()
    assert site_db.scalar(sa.select(Student.name).where(Student.index_number == "900001")) == "Grace Hopper"
    assert actions(site_db).count("file.imported") == 1


def test_what_a_file_asks_is_answered_first(of_admin, site_db):
    make_student(site_db, "12345", "Ada Lovelace")
    site_db.commit()
    tried = of_admin.send("POST", "/imports/students", headers=CSV, data=b"index_number,name\n012345,Ada Lovelace\n")
    assert tried.json["asked"] == 1, tried.json
    path = f"/imports/runs/{tried.json['id']}"
    assert "checked" in is_problem(of_admin.send("POST", f"{path}/apply", {}), 422)["errors"]["json"]
    assert of_admin.send("POST", f"{path}/apply", {"checked": True}).json["done"] is True


def test_what_is_missing_can_be_made(of_admin, lesson, site_db):
    timetable = b"course_code,room,date,start,end\nMAT101,Hall Z,2027-03-01,09:00,10:30\n"
    tried = of_admin.send("POST", "/imports/timetable", headers=CSV, data=timetable)
    assert tried.json["missing"] == {"rooms": ["Hall Z"]}
    path = f"/imports/runs/{tried.json['id']}"
    again = of_admin.send("POST", f"{path}/try-again", {"create": ["rooms"]})
    assert again.json["counts"]["added"] == 1
    is_problem(of_admin.send("POST", f"{path}/try-again", {"create": ["students"]}), 422)
    assert of_admin.send("POST", f"{path}/apply", {}).json["done"] is True
    is_problem(of_admin.send("POST", f"{path}/try-again", {"create": []}), 409)
    assert site_db.scalar(sa.select(Room.id).where(Room.name == "Hall Z"))


def test_enrolments_of_one_course(of_admin, lesson, site_db):
    new = make_student(site_db, "900009")
    site_db.commit()
    path = f"/imports/enrolments?course_id={lesson.course.id}"
    tried = of_admin.send("POST", path, headers=CSV, data=b"index_number\n900009\n")
    assert (tried.json["course_id"], tried.json["counts"]["added"]) == (lesson.course.id, 1)
    of_admin.send("POST", f"/imports/runs/{tried.json['id']}/apply", {})
    assert site_db.get(Enrolment, (lesson.course.id, new.id)) is not None
    is_problem(of_admin.send("POST", "/imports/rooms?course_id=1", headers=CSV, data=b"name\nA\n"), 422)


def test_what_is_no_file(of_admin, program, lesson):
    is_problem(of_admin.send("POST", "/imports/cats", headers=CSV, data=b"name\nA\n"), 404)
    is_problem(of_admin.send("POST", "/imports/rooms", headers=CSV, data=b"what\n1\n"), 422)
    is_problem(of_admin.send("POST", "/imports/rooms", headers=CSV, data=b""), 422)
    is_problem(of_admin.send("POST", "/imports/rooms", {"name": "A"}), 415)
    is_problem(of_admin.send("POST", "/imports/rooms", headers=CSV, data=b"name\n" + b"x" * 16_100_000), 413)
    is_problem(program.send("POST", "/imports/rooms", headers=CSV, data=b"name\nA\n"), 403)
    is_problem(of_admin.get("/imports/runs/unknown"), 404)


def test_nobody_elses_file_is_there(of_admin, made, site_db, administrator):

    tried = of_admin.send("POST", "/imports/rooms", headers=CSV, data=b"name\nA\n")
    other = made(make_lecturer(site_db, role=Role.ADMIN))
    is_problem(other.get(f"/imports/runs/{tried.json['id']}"), 404)
    assert made(administrator).read(f"/imports/runs/{tried.json['id']}")["kind"] == "rooms"
    assert site_db.scalar(sa.select(sa.func.count()).select_from(Course)) == 0
