"""The lecturer's courses: one's own only, today's sessions first."""

import re
from datetime import timedelta

import pytest

from attendance.database.models import AccountRole, Role, utc_now
from tests.factories import (
    enrol,
    make_course,
    make_department,
    make_lecturer,
    make_room,
    make_session,
    make_student,
    watch_whole,
)
from tests.webapp.lessons import LONG_AGO, make_lesson, see

DASH = "\N{EN DASH}"


def test_a_running_session_stands_first_with_its_count(site, site_db):
    lesson = make_lesson(site_db, "Ada", "Kurt", "Alan", code="CS101", course_name="Computing")
    now = utc_now()
    make_session(site_db, lesson.course, starts_at=now - timedelta(minutes=200), ends_at=now - timedelta(minutes=110))
    see(site_db, lesson, lesson.students[0])
    see(site_db, lesson, lesson.students[1], minute=15)
    text = site.visitor(lesson.lecturer).text("/")
    assert "Running now CS101 Computing" in text
    assert "2 of 3 seen" in text


def test_a_lecturer_sees_own_courses_only(site, site_db):
    own = make_lesson(site_db, code="OWN-1")
    other = make_lesson(site_db, code="OTHER-1")
    visitor = site.visitor(own.lecturer)
    assert "OWN-1" in visitor.text("/")
    assert "OTHER-1" not in visitor.text("/")
    student = other.students[0].id
    for path in (
        f"/courses/{other.course.id}",
        f"/courses/{other.course.id}/students",
        f"/sessions/{other.session.id}",
        f"/sessions/{other.session.id}/live",
        f"/sessions/{other.session.id}/register.csv",
        f"/sessions/{other.session.id}/students/{student}",
        f"/sessions/{own.session.id}/students/{student}",
        f"/students/{student}",
        f"/records?course={other.course.id}",
        f"/records?session={other.session.id}",
        f"/records.csv?course={other.course.id}",
        f"/records/sessions?course={other.course.id}",
        "/courses/999999",
        "/sessions/999999",
        "/students/999999",
    ):
        assert visitor.get(path).status_code == 404, path
    form = {"status": "present", "reason": "I say so"}
    assert visitor.post(f"/sessions/{other.session.id}/students/{student}", form).status_code == 404


def test_an_administrator_sees_all(site, site_db):
    admin = make_lecturer(site_db, role=Role.ADMIN)
    lesson = make_lesson(site_db, code="ANY-1")
    visitor = site.visitor(admin)
    assert "ANY-1" in visitor.text("/")
    assert lesson.students[0].name in visitor.text(f"/sessions/{lesson.session.id}")
    assert lesson.students[0].name in visitor.text(f"/students/{lesson.students[0].id}")


def test_nothing_to_show_says_what_to_do(site, site_db):
    lecturer, admin = make_lecturer(site_db), make_lecturer(site_db, role=Role.ADMIN)
    course = make_course(site_db, lecturers=(lecturer,))
    newcomer = make_lecturer(site_db)
    site_db.commit()
    assert "An administrator adds you to your courses" in site.visitor(newcomer).text("/")
    visitor = site.visitor(lecturer)
    assert "No sessions today" in visitor.text("/")
    assert "The timetable has no session of this course." in visitor.text(f"/courses/{course.id}")
    assert "An administrator enrols students" in visitor.text(f"/courses/{course.id}/students")
    assert "No record" in visitor.text("/records")
    assert "No course has “zzz” in its code or name." in site.visitor(admin).text("/?q=zzz")


def test_courses_are_found_by_code_and_name_and_paged(site, site_db):
    lecturer = make_lecturer(site_db)
    for n in range(30):
        make_course(site_db, f"K{n:02}", f"Kurs {n}", lecturers=(lecturer,))
    make_course(site_db, "Z-1", "Żeglarstwo", lecturers=(lecturer,))
    site_db.commit()
    visitor = site.visitor(lecturer)
    assert f"1{DASH}24 of 31 courses" in visitor.text("/")
    assert "K25" in visitor.text("/?page=2")
    found = visitor.text("/?q=zegl")
    assert "Z-1" in found
    assert "K01" not in found


