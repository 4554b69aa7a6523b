"""What programs read: departments, courses, students, groups, rooms, series, sessions, observation, cameras."""

from datetime import timedelta

import pytest

from attendance.database.models import SeriesOrigin, SessionSeries, SessionState, utc_now
from attendance.database.watching.observation import MinuteCounts
from tests.factories import (
    enrol,
    make_camera,
    make_course,
    make_department,
    make_group,
    make_room,
    make_session,
    make_student,
    watch,
)
from tests.webapp.api.programs import is_problem


@pytest.fixture
def elsewhere(site_db):
    """A course of somebody else, with a student and a session."""
    course = make_course(site_db, "XYZ", department=make_department(site_db, "Elsewhere"))
    enrol(site_db, course, make_student(site_db, "x1", "Stranger"))
    make_session(site_db, course)
    site_db.add(SessionSeries(uid="theirs", origin=SeriesOrigin.FORM, course_id=course.id))
    site_db.commit()
    return course


def test_a_lecturer_reads_the_own_courses(program, lesson, elsewhere, site_db):
    lesson.course.department = make_department(site_db, "Mathematics")
    lesson.course.attendance_threshold = 80
    site_db.commit()
    course = {
        "id": lesson.course.id,
        "code": "MAT101",
        "name": "Algebra",
        "department_id": lesson.course.department_id,
        "threshold": 80,
        "attendance_threshold": 80,
    }
    assert program.items("/courses") == [course]
    assert program.read(f"/courses/{lesson.course.id}") == course
    assert [one["name"] for one in program.items("/departments")] == ["Mathematics"]
    is_problem(program.get(f"/courses/{elsewhere.id}"), 404)
    is_problem(program.get(f"/courses/{elsewhere.id}/students"), 404)
    assert program.items("/courses?code=MAT101") == [course]
    assert program.items("/courses?code=XYZ") == []
    assert program.items(f"/courses?department_id={elsewhere.department_id}") == []


def test_an_administrator_reads_all(of_admin, lesson, elsewhere):
    assert [course["code"] for course in of_admin.items("/courses")] == ["MAT101", "XYZ"]
    assert [one["name"] for one in of_admin.items("/departments")] == ["Elsewhere"]
    assert len(of_admin.items("/students")) == 4


def test_students(program, lesson, elsewhere):
    alan = {"id": lesson.students[0].id, "index_number": "s0", "name": "Alan"}
    assert program.items("/students?index_number=s0") == [alan]
    assert [one["name"] for one in program.items("/students")] == ["Alan", "Kurt", "Emmy"]
    assert [one["name"] for one in program.items("/students?q=emm")] == ["Emmy"]
    assert program.items("/students?q=Stranger") == []
    assert program.read(f"/students/{alan['id']}") == alan
    assert program.items(f"/courses/{lesson.course.id}/students")[0] == alan


def test_groups(program, lesson, elsewhere, site_db):
    group = make_group(site_db, lesson.course, "Monday", members=lesson.students[:2])
    other = make_group(site_db, elsewhere, "Theirs")
    site_db.commit()
    of_course = f"/courses/{lesson.course.id}/groups"
    assert program.items(of_course) == [{"id": group.id, "name": "Monday", "course_id": lesson.course.id}]
    assert [one["name"] for one in program.items(f"{of_course}/{group.id}/students")] == ["Alan", "Kurt"]
    is_problem(program.get(f"{of_course}/{other.id}/students"), 404)


