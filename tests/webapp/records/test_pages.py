"""The records page: its filter lives in the address, and the export is exactly what is shown."""

import csv
import io
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.labels import LabelValues, add_label
from attendance.database.models import Attendance, LabelColour, Status
from tests.factories import enrol, make_session, make_student
from tests.webapp.lessons import LONG_AGO, make_lesson, see


@pytest.fixture
def lesson(site_db):
    lesson = make_lesson(site_db, "Ada Byron", "Kurt Gödel", "=HYPERLINK(1)", starts_at=LONG_AGO, code="CS 101/ä")
    see(site_db, lesson, lesson.students[0], minute=1, until=80, confidence=0.9)
    see(site_db, lesson, lesson.students[1], minute=20, confidence=0.6)
    see(site_db, lesson, lesson.students[2], minute=-3, confidence=0.7)
    return lesson


@pytest.fixture
def visitor(site, lesson):
    return site.visitor(lesson.lecturer)


def shown(page):
    """The students of the page's table."""
    return re.findall(r'<th scope="row"><a [^>]*>([^<]*)</a>', page)


def exported(visitor, address):
    answer = visitor.get(address)
    assert answer.status_code == 200
    assert answer.data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))


def test_every_part_of_the_filter_is_in_the_address_and_in_the_form(visitor, lesson):
    address = (
        f"/records?course={lesson.course.id}&session={lesson.session.id}"
        "&from=2024-03-04&to=2024-03-05&student=kurt&status=late&status=absent"
    )
    page = visitor.get(address).text
    assert shown(page) == ["Kurt Gödel"]
    assert f'<option value="{lesson.course.id}" selected>' in page
    assert f'<option value="{lesson.session.id}" selected>' in page
    assert 'value="2024-03-04"' in page
    assert 'value="2024-03-05"' in page
    assert 'value="kurt"' in page
    assert re.search(r'value="late" checked', page)
    assert not re.search(r'value="present" checked', page)


@pytest.mark.parametrize(
    ("query", "students"),
    [
        ("", ["=HYPERLINK(1)", "Ada Byron", "Kurt Gödel"]),
        ("status=late", ["Kurt Gödel"]),
        ("status=late&status=present", ["=HYPERLINK(1)", "Ada Byron", "Kurt Gödel"]),
        ("student=godel", ["Kurt Gödel"]),
        ("student=byron&status=late", []),
        ("from=2024-03-05", []),
        ("to=2024-03-04", ["=HYPERLINK(1)", "Ada Byron", "Kurt Gödel"]),
    ],
)
def test_the_export_is_what_is_shown(visitor, query, students):
    page = visitor.get(f"/records?{query}").text
    assert shown(page) == students
    link = re.search(r'href="(/records\.csv[^"]*)"', page)
    assert bool(link) == bool(students)
    rows = exported(visitor, f"/records.csv?{query}")
    assert [row["Student"].removeprefix("'") for row in rows] == students


def test_the_export_has_every_page_in_the_same_order(site_db, lesson, visitor):
    extra = [make_student(site_db, name=f"Student {n:03}") for n in range(60)]
    enrol(site_db, lesson.course, *extra)
    later = make_session(site_db, lesson.course, starts_at=LONG_AGO + timedelta(days=1))
    for student in extra:
        site_db.add(Attendance(session_id=later.id, student_id=student.id, status=Status.ABSENT))
    site_db.commit()
    first, second = visitor.get("/records").text, visitor.get("/records?page=2").text
    assert len(shown(first)) == 50
    rows = [row["Student"].removeprefix("'") for row in exported(visitor, "/records.csv")]
    assert rows == shown(first) + shown(second)


def test_paging_and_export_links_keep_the_filter(site_db, lesson, visitor):
    for n in range(60):
        session = make_session(site_db, lesson.course, starts_at=LONG_AGO + timedelta(days=n + 1))
        see(site_db, lesson, lesson.students[0], session=session)
    page = visitor.get("/records?student=byron&status=present&page=2").text
    assert 'href="/records?student=byron&amp;status=present"' in page
    assert 'href="/records.csv?student=byron&amp;status=present"' in page
    assert "51\N{EN DASH}61 of 61 records" in page


