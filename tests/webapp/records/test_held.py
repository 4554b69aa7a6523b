"""What is held in all of one's courses, and its number, which is the same on every page."""

import re
from datetime import timedelta

import sqlalchemy as sa

from attendance.database.models import (
    Attendance,
    HeldObservation,
    HeldReason,
    HeldSighting,
    Role,
    Status,
    utc_now,
)
from attendance.database.register import close_ended_sessions
from tests.factories import make_camera, make_course, make_lecturer
from tests.webapp.holding import hold, keep
from tests.webapp.lessons import LONG_AGO, make_lesson


def outage(site, site_db):
    """Two sessions of a morning, of two lecturers, that one camera had kept; the lessons."""
    first = make_lesson(site_db, "Ada Byron", "Kurt Gödel", starts_at=LONG_AGO)
    second = make_lesson(site_db, "Emmy Noether", starts_at=LONG_AGO + timedelta(hours=2), lecturer=first.lecturer)
    third = make_lesson(site_db, "Hugo Grotius", starts_at=LONG_AGO + timedelta(hours=4))
    camera = make_camera(site_db, name="Front", room=first.session.room)
    site_db.commit()
    close_ended_sessions(site.sessions, utc_now())
    keep(site_db, first, camera, first.students[0], minutes=range(90))
    keep(site_db, second, camera, *second.students)
    keep(site_db, third, camera, *third.students)
    return first, second, third


def test_an_outage_is_accepted_in_one_in_all_of_ones_sessions(site, site_db):
    first, second, third = outage(site, site_db)
    visitor = site.visitor(first.lecturer)
    page = visitor.get("/held")
    assert "It shows 2 students. It watched 90 minutes" in visitor.text("/held")
    assert "Hugo" not in page.text
    form = page.text.split('class="held-answer"', 1)[1].split("</form>")[0]
    sent = {name: re.findall(rf'name="{name}" value="(\d+)"', form) for name in ("sighting", "minutes")}
    assert [len(each) for each in sent.values()] == [2, 2]
    foreign = site_db.scalars(sa.select(HeldSighting.id).where(HeldSighting.session_id == third.session.id)).one()
    sent["sighting"].append(str(foreign))  # of somebody else: nothing becomes of it
    done = visitor.post("/held", {"answer": "accept", **sent}, follow_redirects=True)
    assert "2 sightings are accepted." in done.text
    assert "Nothing is held" in done.text
    site_db.rollback()
    found = dict(site_db.execute(sa.select(Attendance.student_id, Attendance.status)).all())
    assert [found[one.id] for one in (*first.students, *second.students)] == [
        Status.PRESENT, Status.ABSENT, Status.PRESENT,
    ]  # fmt: skip
    assert site_db.get_one(HeldSighting, foreign).accepted is None
    assert set(site_db.scalars(sa.select(HeldObservation.accepted))) == {True}
    again = visitor.post("/held", {"answer": "accept", **sent}, follow_redirects=True)
    assert "Somebody has answered this already." in again.text
    assert visitor.post("/held", {"answer": "accept"}).status_code == 400


def test_the_number_is_the_same_on_every_page(site, site_db):
    lesson = make_lesson(site_db)
    camera = make_camera(site_db, name="Front", room=lesson.session.room)
    site_db.commit()
    for student in lesson.students:
        hold(site_db, lesson, student, camera, HeldReason.SCREEN)
    visitor = site.visitor(lesson.lecturer)
    assert "Held for a person's word 3" in visitor.text(f"/sessions/{lesson.session.id}")
    home = visitor.text("/")
    assert "3 held" in home  # the card of the session
    assert "3 sightings, or what cameras had kept, count for nothing" in home
    assert "Look at them (3)" in home
    assert "3 held" in visitor.text(f"/courses/{lesson.course.id}")
    page = visitor.text("/held")
    assert "Registers that wait" in page
    assert "3 held" in page
    assert "0 present" in home or "0 of 3 seen" in home  # and nowhere are they presence
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    assert "3 held" in site.visitor(admin).text("/held")
    assert "Look at them" not in site.visitor(admin).text("/")  # asks who teaches


def test_who_teaches_nothing_of_it_sees_nothing(site, site_db):
    lesson = make_lesson(site_db)
    camera = make_camera(site_db, room=lesson.session.room)
    other = make_lecturer(site_db)
    make_course(site_db, lecturers=(other,))
    site_db.commit()
    hold(site_db, lesson, lesson.students[0], camera, HeldReason.PLANE)
    assert "Nothing is held" in site.visitor(other).text("/held")


def test_of_no_file_and_no_rate_it_is_a_part(site, site_db):
    lesson = make_lesson(site_db, starts_at=LONG_AGO)
    camera = make_camera(site_db)
    site_db.commit()
    hold(site_db, lesson, lesson.students[0], camera, HeldReason.TWO_ROOMS)
    close_ended_sessions(site.sessions, utc_now())
    visitor = site.visitor(lesson.lecturer)
    files = visitor.get(f"/sessions/{lesson.session.id}/register.csv").text.splitlines()
    (line,) = [line for line in files if "Ada Byron" in line]
    assert "held" in line
    assert "present" not in line
    assert ",held" in visitor.get(f"/records.csv?course={lesson.course.id}").text.replace('"', "")
    assert "1 not recorded" in visitor.text(f"/courses/{lesson.course.id}")
