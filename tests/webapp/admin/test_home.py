"""The overview."""

from datetime import timedelta

import sqlalchemy as sa

from attendance.database.models import Attendance, LtiCourse, Status, TimetableCalendar, WebhookEndpoint, utc_now
from tests.factories import enrol, make_camera, make_course, make_lecturer, make_room, make_session, make_student
from tests.webapp.addresses import furnish


def test_an_empty_system_says_where_to_begin(admin):
    text = admin.text("/admin")
    assert "Getting started 1 Rooms where sessions take place 2 Cameras" in text
    assert "No session takes place at the moment." in text
    assert "No camera has a token yet." in text
    assert "Needs attention" not in text


def test_shows_what_runs_and_what_is_missing(site, site_db, admin):
    now = utc_now()
    ada = make_lecturer(site_db, name="Ada")
    watched, blind = make_room(site_db, "Aula"), make_room(site_db, "Cellar")
    make_camera(site_db, name="aula-left", room=watched, token="cam_a").last_seen_at = now
    make_camera(site_db, name="cellar-revoked", room=blind)
    running = make_course(site_db, "RUN", "Running", lecturers=(ada,))
    orphan = make_course(site_db, "ORPHAN", "Nobody teaches it")
    make_course(site_db, "EMPTY", "Nobody takes it", lecturers=(ada,))
    ann, bob = make_student(site_db), make_student(site_db)
    enrol(site_db, running, ann, bob)
    enrol(site_db, orphan, ann)
    session = make_session(
        site_db, running, watched, starts_at=now - timedelta(minutes=5), ends_at=now + timedelta(hours=1)
    )
    make_session(site_db, running, blind, starts_at=now + timedelta(days=1), ends_at=now + timedelta(days=1, hours=1))
    make_session(site_db, running, blind, starts_at=now + timedelta(days=9), ends_at=now + timedelta(days=9, hours=1))
    make_session(site_db, running, blind, starts_at=now - timedelta(days=1), ends_at=now - timedelta(hours=20))
    site_db.add_all(
        [
            Attendance(session_id=session.id, student_id=ann.id, status=Status.LATE),
            Attendance(session_id=session.id, student_id=bob.id, status=Status.ABSENT),
        ]
    )
    site_db.commit()
    site.statements.clear()
    text = admin.text("/admin")
    assert len(site.statements) < 25
    assert "Getting started" not in text
    assert "RUN Running" in text
    assert "Aula 1 of 2 students present" in text
    assert "aula-left Aula, last seen" in text
    assert "Connected" in text
    assert "1 connected, 0 not" in text
    assert "cellar-revoked" not in text
    assert "Cellar has no camera that may connect 1 session in the next seven days" in text
    assert "1 course without a lecturer who may sign in ORPHAN" in text
    assert "1 course without students EMPTY" in text


def test_other_systems_that_wait_or_fail_need_attention(site_db, admin):
    furnish(site_db, 1)
    calendar = site_db.scalars(sa.select(TimetableCalendar)).one()
    hook = site_db.scalars(sa.select(WebhookEndpoint)).one()
    linked = site_db.scalars(sa.select(LtiCourse)).one()
    site_db.commit()
    assert "Calendar that the timetable follows" not in admin.text("/admin")
    calendar.failing_since = hook.failing_since = utc_now()
    linked.problem = "Moodle answered with 503."
    site_db.commit()
    text = admin.text("/admin")
    assert "Calendar 1 Cannot be read Calendar that the timetable follows" in text
    assert "Hook 1 Failing Receiver of webhooks" in text
    assert "MA Rates not sent Course of Moodle 1" in text


def test_says_so_when_nothing_is_missing(site_db, admin):
    now = utc_now()
    room = make_room(site_db)
    make_camera(site_db, room=room, token="cam_a")
    course = make_course(site_db, lecturers=(make_lecturer(site_db),))
    enrol(site_db, course, make_student(site_db))
    make_session(site_db, course, room, starts_at=now + timedelta(days=1), ends_at=now + timedelta(days=1, hours=1))
    site_db.commit()
    assert "Every course has a lecturer and students" in admin.text("/admin")
