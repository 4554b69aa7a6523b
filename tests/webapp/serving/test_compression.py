"""Pages are compressed where that tells nobody a secret; streams, files and answers to forms are left as they are."""

import gzip
import re

import brotli
import pytest

from tests.webapp.lessons import make_lesson

ENCODINGS = {"br": brotli.decompress, "gzip": gzip.decompress}


@pytest.fixture
def hall(site, site_db):
    """A register of three hundred, and a visit of its lecturer."""
    lesson = make_lesson(site_db, *(f"Student {n} of the Long Name" for n in range(300)))
    return lesson, site.visitor(lesson.lecturer)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_register_of_three_hundred_is_a_tenth_as_long(hall, encoding):
    lesson, visitor = hall
    path = f"/sessions/{lesson.session.id}"
    plain = visitor.get(path)
    assert "Content-Encoding" not in plain.headers
    assert "Accept-Encoding" in plain.headers["Vary"]
    short = visitor.get(path, headers={"Accept-Encoding": encoding})
    assert short.headers["Content-Encoding"] == encoding
    assert int(short.headers["Content-Length"]) == len(short.data) < len(plain.data) / 10
    assert ENCODINGS[encoding](short.data).count(b"<tr ") == plain.data.count(b"<tr ") == 300


def test_the_browser_gets_what_it_likes_best(hall):
    lesson, visitor = hall
    browser = {"Accept-Encoding": "gzip, deflate, br, zstd"}
    assert visitor.get(f"/sessions/{lesson.session.id}", headers=browser).headers["Content-Encoding"] == "zstd"
    style = re.search(r'href="(/static/[^"]+\.css)"', visitor.get("/").text)
    assert style
    answer = visitor.get(style[1], headers=browser)
    assert answer.headers["Content-Encoding"] == "zstd"
    assert "Accept-Encoding" in answer.headers["Vary"]
    answer.close()


def test_what_says_something_of_the_request_beside_the_forms_token_is_not_compressed(hall):
    lesson, visitor = hall
    browser = {"Accept-Encoding": "gzip, br"}
    asked = visitor.get(f"/sessions/{lesson.session.id}?q=Student", headers=browser)
    assert 'name="csrf_token"' in asked.text
    assert "Content-Encoding" not in asked.headers
    form = {"status": "gone", "reason": "x" * 5_000}
    refused = visitor.post(f"/sessions/{lesson.session.id}/students/{lesson.students[0].id}", form, headers=browser)
    assert refused.status_code == 422
    assert "Content-Encoding" not in refused.headers


def test_streams_and_exports_are_not(hall):
    lesson, visitor = hall
    browser = {"Accept-Encoding": "gzip, br"}
    assert "Content-Encoding" not in visitor.get(f"/sessions/{lesson.session.id}/register.csv", headers=browser).headers
    live = visitor.get(f"/sessions/{lesson.session.id}/live", headers={**browser, "Accept": "text/event-stream"})
    assert live.mimetype == "text/event-stream"
    assert "Content-Encoding" not in live.headers
    live.close()
