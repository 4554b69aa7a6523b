"""A link to the own page that an administrator hands over."""

import re

import sqlalchemy as sa

from attendance.database.models import Role, StudentLink
from tests.factories import make_lecturer, make_student
from tests.webapp.me.students import StudentVisitor


def test_it_is_shown_once_and_opens_the_page_of_who_knows_the_index_number(site, site_db):
    admin = make_lecturer(site_db, role=Role.ADMIN)
    make_student(site_db, "s1", "Ann")
    site_db.commit()
    boss = site.visitor(admin)
    assert "Link to the own page…" in boss.text("/admin/students/1")
    assert "once, within 7 days" in boss.text("/admin/students/1/link")
    assert site_db.scalars(sa.select(StudentLink.id)).all() == []
    page = boss.post("/admin/students/1/link").text
    found = re.search(r"http://localhost/me/link\?link=([\w-]+)", page)
    assert found
    token = found[1]
    visitor = StudentVisitor(site.app)
    assert visitor.post("/me/link", {"link": token, "index_number": "s2"}).status_code == 422
    assert visitor.post("/me/link", {"link": token, "index_number": "s1"}).status_code == 302
    assert "Ann" in visitor.text("/me")
