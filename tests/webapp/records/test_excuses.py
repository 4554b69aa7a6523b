"""Excusing a student for a time, from the student's page and from an entry, and taking it back."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.models import Attendance, Excuse, Role, Status, utc_now
from attendance.database.register import close_ended_sessions
from tests.factories import enrol, make_course, make_lecturer, make_session
from tests.webapp.lessons import LONG_AGO, make_lesson, see
from tests.webapp.visiting import plain

FORM = {"first_day": "2024-03-01", "last_day": "2024-03-21", "reason": "Illness", "course": "all", "reference": "A 7"}


@pytest.fixture
def lesson(site, site_db):
    lesson = make_lesson(site_db, "Ada Byron", "Kurt Gödel", code="CS101", starts_at=LONG_AGO)
    see(site_db, lesson, lesson.students[1], minute=2)
    close_ended_sessions(site.sessions, utc_now())
    return lesson


@pytest.fixture
def visitor(site, lesson):
    return site.visitor(lesson.lecturer)


def path(lesson, n=0, end="/excuses/new"):
    return f"/students/{lesson.students[n].id}{end}"


def statuses(site):
    with site.sessions() as db:
        return db.scalars(sa.select(Attendance.status).order_by(Attendance.student_id)).all()


def excuses(site):
    with site.sessions() as db:
        return db.scalars(sa.select(Excuse).order_by(Excuse.id)).all()


def test_three_weeks_are_excused_and_taken_back_on_the_students_page(site, lesson, visitor):
    assert statuses(site) == [Status.ABSENT, Status.PRESENT]
    assert path(lesson) in visitor.get(path(lesson, end="")).text
    answer = visitor.post(path(lesson), FORM)
    assert answer.location == path(lesson, end="")
    text = visitor.text(answer.location)
    assert "Ada Byron is excused." in text
    assert "Fri 1 Mar 2024 to Thu 21 Mar 2024 CS101 Illness A 7 Ada Lovelace" in text
    assert statuses(site) == [Status.EXCUSED, Status.PRESENT]
    assert "Excused Excuse: Illness" in visitor.text(f"/sessions/{lesson.session.id}")
    visitor.post(path(lesson, end=f"/excuses/{excuses(site)[0].id}/take-back"))
    assert statuses(site) == [Status.ABSENT, Status.PRESENT]
    assert excuses(site) == []


def test_who_was_seen_stays_present_with_the_excuse_beside_it(site, lesson, visitor):
    visitor.post(path(lesson, 1), FORM)
    assert statuses(site) == [Status.ABSENT, Status.PRESENT]
    assert "Present Excuse: Illness" in visitor.text(f"/sessions/{lesson.session.id}")
    entry = visitor.text(f"/sessions/{lesson.session.id}/students/{lesson.students[1].id}")
    assert "There is an excuse for this session: Illness (A 7), Fri 1 Mar 2024 to Thu 21 Mar 2024." in entry
    assert "Illness" in visitor.get(f"/sessions/{lesson.session.id}/register.csv").text


def test_from_an_entry_the_form_knows_the_course_and_the_day(lesson, visitor):
    entry = visitor.get(f"/sessions/{lesson.session.id}/students/{lesson.students[0].id}").text
    link = entry.split('excuse-link"><a href="')[1].split('"')[0].replace("&amp;", "&")
    form = visitor.get(link).text
    assert 'value="2024-03-04"' in form
    assert f'selected value="{lesson.course.id}"' in form
    answer = visitor.post(link, {**FORM, "course": str(lesson.course.id)})
    assert answer.location == f"/sessions/{lesson.session.id}"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"last_day": "2024-02-01"}, "The last day is before the first."),
        ({"last_day": "2029-03-01"}, "An excuse is for a year at most. Is the year right?"),
        ({"first_day": ""}, "Write the first day"),
        ({"last_day": "soon"}, "Write the last day"),
        ({"first_day": "0024-03-01"}, "Is the year right?"),
        ({"last_day": "9999-12-31"}, "Is the year right?"),
        ({"reason": ""}, "Choose a reason."),
        ({"reason": "other"}, "Say which reason."),
        ({"reason": "other", "other": "x" * 501}, "at most 500 fit"),
        ({"reference": "x" * 121}, "at most 120 fit"),
        ({"course": "99"}, "Choose a course from the list."),
        ({"course": ""}, "Choose a course from the list."),
    ],
)
def test_an_excuse_that_makes_no_sense_is_named(site, lesson, visitor, given, message):
    answer = visitor.post(path(lesson), FORM | given)
    assert answer.status_code == 422
    assert message in plain(answer.text)
    assert excuses(site) == []


def test_a_reason_of_ones_own(site, lesson, visitor):
    visitor.post(path(lesson), FORM | {"reason": "other", "other": "world championship"})
    assert [excuse.reason for excuse in excuses(site)] == ["world championship"]


def test_lecturers_excuse_for_their_own_courses_and_administrators_for_all(site, site_db, lesson, visitor):
    other = make_course(site_db, "PH1", lecturers=(make_lecturer(site_db),))
    enrol(site_db, other, lesson.students[0])
    make_session(site_db, other, starts_at=LONG_AGO + timedelta(days=1))
    admin = site.visitor(make_lecturer(site_db, role=Role.ADMIN))
    site_db.commit()
    close_ended_sessions(site.sessions, utc_now())
    assert "PH1" not in visitor.text(path(lesson))
    assert visitor.post(path(lesson), FORM | {"course": str(other.id)}).status_code == 422
    visitor.post(path(lesson), FORM)
    assert [excuse.course_id for excuse in excuses(site)] == [lesson.course.id]
    admin.post(path(lesson), FORM | {"reason": "Family reasons"})
    everything = excuses(site)[1]
    assert everything.course_id is None
    assert "Every course Family reasons" in visitor.text(path(lesson, end=""))
    assert visitor.post(path(lesson, end=f"/excuses/{everything.id}/take-back")).status_code == 404
    assert admin.post(path(lesson, 1, end=f"/excuses/{everything.id}/take-back")).status_code == 404  # another's
    stranger = site.visitor(make_lesson(site_db).lecturer)
    assert stranger.get(path(lesson)).status_code == 404
    assert stranger.post(path(lesson), FORM).status_code == 404
    assert len(excuses(site)) == 2
