"""Departments, rooms, courses, groups and students, added, changed and deleted one by one, as student systems do."""

import threading
from itertools import product

import pytest
import sqlalchemy as sa

from attendance.database.models import (
    AuditEntry,
    Course,
    CourseGroup,
    CourseGroupMember,
    Department,
    Enrolment,
    KeptAnswer,
    Role,
    Room,
    Student,
)
from tests.factories import enrol, make_course, make_department, make_group, make_lecturer, make_student
from tests.webapp.api.programs import is_problem

ANY = {"If-Match": "*"}
STUDENT = {"index_number": "900001", "name": "Grace Hopper", "email": "Grace@Example.edu"}


def actions(db):
    db.rollback()
    return list(db.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.id)))


def count(db, model):
    db.rollback()
    return db.scalar(sa.select(sa.func.count()).select_from(model))


def place(answer):
    """The address of what was added."""
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"].removeprefix("/api/v1")


def tag(answer):
    return {"If-Match": answer.headers["ETag"]}


@pytest.mark.parametrize("kind", ["departments", "rooms"])
def test_a_name_is_added_changed_and_deleted(of_admin, site_db, kind, lesson):
    word = kind.removesuffix("s")
    made = of_admin.send("POST", f"/{kind}", {"name": "  Physics   East "})
    path = place(made)
    assert made.json["name"] == "Physics East"
    assert of_admin.get(path).headers["ETag"] == made.headers["ETag"]
    again = of_admin.send("POST", f"/{kind}", {"name": "Physics East"})
    assert (again.status_code, again.json) == (200, made.json)
    changed = of_admin.send("PATCH", path, {"name": "Optics"}, headers=tag(made))
    assert (changed.status_code, changed.json["name"]) == (200, "Optics")
    is_problem(of_admin.send("PATCH", path, {"name": "Late"}, headers=tag(made)), 412)
    is_problem(of_admin.send("PATCH", path, {"name": "Late"}), 428)
    unchanged = of_admin.send("PATCH", path, {"name": "Optics"}, headers=tag(changed))
    assert unchanged.headers["ETag"] == changed.headers["ETag"]
    assert of_admin.send("PATCH", path, {}, headers=ANY).json == changed.json
    of_admin.send("POST", f"/{kind}", {"name": "Taken"})
    taken = is_problem(of_admin.send("PATCH", path, {"name": "Taken"}, headers=ANY), 409)
    assert taken["pointers"][0]["pointer"] == "#/name"
    assert taken["pointers"][0]["detail"] == taken["detail"]
    is_problem(of_admin.send("DELETE", path), 428)
    is_problem(of_admin.send("DELETE", path, headers=tag(made)), 412)
    assert of_admin.send("DELETE", path, headers=tag(changed)).status_code == 204
    is_problem(of_admin.get(path), 404)
    is_problem(of_admin.send("DELETE", path, headers=ANY), 404)
    assert actions(site_db) == [f"{word}.added", f"{word}.changed", f"{word}.added", f"{word}.deleted"]


def test_what_is_needed_stays(of_admin, lesson, site_db):
    department = make_department(site_db, "Maths")
    site_db.get_one(Course, lesson.course.id).department_id = department.id
    site_db.commit()
    told = is_problem(of_admin.send("DELETE", f"/departments/{department.id}", headers=ANY), 409)
    assert "a course belongs to it" in told["detail"]
    is_problem(of_admin.send("DELETE", f"/rooms/{lesson.session.room_id}", headers=ANY), 409)
    assert count(site_db, Department) == count(site_db, Room) == 1


