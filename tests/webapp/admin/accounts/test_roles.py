"""Roles on the pages of accounts and courses, and who signed in when."""

import re

import pytest
import sqlalchemy as sa

from attendance.database.models import Account, AccountRole, Role
from tests.factories import PASSWORD, make_course, make_department, make_lecturer
from tests.webapp.visiting import plain


@pytest.fixture
def admin(site, site_db):
    boss = make_lecturer(site_db, name="Barbara Liskov", role=Role.ADMIN)
    site_db.commit()
    return site.visitor(boss)


@pytest.fixture
def ada(site_db):
    person = make_lecturer(site_db, name="Ada Byron", email="ada@example.edu")
    make_department(site_db, "Mathematics")
    make_course(site_db, "MA1", "Algebra")
    site_db.commit()
    return person.id


def held(db, account_id):
    db.rollback()
    query = sa.select(AccountRole.role, AccountRole.department_id, AccountRole.course_id)
    return {tuple(row) for row in db.execute(query.where(AccountRole.account_id == account_id))}


def test_an_account_gets_roles_and_loses_them(admin, site_db, ada):
    address = f"/admin/accounts/{ada}"
    assert "None yet, so this person sees no course." in admin.text(address)
    assert "No role yet" in admin.text("/admin/accounts?q=ada")
    for form in (
        {"role": "department", "department": "1", "course": ""},
        {"role": "assistant", "department": "", "course": " MA1 "},
        {"role": "lecturer", "department": "", "course": "MA1"},
    ):
        assert admin.post(f"{address}/roles", form).status_code == 302
    assert held(site_db, ada) == {(Role.DEPARTMENT, 1, None), (Role.LECTURER, None, 1)}
    page = admin.get(address).text
    assert "Head of Mathematics" in page
    assert "Lecturer of MA1" in page
    assert "Head of Mathematics Lecturer of MA1" in admin.text("/admin/accounts?q=ada")
    assert "Ada Byron" in admin.text("/admin/accounts?list=heads")
    for action in re.findall(rf'action="({address}/roles/\d+/remove)"', page):
        assert admin.post(action).status_code == 302
        assert admin.post(action).status_code == 404
    assert held(site_db, ada) == set()


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"role": "department", "department": ""}, "Choose the department."),
        ({"role": "department", "department": "99"}, "Choose the department."),
        ({"role": "lecturer", "course": ""}, "Type the course's code."),
        ({"role": "assistant", "course": "XX"}, "There is no course with the code XX."),
        ({"role": "administrator"}, "Not a valid choice."),
    ],
)
def test_a_role_without_its_place_is_refused(admin, site_db, ada, form, message):
    answer = admin.post(f"/admin/accounts/{ada}/roles", form)
    assert answer.status_code == 422
    assert message in plain(answer.text).replace("&#39;", "'")
    assert held(site_db, ada) == set()


def test_the_administrators_own_role_is_not_among_those_to_remove(admin, site_db):
    boss = site_db.scalars(sa.select(AccountRole).where(AccountRole.role == Role.ADMIN)).one()
    assert admin.post(f"/admin/accounts/{boss.account_id}/roles/{boss.id}/remove").status_code == 404
    assert held(site_db, boss.account_id) == {(Role.ADMIN, None, None)}


def test_a_course_has_assistants_beside_its_lecturers(admin, site_db, ada):
    add = "/admin/courses/1/lecturers"
    assert admin.post(add, {"lecturer": "ada@example.edu", "assistant": "y"}).status_code == 302
    assert held(site_db, ada) == {(Role.ASSISTANT, None, 1)}
    assert "Ada Byron ada@example.edu Assistant" in admin.text("/admin/courses/1")
    assert "MA1 Nobody" in admin.text("/admin/courses?list=no-lecturer"), "an assistant teaches nothing"
    assert admin.post(add, {"lecturer": "ada@example.edu"}).status_code == 302
    assert held(site_db, ada) == {(Role.LECTURER, None, 1)}


def test_who_never_signed_in_is_shown_until_they_do(site, admin, site_db, ada):
    assert "Ada Byron" in admin.text("/admin/accounts?list=never")
    assert "Never signed in" in admin.text(f"/admin/accounts/{ada}")
    visitor = site.visitor()
    visitor.post("/signin", {"email": "ada@example.edu", "password": "wrong"})
    assert "Ada Byron" in admin.text("/admin/accounts?list=never")
    visitor.post("/signin", {"email": "ada@example.edu", "password": PASSWORD})
    assert "Ada Byron" not in admin.text("/admin/accounts?list=never")
    assert "Last signed in" in admin.text(f"/admin/accounts/{ada}")
    site_db.rollback()
    assert site_db.get_one(Account, ada).last_sign_in_at is not None


def test_of_many_courses_the_first_are_named_and_the_others_counted(admin, site_db, ada):
    person = site_db.get_one(Account, ada)
    for number in range(6):
        make_course(site_db, f"C{number}", lecturers=(person,))
    site_db.commit()
    assert "Lecturer of C0, C1, C2, C3 and 2 more" in admin.text("/admin/accounts?q=ada")
