"""Signing in at the provider: there and back, whose account it is, and who gets one."""

from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from pyotp import TOTP

from attendance.database.access.passwords import NO_PASSWORD
from attendance.database.models import AccessToken, Account, AuditEntry, ProviderIdentity, QueuedMail, Role, SignIn
from tests.factories import PASSWORD, make_course, make_lecturer
from tests.webapp.account.oidc.coming import START, come_in, way_back
from tests.webapp.account.oidc.hostile import Claims
from tests.webapp.visiting import WITH_MAIL, plain
from webapp.mail.kinds import password_reset
from webapp.mail.letters import NoLongerWantedError


@pytest.fixture
def ada(site_db):
    made = make_lecturer(site_db, email="ada@example.edu", name="Ada Lovelace")
    site_db.commit()
    return made


def entries(db, action):
    return db.scalars(sa.select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id)).all()


def test_the_sign_in_page_offers_both_ways(site):
    page = site.visitor().get("/signin?next=/records")
    assert 'href="/signin/provider?next=/records"' in page.text
    assert "Sign in at Example University" in plain(page.text)
    assert "or with a password" in plain(page.text)


@pytest.mark.usefixtures("ada")
def test_signs_in_and_goes_to_where_one_wanted_to_go(site, site_db, provider):
    visitor = site.visitor()
    answer = come_in(visitor, provider, f"{START}?next=/records")
    assert (answer.status_code, answer.location) == (302, "/records")
    assert "Ada Lovelace" in visitor.text("/")
    (signed_in,) = entries(site_db, "sign_in.done")
    assert (signed_in.actor, signed_in.details) == ("ada@example.edu", {"by": "provider"})
    row = site_db.scalars(sa.select(SignIn)).one()
    assert (row.identity.subject, row.provider_session) == ("ada", "session-1")


@pytest.mark.usefixtures("ada")
def test_leads_to_no_other_site(site, provider):
    for target in ("//evil.example", "https://evil.example", "/\\evil.example"):
        assert come_in(site.visitor(), provider, f"{START}?next={target}").location == "/"


def test_asks_with_pkce_state_and_nonce_anew_each_time(site, provider):
    visitor = site.visitor()
    asked = [parse_qs(urlsplit(visitor.get(START).location).query) for _ in range(2)]
    for name in ("state", "nonce", "code_challenge"):
        one, other = (each[name][0] for each in asked)
        assert one != other
        assert len(one) >= 43
    assert asked[0]["redirect_uri"] == ["http://localhost/signin/provider/callback"]
    assert asked[0]["scope"] == ["openid profile email"]
    assert "prompt" not in asked[0]
    assert parse_qs(urlsplit(visitor.get(f"{START}?anew=1").location).query)["prompt"] == ["login"]


@pytest.mark.usefixtures("ada")
def test_two_tabs_may_be_under_way_at_once(site, provider):
    visitor = site.visitor()
    first, second = way_back(visitor, provider), way_back(visitor, provider)
    assert visitor.get(first).location == "/"
    assert site.visitor().get(second).status_code == 400  # another browser


def test_the_first_sign_in_binds_and_the_password_ends(site, site_db, provider, ada):
    before = site.visitor(ada)
    assert before.get("/profile").status_code == 200
    visitor = site.visitor()
    come_in(visitor, provider)
    site_db.expire_all()
    identity = site_db.scalars(sa.select(ProviderIdentity)).one()
    assert (identity.account_id, identity.issuer, identity.subject) == (ada.id, provider.address, "ada")
    assert ada.password_hash == NO_PASSWORD
    assert before.get("/profile").status_code == 302  # who was in with the password is out
    (linked,) = entries(site_db, "sign_in.linked")
    assert (linked.subject, linked.actor) == ("ada@example.edu", "sign-in provider")
    assert "You have none here: you sign in at Example University." in visitor.text("/profile")


def test_afterwards_the_subject_counts_and_no_address(site, site_db, provider, ada):
    come_in(site.visitor(), provider)
    provider.person = {"sub": "ada", "email": "ada.king@example.edu"}  # she married
    visitor = site.visitor()
    assert come_in(visitor, provider).status_code == 302
    assert "ada@example.edu" in visitor.text("/")
    site_db.expire_all()
    assert ada.email == "ada@example.edu"


@pytest.mark.usefixtures("ada")
def test_a_reused_address_takes_nobodys_account(site, site_db, provider):
    come_in(site.visitor(), provider)
    provider.person = {"sub": "another", "email": "ada@example.edu", "email_verified": True}
    visitor = site.visitor()
    answer = come_in(visitor, provider)
    assert answer.status_code == 403
    assert "Somebody else whom Example University knows has signed in with your address before." in plain(answer.text)
    assert visitor.get("/").status_code == 302
    assert site_db.scalar(sa.select(sa.func.count()).select_from(ProviderIdentity)) == 1
    assert entries(site_db, "sign_in.failed")[-1].details["why"].startswith("the address or number is bound")


