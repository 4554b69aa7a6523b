"""The reports in a real browser: what stays in sight and in the address."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from attendance.database.models import Role, utc_now
from tests.factories import make_lecturer
from tests.webapp.reports.terms import make_department, make_term
from tests.webapp.screens import NARROW, WIDE

LETTERS = {
    "Ada Byron": "PPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPP",
    "Kurt Gödel": "PPAAPPAA?PAAEPLAPPAAPPAA?PAAEPLAPPAA",
    "Łukasz Żak": "AAAALPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPP",
    **{f"Student {number:02}": "PPPPLPPPAPPPPPPPPPPPPPPPPPPPPPPPPPPA" for number in range(30)},
}


@pytest.fixture(scope="module")
def term(dashboard):
    with dashboard.sessions() as db:
        return make_term(db, LETTERS, code="CS101")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_list_of_students_survives_reload_and_back(term, open_page, assert_accessible, size):
    page = open_page(term.lecturer, f"/courses/{term.course.id}/students?below=75", size=size)
    expect(page.get_by_role("rowheader")).to_have_text(["Kurt Gödel"])
    assert_accessible(page)
    page.get_by_label("Below").fill("90")
    page.get_by_label("Sort by").select_option("rate")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(r"/students\?below=90&sort=rate$"))  # what is not used is not in the address
    expect(page.get_by_role("rowheader")).to_have_text(["Kurt Gödel", "Łukasz Żak"])
    page.reload()
    expect(page.get_by_role("rowheader")).to_have_text(["Kurt Gödel", "Łukasz Żak"])
    page.get_by_role("link", name="Kurt Gödel", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Kurt Gödel")
    assert_accessible(page)
    page.go_back()
    expect(page.get_by_label("Below")).to_have_value("90")
    expect(page.get_by_role("rowheader")).to_have_text(["Kurt Gödel", "Łukasz Żak"])


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_name_and_dates_of_the_matrix_stay_in_sight(term, open_page, assert_accessible, size):
    page = open_page(term.lecturer, f"/courses/{term.course.id}/matrix", size=size)
    assert_accessible(page)
    frame = page.get_by_role("region", name="Matrix")
    name, date = page.get_by_role("rowheader", name="Student 20"), page.locator(".matrix thead th").last
    frame.evaluate("frame => frame.scrollTo(frame.scrollWidth, frame.scrollHeight)")
    outer = frame.bounding_box()
    assert name.bounding_box()["x"] == pytest.approx(outer["x"] + 1, abs=1)
    assert date.bounding_box()["y"] == pytest.approx(outer["y"] + 1, abs=1)
    assert date.bounding_box()["x"] + date.bounding_box()["width"] <= outer["x"] + outer["width"] + 1
    # The names leave room for letters, also on a phone.
    assert name.bounding_box()["width"] <= outer["width"] / 2
    page.goto(f"/courses/{term.course.id}/report")
    page.get_by_text("The same as a table").click()
    assert_accessible(page)


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "dark"), (NARROW, "light")], ids=["wide, dark", "narrow, light"])
def test_the_pages_of_a_department(dashboard, open_page, assert_accessible, size, scheme):
    with dashboard.sessions() as db:
        admin = make_lecturer(db, role=Role.ADMIN)
        department = make_department(db, f"Mathematics, {scheme}")
        make_term(db, {"Ada": "PAA?", "Kurt": "PPPP"}, department=department, first=utc_now() - timedelta(days=28))
        db.commit()
    page = open_page(admin, f"/departments/{department.id}", size=size, color_scheme=scheme)
    for tab in ("Courses", "Students at risk", "Not recorded", "Cameras"):
        page.get_by_label("Parts of the report").get_by_role("link", name=tab).click()
        expect(page.get_by_label("Parts of the report").locator("[aria-current]")).to_have_text(tab)
        assert_accessible(page)


def test_the_registers_filter_survives_reload_and_back(term, open_page):
    session = term.sessions[2]
    page = open_page(term.lecturer, f"/sessions/{session.id}")
    rows = page.locator("[data-rows] > tr:visible")
    page.get_by_label("Search this register").fill("go")
    page.get_by_label("Status", exact=True).first.select_option("absent")
    expect(rows).to_have_count(1)
    expect(page).to_have_url(re.compile(rf"/sessions/{session.id}\?q=go&state=absent$"))
    page.reload()
    expect(rows).to_have_count(1)
    expect(page.get_by_label("Search this register")).to_have_value("go")
    page.get_by_role("link", name="Kurt Gödel", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Kurt Gödel")
    page.go_back()
    expect(rows).to_have_count(1)
    expect(page.locator("[data-filter-note]")).to_have_text(f"1 of {len(LETTERS)} students shown")
    # The other rows are there again without a click: nothing was lost with the narrowed address.
    page.get_by_label("Search this register").fill("")
    page.get_by_label("Status", exact=True).first.select_option("")
    expect(rows).to_have_count(len(LETTERS))
    expect(page).to_have_url(re.compile(rf"/sessions/{session.id}$"))


def test_a_narrowed_register_that_cannot_be_read_at_once_is_read_a_little_later(term, open_page):
    page = open_page(term.lecturer)
    session = term.sessions[2]
    page.route(f"**/sessions/{session.id}", lambda route: route.abort(), times=1)  # the narrowed one has a query
    page.goto(f"/sessions/{session.id}?q=go")
    rows, search = page.locator("[data-rows] > tr:visible"), page.get_by_label("Search this register")
    expect(rows).to_have_count(1)
    search.fill("g")  # meanwhile somebody types
    expect(page.locator("[data-filter][data-ready]")).to_be_attached(timeout=20_000)
    expect(search).to_have_value("g")
    expect(search).to_be_focused()
    search.fill("")
    expect(rows).to_have_count(len(LETTERS))
