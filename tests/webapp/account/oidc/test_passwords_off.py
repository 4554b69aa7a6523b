"""Passwords switched off: everybody comes through the provider, but a break-glass administrator."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.access.links import make_links
from attendance.database.access.passwords import NO_PASSWORD
from attendance.database.models import AccessToken, Account, Role, SignIn, utc_now
from tests.factories import PASSWORD, make_course, make_lecturer
from tests.webapp.account.oidc.coming import START, come_in
from tests.webapp.visiting import WITH_MAIL, plain


@pytest.fixture
def oidc():
    return {"passwords": False, "break_glass": ["Root@Example.EDU"]}


@pytest.fixture
def sections():
    return {"mail": WITH_MAIL["mail"]}


@pytest.fixture
def ada(site_db):
    made = make_lecturer(site_db, email="ada@example.edu")
    site_db.commit()
    return made


@pytest.fixture
def root(site_db):
    made = make_lecturer(site_db, email="root@example.edu", role=Role.ADMIN)
    site_db.commit()
    return made


def with_password(site, email):
    return site.visitor().post("/signin", {"email": email, "password": PASSWORD})


def test_a_right_password_opens_nothing(site, ada):
    answer = with_password(site, "ada@example.edu")
    assert answer.status_code == 422
    assert "The e-mail address or the password is not right." in answer.text


def test_the_break_glass_administrator_gets_in_also_when_the_provider_is_away(site, provider, root):
    provider.fails_with = 503
    assert site.visitor().get(START).status_code == 503
    assert with_password(site, "root@example.edu").location == "/"


def test_signing_in_through_the_provider_leaves_that_password(site, site_db, provider, root):
    provider.person = {"sub": "root", "email": "root@example.edu"}
    come_in(site.visitor(), provider)
    assert with_password(site, "root@example.edu").location == "/"


def test_the_page_shows_the_form_only_to_whom_asks_for_it(site):
    page = site.visitor().get("/signin").text
    assert 'name="password"' not in page
    assert "Forgot your password?" not in page
    assert 'name="password"' in site.visitor().get("/signin?password=1").text
    assert "or with the password of an account for emergencies" in site.visitor().get("/signin?password=1").text


def test_nothing_sets_a_password(site, site_db, provider, ada, root):
    assert site.visitor().get("/forgotten").status_code == 404
    visitor = site.visitor()
    come_in(visitor, provider)
    assert visitor.post("/profile/password", {"current_password": PASSWORD}).status_code == 404
    administrator = site.visitor(root)
    page = administrator.text(f"/admin/accounts/{ada.id}")
    assert "New link…" not in page
    assert "Sign-in at Example University" in page
    for path in ("link", "password"):
        assert "Passwords are switched off" in administrator.text(f"/admin/accounts/{ada.id}/{path}")
        administrator.post(f"/admin/accounts/{ada.id}/{path}")
    site_db.expire_all()
    assert ada.password_hash == NO_PASSWORD
    assert "Everybody who may sign in has a password." in administrator.text("/admin/accounts/links")


def test_a_link_from_before_sets_none(site, site_db, ada, root):
    token = make_links(site_db, [ada.id], now=utc_now(), lifetime=timedelta(days=1))[ada.id]
    site_db.commit()
    assert site.visitor().get(f"/password?link={token}").status_code == 404


def test_a_new_account_has_none(site, site_db, root):
    form = {"name": "Grace Hopper", "email": "grace@example.edu", "active": "y"}
    administrator = site.visitor(root)
    answer = administrator.post("/admin/accounts/new", form)
    made = site_db.scalars(sa.select(Account).where(Account.email == "grace@example.edu")).one()
    assert answer.location == f"/admin/accounts/{made.id}"
    assert made.password_hash == NO_PASSWORD
    assert "signs in at Example University" in plain(administrator.get(answer.location).text)


def test_a_token_is_made_by_who_came_just_now(site, site_db, provider, ada):
    """Who finds a browser open gets nothing that outlives the sign-in."""
    make_course(site_db, "MAT101", lecturers=(ada,))
    ada.password_hash = NO_PASSWORD
    site_db.commit()
    visitor, form = site.visitor(), {"name": "Script", "scopes": ["read"], "days": "30"}
    come_in(visitor, provider)
    assert "Your password" not in visitor.text("/profile/tokens")
    assert "att_" in visitor.post("/profile/tokens", form).text
    site_db.rollback()
    made = site_db.scalars(sa.select(SignIn)).one()
    made.made_at = made.made_at.replace(year=2025)
    site_db.commit()
    answer = visitor.post("/profile/tokens", form | {"name": "Another"})
    assert answer.status_code == 422
    assert "sign in at Example University, and do this within ten minutes" in answer.text
    assert site_db.scalars(sa.select(AccessToken.name)).all() == ["Script"]
