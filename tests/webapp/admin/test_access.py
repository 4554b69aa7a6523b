"""Who may open the administrator's pages: every address is asked, also those that somebody adds later."""

import pytest

from attendance.database.models import Account, AccountRole, Camera, Course, Department, Role, Room, Student
from tests.factories import make_lecturer
from tests.webapp.addresses import addresses, furnish
from webapp.imports.kinds import KINDS


@pytest.fixture
def furnished(site_db):
    """Something to be reached at each address, the account a head's; ids by the names that addresses have for them."""
    values = furnish(site_db, 1)
    department = site_db.get_one(Department, values["department_id"])
    head = make_lecturer(site_db, role=Role.DEPARTMENT, of=department)
    site_db.commit()
    return values | {"account_id": head.id, "role_id": head.roles[0].id}


def admin_addresses(site, values):
    """(method, address) of everything under /admin."""
    asked = [(each.method, each.path) for each in addresses(site, values) if each.path.startswith("/admin")]
    assert len(asked) > 40
    return asked


def test_a_lecturer_who_is_no_administrator_opens_none_of_them(site, site_db, furnished):
    visitor = site.visitor(site_db.get(Account, furnished["account_id"]))
    token = visitor.token()
    counts = {model: site_db.query(model).count() for model in (Camera, Course, Account, Room, Student)}
    for method, address in admin_addresses(site, furnished):
        data = {"csrf_token": token} if method == "POST" else None
        answer = visitor.client.open(address, method=method, data=data)
        assert answer.status_code == 403, (method, address)
        assert "This page is for administrators" in answer.text
    site_db.expire_all()
    assert counts == {model: site_db.query(model).count() for model in counts}


def test_somebody_signed_out_is_asked_to_sign_in(site, furnished):
    client = site.visitor().client
    for method, address in admin_addresses(site, furnished):
        answer = client.open(address, method=method)
        assert answer.status_code == 302, (method, address)
        assert answer.headers["Location"].startswith("/signin")


def test_an_administrator_opens_each(site, site_db, furnished):
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    visitor = site.visitor(admin)
    for method, address in admin_addresses(site, furnished):
        if method == "GET":
            # A run of the gallery that is none, and a picture of a camera that no service sees.
            expected = 404 if "/runs/" in address or address.endswith(".jpg") else 200
            assert visitor.get(address).status_code == expected, address
    for kind in KINDS:
        assert visitor.get(f"/admin/import/{kind}").status_code == 200


def test_every_change_needs_the_form_of_this_sign_in(site, site_db, furnished):
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    client = site.visitor(admin).client
    for method, address in admin_addresses(site, furnished):
        if method == "POST":
            assert client.post(address).status_code == 400, address
    assert site_db.get(Student, furnished["student_id"]) is not None


def test_what_is_not_there_is_404(site, site_db, furnished):
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    visitor = site.visitor(admin)
    for missing in (999_999, 2**31, 10**30):
        gone = {name: missing if isinstance(value, int) else value for name, value in furnished.items()}
        for method, address in admin_addresses(site, gone):
            if str(missing) in address:
                answer = visitor.get(address) if method == "GET" else visitor.post(address)
                assert answer.status_code == 404, (method, address)
    assert visitor.get("/admin/import/nothing").status_code == 404
    assert visitor.get("/admin/import/runs/..%2F..%2Fsecret").status_code == 404


def test_somebody_made_lecturer_or_inactive_is_out_at_once(site, site_db):
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    visitor = site.visitor(admin)
    assert visitor.get("/admin").status_code == 200
    admin.roles.clear()
    site_db.commit()
    assert visitor.get("/admin").status_code == 302, "another role: to be signed in anew"
    visitor = site.visitor(admin)
    assert visitor.get("/admin").status_code == 403
    admin.roles.append(AccountRole(role=Role.ADMIN, everywhere=True))
    admin.active = False
    site_db.commit()
    assert visitor.get("/admin").status_code == 302
