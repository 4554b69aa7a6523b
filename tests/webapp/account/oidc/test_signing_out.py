"""Signing out here and there: by the person, and by the provider that tells of it."""

from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from attendance.database.models import AuditEntry, SignIn
from tests.factories import make_lecturer
from tests.webapp.account.oidc.coming import come_in
from tests.webapp.account.oidc.hostile import CLIENT, Claims, rsa, sign
from tests.webapp.visiting import plain

BACK_CHANNEL = "/signin/provider/back-channel-logout"


@pytest.fixture(autouse=True)
def ada(site_db):
    made = make_lecturer(site_db, email="ada@example.edu")
    site_db.commit()
    return made


@pytest.fixture
def signed_in(site, provider):
    visitor = site.visitor()
    assert come_in(visitor, provider).status_code == 302
    return visitor


def test_signing_out_here_leads_to_signing_out_there(site, site_db, provider, signed_in):
    answer = signed_in.post("/signout")
    assert answer.status_code == 200
    delay, _, address = answer.headers["Refresh"].partition("; url=")
    assert delay == "0"
    assert address.startswith(f"{provider.address}/leave?")
    said = parse_qs(urlsplit(address).query)
    assert said["client_id"] == [CLIENT]
    assert said["post_logout_redirect_uri"] == ["http://localhost/signin/provider/left"]
    assert said["id_token_hint"][0].count(".") == 2
    assert "sign out at Example University" in plain(answer.text)
    assert answer.headers["Clear-Site-Data"] == '"cache"'
    assert signed_in.get("/").status_code == 302
    assert site_db.scalar(sa.select(SignIn)) is None
    assert "You are signed out." in signed_in.text(signed_in.get("/signin/provider/left").location)


def test_everywhere_leads_there_too(signed_in):
    assert signed_in.post("/profile/sign-ins/end").headers["Refresh"].startswith("0; url=")


def test_who_came_with_a_password_stays_here(site, ada):
    visitor = site.visitor(ada)
    assert visitor.post("/signout").location == "/signin"


def test_a_provider_without_that_is_left_alone(site, provider):
    provider.change_metadata = lambda said: said | {"end_session_endpoint": None}
    visitor = site.visitor()
    come_in(visitor, provider)
    assert visitor.post("/signout").location == "/signin"


def test_a_provider_that_is_away_keeps_nobody_signed_in(site, site_db, provider, signed_in):
    site.app.extensions["attendance_provider"]._kept = None
    provider.fails_with = 503
    assert signed_in.post("/signout").location == "/signin"
    assert site_db.scalar(sa.select(SignIn)) is None


def test_a_token_too_long_for_an_address_is_not_given_back(site, provider):
    provider.person |= {"groups": ["x" * 100] * 40}
    visitor = site.visitor()
    come_in(visitor, provider)
    address = visitor.post("/signout").headers["Refresh"]
    assert "client_id=" in address
    assert "id_token_hint" not in address


class TestNotThere:
    @pytest.fixture
    def oidc(self):
        return {"sign_out_there": False}

    def test_signing_out_is_for_here_alone(self, site_db, signed_in):
        assert site_db.scalars(sa.select(SignIn.id_token)).all() == [None]
        assert signed_in.post("/signout").location == "/signin"


def tell(site, token):
    return site.visitor().client.post(BACK_CHANNEL, data={"logout_token": token})


NO_LOGOUT_TOKENS: list[Claims] = [
    {"iss": "https://login.evil.example"},
    {"aud": "another client"},
    {"aud": [CLIENT, "another client"]},
    {"events": {}},
    {"events": None},
    {"events": "http://schemas.openid.net/event/backchannel-logout"},
    {"nonce": "x"},
    {"sub": None, "sid": None},
    {"jti": None},
    {"iat": None},
    {"exp": 1},
    {"exp": float("nan")},
    {"exp": 10**400},
    {"exp": None},
]


class TestBackChannel:
    def test_a_logout_there_ends_the_sign_ins_of_that_session(self, site, site_db, provider, signed_in):
        provider.session = "session-2"
        other = site.visitor()
        come_in(other, provider)
        provider.session = "session-1"
        answer = tell(site, provider.logout_token())
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
        assert signed_in.get("/").status_code == 302
        assert other.get("/").status_code == 200
        entry = site_db.scalars(sa.select(AuditEntry).where(AuditEntry.action == "sign_in.ended_by_provider")).one()
        assert (entry.actor, entry.details) == ("sign-in provider", {"sessions": 1})

    def test_without_a_session_all_of_the_person_end(self, site, provider, signed_in, ada):
        with_password = site.visitor(ada)
        assert tell(site, provider.logout_token(sid=None)).status_code == 200
        assert signed_in.get("/").status_code == 302
        assert with_password.get("/").status_code == 200

    def test_a_session_alone_is_enough(self, site, provider, signed_in):
        assert tell(site, provider.logout_token(sub=None)).status_code == 200
        assert signed_in.get("/").status_code == 302

    def test_of_somebody_else_nobody_here_ends(self, site, provider, signed_in):
        assert tell(site, provider.logout_token(sub="bob", sid=None)).status_code == 200
        assert tell(site, provider.logout_token(sub="bob")).status_code == 200
        assert signed_in.get("/").status_code == 200

    def test_a_token_counts_once(self, site, provider, signed_in):
        token = provider.logout_token(sid=None)
        assert tell(site, token).status_code == 200
        again = site.visitor()
        come_in(again, provider)
        assert tell(site, token).status_code == 400
        assert again.get("/").status_code == 200

    def test_what_is_no_logout_token_ends_nothing(self, site, provider, signed_in):
        for changed in NO_LOGOUT_TOKENS:
            answer = tell(site, provider.logout_token(**changed))
            assert (answer.status_code, answer.json["error"]) == (400, "invalid_request"), changed
        assert signed_in.get("/").status_code == 200

    def test_a_forged_one_ends_nothing(self, site, provider, signed_in):
        honest = provider.logout_token()
        provider.signing = [rsa("forged")]
        forged = provider.logout_token()
        provider.signing = [rsa("one")]
        for token in (forged, sign({"sub": "ada"}, rsa("one")), honest[:-5], "", "x", "x" * 30_000):
            assert tell(site, token).status_code == 400
        assert signed_in.get("/").status_code == 200

    def test_an_id_token_is_none(self, site, site_db, provider, signed_in):
        token = site_db.scalars(sa.select(SignIn.id_token)).one()
        assert tell(site, token).status_code == 400
        assert signed_in.get("/").status_code == 200

    def test_many_forged_ones_are_slowed_down(self, site, provider, signed_in):
        throttle = site.app.extensions["attendance_provider_throttle"]
        for _ in range(60):
            throttle.fail(throttle.begin("logout", "127.0.0.1"))
        asked = len(provider.asked)
        assert tell(site, "x").status_code == 429
        assert len(provider.asked) == asked
