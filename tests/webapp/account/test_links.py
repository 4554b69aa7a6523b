"""The page behind a link to set a password."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.access.links import make_links
from attendance.database.access.passwords import NO_PASSWORD
from attendance.database.models import PasswordLink, SignIn, utc_now
from tests.factories import make_lecturer
from tests.webapp.visiting import plain

NEW = "four words make one"


@pytest.fixture
def lecturer(site_db):
    lecturer = make_lecturer(site_db, email="ada@example.edu")
    lecturer.password_hash = NO_PASSWORD
    site_db.commit()
    return lecturer


@pytest.fixture
def token(site_db, lecturer):
    made = make_links(site_db, [lecturer.id], now=utc_now(), lifetime=timedelta(days=7))
    site_db.commit()
    return made[lecturer.id]


def send(visitor, token, password=NEW, repeat=None):
    repeat = password if repeat is None else repeat
    return visitor.post("/password", {"link": token, "new_password": password, "repeat": repeat})


def can_sign_in(site, password):
    return site.visitor().post("/signin", {"email": "ada@example.edu", "password": password}).status_code == 302


def test_a_password_is_set_once(site, site_db, token):
    visitor = site.visitor()
    for _ in range(3):  # mail programs look first
        assert "you sign in as ada@example.edu" in visitor.text(f"/password?link={token}")
    answer = send(visitor, token)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/signin")
    assert "Your password is set. Sign in with it." in visitor.text("/signin")
    assert can_sign_in(site, NEW)
    again = send(site.visitor(), token, "another password")
    assert (again.status_code, "This link does not work" in again.text) == (404, True)
    assert can_sign_in(site, NEW)


@pytest.mark.parametrize(
    ("password", "repeat", "message"),
    [
        ("short", None, "at least 10 characters"),
        ("a" * 20, None, "different characters"),
        (NEW, "other words here", "are not the same"),
        ("", "", "Type a new password."),
    ],
)
def test_a_weak_password_leaves_the_link(site, token, password, repeat, message):
    visitor = site.visitor()
    answer = send(visitor, token, password, repeat)
    assert (answer.status_code, message in answer.text) == (422, True)
    assert send(visitor, token).status_code == 302


def test_every_link_that_does_not_work_is_answered_alike(site, site_db, token, lecturer):
    def answers(link):
        visitor = site.visitor()
        looks, sends = visitor.get(f"/password?link={link}"), send(visitor, link)
        return [(answer.status_code, re.sub(r'value="[^"]+"', "", answer.text)) for answer in (looks, sends)]

    unknown = answers("pw_" + "x" * 43)
    assert [code for code, _ in unknown] == [404, 404]
    assert answers("") == answers("x" * 5_000) == unknown
    site_db.execute(sa.update(PasswordLink).values(expires_at=utc_now() - timedelta(seconds=1)))
    site_db.commit()
    assert answers(token) == unknown
    site_db.execute(sa.update(PasswordLink).values(expires_at=utc_now() + timedelta(days=1)))
    lecturer.active = False
    site_db.commit()
    assert answers(token) == unknown


def test_guesses_from_one_address_are_slowed_down(site, token):
    visitor = site.visitor()
    codes = [visitor.get(f"/password?link=pw_{number}").status_code for number in range(70)]
    assert codes[:60] == [404] * 60
    assert codes[60:] == [429] * 10
    assert "Too many failed attempts." in plain(visitor.get(f"/password?link={token}").text)


def test_neither_token_nor_password_reaches_the_log(site, token, capfd):
    visitor = site.visitor()
    visitor.get(f"/password?link={token}")
    visitor.get(f"/password?link={token}x")
    send(visitor, token)
    logged = "".join(capfd.readouterr())
    assert "path=/password" in logged
    assert token not in logged
    assert NEW not in logged


def test_somebody_else_who_is_signed_in_here_is_signed_out(site, site_db, token):
    other = make_lecturer(site_db)
    site_db.commit()
    visitor = site.visitor(other)
    assert send(visitor, token).status_code == 302
    assert visitor.get("/profile").status_code == 302


def test_without_a_password_nobody_signs_in_and_it_takes_as_long(site, site_db, lecturer, monkeypatch):
    checked = []
    monkeypatch.setattr("webapp.account.sign_in.verify_password", lambda hashed, _password: checked.append(hashed))
    assert not can_sign_in(site, NO_PASSWORD)
    assert checked[0].startswith("$argon2id$")
    assert site_db.scalars(sa.select(SignIn)).all() == []
