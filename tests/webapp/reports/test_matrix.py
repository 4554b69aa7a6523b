"""The matrix: a letter for each student and session, and what each letter must not be taken for."""

import csv
import io
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.models import Attendance, Enrolment, Status, utc_now
from attendance.database.teaching.changes import cancel
from tests.factories import enrol, make_course, make_group, make_session, make_student
from tests.webapp.lessons import LONG_AGO, make_lesson, see
from tests.webapp.reports.terms import add_entry, make_term


@pytest.fixture
def term(site_db):
    return make_term(site_db, {"Ada": "PPLA", "Kurt": "AE?.", "Łukasz": "...."}, code="CS101")


@pytest.fixture
def visitor(site, term):
    return site.visitor(term.lecturer)


def rows(visitor, course, query=""):
    """By student: the rate, and the classes and letters of the cells."""
    page = visitor.get(f"/courses/{course.id}/matrix?{query}")
    assert page.status_code == 200
    found = {}
    for row in re.findall(r"(?s)<tr><th scope=\"row\".*?</tr>", page.text):
        name = re.findall(r"<a [^>]*>([^<]*)</a>", row)[0]
        rate = re.findall(r'class="matrix-rate">(?:<strong[^>]*>)?([^<]*)<', row)[0].strip()
        found[name] = (rate, re.findall(r'<td class="m-(\w+)">([^<]*)</td>', row))
    return found


def letters(visitor, course, query=""):
    return {
        name: "".join(letter or "." for _, letter in cells) for name, (_, cells) in rows(visitor, course, query).items()
    }


def test_letters_and_rates(visitor, term):
    found = rows(visitor, term.course)
    assert list(found) == ["Ada", "Kurt", "Łukasz"]
    assert found["Ada"] == ("75%", [("present", "P"), ("present", "P"), ("late", "L"), ("absent", "A")])
    # Absent and not recorded differ in letter and class; without an entry in a closed session nothing is recorded.
    assert found["Kurt"] == ("0%", [("absent", "A"), ("excused", "E"), ("unrecorded", "?"), ("unrecorded", "?")])
    assert found["Łukasz"] == ("\N{EN DASH}", [("unrecorded", "?")] * 4)
    assert "P Present L Late A Absent E Excused ? Not recorded" in visitor.text(f"/courses/{term.course.id}/matrix")


def test_its_address_narrows_and_orders(visitor, term):
    assert list(rows(visitor, term.course, "sort=rate&order=desc")) == ["Ada", "Kurt", "Łukasz"]
    assert list(rows(visitor, term.course, "order=desc")) == ["Łukasz", "Kurt", "Ada"]
    assert list(rows(visitor, term.course, "sort=rate")) == ["Łukasz", "Kurt", "Ada"]
    assert list(rows(visitor, term.course, "below=75")) == ["Kurt"]
    assert list(rows(visitor, term.course, "q=uka")) == ["Łukasz"]
    assert visitor.get(f"/courses/{term.course.id}/matrix?sort=trend").status_code == 400
    assert "Nobody on this course fits" in visitor.text(f"/courses/{term.course.id}/matrix?q=zzz")


def test_groups_cancelled_and_coming_sessions(visitor, term, site_db):
    ada = term.students["Ada"]
    group = make_group(site_db, term.course, "A", members=(ada,))
    of_group = make_session(site_db, term.course, starts_at=LONG_AGO + timedelta(days=60), group=group)
    of_group.closed_at = of_group.ends_at
    add_entry(site_db, of_group, ada, "P")
    gone = make_session(site_db, term.course, starts_at=LONG_AGO + timedelta(days=61))
    make_session(site_db, term.course, starts_at=utc_now() + timedelta(days=3))
    site_db.commit()
    cancel(site_db, gone, reason="Ill", account_id=term.lecturer.id)
    site_db.commit()
    assert letters(visitor, term.course) == {"Ada": "PPLAP", "Kurt": "AE??.", "Łukasz": "????."}
    assert list(rows(visitor, term.course, f"group={group.id}")) == ["Ada"]


