"""The pages on which tokens of programs are made and revoked."""

import re

import pytest
import sqlalchemy as sa

from attendance.database.access.passwords import NO_PASSWORD
from attendance.database.models import AccessToken, AuditEntry, Role
from attendance.settings import Settings
from tests.factories import PASSWORD, make_course, make_lecturer
from tests.webapp.visiting import Site, make_settings, plain
from webapp.app import create_app
from webapp.tools.storage import sessions_of

FORM = {"name": "Campus system", "scopes": ["read", "correct"], "days": "30", "your_password": PASSWORD}


@pytest.fixture
def lecturer(site_db):
    made = make_lecturer(site_db)
    make_course(site_db, "MAT101", lecturers=(made,))
    site_db.commit()
    return made


def made_token(answer):
    assert answer.status_code == 200, answer.text
    return re.findall(r"att_[\w-]{43}", answer.text)[0]


def ask(site, token, path="/courses"):
    return site.app.test_client().get(f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"})


def test_a_token_is_made_shown_once_used_and_revoked(site, site_db, lecturer):
    visitor = site.visitor(lecturer)
    answer = visitor.post("/profile/tokens", FORM)
    token = made_token(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.text.count(token) == 1, "not in the command to try it, which a shell remembers"
    assert [course["code"] for course in ask(site, token).json["items"]] == ["MAT101"]
    html = visitor.get("/profile/tokens").text
    assert token not in html
    assert "Campus system" in html
    assert "Last used" in visitor.text("/profile/tokens")
    entry = site_db.scalars(sa.select(AuditEntry).where(AuditEntry.action == "token.made")).one()
    assert entry.subject == f"{lecturer.email}: Campus system"
    assert entry.details == {"scopes": "read correct"}
    (number,) = re.findall(r"/profile/tokens/(\d+)/revoke", html)
    assert visitor.post(f"/profile/tokens/{number}/revoke").status_code == 302
    assert ask(site, token).status_code == 401
    assert visitor.post(f"/profile/tokens/{number}/revoke").status_code == 404


def test_a_token_for_one_course(site, site_db, lecturer):
    make_course(site_db, "PHY200", lecturers=(lecturer,))
    visitor = site.visitor(lecturer)
    token = made_token(visitor.post("/profile/tokens", FORM | {"courses": " MAT101 ,"}))
    assert [course["code"] for course in ask(site, token).json["items"]] == ["MAT101"]
    assert "Only MAT101" in visitor.text("/profile/tokens")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": ""}, "is empty"),
        ({"scopes": []}, "Choose at least one."),
        ({"scopes": ["administer"]}, "Choose at least one."),
        ({"scopes": ["audit"]}, "Choose at least one."),
        ({"courses": "MAT101, XYZ"}, "You have no course with the code XYZ."),
        ({"days": "0"}, "From 1 to 365."),
        ({"days": "366"}, "From 1 to 365."),
        ({"days": "soon"}, "From 1 to 365."),
        ({"your_password": ""}, "Type your password"),
        ({"your_password": "wrong"}, "This is not your current password."),
    ],
)
def test_what_makes_no_token(site, site_db, lecturer, wrong, said):
    answer = site.visitor(lecturer).post("/profile/tokens", FORM | wrong)
    assert answer.status_code == 422
    assert said in answer.text
    assert site_db.scalar(sa.select(sa.func.count()).select_from(AccessToken)) == 0


def test_what_is_wrong_stands_above_the_tokens_too(site, lecturer):
    visitor = site.visitor(lecturer)
    made_token(visitor.post("/profile/tokens", FORM))
    text = plain(visitor.post("/profile/tokens", FORM | {"name": ""}).text)
    assert text.index("Something needs a correction Name is empty.") < text.index("Your tokens")


def test_who_has_no_password_and_no_provider_is_told_how_to_get_one(site, site_db, lecturer):
    lecturer.password_hash = NO_PASSWORD
    site_db.commit()
    answer = site.visitor(lecturer).post("/profile/tokens", FORM)
    assert answer.status_code == 422
    assert "Ask an administrator for a link to set one." in answer.text
    assert site_db.scalar(sa.select(sa.func.count()).select_from(AccessToken)) == 0


def test_administration_is_of_no_course(site, site_db, lecturer):
    admin = make_lecturer(site_db, role=Role.ADMIN)
    form = FORM | {"scopes": ["administer"], "courses": "MAT101"}
    answer = site.visitor(admin).post("/profile/tokens", form)
    assert answer.status_code == 422
    assert "Administration is of no course" in answer.text


def test_two_tokens_have_two_names(site, lecturer):
    visitor = site.visitor(lecturer)
    made_token(visitor.post("/profile/tokens", FORM))
    answer = visitor.post("/profile/tokens", FORM)
    assert answer.status_code == 422
    assert "You have a token of this name." in answer.text


def test_nobody_revokes_anothers_but_an_administrator(site, site_db, lecturer):
    token = made_token(site.visitor(lecturer).post("/profile/tokens", FORM))
    number = site_db.scalars(sa.select(AccessToken.id)).one()
    stranger = site.visitor(make_lecturer(site_db))
    assert stranger.post(f"/profile/tokens/{number}/revoke").status_code == 404
    assert ask(site, token).status_code == 200
    admin = site.visitor(make_lecturer(site_db, role=Role.ADMIN))
    assert "Campus system" in admin.text("/admin/tokens")
    assert "No tokens found" in admin.text("/admin/tokens?q=zzz")
    assert admin.post(f"/admin/tokens/{number}/revoke").status_code == 302
    assert ask(site, token).status_code == 401
    assert "No tokens yet" in admin.text("/admin/tokens")


def test_who_has_no_role_makes_none(site, site_db):
    visitor = site.visitor(make_lecturer(site_db))
    assert "You have no role yet" in visitor.text("/profile/tokens")
    assert visitor.post("/profile/tokens", FORM).status_code == 422


def test_the_interface_can_be_off(tmp_path, migrated_file):
    settings: Settings = make_settings(tmp_path / "off", migrated_file, api={"on": False})
    app = create_app(settings)
    site = Site(settings, app, sessions_of(app))
    with site.sessions() as db:
        visitor = site.visitor(make_lecturer(db, role=Role.ADMIN))
    for path in ("/api", "/api/v1/courses", "/api/v1/openapi.json", "/profile/tokens"):
        assert visitor.get(path).status_code == 404, path
    assert "Access for programs" not in visitor.text("/profile")
    assert "No tokens yet" in visitor.text("/admin/tokens")
    site.sessions.kw["bind"].dispose()