def test_a_course_and_its_groups(of_admin, lesson, site_db):
    department = make_department(site_db, "Physics")
    site_db.commit()
    body = {"code": "PHY1", "name": "Optics", "department_id": department.id, "attendance_threshold": 60}
    made = of_admin.send("POST", "/courses", body)
    path = place(made)
    assert made.json == body | {"id": made.json["id"], "threshold": 60}
    assert of_admin.send("POST", "/courses", body).status_code == 200
    other = is_problem(of_admin.send("POST", "/courses", body | {"name": "Other"}), 409)
    assert other["errors"]["json"]["code"] == ["Another course has this code."]
    change = {"department_id": None, "attendance_threshold": None}
    changed = of_admin.send("PATCH", path, change, headers=tag(made))
    assert (changed.json["name"], changed.json["department_id"]) == ("Optics", None)
    assert changed.json["threshold"] == 75
    assert of_admin.send("PATCH", path, change, headers=tag(changed)).headers["ETag"] == changed.headers["ETag"]
    group = of_admin.send("POST", f"{path}/groups", {"name": "A"})
    inside = place(group)
    assert of_admin.send("POST", f"{path}/groups", {"name": "A"}).status_code == 200
    is_problem(of_admin.send("PUT", f"{inside}/students/{lesson.students[0].id}"), 409)
    of_admin.send("PUT", f"{path}/students/{lesson.students[0].id}")
    for _ in range(2):
        assert of_admin.send("PUT", f"{inside}/students/{lesson.students[0].id}").status_code == 204
    assert [one["name"] for one in of_admin.items(f"{inside}/students")] == ["Alan"]
    for _ in range(2):
        assert of_admin.send("DELETE", f"{inside}/students/{lesson.students[0].id}").status_code == 204
    assert of_admin.send("PATCH", inside, {"name": "B"}, headers=tag(group)).json["name"] == "B"
    is_problem(of_admin.get(inside.replace(path, f"/courses/{lesson.course.id}")), 404)
    assert of_admin.send("DELETE", inside, headers=ANY).status_code == 204
    assert of_admin.send("DELETE", path, headers=ANY).status_code == 204
    assert actions(site_db) == [
        "course.added", "course.changed", "group.added", "enrolment.added", "group.joined", "group.left",
        "group.changed", "group.deleted", "course.deleted",
    ]  # fmt: skip


def test_registers_go_only_when_the_word_is_said(of_admin, program, lesson, site_db):
    entry = f"/sessions/{lesson.session.id}/attendance/{lesson.students[0].id}"
    program.send("PUT", entry, {"status": "present", "reason": "x"}, headers=ANY)
    for path, word in (
        (f"/sessions/{lesson.session.id}", "MAT101"),
        (f"/courses/{lesson.course.id}", "MAT101"),
        (f"/students/{lesson.students[0].id}", "s0"),
    ):
        for wrong in ("", "?confirm=yes"):
            refused = is_problem(of_admin.send("DELETE", f"{path}{wrong}", headers=ANY), 409)
            assert f"confirm={word}" in refused["detail"]
            assert "Alan" not in str(refused)
    assert count(site_db, CourseGroup) == 0
    assert of_admin.send("DELETE", f"/students/{lesson.students[0].id}?confirm=s0", headers=ANY).status_code == 204
    assert count(site_db, Student) == 2
    assert of_admin.send("DELETE", f"/courses/{lesson.course.id}", headers=ANY).status_code == 204


def test_a_student_is_added_changed_and_deleted(of_admin, program, site_db, lesson):
    made = of_admin.send("POST", "/students", STUDENT | {"language": "fr"})
    path = place(made)
    assert (made.json["email"], made.json["language"], made.json["notes"]) == ("grace@example.edu", "fr", [])
    assert of_admin.get(path).headers["ETag"] == made.headers["ETag"]
    assert of_admin.send("POST", "/students", STUDENT).status_code == 200
    other = is_problem(of_admin.send("POST", "/students", STUDENT | {"name": "Other"}), 409)
    assert other["pointers"] == [{"pointer": "#/index_number", "detail": "Another student has this index number."}]
    same_address = STUDENT | {"index_number": "900002"}
    assert "email" in is_problem(of_admin.send("POST", "/students", same_address), 409)["errors"]["json"]
    changed = of_admin.send("PATCH", path, {"name": "Grace B. Hopper", "email": None}, headers=tag(made))
    assert (changed.json["name"], changed.json["email"], changed.json["language"]) == ("Grace B. Hopper", None, "fr")
    alike = of_admin.send("PATCH", path, {"index_number": "0900001"}, headers=tag(changed))
    assert (alike.status_code, alike.json["index_number"]) == (200, "0900001")
    assert of_admin.send("DELETE", path, headers=tag(alike)).status_code == 204
    is_problem(of_admin.get(path), 404)
    assert actions(site_db)[:4] == ["student.added", "student.changed", "student.renumbered", "student.changed"]