def test_in_a_running_session_nobody_is_absent_yet(site, site_db):
    lesson = make_lesson(site_db, "Ada", "Kurt")
    see(site_db, lesson, lesson.students[0])
    assert letters(site.visitor(lesson.lecturer), lesson.course) == {"Ada": "P", "Kurt": "…"}


def test_a_joint_session_shows_each_course_its_own_students(site, site_db, term):
    other = make_course(site_db, "PHY", lecturers=(term.lecturer,))
    olena = make_student(site_db, name="Olena")
    enrol(site_db, other, olena, term.students["Ada"])
    joint = make_session(site_db, term.course, starts_at=LONG_AGO + timedelta(days=70), also_for=(other,))
    joint.closed_at = joint.ends_at
    for student, letter in ((olena, "L"), (term.students["Ada"], "P"), (term.students["Kurt"], "A")):
        add_entry(site_db, joint, student, letter)
    site_db.commit()
    visitor = site.visitor(term.lecturer)
    assert letters(visitor, term.course) == {"Ada": "PPLAP", "Kurt": "AE??A", "Łukasz": "?????"}
    assert letters(visitor, other) == {"Ada": "P", "Olena": "L"}


def test_who_left_the_course_is_not_listed(visitor, term, site_db):
    site_db.execute(sa.delete(Enrolment).where(Enrolment.student_id == term.students["Kurt"].id))
    site_db.commit()
    assert list(rows(visitor, term.course)) == ["Ada", "Łukasz"]


def test_the_file_is_the_matrix(visitor, term):
    answer = visitor.get(f"/courses/{term.course.id}/matrix.csv?sort=rate&order=desc&below=75")
    header, *lines = csv.reader(io.StringIO(answer.data.decode("utf-8-sig")))
    assert header[:4] == ["Index number", "Student", "Rate", "2024-03-04 09:00"]
    assert [line[1:] for line in lines] == [["Kurt", "0%", "A", "E", "?", "?"]]
    assert visitor.get(f"/courses/{term.course.id}/matrix.xlsx").data.startswith(b"PK")


def test_names_are_no_markup_and_no_formula(site, site_db):
    term = make_term(site_db, {"<b>Ada</b>": "P", "=1+1": "A"})
    page = site.visitor(term.lecturer).get(f"/courses/{term.course.id}/matrix").text
    assert "&lt;b&gt;Ada&lt;/b&gt;" in page
    assert "<b>Ada" not in page
    text = site.visitor(term.lecturer).get(f"/courses/{term.course.id}/matrix.csv").data.decode("utf-8-sig")
    assert ",'=1+1," in text


def test_four_hundred_students_by_sixty_sessions(site, site_db):
    """One page, of less than a megabyte before it is compressed, in as many statements as a small one."""
    small = make_term(site_db, {"Ada": "P"})
    visitor = site.visitor(small.lecturer)
    visitor.get(f"/courses/{small.course.id}/matrix")
    site.statements.clear()
    visitor.get(f"/courses/{small.course.id}/matrix")
    few = len(site.statements)
    large = make_term(
        site_db, {f"Student {number:03}": "" for number in range(400)}, lecturer=small.lecturer, code="LARGE"
    )
    sessions = [make_session(site_db, large.course, starts_at=LONG_AGO + timedelta(days=day)) for day in range(60)]
    entries = [
        {"session_id": session.id, "student_id": student.id, "status": Status.PRESENT}
        for session in sessions
        for student in large.students.values()
    ]
    site_db.execute(sa.insert(Attendance), entries)
    site_db.commit()
    site.statements.clear()
    answer = visitor.get(f"/courses/{large.course.id}/matrix")
    assert answer.text.count('<td class="m-present">P</td>') == 24_000
    assert len(answer.data) < 1_000_000
    assert len(site.statements) <= few
