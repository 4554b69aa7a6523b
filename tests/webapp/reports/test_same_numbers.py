"""One student's numbers are the same wherever they stand: one rule, whatever the page, the file or the mail."""

import csv
import io
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from attendance.database.audiences import Audience, set_audiences
from attendance.database.labels import LabelValues, add_label
from attendance.database.models import (
    Attendance,
    Guest,
    LabelColour,
    QueuedMail,
    Role,
    SessionState,
    Status,
)
from tests.factories import enrol, make_department, make_group, make_lecturer, make_session, make_student
from tests.webapp.api.programs import make_program
from tests.webapp.me.students import enter
from tests.webapp.reports.terms import add_entry, make_term
from webapp.mail.kinds.low_attendance import TO_STUDENT, below_threshold
from webapp.mail.letters import writing
from webapp.records.tallies import tally_students


@pytest.fixture
def term(site_db):
    """Ada in MAT1, with everything that a rate may meet.

    Counted for her: P A A ?, present with weight 0 and absent with weight 0.5, a joint session she missed; not counted:
    a cancelled one, one of a group she is not in, in which she was a guest.
    """
    db = site_db
    department = make_department(db, "Mathematics")
    term = make_term(db, {"Ada": "PAAE?", "Kurt": "PPPPP"}, code="MAT1", department=department)
    other = make_term(db, {"Olena": "PPPPP"}, code="MAT2", department=department)
    ada, kurt = term.students["Ada"], term.students["Kurt"]
    last = term.sessions[-1].starts_at
    number = 0

    def held(**columns):
        nonlocal number
        number += 1
        starts = last + timedelta(days=number)
        session = make_session(db, term.course, starts_at=starts, closed_at=starts + timedelta(hours=2), **columns)
        db.commit()
        return session

    def label(kind, name, letter, weight):
        return add_label(db, LabelValues(kind, name, letter, LabelColour.BLUE, weight), course_id=None)

    none, half = label(Status.PRESENT, "Slept", "S", 0.0), label(Status.ABSENT, "Online", "O", 0.5)
    for status, one in ((Status.PRESENT, none), (Status.ABSENT, half)):
        db.add(Attendance(session_id=held().id, student_id=ada.id, status=status, label_id=one.id))
    cancelled = held()
    add_entry(db, cancelled, ada, "A")
    cancelled.state = SessionState.CANCELLED
    joint = held()
    set_audiences(joint, [Audience(term.course.id), Audience(other.course.id)])
    add_entry(db, joint, ada, "A")
    add_entry(db, joint, other.students["Olena"], "A")
    group = make_group(db, term.course, "B", members=(kurt,))
    of_group = held()
    of_group.group_id = group.id
    seen = of_group.starts_at
    db.add(Guest(session_id=of_group.id, student_id=ada.id, first_seen=seen, last_seen=seen, confidence=0.9))
    add_entry(db, of_group, kurt, "P")
    db.commit()
    return term, department


def days_of(term):
    """The days of the first five sessions, in Warsaw."""
    return [session.starts_at.astimezone(ZoneInfo("Europe/Warsaw")).date() for session in term.sessions]


def lines(answer):
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))


def of_student(answer):
    return next(row for row in lines(answer) if row["Student"] == "Ada")


