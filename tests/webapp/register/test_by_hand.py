"""Registers of which the machine has concluded nothing, or not everything: how they are shown, and taken by hand."""

import csv
import io
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.models import Attendance, Camera, Observation, Status, utc_now
from attendance.database.register import close_ended_sessions
from attendance.database.watching.observation import NOBODY
from tests.factories import watch
from tests.webapp.lessons import LONG_AGO, make_lesson, see

NAMES = ("Ada Byron", "Kurt Gödel", "Łukasz Żak")


@pytest.fixture
def unwatched(site, site_db):
    """A lesson of yesterday that nobody watched, closed."""
    yesterday = utc_now().replace(second=0, microsecond=0) - timedelta(days=1)
    lesson = make_lesson(site_db, *NAMES, starts_at=yesterday, code="CS101")
    site_db.execute(sa.delete(Observation))
    site_db.commit()
    close_ended_sessions(site.sessions, utc_now())
    return lesson


def entries(db):
    db.rollback()
    db.expire_all()
    return list(db.scalars(sa.select(Attendance.status).order_by(Attendance.student_id)))


def tick(db, lesson, *places):
    """What the page would send: every entry, and those that are ticked."""
    db.rollback()
    found = db.execute(sa.select(Attendance.student_id, Attendance.version).order_by(Attendance.student_id)).all()
    shown = [f"{student}.{version}" for student, version in found]
    return {"shown": " ".join(shown), "absent": [shown[place] for place in places]}


def test_the_register_says_why_nothing_is_recorded(site, unwatched):
    text = site.visitor(unwatched.lecturer).text(f"/sessions/{unwatched.session.id}")
    assert "Absent 0" in text
    assert "Not recorded 3" in text
    assert text.count("Not recorded : the room was not watched") == 3
    assert "0 of 90 minutes were watched." in text
    assert "a camera was away" in text
    assert "Nothing is recorded of 3 students. Take them by hand" in text


def test_the_start_page_asks_who_teaches_it_and_nobody_else(site, site_db, unwatched):
    words = "Not watched: take these registers by hand"
    assert words in site.visitor(unwatched.lecturer).text("/")
    other = make_lesson(site_db, starts_at=LONG_AGO)
    assert words not in site.visitor(other.lecturer).text("/")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("present_but", [Status.PRESENT, Status.ABSENT, Status.PRESENT]),
        ("all_absent", [Status.ABSENT] * 3),
        ("leave", [None] * 3),
    ],
)
def test_it_is_taken_by_hand_once_and_undone(site, site_db, unwatched, choice, expected):
    visitor = site.visitor(unwatched.lecturer)
    path = f"/sessions/{unwatched.session.id}/by-hand"
    assert "Everybody was present but the ticked" in visitor.text(path)
    sent = tick(site_db, unwatched, 1) | {"choice": choice}
    for _ in range(2):  # a double click
        assert visitor.post(path, sent).status_code == 302
        assert entries(site_db) == expected
    page = visitor.get(f"/sessions/{unwatched.session.id}").text
    assert "take these registers by hand" not in visitor.text("/")
    undo_at = re.search(r'action="([^"]+/undo)"', page)
    assert undo_at
    visitor.post(undo_at[1])
    assert entries(site_db) == [None] * 3
    assert "take these registers by hand" in visitor.text("/")


def test_what_somebody_decided_meanwhile_is_left_alone(site, site_db, unwatched):
    visitor = site.visitor(unwatched.lecturer)
    sent = tick(site_db, unwatched) | {"choice": "all_absent"}
    ada = unwatched.students[0]
    visitor.post(
        f"/sessions/{unwatched.session.id}/students/{ada.id}", {"status": "late", "reason": "saw her", "version": "1"}
    )
    visitor.post(f"/sessions/{unwatched.session.id}/by-hand", sent)
    assert entries(site_db) == [Status.LATE, Status.ABSENT, Status.ABSENT]
    assert "Left alone, because they were changed meanwhile: Ada Byron" in visitor.text("/courses/1")


@pytest.mark.parametrize(
    "sent", [{"choice": "present_but"}, {"choice": "burn", "shown": "1.1"}, {"choice": "leave", "shown": "1.x"}]
)
def test_a_form_that_was_tampered_with_is_refused(site, unwatched, sent):
    assert site.visitor(unwatched.lecturer).post(f"/sessions/{unwatched.session.id}/by-hand", sent).status_code == 400


def test_with_nothing_to_take_the_page_leads_back(site, site_db):
    lesson = make_lesson(site_db, *NAMES, starts_at=LONG_AGO)
    close_ended_sessions(site.sessions, utc_now())
    answer = site.visitor(lesson.lecturer).get(f"/sessions/{lesson.session.id}/by-hand")
    assert answer.headers["Location"] == f"/sessions/{lesson.session.id}"


