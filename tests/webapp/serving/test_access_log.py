"""One event for each request, without what people typed."""

import pytest
import structlog

from tests.webapp.lessons import make_lesson


@pytest.fixture
def events():
    with structlog.testing.capture_logs() as captured:
        yield captured


def requests(events):
    return [(e["method"], e["path"], e["status"], e["lecturer"]) for e in events if e["event"] == "request"]


def test_who_opened_what_and_how_it_went(site, site_db, events):
    lesson = make_lesson(site_db)
    visitor = site.visitor(lesson.lecturer)
    visitor.get("/records?student=byron")
    visitor.get("/nothing-here")
    site.visitor().get("/")
    site.visitor().get("/healthz")
    me = lesson.lecturer.id
    assert requests(events) == [
        ("GET", "/records", 200, me),
        ("GET", "/nothing-here", 404, me),
        ("GET", "/", 302, None),
    ]
    assert "byron" not in str(events)


def test_no_password_is_ever_written(site, site_db, events):
    lesson = make_lesson(site_db)
    site.visitor().post("/signin", {"email": lesson.lecturer.email, "password": "my own phrase"})
    assert "my own phrase" not in str(events)
    assert lesson.lecturer.email not in str(events)
