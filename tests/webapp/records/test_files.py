"""What each list gives as a file is what it shows, on all its pages."""

import csv
import io
import re
from datetime import datetime, time, timedelta

import pytest
from openpyxl import load_workbook

from attendance.database.excuses import NewExcuse, give_excuse
from attendance.database.models import Attendance, Role, SessionState, Status, Unrecorded
from tests.factories import enrol, make_lecturer, make_session, make_student
from tests.webapp.lessons import LONG_AGO, make_lesson
from tests.webapp.visiting import plain

LONGEST = "=" + "n" * 118
"""With the apostrophe that guards it, as long as a name may be."""
TALLY = ["Attendance", "Present", "Late", "Absent", "Excused", "Not recorded"]


@pytest.fixture
def lesson(site_db):
    lesson = make_lesson(site_db, "Ada Byron", "Kurt Gödel", LONGEST, starts_at=LONG_AGO, code="CS 101/ä")
    statuses = (Status.PRESENT, Status.ABSENT, None)
    for student, status in zip(lesson.students, statuses, strict=True):
        reason = None if status else Unrecorded.UNWATCHED
        site_db.add(
            Attendance(
                session_id=lesson.session.id,
                student_id=student.id,
                status=status,
                unrecorded_reason=reason,
                remark="-1",
            )
        )
    lesson.session.closed_at = lesson.session.ends_at
    site_db.merge(lesson.session)
    site_db.commit()
    return lesson


@pytest.fixture
def visitor(site, lesson):
    return site.visitor(lesson.lecturer)


def links(page):
    found = re.findall(r'data-export href="([^"]+)"', page)
    return [link.replace("&amp;", "&") for link in found]


def table(visitor, address):
    """The rows of a CSV file."""
    answer = visitor.get(address)
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))


def book(visitor, address):
    answer = visitor.get(address)
    assert answer.status_code == 200, answer.text
    return load_workbook(io.BytesIO(answer.data))


def test_a_courses_page_gives_all_its_sessions(site_db, lesson, visitor):
    for week in range(1, 30):
        later = make_session(site_db, lesson.course, starts_at=LONG_AGO + timedelta(weeks=week))
        later.state = SessionState.CANCELLED if week == 29 else SessionState.SCHEDULED
    site_db.commit()
    as_csv, as_xlsx = links(visitor.get(f"/courses/{lesson.course.id}").text)
    header, first, *others = table(visitor, as_csv)
    assert header == ["Date", "Start", "End", "For", "Room", "State", "Students expected", *TALLY]
    room = lesson.session.room.name
    assert first == ["2024-03-04", "09:00", "10:30", "CS 101/ä", room, "Closed", "3", "50%", "1", "0", "1", "0", "1"]
    assert len(others) == 29
    assert others[-1][5] == "Cancelled"
    page = book(visitor, as_xlsx)["CS 101 ä"]
    assert [cell.value for cell in page[2]][:3] == [datetime(2024, 3, 4), time(9), time(10, 30)]
    assert [cell.value for cell in page[2]][6:] == [3, 0.5, 1, 0, 1, 0, 1]


def test_a_courses_students_are_those_that_the_search_shows(site_db, lesson, visitor):
    extra = [make_student(site_db, name=f"Student {n:03}") for n in range(60)]
    enrol(site_db, lesson.course, *extra)
    site_db.commit()
    address = f"/courses/{lesson.course.id}/students"
    as_csv, _ = links(visitor.get(address).text)
    header, *rows = table(visitor, as_csv)
    assert header[:8] == ["Index number", "Student", *TALLY]
    assert len(rows) == 63
    assert rows[0][:8] == [lesson.students[2].index_number, f"'{LONGEST}", "", "0", "0", "0", "0", "1"]
    assert rows[1][:8] == [lesson.students[0].index_number, "Ada Byron", "100%", "1", "0", "0", "0", "0"]
    as_csv, as_xlsx = links(visitor.get(f"{address}?q=godel").text)
    assert [row[1] for row in table(visitor, as_csv)[1:]] == ["Kurt Gödel"]
    assert [cell.value for cell in book(visitor, as_xlsx)["CS 101 ä"]["B"]] == ["Student", "Kurt Gödel"]