def test_numbers_that_are_hardly_told_apart_are_told(of_admin, site_db):
    make_student(site_db, "0900001", "Ada")
    site_db.commit()
    (note,) = of_admin.send("POST", "/students", STUDENT).json["notes"]
    assert "0900001" in note


def test_what_administrators_know_lecturers_do_not(made, administrator, program, lesson, site_db):
    site_db.get_one(Student, lesson.students[0].id).email = "alan@example.edu"
    site_db.commit()
    path = f"/students/{lesson.students[0].id}"
    assert made(administrator).read(path)["email"] == "alan@example.edu"
    assert "email" not in program.read(path)
    assert "email" not in made(administrator, scopes=["read"]).read(path)


def test_a_tag_says_nothing_of_what_is_not_shown(of_admin, program, lesson, site_db):
    path = f"/students/{lesson.students[0].id}"
    before, known = program.get(path).headers["ETag"], of_admin.get(path)
    changed = of_admin.send("PATCH", path, {"email": "alan@example.edu"}, headers=tag(known))
    assert changed.headers["ETag"] == of_admin.get(path).headers["ETag"] != known.headers["ETag"]
    assert program.get(path).headers["ETag"] == before


CANNOT_BE = [
    ("/students", {"name": "X"}, "#/index_number"),
    ("/students", STUDENT | {"name": " "}, "#/name"),
    ("/students", STUDENT | {"name": "Gra\0ce"}, "#/name"),
    ("/students", STUDENT | {"name": "Gra\u202ece"}, "#/name"),
    ("/students", STUDENT | {"name": "x" * 121}, "#/name"),
    ("/students", STUDENT | {"name": ["x"]}, "#/name"),
    ("/students", STUDENT | {"index_number": "A\u0430BC1"}, "#/index_number"),  # a Cyrillic a
    ("/students", STUDENT | {"index_number": "=1+1"}, "#/index_number"),
    ("/students", STUDENT | {"index_number": "../etc"}, "#/index_number"),
    ("/students", STUDENT | {"index_number": "A\ud8001"}, "#/index_number"),
    ("/students", STUDENT | {"index_number": "x" * 65}, "#/index_number"),
    ("/students", STUDENT | {"email": "gr\u0430ce@example.edu"}, "#/email"),
    ("/students", STUDENT | {"language": "tlh"}, "#/language"),
    ("/students", STUDENT | {"id": 7}, "#/id"),
    ("/students", STUDENT | {"gallery_encodings": 7}, "#/gallery_encodings"),
    ("/students", STUDENT | {"consent_given_at": "2026-01-01T00:00:00+00:00"}, "#/consent_given_at"),
    ("/courses", {"code": "X\0", "name": "X"}, "#/code"),
    ("/courses", {"code": "X", "name": "X", "department_id": 999}, "#/department_id"),
    ("/courses", {"code": "X", "name": "X", "attendance_threshold": 101}, "#/attendance_threshold"),
    ("/courses", {"code": "X", "name": "X", "attendance_threshold": True}, "#/attendance_threshold"),
    ("/courses", {"code": "X", "name": "X", "lecturers": []}, "#/lecturers"),
    ("/rooms", {"name": "A", "version": 1}, "#/version"),
    ("/departments", {"name": None}, "#/name"),
    ("/departments", [], "#"),
]
"""Where it is sent, what, and where that is wrong."""


@pytest.mark.usefixtures("lesson")
def test_what_cannot_be(of_admin, site_db):
    for path, body, pointer in CANNOT_BE:
        answer = is_problem(of_admin.send("POST", path, body), 422)
        assert [one["pointer"] for one in answer["pointers"]] == [pointer], (path, body)
    assert (count(site_db, Student), count(site_db, Course), count(site_db, Department)) == (3, 1, 0)
    assert actions(site_db) == []


def test_nothing_that_must_be_there_is_emptied(of_admin, lesson, site_db):
    fields = (
        (f"/students/{lesson.students[0].id}", "name"),
        (f"/students/{lesson.students[0].id}", "index_number"),
        (f"/courses/{lesson.course.id}", "code"),
        (f"/courses/{lesson.course.id}", "name"),
        (f"/rooms/{lesson.session.room_id}", "name"),
    )
    for (path, field), empty in product(fields, ("", " ", None, "\u200b")):
        answer = is_problem(of_admin.send("PATCH", path, {field: empty}, headers=ANY), 422)
        assert field in answer["errors"]["json"]
    assert actions(site_db) == []


