"""Joint lectures: each lecturer sees and corrects the students of the own courses, administrators all."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from attendance.database.guests import record_guest
from attendance.database.models import Attendance, Role, SessionAudience, Status, utc_now
from attendance.database.register import Sighting, close_ended_sessions, record_sighting
from tests.factories import enrol, make_course, make_group, make_lecturer, make_session, make_student
from tests.webapp.visiting import plain


@pytest.fixture
def joint(site_db):
    """A lecture of two courses, each with a lecturer, that ended; one student takes both."""
    db = site_db
    made: dict[str, Any] = {name: make_lecturer(db, name=name) for name in ("Ada", "Grace")}
    made["admin"] = make_lecturer(db, role=Role.ADMIN)
    made["MA1"] = make_course(db, "MA1", "Algebra", lecturers=(made["Ada"],))
    made["PH1"] = make_course(db, "PH1", "Optics", lecturers=(made["Grace"],))
    for name in ("Mia", "Paul", "Both"):
        made[name] = make_student(db, name, name=name)
    enrol(db, made["MA1"], made["Mia"], made["Both"])
    enrol(db, made["PH1"], made["Paul"], made["Both"])
    starts_at = utc_now() - timedelta(hours=3)
    made["session"] = make_session(db, made["MA1"], starts_at=starts_at, also_for=(made["PH1"],))
    for name in ("Mia", "Both", "Paul"):
        at = starts_at + timedelta(minutes=1)
        record_sighting(db, Sighting(made["session"].id, name, at, at, 0.9, None))
    db.commit()
    return made


SEEN = {"Ada": ("Mia", "Both"), "Grace": ("Paul", "Both"), "admin": ("Mia", "Both", "Paul")}


@pytest.mark.parametrize("who", SEEN)
def test_each_sees_their_own_students(site, site_db, joint, who):
    close_ended_sessions(site.sessions, utc_now())
    visitor, session = site.visitor(joint[who]), joint["session"]
    hidden = {"Mia", "Both", "Paul"} - set(SEEN[who])
    for path in (f"/sessions/{session.id}", f"/sessions/{session.id}/register.csv", "/records", "/records.csv"):
        text = plain(visitor.get(path).text)
        assert all(name in text for name in SEEN[who]), path
        assert not any(name in text for name in hidden), path
    for name in ("Mia", "Both", "Paul"):
        expected = 404 if name in hidden else 200
        assert visitor.get(f"/sessions/{session.id}/students/{joint[name].id}").status_code == expected
        assert visitor.get(f"/students/{joint[name].id}").status_code == expected
    # Of the lecture that ended it depends on the hour whether it was today.
    make_session(site_db, joint["MA1"], starts_at=utc_now() - timedelta(minutes=5), also_for=(joint["PH1"],))
    site_db.commit()
    assert "MA1 + PH1" in visitor.text("/")


def test_what_one_does_not_see_one_does_not_change(site, site_db, joint):
    visitor, session, paul = site.visitor(joint["Ada"]), joint["session"], joint["Paul"]
    decision = {"status": "absent", "reason": "x", "version": "1"}
    for word in ("", "/give-back", "/remark"):
        address = f"/sessions/{session.id}/students/{paul.id}{word}"
        assert visitor.post(address, {**decision, "remark": "x"}).status_code == 404
    bulk = {"status": "absent", "reason": "x", "scope": "chosen", "chosen": [f"{joint['Mia'].id}.1", f"{paul.id}.1"]}
    assert visitor.post(f"/sessions/{session.id}/bulk", bulk).status_code == 404
    site_db.rollback()
    site_db.expire_all()
    assert set(site_db.scalars(sa.select(Attendance.status))) == {Status.PRESENT}
    assert visitor.post(f"/sessions/{session.id}/bulk", {**bulk, "chosen": [f"{joint['Mia'].id}.1"]}).status_code == 302
    site_db.rollback()
    site_db.expire_all()
    changed = site_db.scalars(sa.select(Attendance.student_id).where(Attendance.status == Status.ABSENT)).all()
    assert changed == [joint["Mia"].id]


def test_a_joint_session_counts_for_each_course(site, site_db, joint):
    for name, course in (("Ada", "MA1"), ("Grace", "PH1")):
        visitor = site.visitor(joint[name])
        page = visitor.text(f"/courses/{joint[course].id}")
        assert "2 present" in page
        students = visitor.text(f"/courses/{joint[course].id}/students")
        assert students.count("100%") == 2
        assert "MA1 + PH1" not in visitor.get(f"/records.csv?course={joint[course].id}").text
        assert "MA1 + PH1" in visitor.get("/records.csv").text
    both = site.visitor(joint["admin"]).text(f"/students/{joint['Both'].id}")
    assert "Attended 1 of 1 (100%)" in both  # once, though it counts for both courses


def test_whoever_left_every_course_of_it_is_lost_to_nobody(site, site_db, joint):
    close_ended_sessions(site.sessions, utc_now())
    site_db.execute(sa.text("DELETE FROM enrolment WHERE student_id = :id"), {"id": joint["Mia"].id})
    site_db.commit()
    for name in ("Ada", "Grace"):
        assert "Mia" in site.visitor(joint[name]).text(f"/sessions/{joint['session'].id}")


def test_a_lecturer_of_neither_course_opens_nothing(site, site_db, joint):
    other = make_lecturer(site_db)
    site_db.commit()
    visitor = site.visitor(other)
    assert visitor.get(f"/sessions/{joint['session'].id}").status_code == 404
    assert "Mia" not in visitor.text("/records")


def test_deleting_one_course_leaves_the_other_its_register(site, site_db, joint):
    close_ended_sessions(site.sessions, utc_now())
    admin, course = site.visitor(joint["admin"]), joint["MA1"]
    question = admin.text(f"/admin/courses/{course.id}/delete")
    assert "0 sessions of the timetable will be deleted." in question
    assert "1 joint session stay" in question
    assert admin.post(f"/admin/courses/{course.id}/delete", {"typed": "MA1"}).status_code == 302
    site_db.rollback()
    site_db.expire_all()
    assert joint["session"].course_id == joint["PH1"].id
    assert site_db.scalars(sa.select(SessionAudience)).all() == []
    left = set(site_db.scalars(sa.select(Attendance.student_id)))
    assert left == {joint["Paul"].id, joint["Both"].id}


def test_guests_are_listed_apart_for_the_lecturer_of_their_course(site, site_db, joint):
    course, session = joint["MA1"], joint["session"]
    group = make_group(site_db, course, "A", members=(joint["Mia"],))
    guest = make_student(site_db, "g1", name="Gustav Guest")
    enrol(site_db, course, guest)
    session.group_id = group.id
    site_db.flush()
    at = session.starts_at + timedelta(minutes=5)
    assert record_guest(site_db, Sighting(session.id, "g1", at, at, 0.9, None)) is not None
    site_db.commit()
    page = site.visitor(joint["Ada"]).text(f"/sessions/{session.id}")
    assert "Guests 1 Students of the course who were seen here" in page
    assert "Gustav Guest" in page
    assert "Gustav Guest" not in site.visitor(joint["Grace"]).text(f"/sessions/{session.id}")
    assert "Gustav Guest" not in site.visitor(joint["Ada"]).get(f"/sessions/{session.id}/register.csv").text