def test_a_student_gives_the_parts_of_the_page(site_db, lesson, visitor):
    student = lesson.students[0]
    ill = NewExcuse(student.id, None, LONG_AGO, LONG_AGO + timedelta(days=2), "=ill", "file 7")
    give_excuse(site_db, ill, account_id=lesson.lecturer.id)
    as_csv, as_xlsx = links(visitor.get(f"/students/{student.id}").text)
    rows = table(visitor, as_csv)
    assert rows[:4] == [
        ["Course", "Course name", *TALLY],
        ["CS 101/ä", "Computing", "", "0", "0", "0", "1", "0"],
        [],
        ["First day", "Last day", "Course", "Reason", "Reference", "By"],
    ]
    assert rows[4] == ["2024-03-04", "2024-03-06", "Every course", "'=ill", "file 7", "Ada Lovelace"]
    assert rows[6][:6] == ["Date", "Start", "End", "Course", "Room", "Status"]
    assert rows[7][:4] == ["2024-03-04", "09:00", "10:30", "CS 101/ä"]
    assert rows[7][5:7] == ["Excused", "Automatic"]
    found = book(visitor, as_xlsx)
    assert found.sheetnames == ["Courses", "Excuses", "Sessions"]
    assert found["Excuses"]["D2"].value == "=ill"
    assert found["Excuses"]["D2"].data_type != "f"
    chosen = links(visitor.get(f"/students/{student.id}?course={lesson.course.id}").text)[0]
    assert chosen.endswith(f"?course={lesson.course.id}")
    assert "CS-101-a" in visitor.get(chosen).headers["Content-Disposition"]


def test_the_register_as_a_workbook_is_what_is_shown(lesson, visitor):
    as_csv, as_xlsx = links(visitor.get(f"/sessions/{lesson.session.id}?state=absent").text)
    answer = visitor.get(as_xlsx)
    name = "register_CS-101-a_2024-03-04-0900_absent.xlsx"
    assert answer.headers["Content-Disposition"] == f"attachment; filename={name}"
    page = load_workbook(io.BytesIO(answer.data))["CS 101 ä 2024-03-04 0900"]
    assert [cell.value for cell in page["B"]] == ["Student", "Kurt Gödel"]
    assert [row[8] for row in table(visitor, as_csv)] == ["Remark", "'-1"]


def test_records_as_a_workbook_have_days_times_and_shares(site_db, lesson, visitor):
    row = site_db.get(Attendance, 1)
    row.first_seen = row.last_seen = LONG_AGO + timedelta(minutes=3, seconds=7)
    row.confidence = 0.939
    site_db.commit()
    _, as_xlsx = links(visitor.get("/records?status=present").text)
    (cells,) = book(visitor, as_xlsx)["Records"].iter_rows(2, values_only=True)
    seen = datetime(2024, 3, 4, 9, 3, 7)
    assert cells[:3] == (datetime(2024, 3, 4), time(9), time(10, 30))
    assert cells[7:12] == ("Present", "Camera", seen, seen, 0.93)


def test_the_roster_can_be_imported_again(site, site_db, lesson):
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    visitor = site.visitor(admin)
    as_csv, as_xlsx = links(visitor.get(f"/admin/courses/{lesson.course.id}/students").text)
    rows = table(visitor, as_csv)
    assert rows[0] == ["course_code", "index_number", "name"]
    assert rows[1:] == [
        ["CS 101/ä", student.index_number, f"'{LONGEST}" if student.name == LONGEST else student.name]
        for student in sorted(lesson.students, key=lambda one: one.name)
    ]
    assert [cell.value for cell in book(visitor, as_xlsx).active["C"]][1:] == sorted(
        one.name for one in lesson.students
    )
    file = (io.BytesIO(visitor.get(as_csv).data), "roster.csv")
    report = plain(visitor.post("/admin/import/enrolments", {"file": file}, follow_redirects=True).text)
    assert "3 lines Will be added 0 Will be updated 0 Already there 3" in report


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_files_of_others_are_not_there(site, site_db, lesson, form):
    stranger = make_lecturer(site_db)
    site_db.commit()
    visitor, course = site.visitor(stranger), f"/courses/{lesson.course.id}"
    student = lesson.students[0].id
    for path in (
        f"{course}/sessions.{form}",
        f"{course}/students.{form}",
        f"/students/{student}.{form}",
        f"/sessions/{lesson.session.id}/register.{form}",
        f"/records.{form}?course={lesson.course.id}",
        f"/admin{course}/students.{form}",
    ):
        assert visitor.get(path).status_code in {403, 404}, path
        assert site.visitor().get(path).status_code == 302, path
