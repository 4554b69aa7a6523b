"""Roles by groups and other claims: the same rows and the same log as those given by hand."""

import pytest
import sqlalchemy as sa

from attendance.database.models import AccountRole, AuditEntry, Role
from tests.factories import make_course, make_department, make_lecturer
from tests.webapp.account.oidc.coming import come_in

RULES = [
    "groups = attendance-admins -> administrator",
    "groups = maths-heads -> department Mathematics",
    "groups = /courses/*/lecturers -> lecturer *",
    "groups = /courses/*/assistants -> assistant *",
    "realm_access.roles = teacher-of-one -> lecturer ONE",
]


@pytest.fixture
def oidc():
    return {"roles": RULES, "break_glass": ["root@example.edu"]}


@pytest.fixture
def ada(site_db):
    made = make_lecturer(site_db, email="ada@example.edu")
    make_department(site_db, "Mathematics")
    make_course(site_db, "MA1")
    make_course(site_db, "ONE")
    site_db.commit()
    return made


def come_with(site, provider, *groups, **claims):
    provider.person = {"sub": "ada", "email": "ada@example.edu", "groups": list(groups), **claims}
    visitor = site.visitor()
    assert come_in(visitor, provider).status_code == 302
    return visitor


def held(db):
    db.rollback()  # what it has read so far is of before
    rows = db.scalars(sa.select(AccountRole))
    places = ((row, row.course or row.department) for row in rows)
    return {(row.role.value, getattr(place, "code", None) or getattr(place, "name", "")) for row, place in places}


def noted(db):
    db.rollback()
    query = sa.select(AuditEntry).where(AuditEntry.action.like("role.%")).order_by(AuditEntry.id)
    return [(entry.action, entry.actor, entry.details) for entry in db.scalars(query)]


def test_groups_give_roles_which_the_log_tells_of(site, site_db, provider, ada):
    visitor = come_with(site, provider, "/courses/MA1/lecturers", "maths-heads", "something else")
    assert held(site_db) == {("lecturer", "MA1"), ("department", "Mathematics")}
    assert ("role.given", "sign-in provider", {"role": "lecturer", "course": "MA1"}) in noted(site_db)
    assert "MA1" in visitor.text("/")


def test_they_go_with_the_group_and_every_sign_in_with_them(site, site_db, provider, ada):
    before = come_with(site, provider, "attendance-admins")
    assert before.get("/admin").status_code == 200
    after = come_with(site, provider, "/courses/MA1/assistants")
    assert held(site_db) == {("assistant", "MA1")}
    assert after.get("/admin").status_code == 403
    assert before.get("/admin").status_code == 302
    assert [action for action, _, _ in noted(site_db)] == ["role.given", "role.taken", "role.given"]


def test_the_same_groups_again_change_nothing(site, site_db, provider, ada):
    first = come_with(site, provider, "maths-heads")
    come_with(site, provider, "maths-heads")
    assert len(noted(site_db)) == 1
    assert first.get("/").status_code == 200


def test_of_two_roles_in_one_course_the_lecturers_counts(site, site_db, provider, ada):
    come_with(site, provider, "/courses/MA1/assistants", "/courses/MA1/lecturers")
    assert held(site_db) == {("lecturer", "MA1")}
    come_with(site, provider, "/courses/MA1/assistants")
    assert held(site_db) == {("assistant", "MA1")}


def test_an_object_in_a_claim_and_a_claim_that_is_one_text(site, site_db, provider, ada):
    come_with(site, provider, realm_access={"roles": ["teacher-of-one", 1]})
    assert held(site_db) == {("lecturer", "ONE")}
    provider.person = {"sub": "ada", "groups": "maths-heads"}
    come_in(site.visitor(), provider)
    assert held(site_db) == {("department", "Mathematics")}


def test_a_course_that_is_not_there_gives_nothing(site, site_db, provider, ada):
    come_with(site, provider, "/courses/GONE/lecturers", "/courses/ma1/lecturers")
    assert held(site_db) == set()


def test_what_is_given_by_hand_stays(site, site_db, provider, ada, admin):
    admin.post(f"/admin/accounts/{ada.id}/roles", {"role": "lecturer", "course": "MA1"})
    come_with(site, provider, "/courses/MA1/assistants")
    assert ("lecturer", "MA1") in held(site_db)
    come_with(site, provider)
    assert ("lecturer", "MA1") in held(site_db)


def test_a_role_by_a_group_that_is_changed_by_hand_is_by_hand(site, site_db, provider, ada, admin):
    come_with(site, provider, "/courses/MA1/assistants")
    assert "By a group" in admin.text(f"/admin/accounts/{ada.id}")
    admin.post(f"/admin/accounts/{ada.id}/roles", {"role": "lecturer", "course": "MA1"})
    come_with(site, provider)
    assert ("lecturer", "MA1") in held(site_db)


def test_saving_an_administrators_details_does_not_make_the_role_one_by_hand(site, site_db, provider, ada, admin):
    come_with(site, provider, "attendance-admins")
    form = {"name": "Ada", "email": "ada@example.edu", "active": "y", "administrator": "y"}
    assert admin.post(f"/admin/accounts/{ada.id}", form).status_code == 302
    come_with(site, provider)
    assert site_db.scalar(sa.select(AccountRole.id).where(AccountRole.account_id == ada.id)) is None


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}},
        {"hasgroups": True},
    ],
)
def test_who_is_in_too_many_groups_for_a_token_keeps_the_roles(site, site_db, provider, ada, elsewhere):
    """As Entra ID says it of who is in more than 200."""
    come_with(site, provider, "maths-heads")
    provider.person = {"sub": "ada", "email": "ada@example.edu", **elsewhere}
    assert come_in(site.visitor(), provider).status_code == 302
    assert held(site_db) == {("department", "Mathematics")}


def test_a_break_glass_administrator_stays_one(site, site_db, provider):
    make_lecturer(site_db, email="root@example.edu", role=Role.ADMIN)
    site_db.commit()
    provider.person = {"sub": "root", "email": "root@example.edu", "groups": []}
    visitor = site.visitor()
    assert come_in(visitor, provider).status_code == 302
    assert visitor.get("/admin").status_code == 200
