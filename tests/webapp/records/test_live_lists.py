"""The first page and a course's page keep up while sessions run; without JavaScript they are as they were."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from attendance.database.models import utc_now
from tests.factories import make_course, make_lecturer, make_session
from tests.webapp.lessons import make_lesson, see
from tests.webapp.visiting import plain
from webapp.tools.live_parts import ask_again_s


@pytest.mark.parametrize("of_course", [False, True])
def test_a_part_is_what_its_page_holds_and_empty_while_nothing_changes(site, site_db, of_course):
    lesson = make_lesson(site_db, "Ada", "Kurt", code="CS101")
    visitor = site.visitor(lesson.lecturer)
    page = visitor.get(f"/courses/{lesson.course.id}" if of_course else "/").text
    found = re.search(r'data-live-part="([^"]+)" data-again-s="(\d+)"', page)
    assert found
    assert found[1] == (f"/courses/{lesson.course.id}/now" if of_course else "/today")
    first = visitor.get(found[1])
    assert first.text.strip() in page
    same = visitor.get(found[1], headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.data) == (304, b"")
    see(site_db, lesson, lesson.students[0])
    changed = visitor.get(found[1], headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert ("1 present" if of_course else "1 of 2 seen") in plain(changed.text)


def test_others_do_not_read_it_and_somebody_signed_out_is_told(site, site_db):
    lesson = make_lesson(site_db, code="CS101")
    other = make_lecturer(site_db)
    make_course(site_db, lecturers=(other,))
    site_db.commit()
    visitor = site.visitor(other)
    assert visitor.get(f"/courses/{lesson.course.id}/now").status_code == 404
    assert "CS101" not in visitor.get("/today").text
    assert site.visitor().get("/today", headers={"X-Requested-With": "fetch"}).status_code == 401


def test_it_is_asked_for_as_long_as_something_goes_on(site_db):
    course, now = make_course(site_db), utc_now()

    def at(minutes, **words):
        return make_session(site_db, course, starts_at=now + timedelta(minutes=minutes), **words)

    over = at(-300, closed_at=now)
    assert ask_again_s([over], now) is None
    assert ask_again_s([], now) is None
    assert ask_again_s([over, at(-10)], now) == 5
    assert ask_again_s([at(-100)], now) == 5  # over, and not closed yet
    assert ask_again_s([at(30), at(20)], now) == 10 * 60 + 1  # ten minutes before the start it counts
    assert ask_again_s([at(600)], now) == 3_600


def test_the_count_on_the_first_page_rises_while_one_looks_and_the_keyboard_stays_where_it_is(dashboard, open_page):
    with dashboard.sessions() as db:
        lesson = make_lesson(db, "Ada Byron", "Kurt Gödel", course_name="Live lists")
    page = open_page(lesson.lecturer)
    expect(page.get_by_text("0 of 2 seen")).to_be_visible()
    link = page.locator(".card-live").get_by_role("link", name="Live lists")
    link.focus()
    with dashboard.sessions() as db:
        see(db, lesson, lesson.students[0], minute=1)
    expect(page.get_by_text("1 of 2 seen")).to_be_visible()
    expect(link).to_be_focused()
    page.goto(f"/courses/{lesson.course.id}")
    expect(page.get_by_text("1 present")).to_be_visible()
    with dashboard.sessions() as db:
        see(db, lesson, lesson.students[1], minute=1)
    expect(page.get_by_text("2 present")).to_be_visible()
