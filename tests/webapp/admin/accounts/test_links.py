"""Making links to set a password: shown once, as a page or as a file."""

import csv
import io
import re

import pytest
import sqlalchemy as sa

from attendance.database.access.passwords import NO_PASSWORD
from attendance.database.models import PasswordLink, Role
from tests.factories import make_lecturer


@pytest.fixture
def admin(site, site_db):
    lecturer = make_lecturer(site_db, role=Role.ADMIN, name="Grace Hopper")
    site_db.commit()
    return site.visitor(lecturer)


@pytest.fixture
def waiting(site_db):
    made = [make_lecturer(site_db, name=name, email=f"{name.lower()}@example.edu") for name in ("Ada", "Bob")]
    for lecturer in made:
        lecturer.password_hash = NO_PASSWORD
    site_db.commit()
    return made


def links_of(text):
    return re.findall(r"http://localhost/password\?link=(pw_[\w-]+)", text)


def test_everybody_without_a_password_gets_a_link_that_works(site, admin, waiting, site_db, capfd):
    assert "Links for 2 accounts" in admin.text("/admin/accounts")
    listed = admin.text("/admin/accounts?list=no-password")
    assert ("ada@example.edu" in listed, "bob@example.edu" in listed, "Administrator" in listed) == (True, True, True)
    assert "2 lecturers without a password get a link each" in admin.text("/admin/accounts/links")
    sheet = admin.post("/admin/accounts/links")
    tokens = links_of(sheet.text)
    assert (sheet.status_code, len(set(tokens))) == (200, 2)
    assert "no-store" in sheet.headers["Cache-Control"]
    assert site.visitor().get(f"/password?link={tokens[0]}").status_code == 200
    assert not any(token in "".join(capfd.readouterr()) for token in tokens)
    assert links_of(admin.get("/admin/accounts/links").text) == [], "shown once"
    site_db.rollback()
    assert site_db.scalar(sa.select(sa.func.count()).select_from(PasswordLink)) == 2


def test_the_links_as_a_file(admin, waiting):
    answer = admin.post("/admin/accounts/links", {"as": "csv"})
    assert answer.headers["Content-Disposition"] == "attachment; filename=password-links.csv"
    rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert rows[0] == ["name", "email", "link", "valid_until"]
    assert [row[:2] for row in rows[1:]] == [["Ada", "ada@example.edu"], ["Bob", "bob@example.edu"]]
    assert [len(links_of(row[2])) for row in rows[1:]] == [1, 1]


def test_there_may_be_nobody_without_a_password(admin):
    assert "Links for" not in admin.text("/admin/accounts")
    assert "Everybody who may sign in has a password." in admin.text("/admin/accounts/links")
    assert links_of(admin.post("/admin/accounts/links").text) == []


def test_a_new_link_from_the_lecturer_s_page(site, admin, waiting, site_db):
    ada = waiting[0]
    assert "None yet. With a link they set one" in admin.text(f"/admin/accounts/{ada.id}")
    first, second = (links_of(admin.post(f"/admin/accounts/{ada.id}/link").text) for _ in range(2))
    assert [len(first), len(second)] == [1, 1]
    assert site.visitor().get(f"/password?link={first[0]}").status_code == 404
    assert site.visitor().get(f"/password?link={second[0]}").status_code == 200
    ada.active = False
    site_db.commit()
    assert links_of(admin.post(f"/admin/accounts/{ada.id}/link").text) == []


def test_nobody_makes_a_link_for_themselves_nor_as_a_lecturer(site, admin, waiting, site_db):
    me = site_db.scalar(sa.text("select id from account where name = 'Grace Hopper'"))
    assert "Change your own password on your profile page." in admin.text(f"/admin/accounts/{me}/link")
    assert links_of(admin.post(f"/admin/accounts/{me}/link").text) == []
    plain_lecturer = make_lecturer(site_db)
    site_db.commit()
    assert site.visitor(plain_lecturer).post("/admin/accounts/links").status_code == 403


def test_the_configured_address_stands_in_links(site_settings, site, waiting, site_db):
    site.app.config["ATTENDANCE"] = site_settings.model_copy(
        update={"web": site_settings.web.model_copy(update={"address": "https://attendance.example.edu"})}
    )
    boss = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    answer = site.visitor(boss).post("/admin/accounts/links")
    assert "https://attendance.example.edu/password?link=pw_" in answer.text
