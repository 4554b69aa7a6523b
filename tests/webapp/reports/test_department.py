"""The reports of a department: courses compared, students at risk, and who may see them."""

import csv
import io
import re

import pytest

from attendance.database.models import AccountRole, Department, Role
from tests.factories import make_lecturer
from tests.webapp.reports.terms import make_department, make_term


@pytest.fixture
def department(site_db):
    return make_department(site_db, "Mathematics")


@pytest.fixture
def terms(site_db, department):
    """Ada is at risk in both courses, Kurt in one, Łukasz in none; Olena takes a course of another department."""
    first = make_term(site_db, {"Ada": "PAAA", "Kurt": "PPPP", "Łukasz": "PPPP"}, code="MAT1", department=department)
    second = make_term(
        site_db, {"Ada": "PPAA", "Kurt": "AP??"}, code="MAT2", department=department, students=first.students
    )
    other = make_department(site_db, "Physics")
    make_term(site_db, {"Olena": "AAAA"}, code="PHY1", department=other)
    return first, second


@pytest.fixture
def visitor(site, site_db, terms):
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    return site.visitor(admin)


def exported(visitor, address):
    answer = visitor.get(address)
    assert answer.status_code == 200
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))[1:]


def test_courses_side_by_side(visitor, department):
    text = visitor.text(f"/departments/{department.id}")
    assert "MAT1 Computing 3 4 75% 1 students of MAT1 below 75 % 0%" in text
    assert "MAT2 Computing 2 4 50% below the threshold 2 students of MAT2 below 75 % 25%" in text
    assert "2 courses, 66% attended" in text
    assert "PHY1" not in text
    assert exported(visitor, f"/departments/{department.id}/courses.csv?sort=rate") == [
        ["MAT2", "Computing", "2", "4", "50%", "2", "75%", "25%"],
        ["MAT1", "Computing", "3", "4", "75%", "1", "75%", "0%"],
    ]


@pytest.mark.parametrize("column", ["code", "name", "students", "sessions", "rate", "below", "unrecorded"])
def test_courses_are_ordered_by_everything(visitor, department, column):
    codes = {
        order: [
            line[0]
            for line in exported(visitor, f"/departments/{department.id}/courses.csv?sort={column}&order={order}")
        ]
        for order in ("asc", "desc")
    }
    first = {"students": "MAT2", "rate": "MAT2"}.get(column, "MAT1")
    assert codes["asc"][0] == first
    if column not in ("name", "sessions"):  # the same in both
        assert codes["desc"] == codes["asc"][::-1]


def at_risk(visitor, department, query=""):
    page = visitor.get(f"/departments/{department.id}/at-risk?{query}")
    assert page.status_code == 200
    return re.findall(r'<th scope="row"><a [^>]*>([^<]*)</a>', page.text)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Ada", "Kurt"]),
        ("order=desc", ["Kurt", "Ada"]),
        ("sort=name&order=desc", ["Kurt", "Ada"]),
        ("sort=number&order=desc", ["Kurt", "Ada"]),
        ("sort=rate&order=desc", ["Kurt", "Ada"]),
        ("sort=lowest&order=desc", ["Kurt", "Ada"]),
        ("below=30", ["Ada"]),
        ("below=20", []),
        ("q=kur", ["Kurt"]),
    ],
)
def test_students_at_risk_across_courses(visitor, department, query, names):
    assert at_risk(visitor, department, query) == names


def test_each_course_in_which_one_is_at_risk_is_named(visitor, department):
    text = visitor.text(f"/departments/{department.id}/at-risk")
    assert "2 of 2 MAT1 25% MAT2 50% 37%" in text
    assert "1 of 2 MAT2 50% 83%" in text
    lines = exported(visitor, f"/departments/{department.id}/at-risk.csv")
    assert [line[1:] for line in lines] == [
        ["Ada", "MAT1", "Computing", "25%", "3", "37%"],
        ["Ada", "MAT2", "Computing", "50%", "2", "37%"],
        ["Kurt", "MAT2", "Computing", "50%", "1", "83%"],
    ]


def test_a_courses_own_threshold_counts(visitor, department, terms, site_db):
    terms[1].course.attendance_threshold = 40
    site_db.commit()
    assert at_risk(visitor, department) == ["Ada"]
    assert at_risk(visitor, department, "below=75") == ["Ada", "Kurt"]


def test_who_may_not_see_a_department_does_not_learn_of_it(site, site_db, department, terms):
    visitor = site.visitor(terms[0].lecturer)
    for part in ("", "/at-risk", "/unrecorded", "/cameras", "/courses.csv", "/at-risk.xlsx", "/cameras.csv"):
        assert visitor.get(f"/departments/{department.id}{part}").status_code == 404, part
    assert visitor.get("/departments").status_code == 403
    assert "Reports</a>" not in visitor.get("/").text


def test_a_head_sees_the_own_department_only(site, site_db, department, terms):
    head = make_lecturer(site_db)
    site_db.add(AccountRole(account_id=head.id, role=Role.DEPARTMENT, department_id=department.id))
    other = site_db.query(Department).filter_by(name="Physics").one()
    site_db.commit()
    visitor = site.visitor(head)
    assert visitor.get("/departments").location == f"/departments/{department.id}"
    assert at_risk(visitor, department) == ["Ada", "Kurt"]
    assert visitor.get(f"/departments/{other.id}/at-risk").status_code == 404
    assert "Reports</a>" in visitor.get("/").text


def test_departments_are_listed_and_the_only_one_is_opened(visitor, department, site_db):
    assert "Mathematics 2 courses Physics 1 course" in visitor.text("/departments")
    assert visitor.get("/departments/999").status_code == 404
    assert visitor.get(f"/departments/{department.id}?sort=shoes").status_code == 400


def test_more_courses_take_no_more_statements(site, visitor, department, site_db):
    def statements():
        site.statements.clear()
        visitor.text(f"/departments/{department.id}")
        visitor.text(f"/departments/{department.id}/at-risk")
        return len(site.statements)

    few = statements()
    for number in range(5):
        make_term(site_db, {f"Student {n}": "AAPP" for n in range(5)}, code=f"MAT9{number}", department=department)
    assert statements() <= few
