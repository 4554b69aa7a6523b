"""A course's students: every order, the threshold, groups, and the file that is what is shown."""

import csv
import io
import re

import pytest

from tests.factories import enrol, make_group, make_student
from tests.webapp.reports.terms import make_term

LETTERS = {
    "Ada": "PPPPPPPPPPPP",
    "Kurt": "PPPPPPPAAPAA",
    "Łukasz": "AAALPPPPPPPP",
    "Maria": "EEEE????..??",
    "Noor": "LLLLLLPPPPA?",
}


@pytest.fixture
def term(site_db):
    return make_term(site_db, LETTERS, code="CS101")


@pytest.fixture
def visitor(site, term):
    return site.visitor(term.lecturer)


def shown(visitor, term, query=""):
    page = visitor.get(f"/courses/{term.course.id}/students?{query}")
    assert page.status_code == 200
    return re.findall(r'<th scope="row"><a [^>]*>([^<]*)</a>', page.text)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Ada", "Kurt", "Łukasz", "Maria", "Noor"]),
        ("order=desc", ["Noor", "Maria", "Łukasz", "Kurt", "Ada"]),
        ("sort=number&order=desc", ["Noor", "Maria", "Łukasz", "Kurt", "Ada"]),
        ("sort=rate", ["Maria", "Kurt", "Łukasz", "Noor", "Ada"]),
        ("sort=rate&order=desc", ["Ada", "Noor", "Łukasz", "Kurt", "Maria"]),
        ("sort=present&order=desc", ["Ada", "Kurt", "Łukasz", "Noor", "Maria"]),
        ("sort=late&order=desc", ["Noor", "Łukasz", "Ada", "Kurt", "Maria"]),
        ("sort=absent&order=desc", ["Kurt", "Łukasz", "Noor", "Ada", "Maria"]),
        ("sort=excused&order=desc", ["Maria", "Ada", "Kurt", "Łukasz", "Noor"]),
        ("sort=trend", ["Maria", "Kurt", "Noor", "Ada", "Łukasz"]),
        ("sort=seen", ["Maria", "Kurt", "Noor", "Ada", "Łukasz"]),
        ("sort=longest&order=desc", ["Łukasz", "Kurt", "Noor", "Ada", "Maria"]),
        ("below=75", ["Kurt"]),
        ("below=76", ["Kurt", "Łukasz"]),
        ("below=100&sort=rate&order=desc", ["Noor", "Łukasz", "Kurt"]),
        ("below=100&q=lukasz", ["Łukasz"]),
    ],
)
def test_the_list_is_narrowed_and_ordered_as_its_address_says(visitor, term, query, names):
    assert shown(visitor, term, query) == names


def test_exactly_the_threshold_is_not_below_it(visitor, term):
    # Łukasz came to nine of twelve.
    assert "Łukasz" not in shown(visitor, term, "below=75")


def test_a_line_says_rate_trend_last_seen_and_longest_absence(visitor, term):
    text = visitor.text(f"/courses/{term.course.id}/students?q=kurt")
    assert "66% below the threshold 8 present 0 late 4 absent ▼ \N{MINUS SIGN}80 Mon 6 May 2024 2 sessions" in text
    text = visitor.text(f"/courses/{term.course.id}/students?q=maria")
    assert "0 absent 4 excused 6 not recorded" in text  # entries are counted, as everywhere; in two she has none
    assert "Never None" in text


def test_the_orders_lead_to_each_other_and_keep_the_filter(visitor, term):
    page = visitor.get(f"/courses/{term.course.id}/students?below=80&sort=rate&page=1").text
    assert 'aria-sort="ascending"' in page
    assert f'href="/courses/{term.course.id}/students?below=80&amp;sort=rate&amp;order=desc"' in page
    assert f'href="/courses/{term.course.id}/students?below=80&amp;sort=longest"' in page
    assert f'href="/courses/{term.course.id}/students?below=80"' in page  # by name


def test_groups(visitor, term, site_db):
    group = make_group(site_db, term.course, "Seminar", members=(term.students["Ada"], term.students["Noor"]))
    site_db.commit()
    assert shown(visitor, term, f"group={group.id}") == ["Ada", "Noor"]
    assert shown(visitor, term, f"group={group.id}&below=99") == ["Noor"]
    assert visitor.get(f"/courses/{term.course.id}/students?group=999").status_code == 404


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("below=0", "“below” is a percentage from 1 to 100, like 75."),
        ("below=101", "“below” is a percentage"),
        ("below=75.5", "“below” is a percentage"),
        ("below=%D9%A7%D9%A5", "“below” is a percentage"),
        ("sort=shoes", "This list can be sorted by: name, number, rate"),
        ("sort=rate&order=up", "The order is “asc” or “desc”."),
    ],
)
def test_what_cannot_be_meant_is_said(visitor, term, query, said):
    answer = visitor.get(f"/courses/{term.course.id}/students?{query}")
    assert answer.status_code == 400
    assert said in answer.text


def test_the_file_is_what_is_shown_on_all_pages(visitor, term, site_db):
    more = [make_student(site_db, name=f"Student {number:03}") for number in range(60)]
    enrol(site_db, term.course, *more)
    site_db.commit()
    assert len(shown(visitor, term)) == 50
    assert len(shown(visitor, term, "page=2")) == 15
    page = visitor.get(f"/courses/{term.course.id}/students?below=76&sort=rate&order=desc").text
    address = re.findall(r'href="([^"]*students\.csv[^"]*)"', page)[0].replace("&amp;", "&")
    answer = visitor.get(address)
    assert "students_CS101" in answer.headers["Content-Disposition"]
    lines = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert [(line["Student"], line["Attendance"], line["Longest absence, sessions"]) for line in lines] == [
        ("Łukasz", "75%", "3"),
        ("Kurt", "66%", "2"),
    ]
    everybody = visitor.get(f"/courses/{term.course.id}/students.csv").data.decode("utf-8-sig")
    assert len(everybody.splitlines()) == 1 + 65
    assert visitor.get(f"/courses/{term.course.id}/students.xlsx").data.startswith(b"PK")


def test_one_statement_more_for_no_student(site, visitor, term, site_db):
    def statements(query):
        site.statements.clear()
        shown(visitor, term, query)
        return len(site.statements)

    few = statements("sort=rate")
    enrol(site_db, term.course, *(make_student(site_db, name=f"Student {number:03}") for number in range(30)))
    site_db.commit()
    assert statements("sort=rate") == few


def test_ways_in_from_the_home_page_and_the_course(visitor, term):
    assert "Below 75 %: 1 student" in visitor.text("/")
    assert "Below 75 %: 1 student" in visitor.text(f"/courses/{term.course.id}")
    assert f'href="/courses/{term.course.id}/students?below=75"' in visitor.get("/").text


def test_a_course_has_its_own_threshold(visitor, term, site_db):
    term.course.attendance_threshold = 80
    site_db.commit()
    assert "Below 80 %: 2 students" in visitor.text("/")
    assert "75% below the threshold" in visitor.text(f"/courses/{term.course.id}/students?q=lukasz")