def test_past_and_coming_sessions_of_a_course(site, site_db):
    lesson = make_lesson(site_db, "Ada", "Kurt", starts_at=LONG_AGO)
    room = make_room(site_db, "Aula")
    for week in range(30):
        make_session(site_db, lesson.course, room, starts_at=LONG_AGO - timedelta(weeks=week + 1))
    soon = utc_now() + timedelta(days=1)
    for week in range(8):
        make_session(site_db, lesson.course, room, starts_at=soon + timedelta(weeks=week))
    see(site_db, lesson, lesson.students[0])
    visitor = site.visitor(lesson.lecturer)
    page = f"/courses/{lesson.course.id}"
    text = visitor.text(page)
    assert "All 8 upcoming sessions" in text
    assert text.count("2 students expected") == 5
    assert f"Mon 4 Mar 2024, 09:00{DASH}10:30" in text
    assert "1 present 0 late 0 absent" in text
    assert f"1{DASH}20 of 31 sessions" in text
    assert f"21{DASH}31 of 31 sessions" in visitor.text(f"{page}?page=2")
    assert visitor.text(f"{page}?show=upcoming").count("2 students expected") == 8


def test_students_of_a_course_with_their_rates(site, site_db):
    lesson = make_lesson(site_db, "Ada Byron", "Łukasz Żak", starts_at=LONG_AGO)
    second = make_session(site_db, lesson.course, starts_at=LONG_AGO + timedelta(days=7))
    watch_whole(site_db, second)
    see(site_db, lesson, lesson.students[0])
    see(site_db, lesson, lesson.students[0], session=second, minute=20)
    see(site_db, lesson, lesson.students[1])
    visitor = site.visitor(lesson.lecturer)
    address = f"/courses/{lesson.course.id}/students"
    text = visitor.text(address)
    assert "100% 1 present 1 late 0 absent" in text
    assert text.index("Ada Byron") < text.index("Łukasz Żak")
    assert "Ada" not in visitor.text(f"{address}?q=lukasz").partition("CSV")[2]
    assert "Nobody on this course has “zzz”" in visitor.text(f"{address}?q=zzz")


@pytest.mark.parametrize("path", ["/", "/courses/{course}", "/courses/{course}/students", "/records"])
def test_a_longer_list_takes_no_more_statements(site, site_db, path):
    lesson = make_lesson(site_db, "Ada", starts_at=LONG_AGO)
    visitor = site.visitor(lesson.lecturer)
    path = path.format(course=lesson.course.id)

    def statements():
        site.statements.clear()
        visitor.text(path)
        return len(site.statements)

    see(site_db, lesson, lesson.students[0])
    few = statements()
    students = [make_student(site_db, name=f"Student {n}") for n in range(12)]
    enrol(site_db, lesson.course, *students)
    for n in range(12):
        later = make_session(site_db, lesson.course, starts_at=LONG_AGO + timedelta(days=n + 1))
        for student in students:
            see(site_db, lesson, student, session=later)
        make_lesson(site_db, lecturer=lesson.lecturer)
    assert statements() <= few + 3


def test_a_head_sees_the_departments_courses_and_chooses_among_them(site, site_db):
    maths, physics = make_department(site_db, "Mathematics"), make_department(site_db, "Physics")
    make_course(site_db, "MA1", department=maths)
    make_course(site_db, "XX1")
    own = make_course(site_db, "PH1", department=physics)
    make_course(site_db, "PH2", department=physics)
    head = make_lecturer(site_db, role=Role.DEPARTMENT, of=maths)
    site_db.add(AccountRole(account_id=head.id, role=Role.LECTURER, course_id=own.id))
    site_db.commit()
    visitor = site.visitor(head)

    def shown(address):
        return re.findall(r'<p class="code">(\w+)</p>', visitor.get(address).text)

    assert shown("/") == ["MA1", "PH1"]
    assert shown("/?of=mine") == ["PH1"]
    assert shown(f"/?of={maths.id}") == ["MA1"]
    assert shown(f"/?of={physics.id}&q=ph") == ["PH1"]
    assert shown("/?of=999") == ["MA1", "PH1"], "what is not offered is not asked for"
    teacher = site.visitor(make_lecturer_of(site_db, own))
    assert "All courses My own courses" not in teacher.text("/"), "there is nothing to choose"


def make_lecturer_of(db, course):
    lecturer = make_lecturer(db, role=Role.LECTURER, of=course)
    db.commit()
    return lecturer
