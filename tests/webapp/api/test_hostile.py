"""What somebody sends who means no good: bodies that break parsers, texts that cannot be kept, a person's cookies."""

import json
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from attendance.database.models import Excuse, KeptAnswer
from tests.webapp.api.programs import PREFIX, is_problem

EXCUSE = {"first_day": "2026-11-02", "last_day": "2026-11-20", "reason": "Illness"}


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"first_day": ' + b"9" * 10_000 + b"}",
        b'{"first_day": NaN, "last_day": Infinity, "reason": -Infinity}',
        b"\xff\xfe\x00",
        b'"',
        b"",
        b"null",
        b'{"reason": {"$gt": ""}, "first_day": [], "last_day": {}}',
    ],
    ids=lambda body: body[:12].decode("latin-1") or "empty",
)
def test_bodies_that_break_parsers(program, lesson, site_db, body):
    path = f"/students/{lesson.students[0].id}/excuses"
    answer = program.ask("POST", path, data=body, content_type="application/json", headers={"Idempotency-Key": "k"})
    assert answer.status_code in (400, 422), answer.text[:300]
    is_problem(answer, answer.status_code)
    assert site_db.scalar(sa.select(sa.func.count()).select_from(Excuse)) == 0


@pytest.mark.parametrize("text", ["\ud800", "a\x00b", "\x1b[2J", "\u202egnp.exe", "x" * 100_000], ids=ascii)
def test_texts_that_cannot_be_kept(program, lesson, site_db, text):
    path = f"/students/{lesson.students[0].id}/excuses"
    for field in ("reason", "reference"):
        body = json.dumps(EXCUSE | {field: text})
        answer = program.ask("POST", path, data=body, content_type="application/json")
        assert field in is_problem(answer, 422)["errors"]["json"], field
    assert site_db.scalar(sa.select(sa.func.count()).select_from(Excuse)) == 0
    searched = quote(text[:100], errors="surrogatepass")
    answer = program.get(f"/students?search={searched}")
    assert answer.status_code in (200, 422), answer.text[:300]


def test_a_persons_cookies_open_nothing(site, lesson, site_db):
    """So that no page of somebody else can have a lecturer's browser write (CSRF), with whatever a form can send."""
    browser = site.visitor(lesson.lecturer)
    path = f"{PREFIX}/students/{lesson.students[0].id}/excuses"
    for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
        answer = browser.client.post(path, data=json.dumps(EXCUSE), content_type=kind)
        is_problem(answer, 401)
    is_problem(browser.client.get(f"{PREFIX}/courses"), 401)
    assert site_db.scalar(sa.select(sa.func.count()).select_from(Excuse)) == 0


@pytest.mark.parametrize(
    "shown", ["Bearer", "Bearer ", "bearer \xff", "Bearer " + "a" * 5_000, "Basic YTpi", "Bearer a b", "\x00"]
)
def test_tokens_that_are_none(program, shown):
    answer = program.ask("GET", "/courses", headers={"Authorization": shown}) if shown.isprintable() else None
    if answer is not None:
        is_problem(answer, 401)


def test_a_key_is_one_tokens_alone_and_its_answer_goes_to_nobody_else(made, lesson, site_db):
    first, second = made(lesson.lecturer), made(lesson.lecturer)
    path, key = f"/students/{lesson.students[0].id}/excuses", {"Idempotency-Key": "same"}
    assert first.send("POST", path, EXCUSE, headers=key).status_code == 201
    assert second.send("POST", path, EXCUSE | {"reason": "Other"}, headers=key).status_code == 201
    assert site_db.scalar(sa.select(sa.func.count()).select_from(KeptAnswer)) == 2
