"""Groups of a course, and the calendar of days without teaching."""

import pytest
import sqlalchemy as sa

from attendance.database.models import ClassSession, CourseGroup, CourseGroupMember, TeachingBreak
from tests.factories import enrol, make_course, make_group, make_room, make_session, make_student
from tests.webapp.visiting import plain


@pytest.fixture
def course(site_db):
    made = make_course(site_db, "MA1", "Algebra")
    site_db.commit()
    return made


def test_a_group_is_made_filled_renamed_and_deleted(admin, site_db, course):
    ada, other = make_student(site_db, "s1", name="Ada Byron"), make_student(site_db, "s2")
    enrol(site_db, course, ada)
    site_db.commit()
    groups = f"/admin/courses/{course.id}/groups"
    assert "This course has no groups" in admin.text(groups)
    answer = admin.post(groups, {"name": " Monday "})
    group = site_db.scalars(sa.select(CourseGroup)).one()
    address = f"{groups}/{group.id}"
    assert answer.headers["Location"] == address
    assert admin.post(f"{address}/students", {"index_number": "s1"}).status_code == 302
    assert "Ada Byron" in admin.text(address)
    assert "Monday 1 student" in admin.text(f"/admin/courses/{course.id}")
    for number, message in (
        ("s1", "Ada Byron is in the group already."),
        ("s2", f"{other.name} does not take MA1. Enrol the student first."),
        ("s9", "There is no student with index number s9."),
        ("", "Index number is empty."),
    ):
        answer = admin.post(f"{address}/students", {"index_number": number})
        assert (answer.status_code, message in plain(answer.text)) == (422, True)
    assert admin.post(groups, {"name": "Monday"}).status_code == 422
    assert admin.post(f"{address}/rename", {"name": "Tuesday"}).status_code == 302
    assert "Group Tuesday" in admin.text(address)
    assert admin.post(f"{address}/students/{ada.id}/remove").status_code == 302
    assert "Nobody is in this group yet" in admin.text(address)
    assert admin.post(f"{address}/delete").status_code == 302
    site_db.rollback()
    site_db.expire_all()
    assert site_db.scalars(sa.select(CourseGroup)).all() == []


def test_a_group_that_sessions_are_for_stays(admin, site_db, course):
    group = make_group(site_db, course, "Monday")
    session = make_session(site_db, course, group=group)
    site_db.commit()
    address = f"/admin/courses/{course.id}/groups/{group.id}/delete"
    assert "1 session of the timetable, past ones included" in admin.text(address)
    assert admin.post(address).status_code == 422
    assert "MA1 (Monday)" in admin.text(f"/admin/timetable?from={session.starts_at:%Y-%m-%d}")


def test_a_group_of_another_course_is_not_there(admin, site_db, course):
    group = make_group(site_db, make_course(site_db))
    site_db.commit()
    assert admin.get(f"/admin/courses/{course.id}/groups/{group.id}").status_code == 404


def test_whoever_leaves_the_course_leaves_its_groups(admin, site_db, course):
    student = make_student(site_db)
    enrol(site_db, course, student)
    make_group(site_db, course, members=(student,))
    site_db.commit()
    assert admin.post(f"/admin/courses/{course.id}/students/{student.id}/remove").status_code == 302
    site_db.rollback()
    site_db.expire_all()
    assert site_db.scalars(sa.select(CourseGroupMember)).all() == []


def test_a_course_with_groups_is_deleted_whole(admin, site_db, course):
    group = make_group(site_db, course, members=(make_student(site_db),))
    make_session(site_db, course, group=group)
    site_db.commit()
    assert admin.post(f"/admin/courses/{course.id}/delete").status_code == 302
    site_db.rollback()
    site_db.expire_all()
    assert site_db.scalars(sa.select(CourseGroup)).all() == []
    assert site_db.scalars(sa.select(ClassSession)).all() == []


