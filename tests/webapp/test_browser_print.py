"""What comes out of the printer: pages as PDF, made by the browser, and read again."""

import io
from datetime import timedelta

import pytest
from playwright.sync_api import expect
from pypdf import PdfReader

from attendance.database.models import Attendance, Status
from tests.factories import make_session
from tests.webapp.lessons import LONG_AGO, make_lesson
from tests.webapp.screens import wait_until_drawn

A4_MM = (210, 297)
ON_SCREENS_ONLY = ("Search", "Every status", "Correct", "Choose", "Sign out", "Export", "Skip to", "Apply", "Show")
STATUSES = (Status.PRESENT, Status.PRESENT, Status.LATE, Status.ABSENT, Status.EXCUSED)


@pytest.fixture
def db(dashboard):
    with dashboard.sessions() as session:
        yield session


@pytest.fixture
def printed(open_page):
    """`printed(lecturer, path)`: the PDF that the browser makes of a page, as its print dialogue would."""

    def print_(lecturer, path, **context):
        page = open_page(lecturer, path, **context)
        wait_until_drawn(page)
        return PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True, print_background=False)))

    return print_


def names_of(count):
    """Names of every length that a list of students has, none within another."""
    longest = "Wolfeschlegelsteinhausenbergerdorff Maximiliana Konstantinopolska"
    return [f"Student {n:03d} {longest if n % 17 == 5 else 'Nowak'}" for n in range(count)]


def a_register(db, count):
    lesson = make_lesson(db, *names_of(count), starts_at=LONG_AGO, course_name="Linear Algebra")
    lesson.session.closed_at = lesson.session.ends_at + timedelta(minutes=2)
    db.merge(lesson.session)
    for n, student in enumerate(lesson.students):
        seen = lesson.session.starts_at + timedelta(minutes=n % 30)
        status = STATUSES[n % len(STATUSES)]
        row = Attendance(session_id=lesson.session.id, student_id=student.id, status=status)
        if status in (Status.PRESENT, Status.LATE):
            row.first_seen, row.last_seen, row.confidence = seen, seen + timedelta(minutes=40), 0.9
        db.add(row)
    db.commit()
    return lesson


def texts(pdf):
    """The text of each page without any white space: where words end is the extraction's guess."""
    return ["".join(page.extract_text().split()) for page in pdf.pages]


def tight(text):
    return "".join(text.split())


def sizes(pdf):
    return {tuple(round(float(side) * 25.4 / 72) for side in page.mediabox[2:]) for page in pdf.pages}


def on_pages(pages, words):
    """By word, the numbers of the pages on which it stands."""
    return {word: [n for n, text in enumerate(pages) if word in text] for word in words}


def assert_each_once_and_whole(pages, rows):
    """Each row's text stands on exactly one page, in one piece."""
    where = on_pages(pages, [tight(row) for row in rows])
    assert {row: numbers for row, numbers in where.items() if len(numbers) != 1} == {}


def test_a_register_of_51_is_two_pages(db, printed):
    lesson = a_register(db, 51)
    pdf = printed(lesson.lecturer, f"/sessions/{lesson.session.id}", color_scheme="dark")
    assert sizes(pdf) == {A4_MM}
    pages = texts(pdf)
    assert len(pages) == 2
    words = [STATUSES[n % len(STATUSES)].value.capitalize() for n in range(51)]
    rows = zip(lesson.students, words, strict=True)
    assert_each_once_and_whole(pages, [f"{one.name} {one.index_number} {word}" for one, word in rows])
    for number, text in enumerate(pages, 1):
        assert tight("Student Status First seen Last seen Confidence Source") in text
        assert text.startswith(f"{number}/2")
        assert [word for word in ON_SCREENS_ONLY if tight(word) in text] == []
    assert tight("Linear Algebra Mon 4 Mar 2024 09:00\N{EN DASH}10:30") in pages[0]
    assert tight("Test University · printed on") in pages[0]


def test_a_list_to_sign_of_51_is_two_pages(db, printed):
    lesson = a_register(db, 51)
    pdf = printed(lesson.lecturer, f"/sessions/{lesson.session.id}/signing-list")
    assert sizes(pdf) == {A4_MM}
    pages = texts(pdf)
    assert len(pages) == 2
    assert_each_once_and_whole(pages, [f"{one.name} {one.index_number}" for one in lesson.students])
    for text in pages:
        assert tight("No. Student Index number Signature") in text
        assert [word for word in ON_SCREENS_ONLY if tight(word) in text] == []
        assert "Absent" not in text


