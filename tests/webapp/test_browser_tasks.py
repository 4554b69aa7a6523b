"""What a lecturer does every week, from the start page: with how few clicks, and by keyboard alone.

| task | clicks |
|---|---|
| open today's register | 1 |
| correct an entry of it | 3 more |
| excuse somebody for three weeks | 5 |
| see who is below 75 % | 1, at most 2 |
| the exam office's file | 2 |
"""

import re
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from openpyxl import load_workbook
from playwright.sync_api import Locator, expect

from attendance.database.models import Attendance, ClassSession, Excuse, Status, utc_now
from tests.factories import make_session, watch_whole
from tests.webapp.reports.terms import make_term
from tests.webapp.screens import NARROW, WIDE

LETTERS = {"Ada Byron": "PPPPPPPPP", "Kurt Gödel": "PPPAPPAAA", "Łukasz Żak": "PPPPPLPPP", "Zoë Brontë": "PAPPPPPPP"}
"""Kurt came to five of nine; he was ill in the last three weeks."""
WEEKS_ILL = 3
MOST_KEYS = 80
"""To whatever a page has, with a few students on it."""

COUNT_PRESSES = """
addEventListener("pointerdown", (event) => { if (event.isTrusted) window.countPress(); }, { capture: true });
"""
FOCUS = """
(wanted) => {
  const focused = document.activeElement;
  const drawn = [null, "::before", "::after"].some((part) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(focused, part);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  });
  // The last stop of a field of days is the button of its calendar. The browser draws its outline; no script can ask.
  const calendar = focused.matches("input[type=date]:not(:focus)");
  const { top, bottom, left, right, width, height } = focused.getBoundingClientRect();
  const inSight = bottom > 0 && top < innerHeight && right > 0 && left < innerWidth && width > 0 && height > 0;
  return [focused === wanted, (drawn || calendar) && inSight];
}
"""


@pytest.fixture
def db(dashboard):
    with dashboard.sessions() as session:
        yield session


@pytest.fixture
def term(db):
    """A course of nine weeks of which today's session runs."""
    now = utc_now()
    made = make_term(db, LETTERS, first=now - timedelta(weeks=len(LETTERS["Ada Byron"]), hours=1))
    running = make_session(db, made.course, starts_at=now - timedelta(minutes=30))
    watch_whole(db, running)
    db.commit()
    return made


@pytest.fixture
def open_counted(open_page):
    """`page, presses = open_counted(lecturer, **arguments)`: the start page, and where the mouse was pressed since."""

    def open_(lecturer, **arguments):
        page = open_page(lecturer, **arguments)
        presses = []
        page.expose_function("countPress", lambda: presses.append(page.url))
        page.add_init_script(COUNT_PRESSES)
        page.goto("/")
        return page, presses

    return open_


def statuses_of(db, student):
    """What the register says of a student by now, from the first session to today's."""
    db.rollback()
    query = sa.select(Attendance.status).join(ClassSession).where(Attendance.student_id == student.id)
    return db.scalars(query.order_by(ClassSession.starts_at)).all()


def days_ill():
    """The first and the last day of Kurt's illness, in Warsaw: around three sessions, and not today's."""
    today = utc_now().astimezone(ZoneInfo("Europe/Warsaw")).date()
    return today - timedelta(weeks=WEEKS_ILL, days=2), today - timedelta(days=2)


def type_days(page, first: date, last: date):
    """Type both days of an excuse; the first one's field has the focus already."""
    for field, day in (("First day", first), ("Last day", last)):
        press_until_focused(page, page.get_by_label(field))
        page.keyboard.type(f"{day:%m%d%Y}")
        expect(page.get_by_label(field)).to_have_value(day.isoformat())


def press_until_focused(page, wanted, key="Tab", most=MOST_KEYS):
    """Press a key until an element has the focus. Wherever the focus is, one sees it."""
    expect(wanted).to_be_visible()
    element = wanted.element_handle()
    for pressed in range(most):
        focused, seen = element.evaluate(FOCUS)
        assert seen or not pressed, page.evaluate("document.activeElement.outerHTML")
        if focused:
            return
        page.keyboard.press(key)
    raise AssertionError(f"{wanted} is more than {most} keys away on {page.url}")


def assert_excused(db, term):
    kurt = term.students["Kurt Gödel"]
    before = [Status.PRESENT] * 3 + [Status.ABSENT] + [Status.PRESENT] * 2
    assert statuses_of(db, kurt) == before + [Status.EXCUSED] * WEEKS_ILL
    assert db.scalar(sa.select(Excuse.reason).where(Excuse.student_id == kurt.id)) == "Illness"


def assert_exam_offices_file(download, term):
    """It has a line of everybody, and of Kurt what his nine entries come to."""
    assert re.fullmatch(r"exam-office_as-of-\d{4}-\d\d-\d\d\.xlsx", download.suggested_filename)
    with Path(download.path()).open("rb") as file:
        headings, *lines = load_workbook(file)[term.course.code].iter_rows(values_only=True)
    told = {line[headings.index("Student")]: dict(zip(headings, line, strict=True)) for line in lines}
    assert told.keys() == LETTERS.keys()
    kurt = told["Kurt Gödel"]
    assert [kurt[key] for key in ("Attended", "Absences", "Sessions recorded")] == [5, 4, 9]
    assert (kurt["Attendance"], kurt["Threshold met"]) == (0.55, "Not met")


