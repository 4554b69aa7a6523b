"""The administrator's pages in Chromium: by keyboard, on a phone, and held to WCAG."""

import csv
import re
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from playwright.sync_api import Error, expect

from attendance.database.access.tokens import camera_of
from attendance.database.models import (
    Camera,
    ClassSession,
    Course,
    Enrolment,
    Role,
    Student,
    TeachingBreak,
    TimetableCalendar,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    utc_now,
)
from tests.factories import (
    PASSWORD,
    enrol,
    make_camera,
    make_course,
    make_group,
    make_lecturer,
    make_room,
    make_session,
    make_student,
)
from webapp.imports.report import Fault, Outcome, Report, Result

WARSAW = ZoneInfo("Europe/Warsaw")
SIZES = {"wide": {"width": 1280, "height": 900}, "narrow": {"width": 390, "height": 844}}


@pytest.fixture
def db(dashboard):
    with dashboard.sessions() as session:
        yield session


@pytest.fixture
def admin(db):
    lecturer = make_lecturer(db, name="Barbara Liskov", role=Role.ADMIN)
    db.commit()
    return lecturer


@pytest.fixture
def visit(open_page, admin):
    """`visit(path, …)`: a page, signed in as an administrator."""
    return partial(open_page, admin)


@pytest.fixture
def campus(db):
    """A course with students and sessions, a watched room and one without a camera."""
    room, blind = make_room(db), make_room(db)
    camera = make_camera(db, room=room, token=f"cam_{room.id}")
    camera.last_seen_at = utc_now()
    make_camera(db)
    teacher = make_lecturer(db, name="Ada Byron")
    course = make_course(db, name="A course whose name is rather longer than a telephone is wide", lecturers=(teacher,))
    students = [make_student(db, name=f"Student {number}") for number in range(8)]
    enrol(db, course, *students)
    now = utc_now()
    times: dict[str, Any] = {"starts_at": now - timedelta(minutes=5), "ends_at": now + timedelta(minutes=60)}
    session = make_session(db, course, room, **times, also_in=(make_room(db),), also_for=(make_course(db),))
    group = make_group(db, course, "Monday, nine o'clock", members=tuple(students[:3]))
    far = now.date() + timedelta(days=200)  # none of the other tests' sessions
    holidays = TeachingBreak(name="Winter holidays", first_day=far, last_day=far + timedelta(days=9))
    db.add(holidays)
    hook = WebhookEndpoint(name="Records", url="https://records.example.edu/", events=["ping"], secret="whsec_c2VjcmV0")
    event = WebhookEvent(uid="evt_1", kind="ping", data={"sent_at": "2026-10-05T07:00:00Z"})
    term = {"first_day": now.date(), "last_day": far, "url": "https://calendar.example.edu/secret.ics"}
    calendar = TimetableCalendar(name="Timetable of mathematics", problem="It answered 503. " * 9, **term)
    calendar.failing_since, calendar.waiting_digest, calendar.report = now, "d" * 64, REPORT.to_json()
    db.add_all([hook, event, calendar])
    db.flush()
    delivery = WebhookDelivery(event_id=event.id, endpoint_id=hook.id, attempts=2, last_error="It answered 503. " * 9)
    db.add(delivery)
    for week in (1, 2):
        make_session(
            db, course, blind, starts_at=now + timedelta(weeks=week), ends_at=now + timedelta(weeks=week, hours=1)
        )
    db.commit()
    yield {
        "course": course.id,
        "student": students[0].id,
        "room": room.id,
        "camera": camera.id,
        "session": session.id,
        "teacher": teacher.id,
        "group": group.id,
        "webhook": hook.id,
        "calendar": calendar.id,
        "delivery": delivery.id,
    }
    db.delete(holidays)
    db.delete(calendar)
    db.delete(event)
    db.delete(hook)
    db.execute(sa.delete(ClassSession))  # the next test takes the same hours
    db.execute(sa.delete(Course))
    db.commit()


def type_into(page, label, text):
    """Press Tab until the control with this label has the focus, and type."""
    wanted = page.get_by_label(label, exact=True)
    for _ in range(60):
        page.keyboard.press("Tab")
        if wanted.evaluate("one => one === document.activeElement"):
            page.keyboard.type(text)
            return
    pytest.fail(f"{label} cannot be reached with Tab")


