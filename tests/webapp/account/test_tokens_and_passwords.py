"""A new password ends the tokens of programs, too: where an administrator sets it always, else if it is wanted."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.access.access_tokens import NewToken, make_access_token
from attendance.database.access.links import make_links
from attendance.database.models import AccessToken, AuditAction, AuditEntry, Role, utc_now
from tests.factories import PASSWORD, make_lecturer

NEW = "four words make one"
FORM = {"current_password": PASSWORD, "new_password": NEW, "repeat": NEW}
OFFER = "Also end tokens of programs"


@pytest.fixture
def lecturer(site_db):
    account = make_lecturer(site_db, email="ada@example.edu")
    site_db.commit()
    return account


@pytest.fixture
def token(site_db, lecturer):
    """Of a program."""
    new = NewToken("Script", ("read",), None, timedelta(days=1))
    _row, token = make_access_token(site_db, lecturer, new, now=utc_now())
    site_db.commit()
    return token


def is_let_in(site, token):
    shown = {"Authorization": f"Bearer {token}"}
    return site.app.test_client().get("/api/v1/token", headers=shown).status_code == 200


def ended(db):
    db.rollback()
    query = sa.select(AuditEntry.subject).where(AuditEntry.action == AuditAction.TOKEN_ENDED.value)
    return list(db.scalars(query))


@pytest.mark.parametrize("wanted", [True, False])
def test_who_changes_the_own_password_chooses(site, site_db, lecturer, token, wanted):
    visitor = site.visitor(lecturer)
    page = visitor.get("/profile").text
    assert OFFER in page
    assert "checked" in page[page.index('name="end_tokens"') - 100 : page.index('name="end_tokens"') + 60]
    answer = visitor.post("/profile/password", FORM | ({"end_tokens": "y"} if wanted else {}))
    assert answer.status_code == 302
    assert is_let_in(site, token) is not wanted
    assert ended(site_db) == (["ada@example.edu: Script"] if wanted else [])
    assert ("are let in no more" in visitor.text("/profile")) is wanted


def test_without_tokens_nothing_is_offered(site, lecturer):
    assert OFFER not in site.visitor(lecturer).get("/profile").text


@pytest.mark.parametrize("wanted", [True, False])
def test_who_has_a_link_chooses(site, site_db, lecturer, token, wanted):
    link = make_links(site_db, [lecturer.id], now=utc_now(), lifetime=timedelta(days=1))[lecturer.id]
    site_db.commit()
    visitor = site.visitor()
    assert OFFER in visitor.get(f"/password?link={link}").text
    form = {"link": link, "new_password": NEW, "repeat": NEW} | ({"end_tokens": "y"} if wanted else {})
    assert visitor.post("/password", form).status_code == 302
    assert is_let_in(site, token) is not wanted
    assert ended(site_db) == (["ada@example.edu: Script"] if wanted else [])


def test_an_administrators_new_password_ends_them(site, site_db, lecturer, token):
    other = make_lecturer(site_db, role=Role.ADMIN)
    kept = make_access_token(site_db, other, NewToken("Own", ("read",), None, timedelta(days=1)), now=utc_now())[1]
    site_db.commit()
    admin = site.visitor(other)
    assert "So do the tokens" in admin.text(f"/admin/accounts/{lecturer.id}/password")
    assert admin.post(f"/admin/accounts/{lecturer.id}/password").status_code == 200
    assert not is_let_in(site, token)
    assert is_let_in(site, kept)
    assert ended(site_db) == ["ada@example.edu: Script"]
    assert site_db.scalar(sa.select(sa.func.count()).select_from(AccessToken)) == 1
