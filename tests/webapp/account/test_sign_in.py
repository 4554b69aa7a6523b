"""Signing in and out."""

import pytest

from attendance.database.access import passwords
from tests.factories import PASSWORD, make_lecturer
from webapp.account import sign_in as account
from webapp.account.throttle import PAIR_LIMIT

WRONG = "The e-mail address or the password is not right."


@pytest.fixture
def lecturer(site_db):
    made = make_lecturer(site_db, email="ada@example.edu")
    site_db.commit()
    return made


def sign_in(visitor, email="ada@example.edu", password=PASSWORD, **more):
    return visitor.post("/signin", {"email": email, "password": password, **more})


def test_signs_in_and_goes_to_the_courses(site, lecturer):
    visitor = site.visitor()
    answer = sign_in(visitor, " Ada@Example.EDU ")
    assert (answer.status_code, answer.location) == (302, "/")
    assert lecturer.name in visitor.text("/")


@pytest.mark.parametrize(
    ("wanted", "goes_to"),
    [("/records?status=late", "/records?status=late"), ("//evil.example", "/"), ("https://evil.example", "/")],
)
def test_goes_where_one_wanted_to_go_but_not_elsewhere(site, lecturer, wanted, goes_to):
    assert sign_in(site.visitor(), next=wanted).location == goes_to


def test_the_sign_in_page_offers_no_way_to_another_site(site, lecturer):
    assert "evil" not in site.visitor().get("/signin?next=//evil.example").text
    assert site.visitor(lecturer).get("/signin?next=//evil.example").location == "/"


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ada@example.edu", "wrong"),
        ("nobody@example.edu", PASSWORD),
        ("ada@example.edu", "x" * 2000),
        ("ada@example.edu'--", PASSWORD),
    ],
)
def test_a_wrong_one_is_refused_without_saying_which(site, lecturer, email, password):
    visitor = site.visitor()
    answer = sign_in(visitor, email, password)
    assert answer.status_code == 422
    assert WRONG in answer.text
    assert visitor.get("/").status_code == 302


def test_empty_fields_are_named(site, lecturer):
    answer = sign_in(site.visitor(), "", "")
    assert "Type your e-mail address." in answer.text
    assert "Type your password." in answer.text


def test_a_deactivated_lecturer_cannot_sign_in(site, site_db):
    make_lecturer(site_db, email="gone@example.edu", active=False)
    site_db.commit()
    assert WRONG in sign_in(site.visitor(), "gone@example.edu").text


@pytest.mark.parametrize("email", ["ada@example.edu", "nobody@example.edu"])
def test_an_unknown_address_costs_the_same_work(site, lecturer, email, monkeypatch):
    checked = []

    def verify(password_hash, password):
        checked.append(password_hash)
        return passwords.verify_password(password_hash, password)

    monkeypatch.setattr(account, "verify_password", verify)
    sign_in(site.visitor(), email, "wrong")
    # Everything before the salt is argon2's cost.
    assert [h.rsplit("$", 2)[0] for h in checked] == [lecturer.password_hash.rsplit("$", 2)[0]]


def test_a_form_without_token_is_refused(site, lecturer):
    answer = site.visitor().client.post("/signin", data={"email": lecturer.email, "password": PASSWORD})
    assert answer.status_code == 400
    assert "reload the page" in answer.text


def test_signing_in_drops_what_the_session_held(site, lecturer):
    visitor = site.visitor()
    with visitor.client.session_transaction() as session:
        session["planted"] = "by somebody who was here before"
    sign_in(visitor)
    with visitor.client.session_transaction() as session:
        assert "planted" not in session


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(site, lecturer):
    cookie = sign_in(site.visitor()).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


def test_signing_out_takes_a_form(site, lecturer):
    visitor = site.visitor()
    sign_in(visitor)
    assert visitor.get("/signout").status_code == 405
    assert visitor.client.post("/signout").status_code == 400  # without the token
    assert visitor.get("/").status_code == 200
    assert "You are signed out." in visitor.text(visitor.post("/signout").location)
    assert visitor.get("/").status_code == 302


def test_guessing_is_slowed_down_for_the_account_at_that_address(site, lecturer):
    visitor = site.visitor()
    for _ in range(PAIR_LIMIT):
        assert sign_in(visitor, password="wrong").status_code == 422
    answer = sign_in(visitor)
    assert answer.status_code == 429
    assert 800 < int(answer.headers["Retry-After"]) <= 901
    assert "Too many failed attempts. Try again in 15 minutes." in answer.text
    assert sign_in(visitor, "somebody@else.example").status_code == 422


def test_a_right_password_forgets_the_wrong_ones(site, lecturer):
    visitor = site.visitor()
    for _ in range(2):
        for _ in range(PAIR_LIMIT - 1):
            sign_in(visitor, password="wrong")
        assert sign_in(visitor).status_code == 302


def test_a_new_password_lifts_the_lock_however_it_came(site, site_db, lecturer):
    visitor = site.visitor()
    for _ in range(PAIR_LIMIT):
        sign_in(visitor, password="wrong")
    assert sign_in(visitor).status_code == 429
    lecturer.password_hash = passwords.hash_password("a new password")
    site_db.commit()
    assert sign_in(visitor, password="a new password").status_code == 302
