"""The exam office's page and files: whose lines, as of when, and that the files hold what the page shows."""

import csv
import io
import re
from datetime import date, datetime, timedelta

import pytest
from openpyxl import load_workbook

from attendance.database.models import Attendance, Course, Department, Role, Status
from tests.factories import enrol, make_course, make_department, make_lecturer, make_session, make_student
from tests.webapp.lessons import LONG_AGO, make_lesson
from tests.webapp.visiting import plain

DAY = "2024-03-04"


@pytest.fixture
def lesson(site_db):
    lesson = make_lesson(
        site_db, "Ada Byron", "Kurt Gödel", "=HYPERLINK(1)", starts_at=LONG_AGO, code="CS 101/ä", course_name="=1+1"
    )
    statuses = (Status.PRESENT, Status.ABSENT, Status.EXCUSED)
    for student, status in zip(lesson.students, statuses, strict=True):
        site_db.add(Attendance(session_id=lesson.session.id, student_id=student.id, status=status))
    site_db.commit()
    return lesson


@pytest.fixture
def other(site_db):
    """Somebody else's course."""
    return make_lesson(site_db, "Zoe Nowak", starts_at=LONG_AGO, code="MAT1")


@pytest.fixture
def visitor(site, lesson):
    return site.visitor(lesson.lecturer)


def shown(page):
    return re.findall(r'<th scope="row"><a [^>]*>([^<]*)</a>', page)


def lines(visitor, address):
    answer = visitor.get(address)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))


def test_the_csv_has_a_line_a_student_and_course(visitor, lesson):
    found = lines(visitor, f"/exam-office.csv?as_of={DAY}")
    guarded, ada, kurt = (list(line.values()) for line in found)
    assert guarded[:4] == ["CS 101/ä", "'=1+1", lesson.students[2].index_number, "'=HYPERLINK(1)"]
    assert guarded[4:] == ["", "0", "0", "0", "1", "1", "0", "75%", "Nothing recorded", DAY, "0", ""]
    assert ada[2:5] == [lesson.students[0].index_number, "Ada Byron", "100%"]
    assert ada[5:] == ["1", "0", "0", "0", "1", "0", "75%", "Met", DAY, "0", "100%"]
    assert kurt[2:5] == [lesson.students[1].index_number, "Kurt Gödel", "0%"]
    assert kurt[5:] == ["0", "0", "1", "0", "1", "0", "75%", "Not met", DAY, "0", "0%"]
    assert list(found[0]) == [
        "Course", "Course name", "Index number", "Student", "Attendance", "Attended", "Of these late", "Absences",
        "Excused", "Sessions recorded", "Sessions not recorded", "Threshold", "Threshold met", "As of",
        "Labels add", "Attendance without labels",
    ]  # fmt: skip


def test_the_workbook_has_a_sheet_a_course_and_typed_cells(site, site_db, lesson, other):
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    answer = site.visitor(admin).get(f"/exam-office.xlsx?as_of={DAY}")
    name = f"attachment; filename=exam-office_as-of-{DAY}.xlsx"
    assert answer.headers["Content-Disposition"] == name
    book = load_workbook(io.BytesIO(answer.data))
    assert book.sheetnames == ["CS 101 ä", "MAT1"]
    page = book["CS 101 ä"]
    assert page.freeze_panes == "E2"
    ada = [cell.value for cell in page[3]]
    assert ada[3:] == ["Ada Byron", 1, 1, 0, 0, 0, 1, 0, 0.75, "Met", datetime(2024, 3, 4), 0, 1]
    assert page["D2"].value == "=HYPERLINK(1)"
    assert page["D2"].data_type != "f"
    assert page["E3"].number_format == "0%"


def test_many_courses_are_one_sheet(site, site_db, lesson, other, monkeypatch):
    monkeypatch.setattr("webapp.exam_office.exam_sheets.MOST_SHEETS", 1)
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    book = load_workbook(io.BytesIO(site.visitor(admin).get("/exam-office.xlsx").data))
    assert book.sheetnames == ["All courses"]
    assert [cell.value for cell in book["All courses"]["A"]] == ["Course", *["CS 101/ä"] * 3, "MAT1"]


def test_the_files_hold_what_the_page_shows(site_db, lesson, visitor):
    extra = [make_student(site_db, name=f"Student {n:03}") for n in range(60)]
    enrol(site_db, lesson.course, *extra)
    second = make_course(site_db, "ZZ", lecturers=(lesson.lecturer,))
    enrol(site_db, second, lesson.students[0])
    site_db.commit()
    pages = [visitor.get(f"/exam-office?as_of={DAY}&page={number}").text for number in (1, 2)]
    assert "51\N{EN DASH}64 of 64 lines" in pages[1]
    found = [line["Student"].removeprefix("'") for line in lines(visitor, f"/exam-office.csv?as_of={DAY}")]
    assert found == [*shown(pages[0]), *shown(pages[1])]
    assert found[-1] == "Ada Byron"  # of the second course
    text = plain(pages[0])
    assert re.search(r"Kurt Gödel \S+ CS 101/ä 0% 0 1 0 1 0 Not met at least 75%", text)
    assert f'href="/exam-office.csv?as_of={DAY}"' in pages[1]
    assert f'href="/exam-office.xlsx?as_of={DAY}"' in pages[1]