def test_the_form_takes_groups_joint_courses_and_several_rooms(admin, site_db, course):
    group, other = make_group(site_db, course, "Monday"), make_course(site_db, "PH1", "Optics")
    rooms = [make_room(site_db, name) for name in ("101", "102")]
    site_db.commit()
    form = {
        "course": f"{course.id}.{group.id}",
        "also_for-0": str(other.id),
        "also_for-1": "",
        "room": str(rooms[0].id),
        "also_in-0": str(rooms[1].id),
        "day": "2027-03-22",
        "start": "09:00",
        "end": "10:30",
        "until": "2027-03-29",
        "early_minutes": "10",
        "grace_minutes": "10",
    }
    assert admin.post("/admin/timetable/new", form).status_code == 302
    page = admin.text("/admin/timetable?from=2027-03-22")
    assert page.count("MA1 (Monday) + PH1 Algebra + Optics") == 2
    assert page.count("101, 102") == 2
    assert admin.text(f"/admin/timetable?from=2027-03-22&course={other.id}").count(", change") == 2
    assert admin.text(f"/admin/timetable?from=2027-03-22&room={rooms[1].id}").count(", change") == 2
    clash = {**form, "course": str(other.id), "also_for-0": "", "room": str(rooms[1].id), "also_in-0": "", "until": ""}
    assert "the room is taken by MA1" in plain(admin.post("/admin/timetable/new", clash).text)
    session = site_db.scalars(sa.select(ClassSession)).first()
    page = admin.get(f"/admin/timetable/{session.id}").text
    assert f'value="{course.id}.{group.id}" selected' in page or f'selected value="{course.id}.{group.id}"' in page
    for field, value, message in (
        ("also_for-0", "77", "Choose a course or group of the list."),
        ("also_in-0", "x", "Choose a room of the list."),
        ("course", f"{other.id}.{group.id}", "Choose a course."),
    ):
        answer = admin.post(f"/admin/timetable/{session.id}", {**form, field: value})
        assert (answer.status_code, message in plain(answer.text)) == (422, True)
    alone = {**form, "course": str(course.id), "also_for-0": "", "also_in-0": "", "until": ""}
    assert admin.post(f"/admin/timetable/{session.id}", alone).status_code == 302
    site_db.rollback()
    site_db.expire_all()
    assert (session.group_id, session.further_audiences, session.further_rooms) == (None, [], [])


def test_days_without_teaching_are_left_out_of_weekly_sessions(admin, site_db, course):
    room = make_room(site_db)
    site_db.commit()
    address = "/admin/timetable/breaks"
    for wrong, message in (
        ({"name": "", "first_day": "2027-03-29", "last_day": ""}, "Name is empty."),
        ({"name": "x", "first_day": "", "last_day": ""}, "Choose the first day."),
        ({"name": "x", "first_day": "2027-03-29", "last_day": "2027-03-28"}, "The last day is before the first."),
        ({"name": "x", "first_day": "2027-03-29", "last_day": "2029-03-28"}, "Is the year right?"),
    ):
        answer = admin.post(address, wrong)
        assert (answer.status_code, message in plain(answer.text)) == (422, True)
    assert admin.post(address, {"name": "Easter", "first_day": "2027-03-29", "last_day": ""}).status_code == 302
    assert "Easter" in admin.text(address)
    weekly = {
        "course": str(course.id),
        "room": str(room.id),
        "day": "2027-03-22",
        "start": "09:00",
        "end": "10:30",
        "until": "2027-04-05",
        "early_minutes": "10",
        "grace_minutes": "10",
    }
    answer = admin.post("/admin/timetable/new", weekly)
    assert "1 day without teaching left out: Easter." in admin.text(answer.headers["Location"])
    days = [f"{one.starts_at:%m-%d}" for one in site_db.scalars(sa.select(ClassSession).order_by(ClassSession.id))]
    assert days == ["03-22", "04-05"]
    single = {**weekly, "day": "2027-03-29", "until": ""}
    answer = admin.post("/admin/timetable/new", single)
    assert "is a day without teaching: Easter." in admin.text(answer.headers["Location"])
    easter = site_db.scalars(sa.select(TeachingBreak)).one()
    assert "1 session" in admin.text(address)
    assert admin.post(f"{address}/{easter.id}/delete").status_code == 302
    assert "The calendar is empty" in admin.text(address)