def test_an_administrator_releases_an_account(site, site_db, provider, ada, admin):
    here = site.visitor()
    come_in(here, provider)
    assert "Bound on" in admin.text(f"/admin/accounts/{ada.id}")
    admin.post(f"/admin/accounts/{ada.id}/release")
    assert here.get("/").status_code == 302  # its sign-in ends with it
    assert entries(site_db, "sign_in.unlinked")[0].subject == "ada@example.edu"
    provider.person = {"sub": "another", "email": "ada@example.edu", "email_verified": True}
    assert come_in(site.visitor(), provider).status_code == 302


def test_another_address_of_an_account_releases_it(site, site_db, provider, ada, admin):
    come_in(site.visitor(), provider)
    admin.post(f"/admin/accounts/{ada.id}", {"name": "Ada", "email": "countess@example.edu", "active": "y"})
    assert site_db.scalar(sa.select(ProviderIdentity)) is None
    assert come_in(site.visitor(), provider).status_code == 403


def test_nobody_takes_the_address_of_who_has_not_come_yet(site, site_db, provider):
    eve = make_lecturer(site_db, email="eve@example.edu")
    visitor = site.visitor(eve)
    answer = visitor.post("/profile", {"name": "Eve", "email": "ada@example.edu", "your_password": PASSWORD})
    assert answer.status_code == 422
    assert "An administrator changes it." in answer.text
    assert come_in(site.visitor(), provider).status_code == 403


STRANGERS = (
    ({"sub": "x", "email": "nobody@example.edu"}, "nobody here has your address"),
    ({"sub": "x"}, "did not say which e-mail address"),
    ({"sub": "x", "email": ["a@example.edu", "b@example.edu"]}, "did not say which e-mail address"),
    ({"sub": "x", "email": {"a": 1}}, "did not say which e-mail address"),
    ({"sub": "x", "email": "ada@example.edu", "email_verified": False}, "has not checked your e-mail address"),
    ({"sub": "x", "email": "gone@example.edu"}, "may not sign in any more"),
)


@pytest.mark.usefixtures("ada")
def test_who_cannot_be_told_is_refused_in_plain_words(site, site_db, provider):
    make_lecturer(site_db, email="gone@example.edu", active=False)
    site_db.commit()
    for provider.person, says in STRANGERS:
        visitor = site.visitor()
        answer = come_in(visitor, provider)
        assert answer.status_code == 403, says
        assert says in plain(answer.text)
        assert visitor.get("/").status_code == 302, says
    assert site_db.scalar(sa.select(ProviderIdentity)) is None


def test_a_bound_account_that_may_not_sign_in_any_more_is_refused(site, site_db, provider, ada):
    come_in(site.visitor(), provider)
    ada.active = False
    site_db.commit()
    assert "may not sign in any more" in come_in(site.visitor(), provider).text


def test_what_the_page_says_of_the_person_is_no_markup(site, provider):
    provider.person = {"sub": "x", "email": "<script>alert(1)</script>@example.edu"}
    text = come_in(site.visitor(), provider).text
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text


class TestMadeByRule:
    @pytest.fixture
    def oidc(self):
        return {"create_accounts": ["affiliation = staff"], "admit": ["affiliation = *"]}

    def test_who_meets_it_gets_an_account_without_a_password(self, site, site_db, provider):
        provider.person = {
            "sub": "new",
            "email": "Grace@Example.EDU",
            "name": "Grace  Hopper",
            "affiliation": ["staff"],
        }
        visitor = site.visitor()
        assert come_in(visitor, provider).status_code == 302
        made = site_db.scalars(sa.select(Account)).one()
        assert (made.email, made.name, made.password_hash) == ("grace@example.edu", "Grace Hopper", NO_PASSWORD)
        assert "Grace Hopper" in visitor.text("/")
        assert entries(site_db, "account.added")[0].actor == "sign-in provider"

    def test_who_does_not_gets_none(self, site, site_db, provider):
        provider.person = {"sub": "new", "email": "s@example.edu", "affiliation": "student"}
        assert come_in(site.visitor(), provider).status_code == 403
        assert site_db.scalar(sa.select(Account)) is None

    def test_whom_no_condition_admits_is_refused(self, site, site_db, provider):
        make_lecturer(site_db, email="ada@example.edu")
        site_db.commit()
        answer = come_in(site.visitor(), provider)
        assert answer.status_code == 403
        assert "does not let everybody whom it knows use this" in answer.text

    def test_the_name_is_the_best_that_is_said(self, site, site_db, provider):
        said: tuple[Claims, ...] = (
            {"given_name": "Grace", "family_name": "Hopper"},
            {"name": "\x00"},
            {"name": 12},
            {},
        )
        for number, claims in enumerate(said):
            provider.person = {"sub": str(number), "email": f"g{number}@example.edu", "affiliation": "staff", **claims}
            come_in(site.visitor(), provider)
        names = site_db.scalars(sa.select(Account.name).order_by(Account.id)).all()
        assert names == ["Grace Hopper", "g1", "12", "g3"]

    def test_an_address_that_is_none_makes_no_account(self, site, site_db, provider):
        provider.person = {"sub": "new", "email": "not an address", "affiliation": "staff"}
        assert come_in(site.visitor(), provider).status_code == 403
        assert site_db.scalar(sa.select(Account)) is None