def test_a_lecturer_gets_the_own_courses_only(visitor, lesson, other):
    assert "MAT1" not in visitor.get("/exam-office").text
    assert {line["Course"] for line in lines(visitor, "/exam-office.csv")} == {"CS 101/ä"}
    for path in ("/exam-office", "/exam-office.csv", "/exam-office.xlsx"):
        assert visitor.get(f"{path}?course={other.course.id}").status_code == 404
        assert visitor.get(f"{path}?course={lesson.course.id}").status_code == 200


def test_an_assistant_has_no_way_there_and_a_department_its_own(site, site_db, lesson, other):
    department = make_department(site_db)
    lesson.course.department_id = department.id
    site_db.merge(lesson.course)
    assistant = site.visitor(make_lecturer(site_db, role=Role.ASSISTANT, of=site_db.get(Course, lesson.course.id)))
    head = site.visitor(make_lecturer(site_db, role=Role.DEPARTMENT, of=department))
    site_db.commit()
    assert "/exam-office" not in assistant.get("/").text
    assert "CS 101/ä" in assistant.get("/").text
    for path in ("/exam-office", "/exam-office.csv", "/exam-office.xlsx"):
        assert assistant.get(path).status_code == 403
    assert "/exam-office" in head.get("/").text
    assert {line["Course"] for line in lines(head, "/exam-office.csv")} == {"CS 101/ä"}
    assert head.get(f"/exam-office.csv?course={other.course.id}").status_code == 404


def test_one_course_and_one_department(site, site_db, lesson, other):
    admin = make_lecturer(site_db, role=Role.ADMIN)
    arts, sciences = Department(name="Arts & Crafts"), Department(name="Sciences")
    site_db.add_all([arts, sciences])
    site_db.flush()
    lesson.course.department_id, other.course.department_id = sciences.id, arts.id
    site_db.merge(lesson.course)
    site_db.merge(other.course)
    site_db.commit()
    visitor = site.visitor(admin)
    assert "Arts &amp; Crafts" in visitor.get("/exam-office").text
    assert [line["Course"] for line in lines(visitor, f"/exam-office.csv?department={arts.id}")] == ["MAT1"]
    answer = visitor.get(f"/exam-office.csv?department={arts.id}&course={other.course.id}&as_of={DAY}")
    name = f"exam-office_Arts-Crafts_MAT1_as-of-{DAY}.csv"
    assert answer.headers["Content-Disposition"] == f"attachment; filename={name}"
    answer.close()
    assert site.visitor(lesson.lecturer).get(f"/exam-office?department={arts.id}").status_code == 404


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("as_of=soon", 422, "This is no date. Write it like 2026-11-23."),
        ("as_of=0001-01-01", 422, "This is no date."),
        (f"as_of={date.today() + timedelta(days=400)}", 422, "This day is still to come."),
        ("course=99999", 404, ""),
        ("course=x", 404, ""),
        ("department=99999", 404, ""),
        ("course=99999999999999999999", 404, ""),
    ],
)
def test_what_cannot_be_is_said_and_no_file_is_given(visitor, query, status, message):
    answer = visitor.get(f"/exam-office?{query}")
    assert answer.status_code == status
    assert message in answer.text
    assert ".csv" not in answer.text
    refused = visitor.get(f"/exam-office.xlsx?{query}")
    assert refused.status_code == (404 if status == 404 else 400)
    assert message in refused.text


def test_nobody_and_a_lecturer_without_courses(site, site_db):
    assert site.visitor().get("/exam-office.csv").status_code == 302
    newcomer = make_lecturer(site_db)
    make_session(site_db, make_course(site_db, lecturers=(newcomer,)), starts_at=LONG_AGO)
    site_db.commit()
    visitor = site.visitor(newcomer)
    assert "Nobody takes these courses" in visitor.text("/exam-office")
    assert lines(visitor, "/exam-office.csv") == []
    assert load_workbook(io.BytesIO(visitor.get("/exam-office.xlsx").data)).sheetnames == ["All courses"]


def test_a_page_asks_as_often_for_many_students_as_for_few(site, site_db, lesson, visitor):
    visitor.get("/exam-office")
    site.statements.clear()
    visitor.get("/exam-office")
    few = len(site.statements)
    enrol(site_db, lesson.course, *(make_student(site_db) for _ in range(30)))
    site_db.commit()
    site.statements.clear()
    visitor.get("/exam-office")
    assert len(site.statements) == few
