"""A register of three hundred on a phone, a tablet and a desk: how long it is, how wide its names are, its filters."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from attendance.database.labels import LabelValues, add_label
from attendance.database.models import Attendance, LabelColour, Source, Status, utc_now
from attendance.database.register import close_ended_sessions
from tests.webapp.lessons import make_lesson, see
from tests.webapp.screens import NARROW

_GIVEN = ("Anastasia", "Ben", "Chukwuemeka", "Dilara", "Étienne", "Farah", "Giulia", "Hiroshi", "Ingeborg", "محمد")
_FAMILY = (
    "Abernathy",
    "Öztürk",
    "van der Westhuizen",
    "Li",
    "Papadopoulou",
    "Şahin",
    "de la Cruz",
    "Nowak",
    "عبد الله",
)
LONG = "Maria Anna Wilhelmina Theodora Konstantinopolitańczykowianeczkówna-Wolfeschlegelsteinhausenbergerdorff"
NAMES = [f"{_GIVEN[n % 10]} {_FAMILY[n % 9]}" for n in range(298)] + [LONG, "الشيخ محمد بن عبد الرحمن آل سعود"]


@pytest.fixture(scope="module")
def hall(dashboard):
    """A closed register of three hundred, a fifth of them late or absent, some with a label of the institution."""
    with dashboard.sessions() as db:
        lesson = make_lesson(db, *NAMES, starts_at=utc_now() - timedelta(days=1), course_name="Anatomy")
        see(db, lesson, lesson.students[0], minute=3)
        close_ended_sessions(dashboard.sessions, utc_now())
        online = add_label(db, LabelValues(Status.PRESENT, "Online", "O", LabelColour.TEAL), course_id=None).id
        rows = db.scalars(sa.select(Attendance).where(Attendance.session_id == lesson.session.id)).all()
        for n, row in enumerate(rows):
            row.status, row.unrecorded_reason = (Status.LATE if n % 9 == 4 else Status.PRESENT), None
            row.first_seen = row.last_seen = lesson.session.starts_at + timedelta(minutes=n % 60)
            row.confidence, row.source = 0.9, Source.MACHINE
            if n % 11 == 5:
                row.status, row.first_seen, row.last_seen, row.confidence = Status.ABSENT, None, None, None
            if n % 50 == 7:
                row.status, row.label_id, row.source = Status.PRESENT, online, Source.PERSON
        db.commit()
    return lesson


def widths_of_names(page):
    return page.evaluate("Array.from(document.querySelectorAll('[data-rows] th'), (th) => th.clientWidth)")


def is_as_wide_as_the_screen(page):
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.long("three hundred rows are held against WCAG by axe once")
def test_three_hundred_on_a_phone_are_fewer_than_12000_pixels_and_the_choice_is_kept(
    hall, open_page, assert_accessible
):
    page = open_page(hall.lecturer, f"/sessions/{hall.session.id}", size=NARROW, is_mobile=True, has_touch=True)
    height = "document.documentElement.scrollHeight"
    assert page.evaluate(height) < 12_000
    assert is_as_wide_as_the_screen(page)
    assert_accessible(page)
    page.get_by_role("button", name="Comfortable rows").click()
    page.get_by_role("button", name="Compact rows").wait_for()
    comfortable = page.evaluate(height)
    assert comfortable > 20_000
    page.goto(f"/courses/{hall.course.id}")
    page.goto(f"/sessions/{hall.session.id}")
    assert page.evaluate(height) == comfortable
    page.get_by_role("button", name="Compact rows").click()
    page.get_by_role("button", name="Comfortable rows").wait_for()
    assert page.evaluate(height) < 12_000


@pytest.mark.parametrize("width", [768, 820, 1024])
def test_names_keep_their_place_beside_everything_else(hall, open_page, width):
    page = open_page(hall.lecturer, f"/sessions/{hall.session.id}", size={"width": width, "height": 900})
    for _ in range(2):  # compact, then comfortable
        assert min(widths_of_names(page)) >= 192
        assert is_as_wide_as_the_screen(page)
        if page.get_by_role("button", name="Comfortable rows").count():
            page.get_by_role("button", name="Comfortable rows").click()
            page.get_by_role("button", name="Compact rows").wait_for()


def test_a_tile_is_the_filter_that_it_looks_like(hall, open_page):
    page = open_page(hall.lecturer, f"/sessions/{hall.session.id}")
    late = page.locator("[data-counts]").get_by_role("link", name="Late", exact=True)
    late.click()
    rows = page.locator("[data-rows] > tr:not([hidden])")
    count = int(page.locator("[data-count=late]").inner_text())
    expect(rows).to_have_count(count)
    expect(late).to_have_attribute("aria-current", "true")
    late.focus()
    page.keyboard.press("Enter")
    expect(rows).to_have_count(300)
    page.locator("[data-counts]").get_by_role("link", name="Online", exact=True).click()
    expect(rows).to_have_count(6)
    assert {row.locator(".chip").inner_text() for row in rows.all()} == {"Online"}
