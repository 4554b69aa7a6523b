"""Pages of a long list."""

import pytest
import sqlalchemy as sa

from attendance.database.models import Course, Role, Room
from tests.factories import make_department, make_lecturer, make_room
from tests.webapp.lessons import make_lesson
from tests.webapp.visiting import plain
from webapp.tools.paging import MOST_ON_A_PAGE, Page, paginate


def test_pages_of_a_query(db):
    for n in range(7):
        make_room(db, f"R{n}")
    query = sa.select(Room).order_by(Room.name)
    page = paginate(db, query, size=3, number=3)
    assert [room.name for room in page.items] == ["R6"]
    assert (page.first, page.last, page.total, page.pages) == (7, 7, 7, 3)
    assert (page.has_previous, page.has_next) == (True, False)
    assert paginate(db, query, size=3, number=9).items == []


def test_counting_that_stopped_still_leads_on():
    page = Page([1, 2], number=5, size=2, total=10, more_than_total=True)
    assert page.has_next
    assert not Page([], number=1, size=2, total=0).has_next


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "1e3", "\N{ARABIC-INDIC DIGIT TWO}", "9" * 30])
def test_a_strange_page_is_none(site, site_db, number):
    lesson = make_lesson(site_db)
    assert site.visitor(lesson.lecturer).get(f"/records?page={number}").status_code == 404


def test_a_list_of_several_pages_is_shown_on_one_for_paper(site, site_db):
    lesson = make_lesson(site_db, *(f"Student {n:02d}" for n in range(53)))
    visitor = site.visitor(lesson.lecturer)
    address = f"/courses/{lesson.course.id}/students?sort=number"
    first = visitor.get(address).text
    assert "Student 52" not in first
    assert f"/courses/{lesson.course.id}/students?sort=number&amp;page=all" in first
    whole = visitor.get(f"{address}&page=all").text
    assert [f"Student {n:02d}" in whole for n in range(53)] == [True] * 53
    assert "In pages" in whole
    assert "All on one page" not in whole
    assert "Next" not in plain(whole)


def test_beyond_its_end_a_list_leads_to_its_beginning(site, site_db):
    department = make_department(site_db)
    lesson = make_lesson(site_db, "Ada Byron")
    site_db.get_one(Course, lesson.course.id).department_id = department.id
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    visitor = site.visitor(admin)
    reports = f"/departments/{department.id}"
    for address in (
        f"/courses/{lesson.course.id}/students",
        f"{reports}/at-risk",
        f"{reports}/unrecorded",
        "/exam-office",
        "/records",
        "/admin/students",
    ):
        page = visitor.get(f"{address}?page=7").text
        assert "The list has become shorter." in page, address
        assert f'<a href="{address}">Go to its beginning</a>' in page, address


def test_what_one_page_cannot_hold_is_not_offered_on_one():
    assert Page([1] * 50, number=1, size=50, total=MOST_ON_A_PAGE).is_part
    assert not Page([1] * 50, number=1, size=50, total=MOST_ON_A_PAGE + 1).is_part
    assert not Page([1] * 50, number=1, size=50, total=200, more_than_total=True).is_part
    assert not Page([1] * 50, number=1, size=50, total=50).is_part