def press_button(page, name):
    """Press the button or link that the keyboard reaches under this name."""
    wanted = page.get_by_role("button", name=name).or_(page.get_by_role("link", name=name)).first
    for _ in range(80):
        if wanted.evaluate("one => one === document.activeElement"):
            page.keyboard.press("Enter")
            return
        page.keyboard.press("Tab")
    pytest.fail(f"{name} cannot be reached with Tab")


def tick(page, label):
    """Press Tab until the box with this label has the focus, and tick it with the space bar."""
    type_into(page, label, " ")


def test_a_receiver_a_calendar_a_platform_and_a_token_by_keyboard(visit):
    page = visit("/admin/webhooks")
    press_button(page, "Add a receiver")
    page.wait_for_url("**/webhooks/new")
    type_into(page, "Name", "Typed receiver")
    type_into(page, "Address", "https://records.example.edu/hook")
    tick(page, "Nothing at all was recorded in a session")
    press_button(page, "Add the receiver")
    expect(page.get_by_text("Typed receiver is added.")).to_be_visible()
    page.goto("/admin/calendars/new")
    type_into(page, "Name", "Typed calendar")
    type_into(page, "First day of the term", "10012030")
    type_into(page, "Last day of the term", "01312031")
    press_button(page, "Add the calendar")
    expect(page.get_by_text("Typed calendar is added.")).to_be_visible()
    page.goto("/admin/lti/new")
    for label, text in (
        ("Name", "Typed Moodle"),
        ("Platform ID (issuer)", "https://typed.example.edu"),
        ("Client ID", "typed"),
        ("Deployment IDs", "1"),
        ("Public keyset URL", "https://typed.example.edu/keys"),
        ("Access token URL", "https://typed.example.edu/token"),
        ("Authentication request URL", "https://typed.example.edu/auth"),
    ):
        type_into(page, label, text)
    press_button(page, "Add the platform")
    expect(page.get_by_role("heading", name="Typed Moodle")).to_be_visible()
    page.goto("/profile/tokens")
    type_into(page, "Name", "Typed token")
    tick(page, "Reports: rates of attendance and who is at risk")
    type_into(page, "Your password", PASSWORD)
    press_button(page, "Make the token")
    expect(page.get_by_text("The token is made.")).to_be_visible()


def test_a_course_a_student_an_enrolment_and_a_session_by_keyboard(visit, db):
    room = make_room(db, "Keyboard room")
    db.commit()
    page = visit("/admin/courses")
    press_button(page, "Add course")
    page.wait_for_url("**/courses/new")
    type_into(page, "Code", "KEY101")
    type_into(page, "Name", "Typing")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Typing")).to_be_visible()
    course_id = int(re.findall(r"/courses/(\d+)", page.url)[0])

    page.goto("/admin/students/new")
    type_into(page, "Name", "Key Board")
    type_into(page, "Index number", "key-1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Key Board is added.")).to_be_visible()

    page.goto(f"/admin/courses/{course_id}/students")
    type_into(page, "Index number", "no such")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_focused()  # reading goes on where something is wrong
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the message leads to its field
    expect(page.get_by_label("Index number", exact=True)).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("key-1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Key Board takes KEY101.")).to_be_visible()

    page.goto(f"/admin/timetable/new?course={course_id}")
    for label, typed in (
        ("Room", "Keyboard"),
        ("Day", "03222027"),
        ("Starts at", "0900AM"),
        ("Ends at", "1030AM"),
        ("Repeat every week until (optional)", "03292027"),
    ):
        type_into(page, label, typed)
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 sessions are added, from Mon 22 Mar 2027 to Mon 29 Mar 2027.")).to_be_visible()

    student = db.scalars(sa.select(Student).where(Student.index_number == "key-1")).one()
    assert db.get(Enrolment, (course_id, student.id)) is not None
    query = sa.select(ClassSession).where(ClassSession.course_id == course_id).order_by(ClassSession.starts_at)
    assert [(one.starts_at, one.room_id) for one in db.scalars(query)] == [
        (datetime(2027, 3, day, 9, tzinfo=WARSAW), room.id) for day in (22, 29)
    ]