class TestMoreThanTheTokenSays:
    @pytest.fixture
    def oidc(self):
        return {"account_claim": "upn"}

    def test_userinfo_is_asked_for_what_is_missing(self, site, provider, ada):
        provider.userinfo = {"upn": "ada@example.edu"}
        assert come_in(site.visitor(), provider).status_code == 302

    def test_userinfo_of_somebody_else_is_refused(self, site, provider, ada):
        provider.userinfo = {"upn": "ada@example.edu", "sub": "mallory"}
        assert come_in(site.visitor(), provider).status_code == 400


class TestSecondStep:
    @pytest.fixture
    def sections(self):
        return {"web": {"second_factor": "everybody"}}

    def test_the_provider_asks_for_what_it_wants(self, site, provider, ada):
        visitor = site.visitor()
        come_in(visitor, provider)
        assert visitor.get("/").status_code == 200

    def test_who_has_a_password_sets_it_up_first(self, site, ada):
        assert site.visitor(ada).get("/").location == "/profile/second-step"


class TestSecondStepToo:
    @pytest.fixture
    def oidc(self):
        return {"second_factor": True}

    @pytest.fixture
    def sections(self):
        return {"web": {"second_factor": "everybody"}}

    def test_it_is_asked_for_here_too_and_set_up_without_a_password(self, site, site_db, provider, ada):
        visitor = site.visitor()
        come_in(visitor, provider)
        assert visitor.get("/").location == "/profile/second-step"
        assert visitor.post("/profile/second-step").status_code == 302  # came from the provider just now
        key = visitor.get("/profile/second-step").text.partition('class="key">')[2].partition("<")[0].replace(" ", "")
        confirmed = visitor.post("/profile/second-step/confirm", {"code": TOTP(key).now()})
        assert "Recovery codes" in plain(confirmed.text)
        assert visitor.get("/").status_code == 200
        again = site.visitor()
        assert come_in(again, provider, f"{START}?next=/records").location == "/signin/code?next=/records"
        assert again.get("/").status_code == 302
        half = sa.select(SignIn).where(SignIn.awaits_code)
        assert site_db.scalars(half).one().identity_id is not None

    def test_who_came_a_while_ago_comes_anew_for_it(self, site, site_db, provider, ada):
        visitor = site.visitor()
        come_in(visitor, provider)
        made = site_db.scalars(sa.select(SignIn)).one()
        made.made_at = made.made_at.replace(year=2025)
        site_db.commit()
        answer = visitor.post("/profile/second-step")
        assert answer.status_code == 422
        assert "sign in at Example University, and do this within ten minutes" in answer.text


def test_a_token_of_a_program_needs_a_sign_in_of_just_now(site, site_db, provider, ada):
    make_course(site_db, "MAT101", lecturers=(ada,))
    site_db.commit()
    visitor, form = site.visitor(), {"name": "Campus system", "scopes": ["read"], "days": "30"}
    come_in(visitor, provider)
    assert visitor.post("/profile/tokens", form).status_code == 200
    made = site_db.scalars(sa.select(SignIn)).one()
    made.made_at = made.made_at.replace(year=2025)
    site_db.commit()
    answer = visitor.post("/profile/tokens", form | {"name": "Another"})
    assert answer.status_code == 422
    assert "sign in at Example University, and do this within ten minutes" in answer.text
    assert site_db.scalars(sa.select(AccessToken.name)).all() == ["Campus system"]


def test_roles_are_those_of_the_account(site, site_db, provider):
    make_lecturer(site_db, email="ada@example.edu", role=Role.ADMIN)
    site_db.commit()
    visitor = site.visitor()
    come_in(visitor, provider)
    assert visitor.get("/admin").status_code == 200


class TestForgotten:
    @pytest.fixture
    def sections(self):
        return {"mail": WITH_MAIL["mail"]}

    def test_who_is_bound_gets_no_link_to_an_address_that_may_be_anothers_by_now(self, site, site_db, provider, ada):
        mail = QueuedMail(kind="password_reset", recipient="ada@example.edu", data={})
        with site.app.test_request_context():
            assert password_reset.KIND.render(site_db, mail)
            site_db.commit()
            come_in(site.visitor(), provider)
            with pytest.raises(NoLongerWantedError, match="signs in at the university"):
                password_reset.KIND.render(site_db, mail)
