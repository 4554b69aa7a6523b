"""Which token opens the interface, and when it does no more."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.access.roles import Reach, give_role, take_role
from attendance.database.access.tokens import hash_token
from attendance.database.models import AccessToken, Account, AuditEntry, Role, utc_now
from tests.factories import make_course, make_lecturer
from tests.webapp.api.programs import is_problem
from webapp.account.permissions import SCOPES


def test_a_token_says_what_it_may(program, lesson):
    assert program.read("/token") | {"expires_at": ""} == {
        "name": "Script",
        "account": "ada@example.edu",
        "scopes": list(SCOPES),
        "course_ids": None,
        "expires_at": "",
    }


@pytest.mark.parametrize("shown", [None, "", "Bearer", "Bearer att_wrong", "Basic YTpi", "Bearer " + "x" * 9_000])
def test_without_a_token_that_counts_nothing_opens(site, lesson, shown):
    headers = {} if shown is None else {"Authorization": shown}
    answer = site.app.test_client().get("/api/v1/courses", headers=headers)
    is_problem(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="attendance"')
    assert ("invalid_token" in answer.headers["WWW-Authenticate"]) == bool(shown)


def test_a_sign_in_is_no_credential_here(site, lesson):
    visitor = site.visitor(lesson.lecturer)
    assert visitor.get("/").status_code == 200
    answer = visitor.client.get("/api/v1/courses")
    is_problem(answer, 401)
    assert "Set-Cookie" not in answer.headers
    entry = f"/api/v1/sessions/{lesson.session.id}/attendance/{lesson.students[0].id}"
    is_problem(visitor.client.put(entry, json={"status": "present", "reason": "x"}), 401)


def test_a_token_opens_no_page(program, lesson):
    shown = {"Authorization": f"Bearer {program.token}"}
    answer = program.client.get("/profile", headers=shown)
    assert answer.status_code == 302
    assert "/signin" in answer.headers["Location"]


def test_no_other_site_may_ask_in_a_browser(program):
    answer = program.get("/courses", headers={"Origin": "https://elsewhere.example"})
    assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]


def test_what_is_kept_is_no_token(program, site_db):
    row = site_db.get_one(AccessToken, program.token_id)
    assert row.token_hash == hash_token(program.token)
    assert program.token not in str(site_db.execute(sa.select(AccessToken)).mappings().all())


def test_the_last_use_is_noted(program, site_db):
    assert site_db.get_one(AccessToken, program.token_id).last_used_at is None
    site_db.rollback()
    program.read("/courses")
    site_db.expire_all()
    row = site_db.get_one(AccessToken, program.token_id)
    assert utc_now() - row.last_used_at < timedelta(minutes=1)
    assert row.last_address == "127.0.0.1"


def test_an_expired_token_opens_nothing(program, site_db):
    site_db.get_one(AccessToken, program.token_id).expires_at = utc_now()
    site_db.commit()
    is_problem(program.get("/courses"), 401)


def test_it_ends_when_the_account_is_blocked_and_does_not_come_back(site, site_db, program, lesson):
    admin = site.visitor(make_lecturer(site_db, role=Role.ADMIN))
    form = {"name": "Ada", "email": lesson.lecturer.email}
    assert admin.post(f"/admin/accounts/{lesson.lecturer.id}", form).status_code == 302
    is_problem(program.get("/courses"), 401)
    assert admin.post(f"/admin/accounts/{lesson.lecturer.id}", form | {"active": "y"}).status_code == 302
    is_problem(program.get("/courses"), 401)


def test_a_blocked_account_is_let_in_by_no_token_that_is_left(program, lesson, site_db):
    site_db.get_one(Account, lesson.lecturer.id).active = False  # as a command might
    site_db.commit()
    is_problem(program.get("/courses"), 401)


@pytest.mark.parametrize("by_page", [True, False])
def test_it_ends_with_a_role_that_it_rests_on(site, site_db, program, lesson, by_page):
    account, course = site_db.get_one(Account, lesson.lecturer.id), Reach(course_id=lesson.course.id)
    if by_page:
        admin = site.visitor(make_lecturer(site_db, role=Role.ADMIN))
        admin.post(f"/admin/accounts/{account.id}/roles/{account.roles[0].id}/remove")
    else:
        take_role(site_db, account.id, course)
        site_db.commit()
    is_problem(program.get("/courses"), 401)
    give_role(site_db, account.id, Role.LECTURER, course)
    site_db.commit()
    is_problem(program.get("/courses"), 401)


def test_it_ends_when_the_role_becomes_less(program, site_db, lesson):
    give_role(site_db, lesson.lecturer.id, Role.ASSISTANT, Reach(course_id=lesson.course.id))
    site_db.commit()
    is_problem(program.get("/courses"), 401)


def test_it_does_not_end_with_a_role_of_another_course(program, made, site_db, lesson):
    other = make_course(site_db, "PHY1", lecturers=(lesson.lecturer,))
    narrowed = made(lesson.lecturer, courses=[lesson.course])
    take_role(site_db, lesson.lecturer.id, Reach(course_id=other.id))
    site_db.commit()
    assert [course["code"] for course in narrowed.items("/courses")] == ["MAT101"]
    assert [course["code"] for course in program.items("/courses")] == ["MAT101"]  # it was made before the other role


def test_a_narrowed_token_is_for_its_courses_only(made, site_db, lesson, administrator):
    other = make_course(site_db, "PHY1", lecturers=(lesson.lecturer,))
    for account in (lesson.lecturer, administrator):
        narrowed = made(account, courses=[lesson.course])
        assert [course["code"] for course in narrowed.items("/courses")] == ["MAT101"]
        is_problem(narrowed.get(f"/courses/{other.id}"), 404)
        assert narrowed.read(f"/sessions/{lesson.session.id}")["id"] == lesson.session.id
        is_problem(narrowed.get("/cameras"), 403)
        is_problem(narrowed.send("POST", "/imports/students", headers={"Content-Type": "text/csv"}, data="x"), 403)
        assert narrowed.items("/departments") == []


def test_a_token_whose_only_course_is_deleted_opens_none(made, site_db, lesson):
    other = make_course(site_db, "PHY1", lecturers=(lesson.lecturer,))
    narrowed = made(lesson.lecturer, courses=[other])
    site_db.delete(other)
    site_db.commit()
    answer = narrowed.get("/courses")
    assert answer.status_code == 401 or answer.json["items"] == []


@pytest.mark.parametrize(
    ("scope", "asked"),
    [
        ("read", "GET /courses"),
        ("correct", "PUT /sessions/{session}/attendance/{student}"),
        ("excuse", "POST /students/{student}/excuses"),
        ("plan", "GET /rooms"),
        ("term", "GET /courses/{course}/rates"),
        ("administer", "GET /cameras"),
    ],
)
def test_each_scope_is_needed_and_enough(made, lesson, administrator, scope, asked):
    method, path = asked.split()
    path = path.format(session=lesson.session.id, student=lesson.students[0].id, course=lesson.course.id)
    others = [other for other in ("read", "correct", "excuse", "plan", "term", "administer") if other != scope]
    refused = is_problem(made(administrator, scopes=others).ask(method, path), 403)
    assert scope in refused["detail"]
    assert made(administrator, scopes=[scope]).ask(method, path).status_code not in (401, 403, 404)


def test_the_audit_log_says_through_which_token(program, lesson, site_db):
    given = {"first_day": "2026-11-01", "last_day": "2026-11-02", "reason": "ill"}
    assert program.send("POST", f"/students/{lesson.students[0].id}/excuses", given).status_code == 201
    entry = site_db.scalars(sa.select(AuditEntry).where(AuditEntry.action == "excuse.added")).one()
    assert (entry.actor, entry.details) == ("ada@example.edu", {"token": "Script"})


def test_what_is_logged_holds_no_token(site, program, caplog, capsys):
    program.read("/courses")
    said = caplog.text + "".join(capsys.readouterr())
    assert program.token not in said
