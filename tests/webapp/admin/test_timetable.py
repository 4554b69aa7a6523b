"""The timetable: single and weekly sessions, clock changes, rooms that are taken, moving and deleting."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from attendance.database.models import Attendance, AttendanceChange, ClassSession, Course, Source, Status, utc_now
from tests.factories import enrol, make_camera, make_course, make_room, make_session, make_student
from tests.webapp.visiting import plain
from webapp.admin.writing import begin_change

WARSAW = ZoneInfo("Europe/Warsaw")
DASH = "\u2013"


@pytest.fixture
def course(site_db):
    made = make_course(site_db, "MA1", "Algebra")
    site_db.commit()
    return made


@pytest.fixture
def room(site_db):
    made = make_room(site_db, "Room 204")
    site_db.commit()
    return made


@pytest.fixture
def form(course, room):
    """A good form of one session."""
    return {
        "course": str(course.id),
        "room": str(room.id),
        "day": "2027-03-22",
        "start": "09:00",
        "end": "10:30",
        "until": "",
        "early_minutes": "15",
        "grace_minutes": "5",
    }


def sessions_in(db):
    db.rollback()
    db.expire_all()
    return db.scalars(sa.select(ClassSession).order_by(ClassSession.starts_at)).all()


def local_times(db):
    return [
        f"{one.starts_at.astimezone(WARSAW):%m-%d %H:%M}-{one.ends_at.astimezone(WARSAW):%H:%M}"
        for one in sessions_in(db)
    ]


def test_adds_one_session(admin, site_db, form, course, room):
    answer = admin.post("/admin/timetable/new", form)
    assert answer.headers["Location"] == f"/admin/timetable?course={course.id}&from=2027-03-22"
    text = admin.text(answer.headers["Location"])
    assert "The session on Mon 22 Mar 2027 is added." in text
    assert f"09:00{DASH}10:30 , change MA1 Algebra Room Room 204 No camera in the room" in text
    (session,) = sessions_in(site_db)
    assert session.starts_at == datetime(2027, 3, 22, 8, tzinfo=UTC)
    assert (session.course_id, session.room_id) == (course.id, room.id)
    assert (session.early_minutes, session.grace_minutes, session.closed_at) == (15, 5, None)


def test_a_weekly_session_stays_at_nine_across_the_clock_change(admin, site_db, form):
    admin.post("/admin/timetable/new", {**form, "until": "2027-04-05"})
    assert local_times(site_db) == ["03-22 09:00-10:30", "03-29 09:00-10:30", "04-05 09:00-10:30"]
    assert [one.starts_at.hour for one in sessions_in(site_db)] == [8, 7, 7]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"course": ""}, "Choose a course."),
        ({"course": "999"}, "Choose a course."),
        ({"room": "x"}, "Choose a room."),
        ({"day": ""}, "Choose a day."),
        ({"day": "0001-01-01"}, "This year cannot be meant."),
        ({"day": "9999-12-31"}, "This year cannot be meant."),
        ({"start": "nine"}, "Starts at: choose a time, like 09:00."),
        ({"start": ""}, "Choose when it starts."),
        ({"end": "09:00"}, "The end is the same as the start."),
        ({"end": "08:00"}, "The end (08:00) is before the start (09:00)."),
        ({"end": "22:00"}, "longer than 12 hours"),
        ({"until": "2027-03-01"}, "The last day of the repetition is before the first session."),
        ({"until": "2030-03-01"}, "A repetition may last 60 weeks at most."),
        ({"until": "9999-12-31"}, "A repetition may last 60 weeks at most."),
        ({"early_minutes": ""}, "Type a number, 0 for none."),
        ({"early_minutes": "soon"}, "Minutes of early entry: type a whole number."),
        ({"grace_minutes": "-1"}, "Minutes of grace: from 0 to 240."),
        ({"day": "2027-03-28", "start": "02:30", "end": "04:00"}, "02:30 does not exist on Sun 28 Mar 2027"),
    ],
)
def test_what_cannot_be_is_named(admin, site_db, form, changed, message):
    admin.post("/admin/timetable/new", {**form, "day": "2027-05-03"})
    (session,) = sessions_in(site_db)
    answer = admin.post("/admin/timetable/new", {**form, **changed})
    assert (answer.status_code, message in plain(answer.text)) == (422, True)
    assert len(sessions_in(site_db)) == 1
    if "until" not in changed:
        answer = admin.post(f"/admin/timetable/{session.id}", {**form, **changed})
        assert (answer.status_code, message in plain(answer.text)) == (422, True)
        assert local_times(site_db) == ["05-03 09:00-10:30"]


def test_of_a_time_that_clocks_show_twice_the_first_is_meant_and_said(admin, site_db, form):
    answer = admin.post("/admin/timetable/new", {**form, "day": "2026-10-25", "start": "02:30", "end": "05:00"})
    assert "Clocks show 02:30 twice on Sun 25 Oct 2026; the first is meant." in admin.text(answer.headers["Location"])
    assert sessions_in(site_db)[0].starts_at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_saving_a_session_of_the_second_time_unchanged_does_not_move_it(admin, site_db, form, course, room):
    second = datetime(2026, 10, 25, 1, 30, 20, tzinfo=UTC)  # 02:30:20 for the second time
    session = make_session(site_db, course, room, starts_at=second, ends_at=second + timedelta(hours=2))
    site_db.commit()
    page = admin.get(f"/admin/timetable/{session.id}").text
    assert 'value="02:30"' in page
    assert 'value="04:30"' in page
    unchanged = {**form, "day": "2026-10-25", "start": "02:30", "end": "04:30", "grace_minutes": "20"}
    assert admin.post(f"/admin/timetable/{session.id}", unchanged).status_code == 302
    (after,) = sessions_in(site_db)
    assert (after.starts_at, after.grace_minutes) == (second, 20)


def test_a_taken_room_is_named_and_the_other_weeks_can_be_added(admin, site_db, form, room):
    other = make_course(site_db, "PH1")
    taken = datetime(2027, 3, 29, 8, tzinfo=UTC)  # 10:00 in summer time
    make_session(site_db, other, room, starts_at=taken, ends_at=taken + timedelta(hours=1))
    site_db.commit()
    weekly = {**form, "until": "2027-04-05"}
    answer = admin.post("/admin/timetable/new", weekly)
    text = plain(answer.text)
    assert answer.status_code == 422
    assert "1 of 3 sessions cannot be added:" in text
    assert (
        f"Mon 29 Mar 2027, 09:00{DASH}10:30: the room is taken by PH1, Mon 29 Mar 2027, 10:00{DASH}11:00, in Room 204."
        in text
    )
    assert "Leave these days out and add the others" in text
    assert len(sessions_in(site_db)) == 1
    assert admin.post("/admin/timetable/new", {**weekly, "leave_out": "y"}).status_code == 302
    assert local_times(site_db) == ["03-22 09:00-10:30", "03-29 10:00-11:00", "04-05 09:00-10:30"]
    # Everything is taken now: there is nothing to leave out.
    answer = admin.post("/admin/timetable/new", {**weekly, "leave_out": "y"})
    assert answer.status_code == 422
    assert "Leave these days out" not in plain(answer.text)
    assert len(sessions_in(site_db)) == 3


def test_one_session_may_begin_when_another_ends(admin, site_db, form):
    for start, end in (("09:00", "10:30"), ("10:30", "12:00"), ("07:30", "09:00")):
        assert admin.post("/admin/timetable/new", {**form, "start": start, "end": end}).status_code == 302
    assert admin.post("/admin/timetable/new", {**form, "start": "11:59", "end": "13:00"}).status_code == 422


def test_moving_into_a_taken_slot_is_refused_and_onto_itself_is_not(admin, site_db, form):
    admin.post("/admin/timetable/new", form)
    admin.post("/admin/timetable/new", {**form, "start": "11:00", "end": "12:00"})
    first = sessions_in(site_db)[0]
    address = f"/admin/timetable/{first.id}"
    answer = admin.post(address, {**form, "end": "11:30"})
    assert answer.status_code == 422
    assert "The session cannot be moved there:" in plain(answer.text)
    assert admin.post(address, {**form, "start": "09:30", "end": "11:00"}).status_code == 302
    assert local_times(site_db) == ["03-22 09:30-11:00", "03-22 11:00-12:00"]


@pytest.fixture
def recorded(site_db, course, room):
    """A session of an hour ago, two students: the machine saw one late, a person excused the other."""
    start = utc_now().replace(second=0, microsecond=0) - timedelta(hours=1)
    session = make_session(site_db, course, room, starts_at=start, ends_at=start + timedelta(minutes=90))
    late, excused = make_student(site_db, name="Late"), make_student(site_db, name="Excused")
    enrol(site_db, course, late, excused)
    seen = start + timedelta(minutes=20)
    site_db.add_all(
        [
            Attendance(session_id=session.id, student_id=late.id, status=Status.LATE, first_seen=seen, last_seen=seen),
            Attendance(session_id=session.id, student_id=excused.id, status=Status.EXCUSED, source=Source.PERSON),
        ]
    )
    site_db.commit()
    return session


def form_at(form, session, **changed):
    start, end = session.starts_at.astimezone(WARSAW), session.ends_at.astimezone(WARSAW)
    times = {"day": f"{start:%Y-%m-%d}", "start": f"{start:%H:%M}", "end": f"{end:%H:%M}"}
    return {**form, **times, **changed}


def test_the_register_follows_a_changed_time(admin, site_db, form, recorded):
    assert "has 2 entries" in admin.text(f"/admin/timetable/{recorded.id}")
    answer = admin.post(f"/admin/timetable/{recorded.id}", form_at(form, recorded, grace_minutes="30"))
    assert "its register was worked out again" in admin.text(answer.headers["Location"])
    site_db.rollback()
    site_db.expire_all()
    statuses = site_db.scalars(sa.select(Attendance.status).order_by(Attendance.id)).all()
    assert statuses == [Status.PRESENT, Status.EXCUSED]
    assert site_db.scalars(sa.select(AttendanceChange.account_id)).all() == [None]


def test_a_recorded_session_keeps_its_course(admin, site_db, form, recorded):
    other = make_course(site_db, "PH1")
    site_db.commit()
    answer = admin.post(f"/admin/timetable/{recorded.id}", form_at(form, recorded, course=str(other.id)))
    assert answer.status_code == 422
    assert "The register has entries already, so the course stays." in answer.text


def test_deleting_a_recorded_session_wants_the_code_typed(admin, site_db, recorded):
    address = f"/admin/timetable/{recorded.id}/delete"
    assert "2 entries of registers, with their history, are deleted." in admin.text(address)
    assert admin.post(address).status_code == 422
    assert len(sessions_in(site_db)) == 1
    assert admin.post(address, {"typed": "MA1"}).status_code == 302
    assert sessions_in(site_db) == []
    assert site_db.scalars(sa.select(Attendance)).all() == []


def test_deletes_one_or_all_later_weeks(admin, site_db, form):
    admin.post("/admin/timetable/new", {**form, "until": "2027-04-12"})
    admin.post("/admin/timetable/new", {**form, "day": "2027-04-06"})  # a Tuesday: not of the series
    second = sessions_in(site_db)[1]
    assert "Delete 3" in admin.text(f"/admin/timetable/{second.id}")
    address = f"/admin/timetable/{second.id}/delete?following=1"
    assert "3 sessions in Room 204 will be deleted." in admin.text(address)
    assert admin.post(address).status_code == 302
    assert local_times(site_db) == ["03-22 09:00-10:30", "04-06 09:00-10:30"]
    first = sessions_in(site_db)[0]
    assert admin.post(f"/admin/timetable/{first.id}/delete").status_code == 302
    assert local_times(site_db) == ["04-06 09:00-10:30"]


def test_a_course_deleted_meanwhile_is_said_so(admin, site, site_db, form, monkeypatch):
    def begin_after_deleting():
        with site.sessions() as db:
            db.execute(sa.delete(Course).where(Course.id == int(form["course"])))
            db.commit()
        return begin_change()

    monkeypatch.setattr("webapp.admin.sessions.begin_change", begin_after_deleting)
    answer = admin.post("/admin/timetable/new", form)
    assert answer.status_code == 422
    assert "Course: this one was deleted meanwhile." in answer.text
    assert sessions_in(site_db) == []


def test_the_list_is_narrowed_by_course_room_and_days(admin, site_db, form, course, room):
    other, lab = make_course(site_db, "PH1", "Physics"), make_room(site_db, "Lab")
    make_camera(site_db, room=lab, token="cam_lab")
    site_db.commit()
    admin.post("/admin/timetable/new", {**form, "until": "2027-04-05"})
    admin.post("/admin/timetable/new", {**form, "course": str(other.id), "room": str(lab.id)})
    days = "from=2027-03-22&to=2027-03-29"
    text = admin.text(f"/admin/timetable?{days}")
    assert (text.count(", change"), text.count("No camera in the room")) == (3, 2)
    assert admin.text(f"/admin/timetable?{days}&course={course.id}").count(", change") == 2
    assert admin.text(f"/admin/timetable?{days}&room={lab.id}").count(", change") == 1
    assert "No sessions here" in admin.text("/admin/timetable?from=2028-01-01")
    for nonsense in ("from=soon&to=0001-01-01", "course=x&room=99999999999", "from=9999-12-31"):
        assert admin.get(f"/admin/timetable?{nonsense}").status_code == 200
    # What the address names stands in the form already.
    page = admin.get(f"/admin/timetable/new?course={other.id}&room={lab.id}&day=2027-03-22").text
    assert f'<option selected value="{other.id}">' in page
    assert f'<option selected value="{lab.id}">' in page
    assert 'value="2027-03-22"' in page