def test_the_file_holds_text_not_formulas(visitor):
    row = exported(visitor, "/records.csv?student=hyperlink")[0]
    assert row["Student"] == "'=HYPERLINK(1)"
    assert (row["Date"], row["Start"], row["End"]) == ("2024-03-04", "09:00", "10:30")
    assert row["First seen (Europe/Warsaw)"] == "2024-03-04 08:57:00"
    assert (row["Status"], row["Source"], row["Confidence"]) == ("Present", "Camera", "70%")


def test_the_file_is_named_after_the_filter(visitor, lesson):
    answer = visitor.get(f"/records.csv?course={lesson.course.id}&from=2024-03-01&status=late&student=Kurt")
    name = "attendance_CS-101-a_from-2024-03-01_Kurt_late.csv"
    assert answer.headers["Content-Disposition"] == f"attachment; filename={name}"


def test_unused_fields_leave_the_address(visitor):
    answer = visitor.get("/records?course=&session=&from=&to=&student=+a+&status=late&colour=red")
    assert answer.location == "/records?student=a&status=late"


def test_a_session_brings_its_course_along(visitor, lesson, site_db):
    assert f'<option value="{lesson.course.id}" selected>' in visitor.get(f"/records?session={lesson.session.id}").text
    other = make_lesson(site_db, lecturer=lesson.lecturer)
    page = visitor.get(f"/records?course={other.course.id}&session={lesson.session.id}").text
    assert "All sessions" in page
    assert f'<option value="{lesson.session.id}" selected>' not in page


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("from=yesterday", "This is no date. Write it like 2026-11-23."),
        ("to=2024-02-30", "This is no date."),
        ("to=9999-12-31", "This is no date."),
        ("from=2024-03-05&to=2024-03-04", "This day is before the first one."),
        ("status=drunk", "Choose a status from the list."),
        ("course=x", "Choose a course from the list."),
        ("session=1;DROP", "Choose a session from the list."),
        ("course=99999999999999999999", "Choose a course from the list."),
    ],
)
def test_a_filter_that_makes_no_sense_is_named(visitor, query, message):
    answer = visitor.get(f"/records?{query}")
    assert answer.status_code == 422
    assert message in answer.text
    assert shown(answer.text) == []
    assert visitor.get(f"/records.csv?{query}").status_code == 400


def test_nothing_found_says_how_to_go_on(visitor):
    assert "clear the filter" in visitor.text("/records?student=zzz")
    assert "Go to its beginning" in visitor.text("/records?page=7")


def test_sessions_of_a_course_for_the_form(visitor, lesson):
    answer = visitor.get(f"/records/sessions?course={lesson.course.id}")
    assert answer.json == [{"id": lesson.session.id, "name": "Mon 4 Mar 2024, 09:00"}]
    assert visitor.get("/records/sessions?course=x").status_code == 404


def test_labels_narrow_the_records_as_kinds_do(site_db, visitor, lesson):
    online = add_label(site_db, LabelValues(Status.PRESENT, "Online", "O", LabelColour.BLUE, 1.0), course_id=None)
    late = LabelValues(Status.LATE, "Tram", "T", LabelColour.BLUE, 1.0)
    tram = add_label(site_db, late, course_id=lesson.course.id)
    ada, kurt = (
        site_db.scalars(sa.select(Attendance).where(Attendance.student_id == student.id)).one()
        for student in lesson.students[:2]
    )
    ada.label_id, kurt.label_id = online.id, tram.id
    site_db.commit()
    here, by_online, by_tram = f"course={lesson.course.id}", f"status=present.{online.id}", f"status=late.{tram.id}"
    for asked, students in (
        (f"/records?{by_online}", ["Ada Byron"]),
        (f"/records?{here}&{by_tram}", ["Kurt Gödel"]),
        (f"/records?{here}&{by_tram}&{by_online}", ["Ada Byron", "Kurt Gödel"]),
        (f"/records?{here}&{by_tram}&status=present", ["=HYPERLINK(1)", "Ada Byron", "Kurt Gödel"]),
    ):
        page = visitor.get(asked).text
        assert shown(page) == students
        lines = exported(visitor, asked.replace("/records", "/records.csv"))
        assert [line["Student"].removeprefix("'") for line in lines] == students
        assert re.search(rf'value="present.{online.id}" checked', page) or "present." not in asked
    assert f"late.{tram.id}" not in visitor.get("/records").text  # of one course
    assert visitor.get("/records?status=late.x").status_code == 422
    assert visitor.get("/records?status=seen.1").status_code == 422
