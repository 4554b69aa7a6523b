"""Courses, who teaches them, and who takes them."""

import pytest
import sqlalchemy as sa

from attendance.database.models import (
    AccountRole,
    Attendance,
    ClassSession,
    Course,
    Enrolment,
    Role,
    Status,
    Student,
)
from tests.factories import enrol, make_course, make_lecturer, make_session, make_student
from tests.webapp.visiting import plain


@pytest.fixture
def admin(site, site_db):
    lecturer = make_lecturer(site_db, name="Barbara Liskov", email="admin@example.edu", role=Role.ADMIN)
    site_db.commit()
    return site.visitor(lecturer)


def rows(db, *columns):
    db.rollback()
    return [tuple(row) for row in db.execute(sa.select(*columns).order_by(*columns))]


def test_adds_and_changes_a_course(admin, site_db):
    answer = admin.post("/admin/courses/new", {"code": " MAT101 ", "name": "Linear  Algebra"})
    course_id = rows(site_db, Course.id)[0][0]
    assert answer.headers["Location"] == f"/admin/courses/{course_id}"
    assert rows(site_db, Course.code, Course.name) == [("MAT101", "Linear Algebra")]
    assert "Nobody teaches it yet" in admin.text(f"/admin/courses/{course_id}")
    admin.post(f"/admin/courses/{course_id}/edit", {"code": "MAT102", "name": "Algebra"})
    assert rows(site_db, Course.code, Course.name) == [("MAT102", "Algebra")]


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"code": "", "name": "X"}, "Code is empty."),
        ({"code": "x" * 33, "name": "X"}, "Code has 33 characters; at most 32 fit."),
        ({"code": "X", "name": ""}, "Name is empty."),
        ({"code": "OLD", "name": "X"}, "Another course has this code."),
    ],
)
def test_a_wrong_course_is_refused(admin, site_db, form, message):
    old, other = make_course(site_db, "OLD", "Old"), make_course(site_db, "OTHER", "Other")
    site_db.commit()
    for address in ("/admin/courses/new", f"/admin/courses/{other.id}/edit"):
        answer = admin.post(address, form)
        assert (answer.status_code, message in answer.text) == (422, True)
    assert rows(site_db, Course.code, Course.name) == [("OLD", "Old"), ("OTHER", "Other")]
    assert admin.post(f"/admin/courses/{old.id}/edit", {"code": "OLD", "name": "New"}).status_code == 302


def test_codes_are_told_apart_by_capitals(admin, site_db):
    for code in ("ma1", "MA1"):
        assert admin.post("/admin/courses/new", {"code": code, "name": "X"}).status_code == 302
    assert rows(site_db, Course.code) == [("MA1",), ("ma1",)]


def test_lists_what_is_missing(admin, site_db):
    teacher, retired = make_lecturer(site_db, name="Ada"), make_lecturer(site_db, name="Bob", active=False)
    make_course(site_db, "A1", "Taught", lecturers=(teacher,))
    make_course(site_db, "B1", "Nobody's", lecturers=(retired,))
    full = make_course(site_db, "C1", "Taken", lecturers=(teacher,))
    enrol(site_db, full, make_student(site_db))
    make_session(site_db, full)
    site_db.commit()
    everything = admin.text("/admin/courses")
    assert all(name in everything for name in ("Taught", "Nobody&#39;s", "Taken"))
    orphans = admin.text("/admin/courses?list=no-lecturer")
    assert "Nobody&#39;s" in orphans
    assert "Taught" not in orphans
    assert "Taken" not in admin.text("/admin/courses?list=no-student")
    assert "No courses found" in admin.text("/admin/courses?q=nothing+such")
    assert "Taught" in admin.text("/admin/courses?q=a1")
    assert "Taught" in admin.text("/admin/courses?list=made-up")


