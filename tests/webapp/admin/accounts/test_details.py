"""Lecturers and administrators."""

import re

import pytest
import sqlalchemy as sa

from attendance.database.access.passwords import generate_password, password_problem, verify_password
from attendance.database.models import Account, AccountRole, Attendance, AttendanceChange, Role, Status
from tests.factories import make_course, make_lecturer, make_session, make_student
from tests.webapp.visiting import plain
from webapp.admin.writing import begin_change


@pytest.fixture
def boss(site_db):
    lecturer = make_lecturer(site_db, name="Barbara Liskov", email="admin@example.edu", role=Role.ADMIN)
    site_db.commit()
    return lecturer


@pytest.fixture
def admin(site, boss):
    return site.visitor(boss)


def shown_password(answer):
    return re.findall(r'<code id="password"[^>]*>([^<]+)</code>', answer.text)[0]


def lecturer_called(db, email):
    db.rollback()
    db.expire_all()
    return db.scalars(sa.select(Account).where(Account.email == email)).one()


def form_of(lecturer, **changed):
    form = {
        "name": lecturer.name,
        "email": lecturer.email,
    }
    form |= {"active": "y"} if lecturer.active else {}
    form |= {"administrator": "y"} if lecturer.administers else {}
    form |= changed
    return {name: value for name, value in form.items() if value is not None}


def test_adds_a_lecturer_whose_password_is_shown_once(site, admin, site_db, capfd):
    answer = admin.post("/admin/accounts/new", {"name": "Ada", "email": "Ada@Example.edu"})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    password = shown_password(answer)
    ada = lecturer_called(site_db, "ada@example.edu")
    assert (ada.roles, ada.active) == ([], True)
    assert verify_password(ada.password_hash, password)
    assert password not in admin.get(f"/admin/accounts/{ada.id}").text
    assert password not in "".join(capfd.readouterr())
    visitor = site.visitor()
    visitor.post("/signin", {"email": "ada@example.edu", "password": password})
    assert visitor.get("/profile").status_code == 200


def test_generated_passwords_differ_and_are_strong():
    made = {generate_password() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"([2-9a-hjkmnp-z]{4}-){3}[2-9a-hjkmnp-z]{4}", password) for password in made)
    assert [password_problem(password) for password in made] == [None] * 200


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": ""}, "Name is empty."),
        ({"email": ""}, "E-mail address is empty."),
        ({"email": "nobody"}, "&#39;nobody&#39; is no e-mail address, like name@university.edu."),
        ({"email": "ADMIN@example.edu"}, "Somebody else has this e-mail address."),
    ],
)
def test_a_wrong_lecturer_is_refused(admin, site_db, changed, message):
    other = make_lecturer(site_db, name="Bob")
    site_db.commit()
    form = {"name": "Ada", "email": "ada@example.edu", "active": "y", **changed}
    for address in ("/admin/accounts/new", f"/admin/accounts/{other.id}"):
        answer = admin.post(address, form)
        assert (answer.status_code, message in answer.text) == (422, True)
    assert lecturer_called(site_db, other.email).name == "Bob"


def test_changes_name_address_role_and_access(admin, site_db):
    ada = make_lecturer(site_db, name="Ada", email="ada@example.edu")
    site_db.commit()
    address = f"/admin/accounts/{ada.id}"
    admin.post(address, form_of(ada, name="Ada L.", email="al@example.edu", administrator="y"))
    changed = lecturer_called(site_db, "al@example.edu")
    assert (changed.name, changed.administers, changed.active) == ("Ada L.", True, True)
    admin.post(address, form_of(changed, active=None))
    assert lecturer_called(site_db, "al@example.edu").active is False
    assert "May not sign in" in admin.text("/admin/accounts?list=inactive&q=ada")
    assert "Ada L." not in admin.text("/admin/accounts?q=liskov")


