"""Who may open what: nothing is open by being forgotten, and nobody stays signed in who should not."""

import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.engine import begin_writing
from attendance.database.models import Account, Role, SecondFactor, SignIn, utc_now
from tests.factories import PASSWORD, make_course, make_lecturer
from webapp.tools.requests import safe_path

OPEN_TO_ALL = {
    "account.sign_in_now",
    "account.sign_in_page",
    "code.check",
    "code.page",
    "feeds.read",
    "forgotten.ask_for_link",
    "forgotten.page",
    "health.check",
    "interface.page",
    "links.page",
    "links.set_password_now",
    "lti.choose",
    "lti.launch",
    "lti.login",
    "lti.logo",
    "lti.published_keys",
    "lti.register_now",
    "lti.registration",
    "me.ask_for_link",
    "me.asked",
    "me.link_page",
    "me.open_link",
    "me.sign_in_page",
    "me.sign_out_now",
    "preferences.choose_language",
    "preferences.choose_theme",
    "static",
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
            if path.startswith("/api/"):  # programs show a token; nobody is sent anywhere
                assert answer.status_code == (200 if path.endswith("/openapi.json") else 401), (method, path)
                continue
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
    assert visitor.get("/").status_code == 200
    site_db.execute(sa.update(SignIn).values(expires_at=utc_now()))
    site_db.commit()
    assert visitor.get("/").location == "/signin?ended=1"
    site_db.rollback()
    assert site_db.scalars(sa.select(SignIn)).all() == [], "nothing brings it back"


def test_a_password_opens_as_long_as_the_setting_says(site, site_db):
    make_lecturer(site_db, email="ada@example.edu")
    site_db.commit()
    site.visitor().post("/signin", {"email": "ada@example.edu", "password": PASSWORD})
    made = site_db.scalars(sa.select(SignIn)).one()
    assert made.expires_at - made.made_at == timedelta(hours=site.settings.web.signin_hours)


@pytest.mark.parametrize("token", ["", "1.0", "in_" + "x" * 99_000, 1, None, ["in_1"], {"a": 1}, True])
def test_a_strange_token_is_nobody(site, site_db, token):
    lecturer = make_lecturer(site_db)
    site_db.commit()
    site.visitor(lecturer)
    visitor = site.visitor()
    with visitor.client.session_transaction() as session:
        session["sign_in"] = token
    assert visitor.get("/").status_code == 302
    assert visitor.get("/me").status_code == 302


def test_the_cookie_says_nothing_of_the_person_and_what_the_database_keeps_opens_nothing(site, site_db):
    lecturer = make_lecturer(site_db)
    site_db.commit()
    visitor = site.visitor(lecturer)
    with visitor.client.session_transaction() as session:
        assert set(session) == {"sign_in"}
        token = session["sign_in"]
        session["sign_in"] = site_db.scalars(sa.select(SignIn.token_hash)).one()
    assert token not in str(site_db.execute(sa.select(SignIn.__table__)).all())
    assert visitor.get("/").status_code == 302


@pytest.mark.parametrize(
    "change", ["signed out", "password set", "role given", "role taken", "blocked", "blocked and back", "second factor"]
)
def test_the_cookie_of_before_opens_nothing_afterwards(site, site_db, change):
    course, other = make_course(site_db), make_course(site_db)
    lecturer = make_lecturer(site_db, role=Role.LECTURER, of=course)
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    visitor, office = site.visitor(lecturer), site.visitor(admin)
    assert visitor.get("/").status_code == 200
    kept = visitor.client.get_cookie("attendance_session").value
    path = f"/admin/accounts/{lecturer.id}"
    details = {"name": "Ada", "email": lecturer.email}
    if change == "signed out":
        visitor.post("/signout")
    elif change == "password set":
        office.post(f"{path}/password", {"confirmed": "yes"})
    elif change == "role given":
        office.post(f"{path}/roles", {"role": "assistant", "course": other.code})
    elif change == "role taken":
        office.post(f"{path}/roles/{lecturer.roles[0].id}/remove")
    elif change == "second factor":
        site_db.add(SecondFactor(account_id=lecturer.id, secret="A" * 32, confirmed_at=utc_now()))
        site_db.commit()
    else:
        office.post(path, details)
        if change == "blocked and back":
            office.post(path, {**details, "active": "y"})
    thief = site.visitor()
    thief.client.set_cookie("attendance_session", kept)
    assert thief.get("/").status_code == 302


def test_an_administrators_own_further_roles_end_nothing(site, site_db):
    course, admin = make_course(site_db), make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    visitor = site.visitor(admin)
    answer = visitor.post(f"/admin/courses/{course.id}/lecturers", {"lecturer": admin.email})
    assert "teaches" in visitor.text(answer.location)


def test_a_page_reads_the_sign_in_with_one_statement_and_writes_its_use_once_a_minute(site, site_db):
    lecturer = make_lecturer(site_db)
    site_db.commit()
    visitor = site.visitor(lecturer)

    def statements():
        del site.statements[:]
        assert visitor.get("/profile").status_code == 200
        return [" ".join(said.split()[:2]) for said in site.statements if "sign_in" in said and "PRAGMA" not in said]

    assert statements().count("UPDATE sign_in") == 0
    site_db.execute(sa.update(SignIn).values(used_at=utc_now() - timedelta(seconds=61)))
    site_db.commit()
    assert statements().count("UPDATE sign_in") == 1
    assert statements().count("UPDATE sign_in") == 0
    del site.statements[:]
    assert visitor.get("/").status_code == 200
    assert len([said for said in site.statements if "sign_in" in said]) == 1


def test_a_page_does_not_wait_for_others_that_write(site, site_db):
    lecturer = make_lecturer(site_db)
    site_db.commit()
    visitor = site.visitor(lecturer)
    long_ago = utc_now() - timedelta(hours=1)
    site_db.execute(sa.update(SignIn).values(used_at=long_ago))
    site_db.commit()
    begin_writing(site_db)
    began = time.monotonic()
    assert visitor.get("/").status_code == 200
    assert time.monotonic() - began < 5
    site_db.rollback()
    assert site_db.scalars(sa.select(SignIn.used_at)).all() == [long_ago]


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