@pytest.mark.parametrize("size", SIZES)
def test_a_file_with_bad_lines(visit, assert_accessible, db, tmp_path, size):
    number = f"csv-{size}"
    path = tmp_path / "class.csv"
    path.write_text(f"index_number;name\n{number};Zoë \u0141uk\n;Nobody\n{number};Again\n", "utf-8-sig")
    page = visit("/admin/import/students", size=SIZES[size], accept_downloads=True)
    assert_accessible(page)
    page.get_by_label("CSV file").set_input_files(path)
    page.get_by_role("button", name="Try the file").click()
    expect(page.get_by_role("heading", name="Ready to import")).to_be_visible()
    expect(page.get_by_text("index_number is empty.")).to_be_visible()
    expect(page.get_by_text(f"Index number {number} is already on line 2; that line counts.")).to_be_visible()
    assert_accessible(page)
    found = sa.select(Student.name).where(Student.index_number == number)
    assert db.scalar(found) is None
    db.rollback()
    page.get_by_role("button", name="Import 1 line").click()
    expect(page.get_by_role("heading", name="Imported")).to_be_visible()
    assert_accessible(page)
    assert db.scalar(found) == "Zoë \u0141uk"
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the report").click()
    with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["line", "3", "4"]


def test_a_file_that_cannot_be_read_or_is_too_large(visit, assert_accessible, tmp_path):
    page = visit("/admin/import/students")
    wrong, large = tmp_path / "wrong.csv", tmp_path / "large.csv"
    wrong.write_bytes("index_number,name\n1,Żak\n".encode("cp1250"))
    large.write_bytes(b"x" * 16_000_001)
    page.get_by_label("CSV file").set_input_files(large)
    expect(page.get_by_text("This file is larger than 16 MB.")).to_be_visible()
    page.get_by_role("button", name="Try the file").click()
    expect(page.get_by_label("CSV file")).to_be_focused()  # nothing was sent
    page.get_by_label("CSV file").set_input_files(wrong)
    page.get_by_role("button", name="Try the file").click()
    expect(page.get_by_role("link", name="This file cannot be imported.")).to_be_visible()
    expect(page.get_by_text("The file is not in UTF-8")).to_be_visible()
    assert_accessible(page)


def test_a_request_that_is_far_too_large_still_shows_a_page(visit):
    """Without the script's check: the server reads on, so that the browser comes to see the answer."""
    page = visit("/admin/import/students")
    page.evaluate(
        """() => {
          const form = document.querySelector("main form");
          const file = new File([new Uint8Array(40_000_000)], "huge.csv");
          const box = new DataTransfer();
          box.items.add(file);
          form.querySelector("input[type=file]").files = box.files;
          form.submit();
        }"""
    )
    expect(page.get_by_text("The file is larger than 16 MB. Split it into parts")).to_be_visible()


@pytest.mark.parametrize("size", SIZES)
def test_a_camera_s_token_is_shown_once(visit, assert_accessible, db, size):
    room = make_room(db, f"Room of {size}")
    db.commit()
    page = visit("/admin/cameras/new", size=SIZES[size], permissions=["clipboard-read", "clipboard-write"])
    page.get_by_label("Name").fill(f"camera-{size}")
    page.get_by_label("Room", exact=True).select_option(label=room.name)
    page.get_by_role("button", name="Add the camera").click()
    token = page.locator("#token").inner_text()
    assert camera_of(db, token).name == f"camera-{size}"
    assert_accessible(page)
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == token
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_role("heading", name=f"camera-{size}")).to_be_visible()
    assert token not in page.content()
    with pytest.raises(Error, match="ERR_CACHE_MISS"):  # the browser did not keep the page
        page.go_back()
    db.rollback()
    assert db.scalar(sa.select(sa.func.count()).select_from(Camera).where(Camera.name == f"camera-{size}")) == 1


