"""A lecturer's day in a real browser, on a wide screen and on a phone."""

import csv
import re
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from PIL import Image
from playwright.sync_api import expect

from attendance.database.models import Attendance, AttendanceChange, Role, utc_now
from tests.factories import PASSWORD, enrol, make_lecturer, make_session, make_student
from tests.webapp.lessons import LONG_AGO, make_lesson, see
from tests.webapp.screens import NARROW, WIDE

SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])


@pytest.fixture
def db(dashboard):
    with dashboard.sessions() as session:
        yield session


def row(page, student):
    return page.locator(f"#student-{student.id}")


@SIZES
def test_signs_in_looks_at_the_running_register_and_signs_out(dashboard, db, open_page, size):
    lesson = make_lesson(db, course_name="Linear Algebra")
    page = open_page(None, "/signin", size=size)
    page.get_by_label("E-mail address").fill(lesson.lecturer.email)
    page.get_by_label("Password").fill("not the password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The e-mail address or the password is not right.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Linear Algebra").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Linear Algebra")
    page.locator("[data-menu] summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_contain_text("You are signed out.")
    page.goto(f"/sessions/{lesson.session.id}")
    expect(page).to_have_url(re.compile("/signin"))


@SIZES
def test_the_register_fills_while_one_watches(dashboard, db, open_page, size):
    lesson = make_lesson(db, "Ada Byron", "Kurt Gödel", "Łukasz Żak")
    page = open_page(lesson.lecturer, f"/sessions/{lesson.session.id}", size=size)
    ada, kurt, _ = lesson.students
    expect(row(page, ada)).to_contain_text("Not yet seen")
    expect(page.locator("[data-live-state]")).to_contain_text("Live")
    page.evaluate("window.notReloaded = true")
    see(db, lesson, ada, minute=3, confidence=0.93)
    expect(row(page, ada)).to_contain_text("Present")
    expect(row(page, ada)).to_contain_text("High · 93%")
    expect(row(page, ada)).to_have_class(re.compile("row-fresh"))
    expect(page.locator("[data-announce]")).to_have_text("Ada Byron: Present")
    expect(page.locator("[data-count=present]")).to_have_text("1")
    expect(page.locator("[data-count=unseen]")).to_have_text("2")
    see(db, lesson, kurt, minute=12)
    expect(row(page, kurt)).to_contain_text("Late")
    assert page.evaluate("window.notReloaded")


def test_the_end_of_a_session_is_seen_without_a_reload(dashboard, db, open_page):
    lesson = make_lesson(db, "Ada Byron", "Kurt Gödel")
    see(db, lesson, lesson.students[0])
    page = open_page(lesson.lecturer, f"/sessions/{lesson.session.id}")
    expect(page.locator("[data-live-state]")).to_contain_text("Live")
    page.get_by_label("Search this register").fill("kurt")
    lesson.session.ends_at = utc_now()
    db.merge(lesson.session)
    db.commit()
    kurt = row(page, lesson.students[1])
    expect(kurt).to_contain_text("Absent")
    expect(page.locator("h1 + p")).to_contain_text("Closed")
    expect(page.locator("[data-live-state]")).to_have_count(0)
    expect(page.get_by_label("Search this register")).to_have_value("kurt")
    expect(row(page, lesson.students[0])).to_be_hidden()


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_register_goes_live_when_its_session_opens_whatever_the_browsers_clock(dashboard, db, open_page, hours):
    lesson = make_lesson(db, "Ada Byron", starts_at=utc_now() + timedelta(minutes=10, seconds=4))
    page = open_page(lesson.lecturer, "/")
    page.clock.install(time=utc_now() + timedelta(hours=hours))
    page.goto(f"/sessions/{lesson.session.id}")
    expect(page.get_by_text("Attendance counts from")).to_be_visible()
    expect(page.locator("[data-live-state]")).to_contain_text("Live", timeout=20_000)


def test_without_streams_the_register_is_read_again_now_and_then(dashboard, db, open_page):
    lesson = make_lesson(db, "Ada Byron")
    page = open_page(lesson.lecturer, "/")
    page.route("**/live?*", lambda route: route.fulfill(status=503))
    page.clock.install()
    page.goto(f"/sessions/{lesson.session.id}")
    expect(page.locator("[data-live-state]")).to_contain_text("Updates every 10 seconds")
    see(db, lesson, lesson.students[0])
    page.clock.run_for(11_000)
    expect(row(page, lesson.students[0])).to_contain_text("Present")
    expect(page.locator("[data-count=present]")).to_have_text("1")


@SIZES
def test_an_entry_is_corrected_by_keyboard_alone(dashboard, db, open_page, size):
    lesson = make_lesson(db, "Ada Byron", "Kurt Gödel")
    page = open_page(lesson.lecturer, f"/sessions/{lesson.session.id}", size=size)
    correct = page.get_by_role("link", name="Correct Ada Byron")
    correct.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Ada Byron")
    expect(dialog).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_label("Late")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("Say why, so that it can be understood later.")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("Came in with me.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(row(page, lesson.students[0])).to_contain_text("Late")
    expect(row(page, lesson.students[0])).to_contain_text("Person")
    expect(page.locator("[data-toasts]")).to_contain_text("Ada Byron is now late.")
    expect(page.get_by_role("link", name="Correct Ada Byron")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("Came in with me.")
    expect(dialog).to_contain_text("Ada Lovelace")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("link", name="Correct Ada Byron")).to_be_focused()


@SIZES
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_two_people_at_one_entry_and_the_second_chooses(dashboard, db, open_page, assert_accessible, size, scripts):  # noqa: PLR0917
    lesson = make_lesson(db, "Ada Byron")
    see(db, lesson, lesson.students[0], minute=15)
    grace = make_lecturer(db, name="Grace Hopper", role=Role.ADMIN)
    db.commit()
    path = f"/sessions/{lesson.session.id}"
    mine = open_page(lesson.lecturer, path, size=size, java_script_enabled=scripts)
    mine.get_by_role("link", name="Correct Ada Byron").click()
    hers = open_page(grace, path)
    for page, status, reason in ((hers, "Present", "sat behind me"), (mine, "Absent", "it was her twin")):
        if page is hers:
            page.get_by_role("link", name="Correct Ada Byron").click()
        form = page.locator("[data-entry]")
        form.get_by_label(status, exact=True).check()
        form.get_by_label("Reason").fill(reason)
        form.get_by_role("button", name="Save").click()
        if page is hers:
            expect(row(page, lesson.students[0])).to_contain_text("Grace Hopper")
    told = mine.get_by_role("alert")
    expect(told).to_contain_text("Nothing of yours is saved yet")
    expect(told).to_contain_text("sat behind me")
    expect(told).to_contain_text("Grace Hopper")
    expect(mine.locator("[data-entry]").get_by_label("Reason")).to_have_value("it was her twin")
    if scripts:
        assert_accessible(mine)
    mine.get_by_role("button", name="Save mine all the same").dblclick()
    expect(row(mine, lesson.students[0])).to_contain_text("Absent")
    db.rollback()
    reasons = sa.select(AttendanceChange.reason).join(Attendance).where(Attendance.session_id == lesson.session.id)
    assert db.scalars(reasons.order_by(AttendanceChange.id)).all() == ["sat behind me", "it was her twin"]


@SIZES
def test_several_entries_are_changed_and_undone(dashboard, db, open_page, assert_accessible, size):
    lesson = make_lesson(db, "Ada Byron", "Kurt Gödel", "Łukasz Żak")
    page = open_page(lesson.lecturer, f"/sessions/{lesson.session.id}", size=size)
    ada, kurt, lukasz = lesson.students
    expect(page.locator("[data-live-state]")).to_contain_text("Live")
    page.get_by_label("Choose Ada Byron").check()
    see(db, lesson, ada, minute=2)  # her row is replaced, and stays chosen
    expect(row(page, ada)).to_contain_text("Present")
    expect(page.get_by_label("Choose Ada Byron")).to_be_checked()
    page.get_by_label("Choose Kurt Gödel").check()
    bulk = page.locator("[data-bulk]")
    expect(bulk).to_contain_text("2 chosen")
    bulk.locator("summary").click()
    assert_accessible(page)
    bulk.get_by_label("Excused").check()
    bulk.get_by_label("Reason").fill("fire drill")
    bulk.get_by_role("button", name="Change them").click()
    expect(page.get_by_role("status").first).to_contain_text("2 entries are now excused.")
    assert_accessible(page)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status").first).to_contain_text("Undone: 2 entries are as before.")
    expect(row(page, ada)).to_contain_text("Present")
    expect(row(page, kurt)).to_contain_text("Not yet seen")
    page.get_by_label("Search this register").fill("k")  # all that are shown: Kurt and Łukasz
    page.locator("[data-bulk] summary").click()
    bulk.get_by_label("All that are shown").check()
    bulk.get_by_label("Present", exact=True).check()
    bulk.get_by_label("Reason").fill("sat in the dark")
    bulk.get_by_role("button", name="Change them").click()
    expect(page.get_by_role("status").first).to_contain_text("2 entries are now present.")
    expect(row(page, lukasz)).to_contain_text("Person")
    expect(row(page, ada)).to_contain_text("Camera")


def test_a_correction_that_does_not_get_through_is_said_in_the_dialog(dashboard, db, open_page):
    lesson = make_lesson(db, "Ada Byron")
    page = open_page(lesson.lecturer, f"/sessions/{lesson.session.id}")
    page.get_by_role("link", name="Correct Ada Byron").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Excused").check()
    dialog.get_by_label("Reason").fill("ill")
    page.context.clear_cookies()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Your sign-in has ended.")
    page.context.set_offline(True)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("no connection")


def test_the_export_follows_the_filter_while_one_types(dashboard, db, open_page):
    lesson = make_lesson(db, "Ada Byron", "Kurt Gödel")
    page = open_page(lesson.lecturer, f"/sessions/{lesson.session.id}")
    page.get_by_label("Search this register").fill("kurt")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert [line["Student"] for line in csv.DictReader(lines)] == ["Kurt Gödel"]
    page.get_by_label("Search this register").fill("")
    assert "?" not in page.get_by_role("link", name="Export CSV").get_attribute("href")


def test_everything_works_without_javascript(dashboard, db, open_page):
    lesson = make_lesson(db, "Ada Byron", "Kurt Gödel")
    page = open_page(lesson.lecturer, f"/sessions/{lesson.session.id}", java_script_enabled=False)
    page.get_by_label("Search this register").fill("kurt")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("1 of 2 students shown")).to_be_visible()
    page.get_by_role("link", name="Correct Kurt Gödel").click()
    page.get_by_label("Excused").check()
    page.get_by_label("Reason").fill("ill")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("Kurt Gödel is now excused.")


def test_the_search_narrows_while_one_types(dashboard, db, open_page):
    lesson = make_lesson(db, "Łukasz Żak", "Ada Byron", "Zoë Brontë")
    see(db, lesson, lesson.students[1])
    page = open_page(lesson.lecturer, f"/sessions/{lesson.session.id}")
    search = page.get_by_label("Search this register")
    rows = page.locator("[data-rows] > tr:visible")
    for typed, shown in (("lukasz", 1), ("bronte", 1), (lesson.students[1].index_number, 1), ("o", 2), ("zzz", 0)):
        search.fill(typed)
        expect(rows).to_have_count(shown)
    expect(page.get_by_text("Nobody on this register fits")).to_be_visible()
    page.get_by_role("link", name="Show everybody").click()
    expect(rows).to_have_count(3)
    page.get_by_label("Status", exact=True).select_option("present")
    expect(rows).to_have_count(1)


@SIZES
def test_records_are_filtered_kept_on_reload_and_exported(dashboard, db, open_page, size, tmp_path):
    lesson = make_lesson(db, "Ada Byron", "Kurt Gödel", starts_at=LONG_AGO, course_name="Logic")
    later = make_session(db, lesson.course, starts_at=LONG_AGO + timedelta(days=7))
    see(db, lesson, lesson.students[0])
    see(db, lesson, lesson.students[1], minute=20)
    see(db, lesson, lesson.students[1], minute=20, session=later)
    page = open_page(lesson.lecturer, "/records", size=size)
    page.get_by_label("Course").select_option(label=f"{lesson.course.code} \N{EN DASH} Logic")
    page.get_by_label("Session").select_option(label="Mon 4 Mar 2024, 09:00")
    page.get_by_label("From").fill("2024-03-01")
    page.get_by_label("Student").fill("godel")
    page.get_by_label("Late").check()
    page.get_by_role("button", name="Apply filter").click()
    query = f"course={lesson.course.id}&session={lesson.session.id}&student=godel&from=2024-03-01&status=late"
    expect(page).to_have_url(f"{dashboard.address}/records?{query}")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    page.reload()
    expect(rows).to_have_count(1)
    expect(page.get_by_label("Student")).to_have_value("godel")
    expect(page.get_by_label("Late")).to_be_checked()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    assert download.value.suggested_filename.startswith(f"attendance_{lesson.course.code}_2024-03-04-0900")
    path = Path(download.value.path())
    with path.open(encoding="utf-8-sig", newline="") as file:
        exported = list(csv.DictReader(file))
    assert [(line["Student"], line["Status"]) for line in exported] == [("Kurt Gödel", "Late")]
    page.get_by_role("link", name="Clear").click()
    expect(rows.nth(2)).to_be_visible()


@SIZES
def test_a_correction_from_the_records_leads_back_to_them(dashboard, db, open_page, size):
    lesson = make_lesson(db, "Ada Byron", starts_at=LONG_AGO)
    see(db, lesson, lesson.students[0])
    page = open_page(lesson.lecturer, "/records?student=byron", size=size)
    page.get_by_role("link", name="Correct Ada Byron").click()
    page.get_by_label("Excused").check()
    page.get_by_label("Reason").fill("Doctor's note")
    page.get_by_role("button", name="Save").click()
    expect(page).to_have_url(f"{dashboard.address}/records?student=byron")
    expect(page.locator("tbody tr")).to_contain_text("Excused")


def test_the_profile_is_changed(dashboard, db, open_page, tmp_path):
    lesson = make_lesson(db)
    picture = tmp_path / "me.png"
    Image.new("RGB", (400, 300), "teal").save(picture)
    page = open_page(lesson.lecturer, "/profile")
    page.get_by_label("New picture").set_input_files(picture)
    page.get_by_role("button", name="Save picture").click()
    expect(page.locator("main img.avatar")).to_have_js_property("naturalWidth", 256)
    page.get_by_label("Name", exact=True).fill("Ada King")
    page.get_by_role("button", name="Save changes").click()
    expect(page.locator("[data-menu]")).to_contain_text("Ada King")


def test_a_file_that_is_far_too_large_is_answered(dashboard, db, open_page, tmp_path):
    lesson = make_lesson(db)
    huge = tmp_path / "huge.jpg"
    with huge.open("wb") as file:
        file.truncate(40_000_000)
    page = open_page(lesson.lecturer, "/profile")
    page.get_by_label("New picture").set_input_files(huge)
    page.get_by_role("button", name="Save picture").click()
    expect(page.get_by_role("alert")).to_have_text("The file is larger than 5 MB. Choose a smaller one.")
    expect(page).to_have_url(f"{dashboard.address}/profile")
    page = open_page(lesson.lecturer, "/profile", java_script_enabled=False)
    page.get_by_label("New picture").set_input_files(huge)
    page.get_by_role("button", name="Save picture").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Too large")


def test_a_long_register_is_paged_and_searched_on_the_server(dashboard, db, open_page):
    lesson = make_lesson(db, "Zoe Last")
    enrol(db, lesson.course, *(make_student(db, name=f"Student {n:04}") for n in range(520)))
    db.commit()
    page = open_page(lesson.lecturer, f"/sessions/{lesson.session.id}")
    expect(page.locator("[data-rows] > tr")).to_have_count(500)
    see(db, lesson, lesson.students[0])
    expect(page.locator("[data-count=present]")).to_have_text("1")
    page.get_by_role("link", name="Next").click()
    expect(row(page, lesson.students[0])).to_contain_text("Present")
    page.get_by_label("Search this register").fill("zoe")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("[data-rows] > tr")).to_have_count(1)
