"""The second step of a sign-in: setting it up, signing in with it, and whom it keeps out."""

import re
from datetime import timedelta

import pyotp
import pytest
import sqlalchemy as sa

from attendance.database.models import Role, SecondFactor, SignIn, SignInAttempt, utc_now
from attendance.settings.web import SecondFactorRule
from tests.factories import PASSWORD, make_lecturer
from tests.webapp.visiting import plain

PAGE = "/profile/second-step"
ON = "The second step is on."


@pytest.fixture
def ada(site_db):
    made = make_lecturer(site_db, email="ada@example.edu", name="Ada Byron")
    site_db.commit()
    return made


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Every code is typed in a half minute of its own: the clock moves on by one step when a test asks for a code."""

    class Clock:
        late_s = 0

        def code(self, secret):
            self.late_s += 30
            return pyotp.TOTP(secret).at(utc_now() + timedelta(seconds=self.late_s))

    clock = Clock()
    for module in ("checking", "views"):
        monkeypatch.setattr(
            f"webapp.account.second_factor.{module}.utc_now", lambda: utc_now() + timedelta(seconds=clock.late_s)
        )
    return clock


def shown_key(visitor):
    (key,) = re.findall(r'<code class="key">([A-Z2-7 ]+)</code>', visitor.get(PAGE).text)
    return key.replace(" ", "")


def set_up(visitor, clock):
    """The secret and the recovery codes of an app that is set up in this browser."""
    answer = visitor.post(PAGE, {"your_password": PASSWORD})
    assert answer.location == PAGE
    secret = shown_key(visitor)
    assert f"secret={secret}" in visitor.get(PAGE).text
    answer = visitor.post(f"{PAGE}/confirm", {"code": clock.code(secret)})
    assert ON in plain(answer.text), plain(answer.text)
    return secret, re.findall(r"<li><code>([a-z0-9-]+)</code></li>", answer.text)


def sign_in(site, *, password=PASSWORD, **more):
    visitor = site.visitor()
    return visitor, visitor.post("/signin", {"email": "ada@example.edu", "password": password, **more})


def test_from_setting_it_up_to_signing_in_with_it(site, ada, clock):
    here, elsewhere = site.visitor(ada), site.visitor(ada)
    secret, codes = set_up(here, clock)
    assert len(set(codes)) == 10
    assert here.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 302, "a sign-in without it has ended"
    assert secret not in here.get(PAGE).text
    visitor, answer = sign_in(site, next="/records?status=late")
    assert answer.location == "/signin/code?next=/records?status%3Dlate"
    assert visitor.get("/").location == "/signin/code", "the password alone opens nothing"
    assert visitor.get("/sessions/1", headers={"X-Requested-With": "fetch"}).status_code == 401
    assert visitor.get("/me").status_code == 302
    assert "Ada" not in visitor.get(answer.location).text
    done = visitor.post("/signin/code", {"code": clock.code(secret), "next": "/records?status=late"})
    assert done.location == "/records?status=late"
    assert "Ada Byron" in visitor.text("/")


def test_a_code_is_good_for_once(site, ada, clock):
    secret, _codes = set_up(site.visitor(ada), clock)
    code = clock.code(secret)
    answers = []
    for _ in range(2):
        visitor, _ = sign_in(site)
        answers.append(visitor.post("/signin/code", {"code": code}))
    assert [answer.status_code for answer in answers] == [302, 422]
    assert "was used already" in answers[1].text


def test_a_recovery_code_takes_its_place_once_and_says_how_many_are_left(site, ada, clock):
    _secret, codes = set_up(site.visitor(ada), clock)
    visitor, _ = sign_in(site)
    assert visitor.post("/signin/code", {"code": f" {codes[3].upper()} "}).location == "/"
    assert "You have 9 recovery codes left." in visitor.text("/")
    visitor, _ = sign_in(site)
    assert visitor.post("/signin/code", {"code": codes[3]}).status_code == 422
    assert visitor.get("/").status_code == 302


def test_guessing_codes_is_slowed_down_and_a_right_password_does_not_help(site, site_db, ada, clock):
    secret, codes = set_up(site.visitor(ada), clock)
    for _ in range(5):
        visitor, answer = sign_in(site)  # right, which forgets wrong passwords only
        assert answer.location == "/signin/code"
        assert visitor.post("/signin/code", {"code": "000000"}).status_code == 422
    visitor, _ = sign_in(site)
    for code in (clock.code(secret), codes[0]):
        answer = visitor.post("/signin/code", {"code": code})
        assert answer.status_code == 429
        assert "Too many failed attempts." in answer.text
    assert visitor.get("/").status_code == 302
    kept = str(site_db.execute(sa.select(SignInAttempt.__table__)).all())
    assert "ada" not in kept


def test_half_a_sign_in_ends_after_minutes_and_with_a_new_password(site, site_db, ada, clock):
    secret, _codes = set_up(site.visitor(ada), clock)
    visitor, _ = sign_in(site)
    half = site_db.scalars(sa.select(SignIn).where(SignIn.awaits_code)).one()
    assert (half.expires_at - half.made_at).total_seconds() == 300
    half.expires_at = half.made_at
    site_db.commit()
    assert visitor.post("/signin/code", {"code": clock.code(secret), "next": "//evil"}).location == "/signin"
    visitor, _ = sign_in(site)
    ada.password_hash = "another"
    site_db.commit()
    assert visitor.post("/signin/code", {"code": clock.code(secret)}).location == "/signin"


def test_without_a_password_no_code_is_looked_at(site, ada, clock):
    secret, _codes = set_up(site.visitor(ada), clock)
    visitor = site.visitor()
    assert visitor.get("/signin/code").location == "/signin"
    assert visitor.post("/signin/code", {"code": clock.code(secret)}).location == "/signin"
    assert visitor.client.post("/signin/code", data={"code": "1"}).status_code == 400, "a form without its token"


@pytest.mark.parametrize("password", ["", "wrong"])
def test_beginning_asks_for_the_password(site, site_db, ada, password):
    answer = site.visitor(ada).post(PAGE, {"your_password": password})
    assert answer.status_code == 422
    assert site_db.scalars(sa.select(SecondFactor.account_id)).all() == []


def test_whoever_finds_a_browser_and_knows_the_password_cannot_end_or_replace_it(site, site_db, ada, clock):
    visitor = site.visitor(ada)
    secret, codes = set_up(visitor, clock)
    for path in (PAGE, f"{PAGE}/codes", f"{PAGE}/remove"):
        for form in ({"your_password": PASSWORD}, {"your_password": PASSWORD, "code": "123"}):
            assert visitor.post(path, form).status_code == 422
    site_db.rollback()
    kept = site_db.scalars(sa.select(SecondFactor)).one()
    assert (kept.secret, kept.next_secret) == (secret, None)
    answer = visitor.post(f"{PAGE}/codes", {"code": codes[0]})
    new = re.findall(r"<li><code>([a-z0-9-]+)</code></li>", answer.text)
    assert len(new) == 10
    assert not set(new) & set(codes)


def test_another_phone_takes_the_place_and_turning_it_off_ends_it(site, ada, clock):
    visitor = site.visitor(ada)
    secret, _codes = set_up(visitor, clock)
    assert visitor.post(PAGE, {"code": clock.code(secret)}).location == PAGE
    other = shown_key(visitor)
    assert other != secret
    wrong = visitor.post(f"{PAGE}/confirm", {"code": clock.code(secret)})
    assert "This is not the code of now." in wrong.text
    assert ON in plain(visitor.post(f"{PAGE}/confirm", {"code": clock.code(other)}).text)
    assert visitor.post(f"{PAGE}/remove", {"code": clock.code(secret)}).status_code == 422
    answer = visitor.post(f"{PAGE}/remove", {"code": clock.code(other)})
    assert "password alone again" in visitor.text(answer.location)
    assert sign_in(site)[1].location == "/"


def test_a_set_up_that_took_too_long_begins_again(site, ada, clock):
    visitor = site.visitor(ada)
    visitor.post(PAGE, {"your_password": PASSWORD})
    clock.late_s = 15 * 60 + 1
    answer = visitor.post(f"{PAGE}/confirm", {"code": "123456"})
    assert "That took too long. Begin again." in visitor.text(answer.location)


@pytest.mark.parametrize("rule", SecondFactorRule)
def test_an_institution_may_require_it(site, site_db, ada, clock, rule):
    web = site.settings.web.model_copy(update={"second_factor": rule})
    site.app.config["ATTENDANCE"] = site.settings.model_copy(update={"web": web})
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    for person in (ada, admin):
        visitor = site.visitor(person)
        required = rule is SecondFactorRule.EVERYBODY or (rule is SecondFactorRule.ADMINISTRATORS and person is admin)
        for path in ("/", "/profile", "/records"):
            answer = visitor.get(path)
            assert (answer.status_code == 302 and answer.location == PAGE) is required, path
        assert (visitor.post("/profile", {"name": "X"}).location == PAGE) is required
        scripted = visitor.get("/records", headers={"X-Requested-With": "fetch"})
        assert (scripted.status_code == 403) is required
        assert ("Your institution requires the second step" in visitor.text(PAGE)) is required
        secret, _codes = set_up(visitor, clock)
        assert visitor.get("/").status_code == 200
        removed = visitor.post(f"{PAGE}/remove", {"code": clock.code(secret)})
        assert removed.location == (PAGE if required else "/profile")


def test_an_administrator_lifts_it_for_a_lost_phone(site, site_db, ada, clock):
    visitor = site.visitor(ada)
    set_up(visitor, clock)
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    office = site.visitor(admin)
    path = f"/admin/accounts/{ada.id}/second-step"
    assert path in office.get(f"/admin/accounts/{ada.id}").text
    assert "Be sure that it is Ada Byron who asks" in office.text(path)
    answer = office.post(path, {"confirmed": "yes"})
    assert "signs in with the password alone" in office.text(answer.location)
    assert visitor.get("/").status_code == 302
    assert sign_in(site)[1].location == "/"
    assert "signs in without a second step" in office.text(path)


def test_it_is_in_no_log(site, ada, clock, capsys):
    secret, codes = set_up(site.visitor(ada), clock)
    visitor, _ = sign_in(site)
    code = clock.code(secret)
    visitor.post("/signin/code", {"code": code})
    said = capsys.readouterr()
    assert not [word for word in (secret, code, *codes) if word in said.out + said.err]