REPORT = Report(lines=3, counts={"added": 1, "updated": 1, "unchanged": 0, "refused": 1}, asked=1)
REPORT.questions = [Outcome(4, Result.UPDATED, question="1 session with attendance would be cancelled.")]
REPORT.changes = [Outcome(4, Result.UPDATED, "1 of 12 sessions moved to 11:00.")]
REPORT.faults = [Fault("No room that is there is called Aula magna.", "LOCATION", "MAT101 Lecture", 1, [[9, 9]], 1)]
PAGES = (
    "/admin",
    "/admin/students",
    "/admin/students?q=nothing-is-called-so",
    "/admin/students/new",
    "/admin/students/{student}",
    "/admin/students/{student}/delete",
    "/admin/courses",
    "/admin/courses/new",
    "/admin/courses/{course}",
    "/admin/courses/{course}/edit",
    "/admin/courses/{course}/delete",
    "/admin/courses/{course}/students",
    "/admin/courses/{course}/students/{student}/remove",
    "/admin/courses/{course}/groups",
    "/admin/courses/{course}/groups/{group}",
    "/admin/courses/{course}/groups/{group}/rename",
    "/admin/accounts",
    "/admin/accounts/new",
    "/admin/accounts/{teacher}",
    "/admin/accounts/{teacher}/password",
    "/admin/accounts/{teacher}/delete",
    "/admin/rooms",
    "/admin/rooms/new",
    "/admin/rooms/{room}",
    "/admin/rooms/{room}/delete",
    "/admin/cameras",
    "/admin/cameras/new",
    "/admin/cameras/{camera}",
    "/admin/cameras/{camera}/revoke",
    "/admin/mail",
    "/admin/mail/kinds/weekly_summary",
    "/admin/calendars",
    "/admin/calendars/new",
    "/admin/calendars/{calendar}",
    "/admin/calendars/{calendar}/edit",
    "/admin/rooms/{room}/calendar",
    "/profile/calendar",
    "/admin/webhooks",
    "/admin/webhooks/new",
    "/admin/webhooks/{webhook}",
    "/admin/webhooks/{webhook}/deliveries",
    "/admin/webhooks/deliveries/{delivery}",
    "/admin/timetable",
    "/admin/timetable?from=2040-01-01",
    "/admin/timetable/new",
    "/admin/timetable/breaks",
    "/admin/timetable/{session}",
    "/admin/timetable/{session}/delete",
    "/admin/import",
    "/admin/import/timetable",
    "/admin/import/enrolments?course={course}",
)


def test_every_page_is_accessible(visit, assert_accessible, campus):
    page = visit("/admin")
    for path in PAGES:
        assert page.goto(path.format(**campus)).status == 200
        for size in SIZES.values():
            page.set_viewport_size(size)
            assert_accessible(page)


def test_pages_are_readable_in_the_dark(visit, assert_accessible, campus):
    page = visit("/admin", color_scheme="dark")
    for path in PAGES[::5]:
        page.goto(path.format(**campus))
        assert_accessible(page)


def test_pages_with_errors_and_secrets_are_accessible(visit, assert_accessible, campus):
    page = visit("/admin", size=SIZES["narrow"])
    for path in ("students/new", "courses/new", "accounts/new", "rooms/new", "cameras/new", "timetable/new"):
        page.goto(f"/admin/{path}")
        page.locator("main form button[type=submit]").click()
        expect(page.get_by_role("alert")).to_be_focused()
        assert page.title().startswith("Error: ")
        assert_accessible(page)
    page.goto(f"/admin/timetable/new?course={campus['course']}&room={campus['room']}")
    start = utc_now().astimezone(WARSAW)
    page.get_by_label("Day").fill(f"{start:%Y-%m-%d}")
    page.get_by_label("Starts at").fill(f"{start:%H:%M}")
    page.get_by_label("Ends at").fill(f"{start + timedelta(minutes=30):%H:%M}")
    page.get_by_label("Repeat every week until").fill(f"{start + timedelta(weeks=3):%Y-%m-%d}")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("1 of 4 sessions cannot be added:")).to_be_visible()
    assert_accessible(page)
    page.get_by_label("Leave these days out and add the others").check()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("3 sessions are added")).to_be_visible()

    page.goto("/admin/accounts/new")
    page.get_by_label("Name").fill("Donald Knuth")
    page.get_by_label("E-mail address").fill("knuth@example.edu")
    page.get_by_role("button", name="Add the account").click()
    expect(page.get_by_role("heading", name="First password")).to_be_visible()
    assert_accessible(page)