def test_sessions(program, lesson, elsewhere, site_db):
    hall = lesson.session.room
    later = make_session(site_db, lesson.course, starts_at=lesson.session.starts_at + timedelta(days=7))
    later.state, later.cancelled_reason = SessionState.CANCELLED, "ill"
    site_db.commit()
    first, second = program.items("/sessions")
    assert (first["id"], second["id"]) == (lesson.session.id, later.id)
    assert first["rooms"] == [{"id": hall.id, "name": "Hall A"}]
    assert first["audiences"] == [{"course_id": lesson.course.id, "group_id": None}]
    assert first["starts_at"] == lesson.session.starts_at.isoformat()
    assert (first["state"], first["phase"]) == ("scheduled", "ended")
    assert (second["state"], second["phase"], second["cancelled_reason"]) == ("cancelled", "cancelled", "ill")
    assert program.read(f"/sessions/{later.id}") == second

    def asked(**given):
        return [one["id"] for one in program.items(f"/sessions?{'&'.join(f'{k}={v}' for k, v in given.items())}")]

    middle = (lesson.session.starts_at + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert asked(starts_from=middle) == [later.id]
    assert asked(starts_before=middle) == [lesson.session.id]
    assert asked(state="cancelled") == [later.id]
    assert asked(room_id=hall.id) == [lesson.session.id]
    assert asked(course_id=lesson.course.id) == [lesson.session.id, later.id]
    assert asked(course_id=elsewhere.id) == []


def test_rooms_and_series(program, of_admin, lesson, elsewhere, site_db):
    site_db.add(SessionSeries(uid="mine", external=True, origin=SeriesOrigin.FILE, course_id=lesson.course.id))
    site_db.commit()
    assert "Hall A" in [room["name"] for room in program.items("/rooms")]
    (mine,) = program.items("/series")
    assert (mine["uid"], mine["external"], mine["origin"]) == ("mine", True, "file")
    assert [one["uid"] for one in of_admin.items("/series")] == ["theirs", "mine"]
    assert [one["uid"] for one in of_admin.items(f"/series?course_id={lesson.course.id}")] == ["mine"]


def test_observation(program, lesson, site_db):
    session = lesson.session
    until = session.starts_at + timedelta(minutes=30)
    watch(site_db, session, until=until, counts=MinuteCounts(5, 3, 1, 1, 2))
    site_db.commit()
    seen = program.read(f"/sessions/{session.id}/observation")
    assert (seen["watched_minutes"], seen["known_minutes"], seen["unnamed_people"]) == (30, 90, 2.0)
    at = {minute["at"]: minute for minute in seen["minutes"]}
    first = at[session.starts_at.isoformat()]
    assert (first["watched"], first["live"], first["seen"], first["named"]) == (True, True, 5, 3)
    last = at[(until + timedelta(minutes=5)).isoformat()]
    assert (last["watched"], last["away"], last["seen"]) == (False, True, None)


def test_cameras(of_admin, program, site_db):
    room = make_room(site_db, "Hall B")
    silent, alive = make_camera(site_db, room=room), make_camera(site_db)
    alive.token_hash, alive.last_seen_at, alive.blind_since = "1" * 64, utc_now(), utc_now()
    site_db.commit()
    first, second = of_admin.items("/cameras")
    assert (first["alive"], first["last_seen_at"], first["room_id"]) == (False, None, room.id)
    assert (second["alive"], bool(second["blind_since"])) == (True, True)
    assert [one["id"] for one in of_admin.items(f"/cameras?room_id={room.id}")] == [silent.id]
    is_problem(program.get("/cameras"), 403)


def test_a_list_comes_in_parts(of_admin, site_db):
    made = [make_student(site_db, f"n{number:03}") for number in range(7)]
    site_db.commit()
    part = of_admin.read("/students?limit=3")
    assert [one["id"] for one in part["items"]] == [student.id for student in made[:3]]
    answer = of_admin.get("/students?limit=3")
    assert f"cursor={part['next']}" in answer.headers["Link"]
    assert 'rel="next"' in answer.headers["Link"]
    site_db.delete(made[1])  # what is deleted or added meanwhile moves nothing
    make_student(site_db, "n100")
    site_db.commit()
    following = of_admin.read(f"/students?limit=3&cursor={part['next']}")
    assert [one["id"] for one in following["items"]] == [student.id for student in made[3:6]]
    last = of_admin.read(f"/students?limit=3&cursor={following['next']}")
    assert [one["index_number"] for one in last["items"]] == ["n006", "n100"]
    assert last["next"] is None


def test_sessions_at_one_moment_are_given_once_each(program, lesson, site_db):
    made = [make_session(site_db, lesson.course, starts_at=lesson.session.starts_at) for _ in range(4)]
    site_db.commit()
    wanted = [lesson.session.id, *(session.id for session in made)]
    found, cursor = [], ""
    for _ in wanted:
        part = program.read(f"/sessions?limit=1&cursor={cursor}")
        found += [one["id"] for one in part["items"]]
        cursor = part["next"] or ""
    assert (found, cursor) == (wanted, "")


@pytest.mark.parametrize("cursor", ["x", "W10", "WzFd", "bnVsbA", "WyJhIiwgMV0", "%00", "a" * 300, "é", "WzEsIDFd"])
def test_what_is_no_cursor_is_refused(program, cursor):
    errors = is_problem(program.get(f"/sessions?cursor={cursor}"), 422)["errors"]
    assert "cursor" in errors["query"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/courses?limit=0", "limit"),
        ("/courses?limit=501", "limit"),
        ("/courses?limit=many", "limit"),
        ("/courses?kode=MAT101", "kode"),
        ("/token?limit=1", "limit"),
        ("/sessions?starts_from=yesterday", "starts_from"),
        ("/sessions?starts_from=2026-11-23T09:00:00", "starts_from"),
        ("/sessions?course_id=99999999999999999999", "course_id"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_named(program, path, field):
    assert field in is_problem(program.get(path), 422)["errors"]["query"]


def test_what_has_not_changed_is_not_sent_again(program, lesson, site_db):
    answer = program.get("/courses")
    tag = answer.headers["ETag"]
    assert answer.headers["Cache-Control"] == "private, no-cache"
    again = program.get("/courses", headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert "RateLimit" in again.headers
    lesson.course.name = "Linear algebra"
    site_db.commit()
    changed = program.get("/courses", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


def test_a_tag_counts_whether_the_answer_was_compressed_or_not(program, lesson, site_db):
    enrol(site_db, lesson.course, *(make_student(site_db) for _ in range(50)))
    site_db.commit()
    path = f"/courses/{lesson.course.id}/students"
    compressed = program.get(path, headers={"Accept-Encoding": "gzip"})
    assert compressed.headers["Content-Encoding"] == "gzip"
    asked = {"Accept-Encoding": "gzip", "If-None-Match": compressed.headers["ETag"]}
    assert program.get(path, headers=asked).status_code == 304
    assert program.get(f"{path}?limit=100", headers={"Accept-Encoding": "gzip"}).headers.get("Content-Encoding") is None