def test_one_students_numbers_are_the_same_everywhere(site, site_db, term):
    term, department = term
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    visitor, course, ada = site.visitor(admin), term.course, term.students["Ada"]
    # Of P A A, S (0 of 1), O (0.5 of 1) and the joint session's A: 1.5 of 6. Excused, not recorded: once each.
    listed = of_student(visitor.get(f"/courses/{course.id}/students.csv"))
    columns = ("Attendance", "Present", "Late", "Absent", "Excused", "Not recorded")
    assert [listed[name] for name in columns] == ["25%", "2", "0", "4", "1", "1"]
    exam = of_student(visitor.get("/exam-office.csv"))
    columns = ("Attendance", "Attended", "Absences", "Excused", "Sessions recorded", "Sessions not recorded")
    assert [exam[name] for name in columns] == ["25%", "2", "4", "1", "7", "1"]
    # S takes the one it is from those who came, O adds a half: without them P and S came, of six.
    assert [exam[name] for name in ("Labels add", "Attendance without labels")] == ["-0.5", "33%"]
    assert of_student(visitor.get(f"/courses/{course.id}/matrix.csv"))["Rate"] == "25%"
    risk = of_student(visitor.get(f"/departments/{department.id}/at-risk.csv"))
    assert [risk[name] for name in ("Attended", "Times absent", "Attended, all courses")] == ["25%", "4", "25%"]
    assert f"{course.code},Computing,25%,2,0,4,1,1" in visitor.get(f"/students/{ada.id}.csv").text
    program = make_program(site, site_db, admin)
    numbers = {"rate": 0.25, "present": 2, "late": 0, "absent": 4, "excused": 1, "unrecorded": 1}
    numbers |= {"credited": 1.5, "expected": 6, "threshold": 75}
    for path in (f"/courses/{course.id}/rates", f"/courses/{course.id}/rates?below=30", "/reports/at-risk"):
        given = next(one for one in program.items(path) if one["name"] == "Ada")
        wanted = numbers | ({"threshold": 30} if "below" in path else {})
        assert {name: given[name] for name in wanted} == wanted, path
    of_course = "25% attended Below the threshold 2 present 0 late 4 absent 1 excused 1 not recorded"
    text = visitor.text(f"/students/{ada.id}")
    assert "Attended 1.5 of 6 (25%)" in text
    assert of_course in text
    own = enter(site, site_db, ada).text("/me")
    assert "Attended 1.5 of 6 (25%)" in own
    assert of_course.replace("Below the threshold ", "") in own
    assert tally_students(site_db, [ada.id], course.id) == below_threshold(site_db, course, fewest_sessions=1)
    data = {"course": course.id, "student": ada.id}
    ada.email = "ada@example.edu"
    site_db.commit()
    mail = QueuedMail(kind=TO_STUDENT.name, recipient=ada.email, data=data)
    with writing(site.app, "en"):
        letter = TO_STUDENT.render(site_db, mail)
    assert "25%: 1.5 of 6 recorded sessions. 75% is asked for" in " ".join(letter.text.split())


def test_who_joined_late_has_the_same_numbers_everywhere(site, site_db, term):
    """No entry was made of Noor in what was closed before: the register says so, and no count holds it."""
    term, _ = term
    noor = make_student(site_db, name="Noor")
    enrol(site_db, term.course, noor)
    add_entry(site_db, term.sessions[-1], noor, "P")
    site_db.commit()
    visitor = site.visitor(term.lecturer)
    paths = (f"/courses/{term.course.id}/students.csv", "/exam-office.csv")
    listed, exam = (next(row for row in lines(visitor.get(path)) if row["Student"] == "Noor") for path in paths)
    assert (listed["Not recorded"], exam["Sessions not recorded"]) == ("0", "0")
    assert listed["Attendance"] == exam["Attendance"] == "100%"
    assert f"{term.course.code},Computing,100%,1,0,0,0,0" in visitor.get(f"/students/{noor.id}.csv").text


