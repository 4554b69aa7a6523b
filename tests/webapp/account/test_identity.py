"""Who may open what: nothing is open by being forgotten, and nobody stays signed in who should not."""

from datetime import timedelta

import pytest

from attendance.database.models import Account, Role, utc_now
from tests.factories import make_lecturer
from webapp.tools.requests import safe_path

OPEN_TO_ALL = {
    "static",
    "account.sign_in_page",
    "account.sign_in_now",
    "forgotten.ask_for_link",
    "forgotten.page",
    "health.check",
    "links.page",
    "links.set_password_now",
    "me.ask_for_link",
    "me.asked",
    "me.link_page",
    "me.open_link",
    "me.sign_in_page",
    "me.sign_out_now",
    "preferences.choose_language",
    "preferences.choose_theme",
}


def test_every_address_wants_a_sign_in(site):
    visitor = site.visitor()
    for rule in site.app.url_map.iter_rules():
        if rule.endpoint in OPEN_TO_ALL:
            continue
        path = rule.rule
        for argument in rule.arguments:
            path = path.replace(f"<int:{argument}>", "1").replace(f"<{argument}>", "x")
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            answer = visitor.client.open(path, method=method)
            assert answer.status_code == 302, (method, path)
            asked = "/me/signin" if rule.endpoint.startswith("me.") else "/signin"
            assert answer.location.startswith(asked), (method, path)


def test_administrators_pages_are_closed_to_lecturers(site, site_db):
    lecturer = make_lecturer(site_db)
    site_db.commit()
    visitor = site.visitor(lecturer)
    rules = [rule for rule in site.app.url_map.iter_rules() if rule.endpoint.startswith("admin.")]
    for rule in rules:
        if not rule.arguments and "GET" in rule.methods:
            assert visitor.get(rule.rule).status_code == 403, rule.rule


def test_the_way_back_is_kept_for_pages_only(site):
    assert site.visitor().get("/records?status=late").location == "/signin?next=/records?status%3Dlate"
    assert site.visitor().get("/").location == "/signin"
    assert site.visitor().client.post("/profile").location == "/signin"


def test_scripts_and_streams_get_an_answer_they_understand(site):
    answer = site.visitor().get("/sessions/1", headers={"X-Requested-With": "fetch"})
    assert (answer.status_code, answer.json["error"]) == (401, "Your sign-in has ended. Sign in again to go on.")
    assert site.visitor().get("/sessions/1/live", headers={"Accept": "text/event-stream"}).status_code == 401


def test_a_deactivated_lecturer_is_signed_out(site, site_db):
    lecturer = make_lecturer(site_db)
    site_db.commit()
    visitor = site.visitor(lecturer)
    assert visitor.get("/").status_code == 200
    lecturer.active = False
    site_db.commit()
    answer = visitor.get("/")
    assert answer.location == "/signin?ended=1"
    assert "Your sign-in has ended" in visitor.text(answer.location)


def test_a_deleted_lecturer_is_signed_out(site, site_db):
    lecturer = make_lecturer(site_db)
    site_db.commit()
    visitor = site.visitor(lecturer)
    site_db.delete(site_db.get(Account, lecturer.id))
    site_db.commit()
    assert visitor.get("/").status_code == 302


def test_whoever_gets_the_id_of_a_deleted_lecturer_gets_no_sign_in_with_it(site, site_db):
    """SQLite gives the id of the last row to the next one."""
    lecturer = make_lecturer(site_db)
    site_db.commit()
    visitor, number = site.visitor(lecturer), lecturer.id
    with visitor.client.session_transaction() as session:
        session["signed_in_at"] = utc_now().timestamp()
    assert visitor.get("/").status_code == 200
    site_db.delete(lecturer)
    site_db.commit()
    later = utc_now() + timedelta(minutes=2)
    site_db.add(Account(id=number, email="new@example.edu", name="New", password_hash="!", created_at=later))
    site_db.commit()
    assert visitor.get("/").location == "/signin?ended=1"


def test_a_sign_in_ends_after_its_hours(site, site_db):
    lecturer = make_lecturer(site_db)
    site_db.commit()
    visitor = site.visitor(lecturer)
    with visitor.client.session_transaction() as session:
        session["signed_in_at"] = 1.0
    assert visitor.get("/").status_code == 302


@pytest.mark.parametrize("identifier", ["", "1", "1.", ".1", "x.0", "1.x", "999.0", "1.0.0", "-1.0"])
def test_a_strange_identifier_is_nobody(site, site_db, identifier):
    make_lecturer(site_db)
    site_db.commit()
    visitor = site.visitor()
    with visitor.client.session_transaction() as session:
        session.update(_user_id=identifier, signed_in_at=4e9)
    assert visitor.get("/").status_code == 302


def test_an_administrator_opens_the_administration(site, site_db):
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    assert "Administration" in site.visitor(admin).text("/")


@pytest.mark.parametrize(
    ("target", "safe"),
    [
        ("/", True),
        ("/records?student=a%20b&page=2", True),
        ("/\N{LATIN SMALL LETTER E WITH ACUTE}", True),
        (None, False),
        ("", False),
        ("records", False),
        ("//evil.example", False),
        ("///evil.example", False),
        ("/\\evil.example", False),
        ("\\/evil.example", False),
        ("/\t/evil.example", False),
        ("\n/evil", False),
        ("https://evil.example/", False),
        ("javascript:alert(1)", False),
        (" /records", False),
    ],
)
def test_only_paths_of_this_site_are_gone_to(target, safe):
    assert safe_path(target) == (target if safe else None)
