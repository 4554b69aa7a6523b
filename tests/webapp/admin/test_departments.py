"""Departments: their names, their heads, and that none goes while courses are in it."""

import pytest
import sqlalchemy as sa

from attendance.database.models import AccountRole, Course, Department, Role
from tests.factories import make_course, make_department, make_lecturer


@pytest.fixture
def admin(site, site_db):
    boss = make_lecturer(site_db, name="Barbara Liskov", role=Role.ADMIN)
    site_db.commit()
    return site.visitor(boss)


def names(db):
    db.rollback()
    return db.scalars(sa.select(Department.name).order_by(Department.name)).all()


def test_adds_renames_and_lists_departments_with_heads_and_courses(admin, site_db):
    assert "No departments yet" in admin.text("/admin/departments")
    assert admin.post("/admin/departments/new", {"name": " Mathematics "}).status_code == 302
    maths = site_db.scalars(sa.select(Department)).one()
    make_course(site_db, "MA1", department=maths)
    make_lecturer(site_db, name="Emmy Noether", role=Role.DEPARTMENT, of=maths)
    site_db.commit()
    assert "Mathematics Emmy Noether 1" in admin.text("/admin/departments")
    page = admin.text(f"/admin/departments/{maths.id}")
    assert "Emmy Noether" in page
    assert "1 course" in page
    assert admin.post(f"/admin/departments/{maths.id}", {"name": "Pure Mathematics"}).status_code == 302
    assert names(site_db) == ["Pure Mathematics"]
    assert "No departments found" in admin.text("/admin/departments?q=physics")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "Name is empty."),
        ("Physics", "Another department has this name."),
        ("x" * 121, "Name has 121 characters"),
        ("a\u200bb", "Name"),
    ],
)
def test_a_wrong_name_is_refused(admin, site_db, name, message):
    make_department(site_db, "Physics")
    other = make_department(site_db, "Chemistry")
    site_db.commit()
    for address in ("new", str(other.id)):
        answer = admin.post(f"/admin/departments/{address}", {"name": name})
        assert (answer.status_code, message in answer.text) == (422, True), answer.text
    assert names(site_db) == ["Chemistry", "Physics"]


def test_a_department_with_courses_stays_and_one_without_takes_its_heads_role_along(admin, site_db):
    full, empty = make_department(site_db, "Full"), make_department(site_db, "Empty")
    make_course(site_db, department=full)
    make_lecturer(site_db, role=Role.DEPARTMENT, of=empty)
    site_db.commit()
    assert "1 course belongs to it." in admin.text(f"/admin/departments/{full.id}/delete")
    assert admin.post(f"/admin/departments/{full.id}/delete").status_code == 422
    assert "1 person is not head of it any more." in admin.text(f"/admin/departments/{empty.id}/delete")
    assert admin.post(f"/admin/departments/{empty.id}/delete").status_code == 302
    assert names(site_db) == ["Full"]
    roles = site_db.scalars(sa.select(AccountRole.role)).all()
    assert roles == [Role.ADMIN]


def test_a_course_goes_to_a_department_and_out_of_it(admin, site_db):
    maths = make_department(site_db, "Mathematics")
    site_db.commit()
    form = {"code": "MA1", "name": "Algebra", "department": str(maths.id)}
    assert admin.post("/admin/courses/new", form).status_code == 302
    course = site_db.scalars(sa.select(Course)).one()
    assert course.department_id == maths.id
    assert "Algebra" in admin.text(f"/admin/courses?department={maths.id}")
    assert "Mathematics" in admin.text(f"/admin/courses/{course.id}")
    assert '<option selected value="1">Mathematics</option>' in admin.get(f"/admin/courses/{course.id}/edit").text
    edit = f"/admin/courses/{course.id}/edit"
    assert admin.post(edit, {**form, "department": "999"}).status_code == 422
    assert admin.post(edit, {**form, "department": ""}).status_code == 302
    site_db.rollback()
    site_db.refresh(course)
    assert course.department_id is None
    assert "Algebra" in admin.text("/admin/courses?list=no-department")
    assert admin.get("/admin/courses?department=999").status_code == 404