def test_the_numbers_of_a_period_are_the_same_everywhere(site, site_db, term):
    """Of the first three sessions Ada came to one; of those from the fourth on half of one of four counts."""
    term, department = term
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    visitor, course, ada, days = site.visitor(admin), term.course, term.students["Ada"], days_of(term)
    program = make_program(site, site_db, admin)
    for asked, rate, columns in (
        (f"to={days[2]}", "33%", ("1", "0", "2", "0", "0")),
        (f"from={days[0]}&to={days[2]}", "33%", ("1", "0", "2", "0", "0")),
        (f"from={days[3]}", "16%", ("1", "0", "2", "1", "1")),
    ):
        answer = visitor.get(f"/courses/{course.id}/students.csv?{asked}")
        assert asked.replace("=", "-").replace("&", "_") in answer.headers["Content-Disposition"]
        listed = of_student(answer)
        names = ("Attendance", "Present", "Late", "Absent", "Excused", "Not recorded")
        assert [listed[name] for name in names] == [rate, *columns]
        matrix = of_student(visitor.get(f"/courses/{course.id}/matrix.csv?{asked}"))
        assert matrix["Rate"] == rate
        risk = of_student(visitor.get(f"/departments/{department.id}/at-risk.csv?{asked}"))
        assert [risk[name] for name in ("Attended", "Times absent")] == [rate, columns[2]]
        days_asked = asked.replace("from=", "first_day=").replace("to=", "last_day=")
        for path in (f"/courses/{course.id}/rates", f"/reports/at-risk?department_id={department.id}"):
            items = program.items(f"{path}{'&' if '?' in path else '?'}{days_asked}")
            given = next(one for one in items if one["name"] == "Ada")
            assert f"{int(given['rate'] * 100)}%" == rate
            counted = ("present", "late", "absent", "excused", "unrecorded")
            assert tuple(str(given[name]) for name in counted) == columns
        line = f"{course.code},Computing,{rate},{','.join(columns)}"
        assert line in visitor.get(f"/students/{ada.id}.csv?{asked}").text
        assert line in visitor.get(f"/students/{ada.id}.csv?course={course.id}&{asked}").text
        words = f"{rate} attended Below the threshold {columns[0]} present {columns[1]} late {columns[2]} absent"
        text = visitor.text(f"/students/{ada.id}?{asked}")
        assert words in text
        assert "Only sessions" in text
        for page in ("students", "matrix", "report"):  # each leads to the others with the same days
            html = visitor.get(f"/courses/{course.id}/{page}?{asked}").text.replace("&amp;", "&")
            for other in ("students", "matrix", "report"):
                assert f'"/courses/{course.id}/{other}?{asked}"' in html
            assert f"/courses/{course.id}/{page}.csv?{asked}" in html
    # The whole course: Kurt came to everything.
    weeks = lines(visitor.get(f"/courses/{course.id}/report.csv?to={days[2]}"))
    assert [(week["Sessions"], week["Rate"]) for week in weeks] == [("1", "100%"), ("1", "50%"), ("1", "50%")]
    (of_course,) = (
        row
        for row in lines(visitor.get(f"/departments/{department.id}/courses.csv?to={days[2]}"))
        if row["Code"] == course.code
    )
    assert [of_course[name] for name in ("Sessions so far", "Attended", "Below threshold")] == ["3", "66%", "1"]
    assert "1 student" in visitor.text(f"/courses/{course.id}/report?to={days[2]}")


def test_what_is_not_recorded_is_of_the_period_too(site, site_db, term):
    term, department = term
    days = days_of(term)
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    visitor = site.visitor(admin)
    path = f"/departments/{department.id}/unrecorded"
    (row,) = lines(visitor.get(f"{path}.csv?from={days[4]}&to={days[4]}"))
    assert (row["Course"], row["Not recorded"]) == (term.course.code, "1")
    assert "Everything is recorded" in visitor.text(f"{path}?to={days[3]}")
    html = visitor.get(f"{path}?from={days[4]}").text.replace("&amp;", "&")
    for other in ("", "/at-risk", "/cameras"):
        assert f'"/departments/{department.id}{other}?from={days[4]}"' in html


@pytest.mark.parametrize(
    "asked", ["from=yesterday", "to=2024-02-30", "from=0001-01-01", "from=2024-03-02&to=2024-03-01"]
)
def test_days_that_cannot_be_meant_are_refused(site, site_db, term, asked):
    term, department = term
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    visitor, ada = site.visitor(admin), term.students["Ada"]
    of_course, of_department = f"/courses/{term.course.id}", f"/departments/{department.id}"
    for path in (
        *(f"{of_course}/{page}{form}" for page in ("students", "matrix", "report") for form in ("", ".csv")),
        *(f"{of_department}/{page}{form}" for page in ("at-risk", "unrecorded", "cameras") for form in ("", ".csv")),
        of_department,
        f"/students/{ada.id}",
        f"/students/{ada.id}.xlsx",
    ):
        answer = visitor.get(f"{path}?{asked}")
        assert answer.status_code == 400, path
        assert "like 2026-11-23" in answer.text or "is before" in answer.text
