"""A provider that is down, slow or busy: a clear page, and everybody else still signs in."""

import threading
import time

import pytest

from tests.factories import PASSWORD, make_lecturer
from tests.webapp.account.oidc.coming import START, come_in, way_back
from tests.webapp.visiting import plain
from webapp.account.oidc import provider as asking


@pytest.fixture(autouse=True)
def ada(site_db):
    made = make_lecturer(site_db, email="ada@example.edu")
    site_db.commit()
    return made


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(asking, "_TIMEOUT_S", 0.3)
    monkeypatch.setattr(asking, "_PATIENCE_S", 0.05)


def says_that_it_is_away(answer):
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    text = plain(answer.text)
    assert "Example University does not answer" in text
    assert "whoever is signed in stays signed in" in text
    return "Try again" in text and "Other ways to sign in" in text


def test_a_page_says_so_and_passwords_go_on(site, provider):
    visitor = site.visitor()
    for provider.fails_with in (500, 503, 429):
        assert says_that_it_is_away(visitor.get(START))
    assert visitor.post("/signin", {"email": "ada@example.edu", "password": PASSWORD}).location == "/"


def test_it_goes_down_between_there_and_back(site, provider):
    visitor = site.visitor()
    back = way_back(visitor, provider)
    provider.fails_with = 502
    assert says_that_it_is_away(visitor.get(back))
    provider.fails_with = None
    assert come_in(visitor, provider).status_code == 302  # and nothing of it lasts


@pytest.mark.usefixtures("impatient")
def test_one_that_hangs_holds_nobody_for_long(site, provider):
    provider.delay_s = 1
    began = time.monotonic()
    assert says_that_it_is_away(site.visitor().get(START))
    assert time.monotonic() - began < 1


@pytest.mark.usefixtures("impatient")
def test_few_threads_wait_for_one_that_hangs(site, provider, monkeypatch):
    """The others are told at once, so that threads remain for whoever does not need the provider."""
    monkeypatch.setattr(asking, "_TIMEOUT_S", 5)
    provider.delay_s = 1
    at_once = site.settings.web.threads // 4
    waiting = [threading.Thread(target=site.visitor().get, args=(START,)) for _ in range(at_once)]
    for thread in waiting:
        thread.start()
    while len(provider.asked) < at_once:
        time.sleep(0.01)
    began = time.monotonic()
    assert site.visitor().get(START).status_code == 503
    assert time.monotonic() - began < 0.6
    for thread in waiting:
        thread.join()


def test_nobody_is_there(site, provider):
    site.app.extensions["attendance_provider"]._settings = site.settings.oidc.model_copy(
        update={"issuer": "http://127.0.0.1:9"}
    )
    assert says_that_it_is_away(site.visitor().get(START))


def test_who_is_signed_in_stays(site, provider):
    visitor = site.visitor()
    come_in(visitor, provider)
    provider.fails_with = 503
    assert visitor.get("/").status_code == 200
