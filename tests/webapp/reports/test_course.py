"""The report of a course: a week's rate with its range, and the map of its sessions."""

import csv
import io
import re
import sys
from datetime import timedelta

from tests.factories import make_course, make_lecturer
from tests.webapp.lessons import LONG_AGO
from tests.webapp.reports.terms import make_term

DASH = "\N{EN DASH}"


def test_weeks_with_their_range_and_weeks_between(site, site_db):
    # Monday, Thursday, then nothing for a week, then Monday.
    term = make_term(site_db, {"Ada": "PPA", "Kurt": "PAE"}, apart=timedelta(days=3))
    for session, days in zip(term.sessions, (0, 3, 14), strict=True):
        moved = session.starts_at.replace(year=2024, month=3, day=4) + timedelta(days=days)
        session.starts_at, session.ends_at = moved, moved + timedelta(minutes=90)
        site_db.merge(session)
    site_db.commit()
    visitor = site.visitor(term.lecturer)
    text = visitor.text(f"/courses/{term.course.id}/report")
    assert "Attended 60%" in text
    assert f"Mon 4 Mar 2024 75% 50% 100% 2 Mon 11 Mar 2024 {DASH} {DASH} {DASH} 0 Mon 18 Mar 2024 0% 0% 0% 1" in text
    answer = visitor.get(f"/courses/{term.course.id}/report.csv")
    lines = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert lines[1:] == [
        ["2024-03-04", "75%", "50%", "100%", "2"],
        ["2024-03-11", "", "", "", "0"],
        ["2024-03-18", "0%", "0%", "0%", "1"],
    ]


def test_the_map_leads_from_each_session_to_its_register(site, site_db):
    term = make_term(site_db, {"Ada": "P?A", "Kurt": "P?P"})
    page = site.visitor(term.lecturer).get(f"/courses/{term.course.id}/report").text
    cells = re.findall(
        r'<a class="heat-cell heat-(\w+)" href="/sessions/(\d+)"[^>]*><span[^>]*>[^<]*</span>([^<]*)</a>', page
    )
    assert cells == [
        ("10", str(term.sessions[0].id), "100%"),
        ("none", str(term.sessions[1].id), "?"),
        ("5", str(term.sessions[2].id), "50%"),
    ]
    assert "Mon 09:00" in site.visitor(term.lecturer).text(f"/courses/{term.course.id}/report")


def test_weeks_are_the_institutions(site, site_db):
    # Monday, half past midnight in Warsaw, is Sunday in UTC.
    term = make_term(site_db, {"Ada": "P"}, first=LONG_AGO.replace(day=3, hour=23, minute=30))
    text = site.visitor(term.lecturer).text(f"/courses/{term.course.id}/report")
    assert "Mon 4 Mar 2024 100% 100% 100% 1" in text
    assert "Mon 00:30" in text


def test_the_chart_holds_nothing_that_the_policy_forbids(site, site_db):
    term = make_term(site_db, {"Ada": "PPAPPPA?P", "Kurt": "PAPPPLE?A"})
    page = site.visitor(term.lecturer).get(f"/courses/{term.course.id}/report").text
    chart = re.findall(r"(?s)<svg[^>]*chart-svg.*?</svg>", page)[0].replace("http://www.w3.org/2000/svg", "")
    assert "series main" in chart
    assert "series limit" in chart
    assert not re.search(r"<(script|style|desc|title)\b|style=|href=|onload|http", chart)
    assert 'aria-hidden="true"' in chart


def test_a_course_without_sessions_or_records_says_so(site, site_db):
    lecturer = make_lecturer(site_db)
    course = make_course(site_db, lecturers=(lecturer,))
    site_db.commit()
    visitor = site.visitor(lecturer)
    assert "No session has begun" in visitor.text(f"/courses/{course.id}/report")
    assert "Nobody takes this course yet" in visitor.text(f"/courses/{course.id}/matrix")
    term = make_term(site_db, {"Ada": "??"}, lecturer=lecturer)
    assert "Nothing is recorded yet." in visitor.text(f"/courses/{term.course.id}/report")


def test_other_lecturers_reports_do_not_exist(site, site_db):
    term = make_term(site_db, {"Ada": "P"})
    stranger = make_lecturer(site_db)
    site_db.commit()
    visitor = site.visitor(stranger)
    for part in ("students", "matrix", "report", "students.csv", "matrix.xlsx", "report.csv"):
        assert visitor.get(f"/courses/{term.course.id}/{part}").status_code == 404, part


def test_the_library_of_charts_leaves_imports_alone():
    finders = {type(finder).__module__.partition(".")[0] for finder in sys.meta_path}
    assert "pygal" in sys.modules
    assert "pygal" not in finders