def test_ten_megabytes_are_too_many(of_admin, lesson):
    body = b'{"name": "' + b"x" * 10_000_000 + b'"}'
    for method, path in (("POST", "/rooms"), ("PATCH", f"/students/{lesson.students[0].id}")):
        answer = of_admin.send(method, path, headers={**ANY, "Content-Type": "application/json"}, data=body)
        is_problem(answer, 413)


def test_a_head_of_a_department_writes_no_student_of_another(made, site_db, lesson):
    here, there = make_department(site_db, "Here"), make_department(site_db, "There")
    head = make_lecturer(site_db, role=Role.DEPARTMENT, of=here)
    own, other = make_course(site_db, "OWN", department=here), make_course(site_db, "OTHER", department=there)
    mine, theirs = make_student(site_db, name="Mine"), make_student(site_db, name="Theirs")
    enrol(site_db, own, mine)
    enrol(site_db, other, theirs)
    group = make_group(site_db, other)
    site_db.commit()
    program = made(head)
    is_problem(program.get(f"/students/{theirs.id}"), 404)
    for path in (f"/students/{theirs.id}", f"/students/{mine.id}", f"/courses/{other.id}"):
        is_problem(program.send("PATCH", path, {"name": "Changed"}, headers=ANY), 403)
        is_problem(program.send("DELETE", path, headers=ANY), 403)
    is_problem(program.send("PUT", f"/courses/{other.id}/groups/{group.id}/students/{theirs.id}"), 403)
    is_problem(program.send("POST", "/students", STUDENT), 403)
    assert actions(site_db) == []
    assert count(site_db, CourseGroupMember) == 0


def test_each_scope_writes_its_own_kind_of_thing(made, administrator, lesson, site_db):
    of_kind = {
        "departments": ("/departments", {"name": "X"}),
        "rooms": ("/rooms", {"name": "X"}),
        "students": ("/students", STUDENT),
        "courses": ("/courses", {"code": "X", "name": "X"}),
    }
    for scope in of_kind:
        one = made(administrator, scopes=["read", scope])
        for other, (path, body) in of_kind.items():
            answer = one.send("POST", path, body)
            if other == scope:
                assert answer.status_code in (200, 201)
            else:
                assert other in is_problem(answer, 403)["detail"]
        is_problem(one.get("/cameras"), 403)
    is_problem(made(administrator, courses=[lesson.course]).send("POST", "/rooms", {"name": "Y"}), 403)


def test_of_two_at_once_one_is_told(of_admin, made, administrator, lesson, site_db):
    path = f"/students/{lesson.students[0].id}"
    seen, programs = tag(of_admin.get(path)), [made(administrator) for _ in range(4)]
    answers, start = [], threading.Barrier(len(programs))

    def send(number, program):
        start.wait()
        answers.append(program.send("PATCH", path, {"name": f"Alan {number}"}, headers=seen).status_code)

    threads = [threading.Thread(target=send, args=each) for each in enumerate(programs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 412, 412, 412]
    assert actions(site_db) == ["student.changed"]


def test_a_key_is_of_one_body_and_its_answer_goes_with_the_student(of_admin, site_db, lesson):
    key = {"Idempotency-Key": "k1"}
    first = of_admin.send("POST", "/students", STUDENT, headers=key)
    again = of_admin.send("POST", "/students", STUDENT, headers=key)
    assert (again.status_code, again.json, again.headers["Location"]) == (201, first.json, first.headers["Location"])
    assert again.headers["ETag"] == first.headers["ETag"]
    is_problem(of_admin.send("POST", "/students", STUDENT | {"name": "Other"}, headers=key), 422)
    gone = {"Idempotency-Key": "k2", **tag(first)}
    for _ in range(2):
        assert of_admin.send("DELETE", place(first), headers=gone).status_code == 204
    assert "Grace" not in str([(row.body, row.headers) for row in site_db.scalars(sa.select(KeptAnswer))])


def test_a_course_s_students_are_not_enrolled_twice(made, administrator, lesson, site_db):
    office = made(administrator, scopes=["read", "courses"])
    for _ in range(2):
        office.send("PUT", f"/courses/{lesson.course.id}/students/{lesson.students[0].id}")
    assert count(site_db, Enrolment) == 3
    assert actions(site_db) == []
