"""Idempotency keys, limits on requests, and errors."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.access import access_tokens
from attendance.database.access.kept_answers import Fate, KeyedRequest, begin_answer
from attendance.database.consent import BY_COMMAND
from attendance.database.engine import begin_writing
from attendance.database.models import AccessToken, AttendanceChange, Excuse, KeptAnswer, Student, utc_now
from attendance.database.upkeep.erasure import delete_student
from attendance.settings import Settings
from tests.webapp.api.programs import DAY, is_problem
from tests.webapp.visiting import make_settings

EXCUSE = {"first_day": "2026-11-02", "last_day": "2026-11-20", "reason": "Illness"}
KEY = {"Idempotency-Key": "6f9619ff-8b86-d011-b42d-00c04fc964ff"}


@pytest.fixture
def path(lesson):
    return f"/students/{lesson.students[0].id}/excuses"


def count(db, model):
    db.rollback()
    return db.scalar(sa.select(sa.func.count()).select_from(model))


def test_the_same_sent_twice_is_done_once_and_answered_alike(program, path, site_db):
    first = program.send("POST", path, EXCUSE, headers=KEY)
    given = first.json["items"][0]["id"]
    program.send("DELETE", f"{path}/{given}")
    second = program.send("POST", path, EXCUSE, headers=KEY)
    assert (second.status_code, second.json, second.mimetype) == (201, first.json, "application/json")
    assert second.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert count(site_db, Excuse) == 0  # it was not done again


def test_a_quoted_key_is_the_same(program, path, site_db):
    program.send("POST", path, EXCUSE, headers={"Idempotency-Key": "abc"})
    again = program.send("POST", path, EXCUSE, headers={"Idempotency-Key": '"abc"'})
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_key_is_of_one_request(program, path, lesson, made):
    program.send("POST", path, EXCUSE, headers=KEY)
    is_problem(program.send("POST", path, EXCUSE | {"reason": "Other"}, headers=KEY), 422)
    other = f"/students/{lesson.students[1].id}/excuses"
    is_problem(program.send("POST", other, EXCUSE, headers=KEY), 422)
    assert made(lesson.lecturer).send("POST", path, EXCUSE, headers=KEY).status_code == 201  # another program's


def test_errors_are_answered_alike_too(program, path, site_db):
    first = is_problem(program.send("POST", path, EXCUSE | {"reason": ""}, headers=KEY), 422)
    second = program.send("POST", path, EXCUSE | {"reason": ""}, headers=KEY)
    assert is_problem(second, 422) == first
    assert second.headers["Idempotent-Replayed"] == "true"


def test_after_a_fault_of_ours_it_can_be_sent_again(program, path, site_db, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("webapp.api.excuses.give_excuse", lambda *_, **__: 1 / 0)
        problem = is_problem(program.send("POST", path, EXCUSE, headers=KEY), 500)
        assert problem["reference"]
        assert "division" not in str(problem)
    assert program.send("POST", path, EXCUSE, headers=KEY).status_code == 201


@pytest.mark.parametrize("key", ["x" * 129, "a b", "é"])
def test_what_is_no_key(program, path, key):
    errors = is_problem(program.send("POST", path, EXCUSE, headers={"Idempotency-Key": key}), 422)["errors"]
    assert "Idempotency-Key" in errors["header"]


def test_an_answer_is_kept_for_a_day(program, path, site_db):
    program.send("POST", path, EXCUSE, headers=KEY)
    site_db.execute(sa.update(KeptAnswer).values(begun_at=utc_now() - DAY))
    site_db.commit()
    again = program.send("POST", path, EXCUSE, headers=KEY)
    assert "Idempotent-Replayed" not in again.headers
    assert count(site_db, KeptAnswer) == 1


def test_an_answer_goes_with_the_student_whom_it_names(program, path, lesson, site_db):
    program.send(
        "PUT",
        f"/sessions/{lesson.session.id}/attendance/{lesson.students[0].id}",
        {"status": "late", "reason": "x"},
        headers={**KEY, "If-Match": "*"},
    )
    assert b"Alan" in site_db.scalars(sa.select(KeptAnswer.body)).one()
    site_db.rollback()
    begin_writing(site_db)
    delete_student(site_db, site_db.get_one(Student, lesson.students[0].id), now=utc_now(), recorder=BY_COMMAND)
    site_db.commit()
    assert count(site_db, KeptAnswer) == 0


def test_while_it_is_answered_the_same_waits(program, path, site_db):
    token = site_db.get_one(AccessToken, program.token_id)
    now = utc_now()
    asked = KeyedRequest(token.id, "k", "d" * 64)
    assert begin_answer(site_db, asked, now=now).fate is Fate.BEGUN
    assert begin_answer(site_db, asked, now=now + timedelta(minutes=9)).fate is Fate.IN_PROGRESS
    assert begin_answer(site_db, asked, now=now + timedelta(minutes=11)).fate is Fate.BEGUN  # whoever did it has died
    site_db.commit()
    is_problem(program.send("POST", path, EXCUSE, headers={"Idempotency-Key": "k"}), 422)


def test_many_at_once_with_one_key_are_done_once(program, path, lesson, site_db):
    entry = f"/sessions/{lesson.session.id}/attendance/{lesson.students[0].id}"
    statuses, start = [], threading.Barrier(6)

    def send():
        start.wait()
        body = {"status": "late", "reason": "x"}
        statuses.append(program.send("PUT", entry, body, headers={**KEY, "If-Match": "*"}).status_code)

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 409}
    assert 200 in statuses
    assert count(site_db, AttendanceChange) == 1


class TestLimits:
    @pytest.fixture
    def site_settings(self, tmp_path, migrated_file) -> Settings:
        return make_settings(tmp_path / "site", migrated_file, api={"requests_a_minute": 10})

    @pytest.fixture(autouse=True)
    def _one_minute(self, monkeypatch):
        """The test does not run from one minute into the next."""
        now = utc_now().replace(second=30)
        self.now = now
        monkeypatch.setattr("webapp.api.limits.utc_now", lambda: self.now)

    def test_too_many_requests_wait_for_the_next_minute(self, program, site_db):
        for left in range(9, -1, -1):
            answer = program.get("/courses")
            assert answer.status_code == 200
            assert answer.headers["RateLimit"] == f'"token";r={left};t=30'
            assert answer.headers["RateLimit-Policy"] == '"token";q=10;w=60'
        answer = program.get("/courses")
        is_problem(answer, 429)
        assert answer.headers["Retry-After"] == "30"
        assert answer.headers["RateLimit"] == '"token";r=0;t=30'
        self.now += timedelta(seconds=30)
        assert program.get("/courses").status_code == 200

    def test_what_is_refused_counts_too(self, program):
        for _ in range(10):
            is_problem(program.get("/cameras"), 403)
        is_problem(program.get("/cameras"), 429)

    def test_another_token_has_its_own(self, program, made, lesson):
        for _ in range(11):
            answer = program.get("/courses")
        assert answer.status_code == 429
        assert made(lesson.lecturer).get("/courses").status_code == 200


def test_who_cannot_count_answers_all_the_same(program, monkeypatch):
    """While an import writes, a program that reads does not wait for it."""

    def away(*_):
        raise sa.exc.OperationalError("UPDATE", {}, Exception("database is locked"))

    monkeypatch.setattr(access_tokens, "impatient", away)
    assert program.get("/courses").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/courses/99999999999", 404),
        ("GET", "/courses/0", 404),
        ("GET", "/courses/abc", 404),
        ("DELETE", "/courses", 405),
        ("TRACE", "/courses", 405),
    ],
)
def test_what_there_is_not_is_a_problem(program, method, path, status):
    answer = program.ask(method, path)
    is_problem(answer, status)
    assert ("Allow" in answer.headers) == (status == 405)


def test_what_is_no_json_is_a_problem(program, lesson):
    entry = f"/sessions/{lesson.session.id}/attendance/{lesson.students[0].id}"
    shown = {"If-Match": "*"}
    json = {**shown, "Content-Type": "application/json"}
    is_problem(program.send("PUT", entry, headers=json, data=b"{"), 400)
    is_problem(program.send("PUT", entry, headers=json, data=b'{"status": "\xff"}'), 400)
    is_problem(program.send("PUT", entry, headers=shown, data={"status": "late"}), 415)
    is_problem(program.send("PUT", entry, headers={**shown, "Content-Type": "text/plain"}, data=b"x"), 415)
    is_problem(program.send("PUT", entry, headers=json, data=b'"' + b"x" * 1_100_000 + b'"'), 413)
    is_problem(program.send("PUT", entry, headers=json, data=b"[" * 100_000), 400)


def test_a_database_that_is_away_is_a_problem(program, site, monkeypatch):
    def away(*_):
        raise sa.exc.OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr("webapp.account.bearer.access_token_of", away)
    problem = is_problem(program.get("/courses"), 503)
    assert "gone" not in str(problem)


def test_pages_answer_as_pages(site):
    answer = site.visitor().get("/nothing/here")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
