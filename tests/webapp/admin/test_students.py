"""Students: the list, the form, deleting."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from attendance.database.access.student_links import make_student_link
from attendance.database.models import (
    Attendance,
    Enrolment,
    Erasure,
    ErasureKind,
    Status,
    Student,
    StudentLink,
    utc_now,
)
from tests.factories import (
    enrol,
    is_signed_in,
    make_course,
    make_session,
    make_sign_in,
    make_student,
)
from tests.webapp.visiting import plain


def test_an_address_is_one_students_and_a_new_one_ends_links_and_sign_ins(admin, site_db):
    ann, _ = make_student(site_db, "s1", "Ann"), make_student(site_db, "s2", "Bob")
    ann.email = "ann@example.edu"
    make_student_link(site_db, ann.id, now=utc_now(), lifetime=timedelta(hours=1))
    signed_in = make_sign_in(site_db, ann)
    site_db.commit()
    taken = {"index_number": "s2", "name": "Bob", "email": "ANN@example.edu"}
    for path, data in (("/admin/students/2", taken), ("/admin/students/new", taken | {"index_number": "s3"})):
        answer = admin.post(path, data)
        assert answer.status_code == 422
        assert "Another student has this e-mail address." in plain(answer.text)
    stays = {"index_number": "s1", "name": "Ann B", "email": "ann@example.edu", "language": "en"}
    assert admin.post("/admin/students/1", stays).status_code == 302
    site_db.rollback()
    site_db.refresh(ann)
    assert (ann.name, ann.language, is_signed_in(site_db, signed_in)) == ("Ann B", "en", True)
    site_db.rollback()
    assert admin.post("/admin/students/1", stays | {"email": "", "language": ""}).status_code == 302
    site_db.rollback()
    site_db.refresh(ann)
    assert (ann.email, ann.language, is_signed_in(site_db, signed_in)) == (None, None, False)
    assert site_db.scalars(sa.select(StudentLink)).all() == []
    wrong = admin.post("/admin/students/1", stays | {"email": "ann", "language": "tlh"})
    assert "is no e-mail address, like name@university.edu." in plain(wrong.text)
    assert "Choose a language of the list." in plain(wrong.text)


def test_the_page_shows_every_change_of_the_consent_and_who_recorded_it(admin, site_db):
    make_student(site_db, "s1", "Ann")
    site_db.commit()
    admin.post("/admin/students/1/consent", {"consent_given_on": "2026-10-01", "consent_means": "signed form"})
    admin.post("/admin/students/1/consent/withdraw", {})
    page = admin.text("/admin/students/1")
    assert "Every change so far (2) Withdrawn" in page
    assert re.search(r"Given ?, Thu 1 Oct(ober)? 2026: signed form recorded by Ada Lovelace", page), page


def all_students(db):
    db.rollback()
    return [tuple(row) for row in db.execute(sa.select(Student.index_number, Student.name).order_by(Student.id))]


def test_an_empty_list_says_what_to_do(admin):
    assert "No students yet Add them from a CSV file" in admin.text("/admin/students")


def test_adds_a_student_with_consent(admin, site_db):
    answer = admin.post(
        "/admin/students/new",
        {
            "index_number": " 123456 ",
            "name": "Zoe\u0308  \u00dcnal",
            "consent_given_on": "2026-10-01",
            "consent_means": "signed form",
        },
    )
    assert answer.status_code == 302
    assert "Zo\u00eb \u00dcnal is added." in admin.text(answer.headers["Location"])
    student = site_db.scalars(sa.select(Student)).one()
    assert (student.index_number, student.name, student.consent_means) == (
        "123456",
        "Zo\u00eb \u00dcnal",
        "signed form",
    )
    assert student.consent_given_at == datetime(2026, 9, 30, 22, tzinfo=UTC)  # midnight in Warsaw


@pytest.mark.parametrize(
    ("changed", "field", "message"),
    [
        ({"name": ""}, "name", "Name is empty."),
        ({"name": "x" * 121}, "name", "Name has 121 characters; at most 120 fit."),
        ({"index_number": "  "}, "index_number", "Index number is empty."),
        ({"index_number": "12\u200b3"}, "index_number", "Index number holds an invisible character (U+200B)."),
        ({"index_number": "s1"}, "index_number", "Another student has this index number."),
        ({"consent_given_on": "soon"}, "consent_given_on", "Consent given on: choose a day."),
        ({"consent_given_on": "2099-01-01"}, "consent_given_on", "This day is in the future."),
        ({"consent_means": "form"}, "consent_means", "Give the day of the consent too."),
    ],
)
def test_a_wrong_field_is_named_beside_it_and_above_the_form(admin, site_db, changed, field, message):
    make_student(site_db, "s1", "Ann")
    site_db.commit()
    answer = admin.post("/admin/students/new", {"index_number": "s2", "name": "Bob", **changed})
    assert answer.status_code == 422
    assert f'<a href="#{field}">{message}</a>' in answer.text
    assert f'id="{field}-error">{message}</p>' in answer.text
    assert answer.text.count('aria-invalid="true"') == 1
    assert "<title>Error: Add a student" in answer.text
    assert all_students(site_db) == [("s1", "Ann")]


def test_changes_a_student_and_keeps_the_exact_moment_of_consent(admin, site_db):
    student = make_student(site_db, "s1", "Ann")
    other = make_student(site_db, "s2", "Bob")
    student.consent_given_at = moment = datetime(2026, 10, 1, 12, 34, 56, tzinfo=UTC)
    site_db.commit()
    address = f"/admin/students/{student.id}"
    assert 'value="2026-10-01"' in admin.get(address).text
    form = {"index_number": "s1b", "name": "Anna", "declared_group": " group  A "}
    assert admin.post(address, form).status_code == 302
    site_db.rollback()
    site_db.refresh(student)
    assert (student.index_number, student.name, student.consent_given_at) == ("s1b", "Anna", moment)
    assert student.declared_group == "group A"
    assert admin.post(address, {**form, "index_number": "s2"}).status_code == 422
    assert admin.post(address, {**form, "name": ""}).status_code == 422
    assert all_students(site_db) == [("s1b", "Anna"), ("s2", other.name)]


def test_markup_in_a_name_is_text(admin, site_db):
    student = make_student(site_db, "s1", "<script>alert(1)</script>")
    site_db.commit()
    for path in ("/admin/students", f"/admin/students/{student.id}", f"/admin/students/{student.id}/delete"):
        html = admin.get(path).text
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_deletes_a_student_who_was_never_recorded_on_a_press(admin, site_db):
    student = make_student(site_db, "s1", "Ann")
    course = make_course(site_db)
    enrol(site_db, course, student)
    site_db.commit()
    address = f"/admin/students/{student.id}/delete"
    assert "Ann (s1) leaves 1 course." in admin.text(address)
    assert admin.post(address).headers["Location"] == "/admin/students"
    assert all_students(site_db) == []
    assert site_db.scalar(sa.select(sa.func.count()).select_from(Enrolment)) == 0
    # Photos and encodings are kept elsewhere: the gallery's worker erases them.
    erasure = site_db.scalars(sa.select(Erasure)).one()
    assert (erasure.kind, erasure.index_number, erasure.shared_at) == (ErasureKind.DELETION, "s1", None)


def test_deleting_a_recorded_student_wants_the_index_number_typed(admin, site_db):
    student = make_student(site_db, "s1", "Ann")
    course = make_course(site_db)
    session = make_session(site_db, course, starts_at=utc_now() - timedelta(hours=1))
    site_db.add(Attendance(session_id=session.id, student_id=student.id, status=Status.PRESENT))
    site_db.commit()
    address = f"/admin/students/{student.id}/delete"
    assert "1 entry of registers, with its history, is deleted. " in admin.text(address)
    for typed in ({}, {"typed": ""}, {"typed": "s2"}):
        answer = admin.post(address, typed)
        assert answer.status_code == 422
        assert "This is not s1." in plain(answer.text)
    assert all_students(site_db) == [("s1", "Ann")]
    assert admin.post(address, {"typed": " s1 "}).status_code == 302
    assert all_students(site_db) == []
    assert site_db.scalar(sa.select(sa.func.count()).select_from(Attendance)) == 0


def test_fifty_thousand_students_are_paged_by_a_few_statements(site, site_db, admin):
    course = make_course(site_db, "MA1")
    rows = [{"index_number": f"s{number:05d}", "name": f"Student {number}"} for number in range(50_000)]
    site_db.execute(sa.insert(Student), rows)
    first = site_db.scalars(sa.select(Student).where(Student.index_number == "s00000")).one()
    enrol(site_db, course, first)
    site_db.commit()
    site.statements.clear()
    text = admin.text("/admin/students")
    assert "1\u201350 of 50,000 students" in text
    assert len(site.statements) < 8
    assert "s00049" in text
    assert "s00050" not in text
    assert "Student 49999" in admin.text("/admin/students?page=1000")
    assert "Nothing on this page" in admin.text("/admin/students?page=1001")
    assert "1\u20131 of 1 students" in admin.text("/admin/students?q=s4999+49991")
    assert "1\u201350 of 49,999 students" in admin.text("/admin/students?list=no-course")
    assert admin.get("/admin/students?page=x").status_code == 404


def test_a_formula_is_kept_as_a_name(admin, site_db):
    admin.post("/admin/students/new", {"index_number": "s1", "name": "=cmd|' /C calc'!A0"})
    assert all_students(site_db) == [("s1", "=cmd|' /C calc'!A0")]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("=1+1", "would be a formula in a spreadsheet."),
        ("../x", "is a path."),
        ("@at", "would be a formula in a spreadsheet."),
        ("2.4E+05", "a spreadsheet rounded the index number"),
    ],
)
def test_the_rule_for_index_numbers_holds_in_forms_too(admin, site_db, number, message):
    student, course = make_student(site_db, "s1", "Ann"), make_course(site_db)
    site_db.commit()
    for address in ("/admin/students/new", f"/admin/students/{student.id}", f"/admin/courses/{course.id}/students"):
        answer = admin.post(address, {"index_number": number, "name": "Bob"})
        assert answer.status_code == 422
        assert message in answer.text
    assert all_students(site_db) == [("s1", "Ann")]


@pytest.mark.parametrize(
    ("number", "how"),
    [
        ("7123", "7123 is like 007123, who is there already, but for zeros"),
        ("s240401", "s240401 is like S240401, who is there already, but for capitals"),
    ],
)
def test_an_index_number_like_another_one_is_asked_about(admin, site_db, number, how):
    make_student(site_db, "007123", "Ann")
    make_student(site_db, "S240401", "Bob")
    other = make_student(site_db, "x1", "Cid")
    site_db.commit()
    address = f"/admin/students/{other.id}"
    assert how in admin.text(admin.post(address, {"index_number": number, "name": "Cid"}).location)
    # A change of the name alone asks nothing.
    assert "is like" not in admin.text(admin.post(address, {"index_number": number, "name": "Cyd"}).location)
    assert admin.post(address, {"index_number": "x1", "name": "Cyd"}).status_code == 302
    admin.get(address)
    assert how in admin.text(admin.post("/admin/students/new", {"index_number": number, "name": "Dan"}).location)


def test_an_index_number_of_long_ago_that_breaks_the_rule_stays(admin, site_db):
    student = make_student(site_db, "=2019/045", "Ann")
    site_db.commit()
    address = f"/admin/students/{student.id}"
    assert admin.post(address, {"index_number": "=2019/045", "name": "Anna"}).status_code == 302
    assert all_students(site_db) == [("=2019/045", "Anna")]
    assert admin.post(address, {"index_number": "=2019/046", "name": "Anna"}).status_code == 422
