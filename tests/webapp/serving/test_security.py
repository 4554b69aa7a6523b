"""Headers, upload limits, and who is believed about the client."""

import pytest

from tests.factories import make_lecturer
from tests.webapp.visiting import Visitor, make_settings
from webapp.account.permissions import Access, needs
from webapp.app import create_app
from webapp.tools.storage import sessions_of


@pytest.fixture
def lecturer(site_db):
    made = make_lecturer(site_db)
    site_db.commit()
    return made


@pytest.mark.parametrize("path", ["/", "/courses//1", "//evil.example/signin", "/signin/", "/admin/accounts"])
def test_no_answer_is_made_of_the_name_that_a_request_bears(site, path):
    named = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    answer = site.visitor().get(path, headers=named)
    assert "evil.example" not in answer.headers.get("Location", "")
    assert b"http://evil.example" not in answer.data


@pytest.mark.parametrize("path", ["/signin", "/", "/nothing-here", "/records.csv", "/healthz"])
def test_every_answer_keeps_to_itself(site, lecturer, path):
    headers = site.visitor(lecturer).get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in headers


def test_pages_hold_no_inline_script_or_style(site, lecturer):
    page = site.visitor(lecturer).get("/profile").text
    assert "<style" not in page
    assert " style=" not in page
    assert page.count("<script") == page.count('<script type="module" src="/static/')
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


def test_static_files_are_kept_by_browsers_for_as_long_as_they_are_the_same(site):
    page = site.visitor().get("/signin").text
    path = page.split('<link rel="stylesheet" href="')[1].split('"')[0]
    answer = site.visitor().get(path)
    assert answer.status_code == 200
    assert "max-age=31536000" in answer.headers["Cache-Control"]
    assert "Set-Cookie" not in answer.headers
    answer.close()


def test_a_form_that_is_too_large_is_refused(site, lecturer):
    visitor = site.visitor(lecturer)
    answer = visitor.post("/profile", {"name": "x" * 1_100_000})
    assert answer.status_code == 413
    assert "Choose a smaller file." in answer.text
    kind = "multipart/form-data; boundary=b"
    assert visitor.client.post("/profile/picture", data=b"x" * 16_000_000, content_type=kind).status_code == 413


@pytest.fixture
def make_visitor(tmp_path, migrated_file):
    engines = []

    def make(**web):
        app = create_app(make_settings(tmp_path / "other", migrated_file, web=web))
        engines.append(sessions_of(app).kw["bind"])

        @app.get("/who")
        @needs(Access.ANYBODY)
        def who():
            from flask import request  # noqa: PLC0415

            return f"{request.remote_addr} {request.scheme} {request.host}"

        return Visitor(app)

    yield make
    for engine in engines:
        engine.dispose()


FORWARDED = {
    "X-Forwarded-For": "203.0.113.9, 198.51.100.1",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "attendance.example.edu",
}


def test_without_a_proxy_forwarded_headers_are_nobodys_word(make_visitor):
    assert make_visitor().get("/who", headers=FORWARDED).text == "127.0.0.1 http localhost"


def test_behind_a_proxy_its_word_counts_and_no_farther_one(make_visitor):
    visitor = make_visitor(trusted_proxies=1)
    assert visitor.get("/who", headers=FORWARDED).text == "198.51.100.1 https attendance.example.edu"


def test_behind_tls_cookies_and_browsers_keep_to_it(make_visitor):
    answer = make_visitor(secure_cookies=True).get("/signin", base_url="https://localhost")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