def correct_ada(page, *, press):
    """Make Ada late on the register that is open, and say why; `press` is what the hand does to a control."""
    press(page.get_by_role("link", name="Correct Ada Byron"))
    dialog = page.get_by_role("dialog", name="Ada Byron")
    press(dialog.get_by_text("Late", exact=True))
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("Came in with me.")
    press(dialog.get_by_role("button", name="Save"))
    expect(page.locator("[data-toasts]")).to_contain_text("Ada Byron is now late.")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_each_task_takes_few_clicks(db, term, open_counted, size):
    page, presses = open_counted(term.lecturer, size=size)

    page.get_by_role("link", name="Computing").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Computing")
    expect(page.locator("[data-rows] > tr")).to_have_count(len(LETTERS))
    assert len(presses) == 1  # today's register

    presses.clear()
    correct_ada(page, press=Locator.click)
    assert statuses_of(db, term.students["Ada Byron"])[-1] is Status.LATE
    assert len(presses) == 3  # an entry of it

    page.goto("/")
    presses.clear()
    page.get_by_role("link", name="Below 75 %: 1 student").click()
    expect(page).to_have_url(re.compile(r"/courses/\d+/students\?below=75$"))
    expect(page.get_by_role("rowheader")).to_have_text(["Kurt Gödel"])
    assert len(presses) == 1  # who is below 75 %

    page.goto("/")
    presses.clear()
    page.get_by_role("link", name="Exam office").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export Excel").click()
    assert_exam_offices_file(download.value, term)
    assert len(presses) == 2  # the exam office's file

    page.goto("/")
    presses.clear()
    page.get_by_role("link", name="Computing").first.click()
    page.get_by_role("link", name="Kurt Gödel", exact=True).click()
    page.get_by_role("link", name="Excuse", exact=True).click()
    expect(page.get_by_label("First day")).to_be_focused()
    type_days(page, *days_ill())
    page.get_by_text("Illness", exact=True).click()
    page.get_by_role("button", name="Excuse").click()
    expect(page.get_by_role("status").first).to_contain_text("Kurt Gödel is excused.")
    assert_excused(db, term)
    assert len(presses) == 5  # three weeks excused


def test_correcting_takes_three_taps_on_a_touch_screen_too(db, term, open_counted):
    page, presses = open_counted(term.lecturer, size=NARROW, is_mobile=True, has_touch=True)
    page.get_by_role("link", name="Computing").first.tap()
    expect(page.get_by_role("heading", level=1)).to_have_text("Computing")
    presses.clear()
    correct_ada(page, press=Locator.tap)
    assert statuses_of(db, term.students["Ada Byron"])[-1] is Status.LATE
    assert len(presses) == 3


def test_each_task_by_keyboard_alone(db, term, open_counted):
    page, presses = open_counted(term.lecturer)
    keys = page.keyboard

    def go_to(wanted):
        press_until_focused(page, wanted)
        keys.press("Enter")

    def back_to_the_start(key):
        press_until_focused(page, page.get_by_label("Main").get_by_role("link", name="Courses"), key)
        keys.press("Enter")

    go_to(page.get_by_role("link", name="Computing").first)
    go_to(page.get_by_role("link", name="Correct Ada Byron"))
    dialog = page.get_by_role("dialog", name="Ada Byron")
    expect(dialog.get_by_label("Present", exact=True)).to_be_focused()
    press_until_focused(page, dialog.get_by_label("Late"), "ArrowRight")
    expect(dialog.get_by_label("Late")).to_be_checked()
    press_until_focused(page, dialog.get_by_label("Reason"))
    keys.type("Came in with me.")
    go_to(dialog.get_by_role("button", name="Save"))
    expect(page.locator("[data-toasts]")).to_contain_text("Ada Byron is now late.")
    expect(page.get_by_role("link", name="Correct Ada Byron")).to_be_focused()
    assert statuses_of(db, term.students["Ada Byron"])[-1] is Status.LATE

    back_to_the_start("Shift+Tab")
    go_to(page.get_by_role("link", name="Below 75 %: 1 student"))
    expect(page.get_by_role("rowheader")).to_have_text(["Kurt Gödel"])

    back_to_the_start("Tab")
    go_to(page.get_by_role("link", name="Exam office"))
    with page.expect_download() as download:
        go_to(page.get_by_role("link", name="Export Excel"))
    assert_exam_offices_file(download.value, term)

    back_to_the_start("Shift+Tab")
    go_to(page.get_by_role("link", name="Computing").first)
    go_to(page.get_by_role("link", name="Kurt Gödel", exact=True))
    go_to(page.get_by_role("link", name="Excuse", exact=True))
    expect(page.get_by_label("First day")).to_be_focused()
    type_days(page, *days_ill())
    press_until_focused(page, page.get_by_label("Illness"))
    keys.press("Space")
    go_to(page.get_by_role("button", name="Excuse"))
    expect(page.get_by_role("status").first).to_contain_text("Kurt Gödel is excused.")
    assert_excused(db, term)
    assert presses == []