def test_a_list_to_sign_for_weeks_lies_on_its_side(db, printed):
    lesson = a_register(db, 25)
    for week in range(1, 10):
        make_session(db, lesson.course, starts_at=LONG_AGO + timedelta(weeks=week))
    db.commit()
    pdf = printed(lesson.lecturer, f"/courses/{lesson.course.id}/signing-list?from=2024-03-04&weeks=10")
    assert sizes(pdf) == {A4_MM[::-1]}
    pages = texts(pdf)
    assert len(pages) == 2
    assert_each_once_and_whole(pages, [f"{one.name} {one.index_number}" for one in lesson.students])
    boxes = [f"{LONG_AGO + timedelta(weeks=week):%a} {(LONG_AGO + timedelta(weeks=week)).day}" for week in range(10)]
    for text in pages:
        assert all(tight(box) in text for box in boxes)
        assert "Weeks" not in text
    upright = printed(lesson.lecturer, f"/courses/{lesson.course.id}/signing-list?from=2024-03-04&weeks=5")
    assert sizes(upright) == {A4_MM}


@pytest.mark.long("each list is printed once by a real browser; nothing else looks at paper")
def test_every_list_prints_without_its_controls(db, printed):
    lesson = a_register(db, 30)
    course, student = f"/courses/{lesson.course.id}", lesson.students[0]
    most = {course: 1, f"{course}/students": 2, "/records": 2, f"/students/{student.id}": 1, "/exam-office": 2, "/": 1}
    for path, pages_at_most in most.items():
        pages = texts(printed(lesson.lecturer, path))
        assert len(pages) <= pages_at_most, path
        found = {word for text in pages for word in ON_SCREENS_ONLY if tight(word) in text}
        assert found == set(), path
        assert "LinearAlgebra" in pages[0] or path == "/exam-office"
    pages = texts(printed(lesson.lecturer, "/records"))
    assert_each_once_and_whole(pages, [f"{one.name} {one.index_number}" for one in lesson.students])
    assert "1\N{EN DASH}30of30records" in pages[-1]


def test_a_matrix_of_51_students_and_36_sessions_lies_on_its_side(db, printed):
    lesson = a_register(db, 51)
    for day in range(1, 36):
        made = make_session(db, lesson.course, starts_at=LONG_AGO + timedelta(days=3 * day))
        made.closed_at = made.ends_at
        for student in lesson.students:
            db.add(Attendance(session_id=made.id, student_id=student.id, status=Status.PRESENT))
    db.commit()
    pdf = printed(lesson.lecturer, f"/courses/{lesson.course.id}/matrix")
    assert sizes(pdf) == {A4_MM[::-1]}
    pages = texts(pdf)
    assert len(pages) == 2
    assert_each_once_and_whole(pages, [f"{one.name} {one.index_number}" for one in lesson.students])
    for text in pages:
        assert tight("Student Rate") in text
        assert "4Mar" in text
        assert tight("17 Jun") in text
        assert [word for word in ON_SCREENS_ONLY if tight(word) in text] == []


def test_students_on_one_page_of_the_screen_print_together_a_line_each(db, printed):
    lesson = a_register(db, 70)
    pages = texts(printed(lesson.lecturer, f"/courses/{lesson.course.id}/students?page=all"))
    assert len(pages) <= 3
    assert_each_once_and_whole(pages, [f"{one.name} {one.index_number}" for one in lesson.students])
    assert "1\N{EN DASH}70of70students" in pages[-1]
    assert [word for text in pages for word in ON_SCREENS_ONLY if tight(word) in text] == []


def test_the_button_prints(db, open_page):
    lesson = a_register(db, 3)
    page = open_page(lesson.lecturer, f"/sessions/{lesson.session.id}")
    page.evaluate("window.print = () => { window.printed = true; }")
    page.get_by_role("button", name="Print").click()
    assert page.evaluate("window.printed")
    expect(page.get_by_role("link", name="Signing list")).to_be_visible()