def test_the_reason_is_in_both_exports_and_a_filter_finds_it(site, unwatched):
    visitor = site.visitor(unwatched.lecturer)
    for path in (f"/sessions/{unwatched.session.id}/register.csv", "/records.csv", "/records.csv?status=unrecorded"):
        rows = list(csv.DictReader(io.StringIO(visitor.get(path).text.removeprefix("\ufeff"))))
        assert [(row["Status"], row["Not recorded because"]) for row in rows] == [("Not recorded", "unwatched")] * 3
    assert "No records match" in visitor.text("/records?status=absent")
    assert "the room was not watched" in visitor.text("/records?status=unrecorded&status=late")


def test_rates_count_what_is_recorded(site, site_db, unwatched):
    visitor = site.visitor(unwatched.lecturer)
    assert "3 not recorded" in visitor.text(f"/courses/{unwatched.course.id}")
    students = visitor.text(f"/courses/{unwatched.course.id}/students")
    assert "Nothing recorded yet" in students
    assert set(re.findall(r"\d+ ?%", students)) <= {"75%"}  # the threshold that may be asked for
    assert "the room was not watched" in visitor.text(f"/students/{unwatched.students[0].id}")


def test_who_leaves_or_joins_the_course_changes_no_closed_session(site, site_db, unwatched):
    site_db.execute(sa.text("DELETE FROM enrolment"))
    site_db.commit()
    text = site.visitor(unwatched.lecturer).text(f"/sessions/{unwatched.session.id}")
    assert "Not recorded 3" in text


def test_the_note_of_who_came_late_to_an_unwatched_room(site, site_db):
    lesson = make_lesson(site_db, *NAMES, starts_at=LONG_AGO)
    site_db.execute(sa.delete(Observation))
    watch(site_db, lesson.session, since=LONG_AGO + timedelta(minutes=20))
    site_db.commit()
    see(site_db, lesson, lesson.students[0], minute=25)
    close_ended_sessions(site.sessions, utc_now())
    visitor = site.visitor(lesson.lecturer)
    text = visitor.text(f"/sessions/{lesson.session.id}")
    assert "The room was not watched before 09:20" in text
    assert "70 of 90 minutes were watched." in text
    assert "08:50\u201309:20: a camera was away." in text
    rows = csv.DictReader(io.StringIO(visitor.get(f"/sessions/{lesson.session.id}/register.csv").text))
    assert next(rows)["Room watched from"] == "09:20"


def test_unnamed_people_stand_beside_the_absences(site, site_db):
    lesson = make_lesson(site_db, *NAMES, starts_at=LONG_AGO)
    watch(site_db, lesson.session, counts=NOBODY._replace(unnamed=1))
    site_db.commit()
    close_ended_sessions(site.sessions, utc_now())
    text = site.visitor(lesson.lecturer).text(f"/sessions/{lesson.session.id}")
    assert "Beside the 3 absent, 1 person was seen at a time who could not be named." in text


def test_the_strip_shows_a_blind_camera_and_when_people_came(site, site_db):
    lesson = make_lesson(site_db, *NAMES, starts_at=LONG_AGO)
    site_db.execute(sa.delete(Observation))
    watch(site_db, lesson.session, until=LONG_AGO + timedelta(minutes=60))
    watch(site_db, lesson.session, since=LONG_AGO + timedelta(minutes=60), blind=True)
    site_db.commit()
    see(site_db, lesson, lesson.students[0], minute=2)
    see(site_db, lesson, lesson.students[1], minute=2)
    page = site.visitor(lesson.lecturer).get(f"/sessions/{lesson.session.id}").text
    assert '<rect class="strip-came" x="12" width="1" y="2.00" height="20.00"/>' in page
    assert '<rect class="strip-watched" x="0" width="70"' in page
    assert '<rect class="strip-blind" x="70" width="30"' in page
    assert "style=" not in page.split("<figure", 1)[1].split("</figure", 1)[0]


@pytest.mark.parametrize(
    ("camera", "says"),
    [
        ("none", "has no camera."),
        ("silent", "nothing is heard of front since"),
        ("new", "nothing was ever heard of front"),
        ("blind", "the picture of front shows nothing since"),
    ],
)
def test_a_running_class_in_an_unwatched_room_is_told_on_every_page(site, site_db, camera, says):
    lesson = make_lesson(site_db, *NAMES)
    site_db.execute(sa.delete(Camera))
    now = utc_now()
    if camera != "none":
        seen = {"silent": now - timedelta(minutes=10), "new": None, "blind": now}[camera]
        blind = now - timedelta(minutes=3) if camera == "blind" else None
        site_db.add(
            Camera(
                name="front", room_id=lesson.session.room_id, token_hash="x" * 64, last_seen_at=seen, blind_since=blind
            )
        )
    site_db.commit()
    visitor = site.visitor(lesson.lecturer)
    for path in ("/", f"/sessions/{lesson.session.id}"):
        text = visitor.text(path)
        assert says in text
        assert "absences will not be recorded" in text
    site_db.execute(sa.update(Camera).values(last_seen_at=now, blind_since=None))
    site_db.commit()
    if camera != "none":
        assert "absences will not be recorded" not in visitor.text("/")
