"""What is not recorded in a department and why, and what its cameras watched."""

import csv
import io
import re
from datetime import timedelta

import pytest

from attendance.database.models import Attendance, Role, Unrecorded, utc_now
from attendance.database.watching.observation import MinuteOfCamera, minute_of, observed_hours, record_observation
from tests.factories import make_camera, make_course, make_lecturer, make_room, make_session
from tests.webapp.reports.terms import make_department, make_term


@pytest.fixture
def department(site_db):
    return make_department(site_db)


@pytest.fixture
def visitor(site, site_db, department):
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    return site.visitor(admin)


@pytest.fixture
def term(site_db, department):
    """Three sessions; the first is recorded, in the second two students are not, in the third one."""
    made = make_term(site_db, {"Ada": "P?P", "Kurt": "A??"}, code="MAT1", department=department)
    entry = site_db.query(Attendance).filter_by(session_id=made.sessions[2].id, student_id=made.students["Kurt"].id)
    entry.one().unrecorded_reason = Unrecorded.UNRECOGNISABLE
    site_db.commit()
    return made


def test_sessions_not_recorded_and_why(visitor, department, term):
    text = visitor.text(f"/departments/{department.id}/unrecorded")
    assert "2 the room was not watched in 1 session" in text
    assert "1 the cameras could not recognise this student in 1 session" in text
    page = visitor.get(f"/departments/{department.id}/unrecorded").text
    sessions = re.findall(r'<th scope="row"><a href="/sessions/(\d+)\?state=unrecorded"', page)
    assert sessions == [str(term.sessions[2].id), str(term.sessions[1].id)]
    assert "1 of 2 the cameras could not recognise this student" in text
    assert "2 of 2 the room was not watched" in text


def test_a_reason_is_a_filter_in_the_address(visitor, department, term):
    text = visitor.text(f"/departments/{department.id}/unrecorded?why=unwatched")
    assert "1 session: the room was not watched." in text
    answer = visitor.get(f"/departments/{department.id}/unrecorded.csv?why=unwatched")
    lines = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert [line[1] for line in lines[1:]] == ["MAT1"]
    assert lines[1][4:] == ["2", "2", "the room was not watched"]
    assert visitor.get(f"/departments/{department.id}/unrecorded?why=weather").status_code == 400


def test_where_everything_is_recorded_the_page_says_so(visitor, department, site_db):
    make_term(site_db, {"Ada": "PPA"}, department=department)
    assert "Everything is recorded" in visitor.text(f"/departments/{department.id}/unrecorded")


def watch(db, camera, room, since, minutes, *, live=True, blind=0):
    """Let a camera watch from then on; in the first `blind` minutes its pictures show nothing."""
    report = [
        MinuteOfCamera(minute_of(since) + timedelta(minutes=n), n >= blind, live and n >= blind, n < blind)
        for n in range(minutes)
    ]
    for hour in observed_hours(camera.id, room.id, report):
        record_observation(db, hour)


def test_coverage_of_each_camera(visitor, department, site_db):
    course = make_course(site_db, "MAT1")
    course.department_id = department.id
    hall, bare, other = make_room(site_db, "Aula"), make_room(site_db, "Bare"), make_room(site_db, "Cellar")
    good, half = make_camera(site_db, name="good", room=hall), make_camera(site_db, name="half", room=hall)
    away = make_camera(site_db, name="away", room=other)
    moved = make_camera(site_db, name="moved", room=make_room(site_db, "Elsewhere"))
    begins = (utc_now() - timedelta(days=2)).replace(minute=50, second=0, microsecond=0)
    for room in (hall, bare, other):
        make_session(site_db, course, room, starts_at=begins, ends_at=begins + timedelta(minutes=80))
    stranger = make_course(site_db, "PHY1")  # of no department: its session in the hall counts for nobody here
    make_session(site_db, stranger, hall, starts_at=begins + timedelta(hours=5))
    watch(site_db, good, hall, begins - timedelta(minutes=30), 150)
    watch(site_db, half, hall, begins, 40, live=False, blind=10)
    watch(site_db, moved, hall, begins, 10)
    site_db.commit()
    answer = visitor.get(f"/departments/{department.id}/cameras.csv?weeks=1")
    lines = [line[:8] for line in csv.reader(io.StringIO(answer.data.decode("utf-8-sig")))][1:]
    assert lines == [
        # room, camera, share, minutes of sessions, watched, live, saw nothing, away
        ["Aula", "good", "100%", "80", "80", "80", "0", "0"],
        ["Aula", "half", "37%", "80", "30", "0", "10", "40"],
        ["Aula", "moved", "100%", "10", "10", "10", "0", "0"],  # only in the hour in which it reported from there
        ["Cellar", "away", "0%", "80", "0", "0", "0", "80"],
    ]
    text = visitor.text(f"/departments/{department.id}/cameras?sort=share")
    assert "Sessions took place in rooms without a camera: Bare." in text
    assert text.index("away") < text.index("half") < text.index("good")
    assert away.last_seen_at is None
    assert "Never" in text


def test_cameras_of_another_time(visitor, department, site_db):
    make_term(site_db, {"Ada": "P"}, department=department)  # long ago
    assert "No session in this time" in visitor.text(f"/departments/{department.id}/cameras")
    for weeks in ("0", "61", "x", "-1"):
        assert visitor.get(f"/departments/{department.id}/cameras?weeks={weeks}").status_code == 400