def test_lecturers_come_and_go_by_their_address(admin, site_db):
    ada = make_lecturer(site_db, name="Ada", email="ada@example.edu")
    course = make_course(site_db, "A1")
    site_db.commit()
    address = f"/admin/courses/{course.id}"
    assert '<option value="ada@example.edu">Ada</option>' in admin.get(address).text
    for typed in ("Ada@Example.edu ", "Ada <ada@example.edu>"):
        assert admin.post(f"{address}/lecturers", {"lecturer": typed}).status_code == 302
    held = (AccountRole.account_id, AccountRole.role, AccountRole.course_id)
    assert (ada.id, Role.LECTURER, course.id) in rows(site_db, *held)
    assert len(rows(site_db, *held)) == 2, "hers and the administrator's"
    assert '<option value="ada@example.edu">' not in admin.get(address).text
    answer = admin.post(f"{address}/lecturers", {"lecturer": "nobody@example.edu"})
    assert answer.status_code == 422
    assert "There is no lecturer with the e-mail address nobody@example.edu." in plain(answer.text)
    assert admin.post(f"{address}/lecturers", {"lecturer": ""}).status_code == 422
    for _ in range(2):
        assert admin.post(f"{address}/lecturers/{ada.id}/remove").status_code == 302
    assert [role for _, role, _ in rows(site_db, *held)] == [Role.ADMIN]


def test_deleting_a_course_with_registers_wants_its_code_typed(admin, site_db):
    course, student = make_course(site_db, "A1"), make_student(site_db)
    enrol(site_db, course, student)
    session = make_session(site_db, course)
    site_db.commit()
    address = f"/admin/courses/{course.id}/delete"
    assert "1 session of the timetable will be deleted." in admin.text(address)
    assert "to confirm" not in admin.text(address)
    site_db.add(Attendance(session_id=session.id, student_id=student.id, status=Status.PRESENT))
    site_db.commit()
    # What was asked before the first entry was made does not count.
    answer = admin.post(address)
    assert answer.status_code == 422
    assert "Type A1 to confirm" in plain(answer.text)
    assert admin.post(address, {"typed": "A1"}).status_code == 302
    assert rows(site_db, Course.id) == rows(site_db, ClassSession.id) == rows(site_db, Attendance.id) == []
    assert len(rows(site_db, Student.id)) == 1


def test_enrols_by_index_number_and_removes(admin, site_db):
    course = make_course(site_db, "A1")
    ann = make_student(site_db, "s1", "Ann")
    site_db.commit()
    address = f"/admin/courses/{course.id}/students"
    assert "Nobody takes this course yet" in admin.text(address)
    answer = admin.post(address, {"index_number": " s1 "})
    assert "Ann takes A1." in admin.text(answer.headers["Location"])
    for number, message in (
        ("s1", "Ann is enrolled already."),
        ("S1", "There is no student with index number S1."),
        ("", "Index number is empty."),
    ):
        answer = admin.post(address, {"index_number": number})
        assert (answer.status_code, message in plain(answer.text)) == (422, True)
    assert rows(site_db, Enrolment.student_id) == [(ann.id,)]
    session = make_session(site_db, course)
    site_db.add(Attendance(session_id=session.id, student_id=ann.id, status=Status.PRESENT))
    site_db.commit()
    removal = f"{address}/{ann.id}/remove"
    assert "1 entry of past registers stays." in admin.text(removal)
    assert admin.post(removal).status_code == 302
    assert rows(site_db, Enrolment.student_id) == []
    assert len(rows(site_db, Attendance.id)) == 1
    assert admin.post(removal).status_code == 302


def test_a_roster_is_searched_and_in_the_order_of_names(admin, site_db):
    course = make_course(site_db, "A1")
    enrol(
        site_db,
        course,
        make_student(site_db, "s1", "Zoe"),
        make_student(site_db, "s2", "\u0141ukasz"),
        make_student(site_db, "s3", "Maria"),
    )
    make_student(site_db, "s4", "Lucy")
    site_db.commit()
    text = admin.text(f"/admin/courses/{course.id}/students")
    assert text.index("\u0141ukasz") < text.index("Maria") < text.index("Zoe")
    found = admin.text(f"/admin/courses/{course.id}/students?q=lu")
    assert "\u0141ukasz" in found
    assert "Lucy" not in found
    assert "Maria" not in found
