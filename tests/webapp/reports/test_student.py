"""A student's history over the courses one may see."""

import re
from datetime import timedelta

import sqlalchemy as sa

from attendance.database.corrections import correct_status
from attendance.database.models import Enrolment, Role, Status
from tests.factories import enrol, make_course, make_lecturer, make_session
from tests.webapp.lessons import LONG_AGO, make_lesson, see
from tests.webapp.reports.terms import make_term

DASH = "\N{EN DASH}"


def test_rates_and_sessions_of_ones_own_courses(site, site_db):
    own = make_lesson(site_db, "Ada Byron", starts_at=LONG_AGO, code="CS101")
    student = own.students[0]
    second = make_session(site_db, own.course, starts_at=LONG_AGO + timedelta(days=7))
    third = make_session(site_db, own.course, starts_at=LONG_AGO + timedelta(days=14))
    see(site_db, own, student)
    see(site_db, own, student, session=second, minute=30)
    correct_status(
        site_db,
        session_id=third.id,
        student_id=student.id,
        status=Status.ABSENT,
        reason="not there",
        account_id=own.lecturer.id,
    )
    other = make_lesson(site_db, starts_at=LONG_AGO, code="SECRET-1")
    enrol(site_db, other.course, student)
    see(site_db, other, student)
    text = site.visitor(own.lecturer).text(f"/students/{student.id}")
    assert "Attended 2 of 3 (66%)" in text
    assert "Mon 18 Mar 2024, 09:00" in text
    assert text.index("Mon 18 Mar") < text.index("Mon 11 Mar") < text.index("Mon 4 Mar")
    assert "SECRET" not in text
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    assert "SECRET-1" in site.visitor(admin).text(f"/students/{student.id}")


def test_one_course_can_be_chosen(site, site_db):
    lesson = make_lesson(site_db, "Ada Byron", starts_at=LONG_AGO, code="CS101")
    student = lesson.students[0]
    second = make_lesson(site_db, "Kurt", starts_at=LONG_AGO, lecturer=lesson.lecturer, code="MA101")
    enrol(site_db, second.course, student)
    see(site_db, lesson, student)
    see(site_db, second, student, minute=20)
    visitor = site.visitor(lesson.lecturer)
    assert "Sessions of MA101" in visitor.text(f"/students/{student.id}?course={second.course.id}")
    for course in ("x", "999", str(make_course(site_db).id)):
        assert visitor.get(f"/students/{student.id}?course={course}").status_code == 404


def test_a_student_who_has_left_is_still_found_by_what_is_recorded(site, site_db):
    lesson = make_lesson(site_db, "Ada Byron", starts_at=LONG_AGO)
    see(site_db, lesson, lesson.students[0])
    site_db.execute(sa.delete(Enrolment))
    site_db.commit()
    assert "Attended 1 of 1" in site.visitor(lesson.lecturer).text(f"/students/{lesson.students[0].id}")


def test_nothing_recorded_yet(site, site_db):
    lesson = make_lesson(site_db, "Ada Byron", starts_at=LONG_AGO)
    text = site.visitor(lesson.lecturer).text(f"/students/{lesson.students[0].id}")
    assert "Nothing recorded yet" in text


def test_trend_and_calendar(site, site_db):
    term = make_term(site_db, {"Ada": "PA?E"}, code="CS101")
    student = term.students["Ada"]
    visitor = site.visitor(term.lecturer)
    text = visitor.text(f"/students/{student.id}")
    # Each week's rate, and the rate so far; what is excused or not recorded is in neither.
    assert f"Mon 25 Mar 2024 {DASH} 50% Mon 18 Mar 2024 {DASH} 50%" in text
    assert "50% Mon 11 Mar 2024 0% 50% Mon 4 Mar 2024 100% 100%" in text
    page = visitor.get(f"/students/{student.id}").text
    visits = re.findall(r'<a class="visit m-(\w+)" href="/sessions/(\d+)/students/\d+', page)
    newest_first = [str(session.id) for session in reversed(term.sessions)]
    assert visits == list(zip(("excused", "unrecorded", "absent", "present"), newest_first, strict=True))
    assert "Threshold of" not in text  # courses may want different shares
    assert "Threshold of 75 %" in visitor.text(f"/students/{student.id}?course={term.course.id}")
    assert "50% attended Below the threshold" in text


def test_the_calendar_is_of_the_last_half_year(site, site_db):
    term = make_term(site_db, {"Ada": "P" + "A" * 30})
    text = site.visitor(term.lecturer).text(f"/students/{term.students['Ada'].id}")
    assert text.count(" 2024 0% 0%") == 26
    assert "100% 100%" not in text