def test_nobody_takes_away_their_own_rights(admin, boss, site_db):
    address = f"/admin/accounts/{boss.id}"
    page = admin.get(address).text
    assert "Only another administrator can change your role" in page
    assert 'name="administrator"' not in page
    assert 'name="active"' not in page
    # A forged form changes no rights either.
    assert admin.post(address, form_of(boss, name="B. Liskov", administrator=None, active=None)).status_code == 302
    same = lecturer_called(site_db, boss.email)
    assert (same.name, same.administers, same.active) == ("B. Liskov", True, True)


def test_nobody_deletes_themselves_or_resets_their_own_password_here(admin, boss, site_db):
    assert "You cannot delete yourself" in admin.text(f"/admin/accounts/{boss.id}/delete")
    assert admin.post(f"/admin/accounts/{boss.id}/delete").status_code == 422
    assert "your own password on your profile page" in admin.text(f"/admin/accounts/{boss.id}/password")
    assert admin.post(f"/admin/accounts/{boss.id}/password").status_code == 422
    assert lecturer_called(site_db, boss.email).password_hash == boss.password_hash


def test_two_administrators_cannot_demote_each_other_at_once(site, admin, boss, site_db, monkeypatch):
    """The second one's change comes after the first one's, though it was allowed when its request began."""
    other = make_lecturer(site_db, email="other@example.edu", role=Role.ADMIN)
    site_db.commit()

    def begin_after_being_demoted():
        with site.sessions() as db:
            db.execute(sa.delete(AccountRole).where(AccountRole.account_id == boss.id))
            db.commit()
        return begin_change()

    monkeypatch.setattr("webapp.admin.accounts.details.begin_change", begin_after_being_demoted)
    assert admin.post(f"/admin/accounts/{other.id}", form_of(other, administrator=None)).status_code == 403
    assert lecturer_called(site_db, "other@example.edu").administers
    assert not lecturer_called(site_db, boss.email).administers


def test_a_new_password_ends_the_old_one_and_every_sign_in(site, admin, site_db, capfd):
    ada = make_lecturer(site_db, name="Ada", email="ada@example.edu")
    site_db.commit()
    old_hash, hers = ada.password_hash, site.visitor(ada)
    assert hers.get("/profile").status_code == 200
    address = f"/admin/accounts/{ada.id}/password"
    assert "every sign-in made with it" in admin.text(address)
    assert lecturer_called(site_db, ada.email).password_hash == old_hash
    password = shown_password(admin.post(address))
    assert verify_password(lecturer_called(site_db, ada.email).password_hash, password)
    assert hers.get("/profile").status_code == 302
    logged = "".join(capfd.readouterr())
    assert "password_reset" in logged
    assert password not in logged


def test_deleting_one_who_corrected_registers_wants_the_address_typed(admin, site_db):
    ada = make_lecturer(site_db, name="Ada", email="ada@example.edu")
    course, student = make_course(site_db, lecturers=(ada,)), make_student(site_db)
    row = Attendance(session=make_session(site_db, course), student=student, status=Status.EXCUSED)
    site_db.add(row)
    site_db.flush()
    change = AttendanceChange(attendance_id=row.id, account_id=ada.id, new_status=Status.EXCUSED, reason="ill")
    site_db.add(change)
    site_db.commit()
    address = f"/admin/accounts/{ada.id}/delete"
    assert "1 correction of registers will not say any more who made it." in admin.text(address)
    answer = admin.post(address, {"typed": "ada"})
    assert "This is not ada@example.edu." in plain(answer.text)
    assert admin.post(address, {"typed": "ada@example.edu"}).status_code == 302
    site_db.rollback()
    site_db.refresh(change)
    assert (change.account_id, change.reason) == (None, "ill")


def test_an_administrator_changes_the_own_address_on_the_profile_page_which_asks_for_the_password(admin, boss, site_db):
    answer = admin.post(f"/admin/accounts/{boss.id}", form_of(boss, name="Barbara", email="thief@example.edu"))
    assert answer.status_code == 422
    assert "You change your own e-mail address on your profile page, which asks for your password." in answer.text
    assert lecturer_called(site_db, "admin@example.edu").name == "Barbara Liskov"
