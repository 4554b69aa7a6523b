"""Lists to sign: who stands on them, and which boxes they have."""

import re
from datetime import timedelta

import pytest

from attendance.database.models import SessionState
from tests.factories import enrol, make_course, make_group, make_lecturer, make_session, make_student
from tests.webapp.lessons import LONG_AGO, make_lesson
from tests.webapp.visiting import plain


@pytest.fixture
def lesson(site_db):
    return make_lesson(site_db, "Łukasz Żak", "Ada Byron", "Kurt Gödel", starts_at=LONG_AGO, code="MAT1")


@pytest.fixture
def visitor(site, lesson):
    return site.visitor(lesson.lecturer)


def names(page):
    return re.findall(r'<th scope="row" dir="auto">([^<]*)</th>', page)


def boxes(page):
    return [plain(box) for box in re.findall(r'(?s)<th scope="col" class="box">(.*?)</th>', page)]


def test_a_session_lists_whom_it_expects_with_one_box(lesson, visitor):
    page = visitor.get(f"/sessions/{lesson.session.id}/signing-list").text
    assert names(page) == ["Ada Byron", "Kurt Gödel", "Łukasz Żak"]
    assert boxes(page) == ["Signature"]
    assert page.count('<td class="box"></td>') == 3
    assert "Mon 4 Mar 2024 09:00 \N{EN DASH} 10:30" in plain(page).replace("\N{EN DASH}", " \N{EN DASH} ")
    assert f'href="/sessions/{lesson.session.id}/signing-list"' in visitor.get(f"/sessions/{lesson.session.id}").text


def test_of_a_joint_session_one_sees_the_own_students(site, site_db, lesson, visitor):
    other = make_lecturer(site_db)
    theirs = make_course(site_db, lecturers=(other,))
    enrol(site_db, theirs, make_student(site_db, name="Zoe Nowak"))
    group = make_group(site_db, lesson.course, members=(lesson.students[1],))
    joint = make_session(
        site_db, lesson.course, starts_at=LONG_AGO + timedelta(days=1), group=group, also_for=(theirs,)
    )
    site_db.commit()
    path = f"/sessions/{joint.id}/signing-list"
    assert names(visitor.get(path).text) == ["Ada Byron"]
    assert names(site.visitor(other).get(path).text) == ["Zoe Nowak"]


def test_a_course_has_a_box_for_each_session_that_takes_place(site_db, lesson, visitor):
    for day in (2, 7, 9, 14, 21):
        session = make_session(site_db, lesson.course, starts_at=LONG_AGO + timedelta(days=day))
        session.state = SessionState.CANCELLED if day == 9 else SessionState.SCHEDULED
    site_db.commit()
    page = visitor.get(f"/courses/{lesson.course.id}/signing-list?from=2024-03-04&weeks=3").text
    assert boxes(page) == ["Mon 4 Mar 09:00", "Wed 6 Mar 09:00", "Mon 11 Mar 09:00", "Mon 18 Mar 09:00"]
    assert page.count('<td class="box"></td>') == 3 * 4
    assert 'class="print-wide"' not in page
    assert f'href="/courses/{lesson.course.id}/signing-list"' in visitor.get(f"/courses/{lesson.course.id}").text


def test_without_sessions_there_is_a_box_for_each_week(lesson, visitor):
    page = visitor.get(f"/courses/{lesson.course.id}/signing-list?from=2025-12-29&weeks=8").text
    assert boxes(page)[:2] == ["Mon 29 Dec", "Mon 5 Jan"]
    assert len(boxes(page)) == 8
    assert 'class="print-wide"' in page
    assert len(boxes(visitor.get(f"/courses/{lesson.course.id}/signing-list").text)) == 12


def test_a_group_has_its_members_and_its_sessions(site_db, lesson, visitor):
    group, other = (
        make_group(site_db, lesson.course, name, members=lesson.students[:1]) for name in ("Morning", "Evening")
    )
    make_session(site_db, lesson.course, starts_at=LONG_AGO + timedelta(days=1), group=group)
    make_session(site_db, lesson.course, starts_at=LONG_AGO + timedelta(days=2), group=other)
    site_db.commit()
    page = visitor.get(f"/courses/{lesson.course.id}/signing-list?from=2024-03-04&group={group.id}").text
    assert names(page) == ["Łukasz Żak"]
    assert boxes(page) == ["Mon 4 Mar 09:00", "Tue 5 Mar 09:00"]


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("from=soon", 422, "This is no date."),
        ("from=0001-01-01", 422, "This is no date."),
        ("from=9999-12-31", 422, "This is no date."),
        ("weeks=0", 422, "Choose 1 to 20 weeks."),
        ("weeks=21", 422, "Choose 1 to 20 weeks."),
        ("weeks=-3", 422, "Choose 1 to 20 weeks."),
        ("weeks=many", 422, "Choose 1 to 20 weeks."),
        ("group=99", 404, ""),
    ],
)
def test_what_cannot_be_is_said(lesson, visitor, query, status, message):
    answer = visitor.get(f"/courses/{lesson.course.id}/signing-list?{query}")
    assert answer.status_code == status
    assert message in answer.text
    assert names(answer.text) == []


def test_lists_of_others_are_not_there(site, site_db, lesson):
    stranger = make_lecturer(site_db)
    site_db.commit()
    for path in (f"/sessions/{lesson.session.id}/signing-list", f"/courses/{lesson.course.id}/signing-list"):
        assert site.visitor(stranger).get(path).status_code == 404
        assert site.visitor().get(path).status_code == 302
