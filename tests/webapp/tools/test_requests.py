import pytest

from tests.webapp.lessons import make_lesson
from webapp.tools.requests import LARGEST_ID, read_id


@pytest.mark.parametrize("text", ["1", "007", "999999999", "1000000000", str(LARGEST_ID)])
def test_an_id_is_read_up_to_the_largest_of_its_column(text: str) -> None:
    assert read_id(text) == int(text)


@pytest.mark.parametrize("text", ["", "-1", "1.0", " 1", "x", "²", "٣", str(LARGEST_ID + 1), "9" * 5000])
def test_what_cannot_be_an_id_is_none(text: str) -> None:
    assert read_id(text) is None


@pytest.mark.parametrize("asked", ["endpoint=x", "_scheme=x", "_external=1", "_anchor=x", "course_id=5"])
def test_an_address_may_ask_for_what_flask_takes_for_its_own(site, site_db, asked) -> None:
    lesson = make_lesson(site_db)
    visitor, page = site.visitor(lesson.lecturer), f"/courses/{lesson.course.id}/students"
    answer = visitor.get(f"{page}?{asked}&q=a&from=2024-01-01")
    assert answer.status_code == 200
    for address in (f"{page}?q=a&amp;from=2024-01-01&amp;sort=rate", f"{page}.csv?q=a&amp;from=2024-01-01"):
        assert f'href="{address}"' in answer.text
    assert visitor.get(f"/courses/{lesson.course.id}/report?{asked}&from=2024-01-01").status_code == 200
    assert visitor.get(f"{page}?form=csv").status_code == 200
