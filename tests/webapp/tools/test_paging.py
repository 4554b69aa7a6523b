"""Pages of a long list."""

import pytest
import sqlalchemy as sa

from attendance.database.models import Room
from tests.factories import make_room
from tests.webapp.lessons import make_lesson
from webapp.tools.paging import Page, paginate


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
