"""Single sessions and series, added, moved, changed, cancelled, restored and deleted, as timetabling systems do."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from attendance.database.models import AuditEntry, ClassSession, DroppedOccurrence, Role, SessionSeries, utc_now
from tests.factories import make_course, make_department, make_group, make_lecturer, make_room, make_session
from tests.webapp.api.programs import is_problem

ANY = {"If-Match": "*"}


def actions(db):
    db.rollback()
    return list(db.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.id)))


def tag(answer):
    return {"If-Match": answer.headers["ETag"]}


def place(answer):
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"].removeprefix("/api/v1")


@pytest.fixture
def soon():
    return (utc_now() + timedelta(days=3)).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def body(lesson, soon):
    return {
        "starts_at": soon.isoformat(),
        "ends_at": (soon + timedelta(minutes=90)).isoformat(),
        "room_ids": [lesson.session.room_id],
        "audiences": [{"course_id": lesson.course.id}],
    }


def test_a_session_is_added_moved_cancelled_restored_and_deleted(of_admin, lesson, body, soon, site_db):
    made = of_admin.send("POST", "/sessions", body)
    path = place(made)
    assert (made.json["early_minutes"], made.json["state"], made.json["notes"]) == (10, "scheduled", [])
    assert of_admin.get(path).headers["ETag"] == made.headers["ETag"]
    assert of_admin.send("POST", "/sessions", body).status_code == 200
    other = is_problem(of_admin.send("POST", "/sessions", body | {"grace_minutes": 5}), 409)
    assert other["pointers"][0]["pointer"] == "#/room_ids"
    assert "MAT101" in other["detail"]
    later = {"starts_at": (soon + timedelta(minutes=30)).isoformat()}
    moved = of_admin.send("PATCH", path, later | {"note": "Later"}, headers=tag(made))
    assert (moved.json["starts_at"], moved.json["note"]) == (later["starts_at"], "Later")
    is_problem(of_admin.send("PATCH", path, later, headers=tag(made)), 412)
    is_problem(of_admin.send("PATCH", path, later), 428)
    assert of_admin.send("PATCH", path, later, headers=tag(moved)).headers["ETag"] == moved.headers["ETag"]
    is_problem(of_admin.send("POST", f"{path}/cancel", {}, headers=tag(made)), 412)
    off = of_admin.send("POST", f"{path}/cancel", {"reason": "Strike"}, headers=tag(moved))
    assert off.json["state"] == "cancelled"
    assert of_admin.send("POST", f"{path}/cancel", {"reason": "Strike"}).status_code == 200
    back = of_admin.send("POST", f"{path}/restore", headers=tag(off))
    assert (back.json["state"], back.headers["ETag"]) == ("scheduled", moved.headers["ETag"])
    assert of_admin.send("POST", f"{path}/restore").status_code == 200
    assert of_admin.send("DELETE", path, headers=tag(back)).status_code == 204
    is_problem(of_admin.get(path), 404)
    assert actions(site_db) == [
        "session.added", "session.changed", "session.cancelled", "session.restored", "session.deleted",
    ]  # fmt: skip
    assert site_db.scalar(sa.select(sa.func.count()).select_from(DroppedOccurrence)) == 1


NO_SESSION = [
    ({"ends_at": "2026-11-01T00:00:00+00:00"}, "ends_at"),
    ({"starts_at": "2026-11-01T00:00:00"}, "starts_at"),
    ({"starts_at": "2026-11-01T00:00:30+00:00", "ends_at": "2026-11-01T01:00:00+00:00"}, "starts_at"),
    ({"starts_at": "2026-11-01T00:00:00+00:00", "ends_at": "2026-11-01T13:00:00+00:00"}, "ends_at"),
    ({"room_ids": []}, "room_ids"),
    ({"room_ids": [99999]}, "room_ids"),
    ({"audiences": []}, "audiences"),
    ({"audiences": [{"course_id": 99999}]}, "audiences"),
    ({"early_minutes": -1}, "early_minutes"),
    ({"state": "cancelled"}, "state"),
    ({"id": 1}, "id"),
    ({"closed_at": None}, "closed_at"),
]
"""What a session cannot be, and the field that is wrong."""


def test_what_no_session_is(of_admin, lesson, body, site_db):
    path = f"/sessions/{lesson.session.id}"
    for change, field in NO_SESSION:
        for answer in (
            of_admin.send("POST", "/sessions", body | change),
            of_admin.send("PATCH", path, change, headers=ANY),
        ):
            assert field in is_problem(answer, 422)["errors"]["json"], change
    assert actions(site_db) == []
    assert site_db.scalar(sa.select(sa.func.count()).select_from(ClassSession)) == 1


def test_a_group_of_another_course_is_none(of_admin, lesson, body, site_db):
    group = make_group(site_db, make_course(site_db, "PHY1"))
    site_db.commit()
    wrong = body | {"audiences": [{"course_id": lesson.course.id, "group_id": group.id}]}
    is_problem(of_admin.send("POST", "/sessions", wrong), 422)
    both = [{"course_id": one, "group_id": group.id} for one in (lesson.course.id, group.course_id)]
    is_problem(of_admin.send("POST", "/sessions", body | {"audiences": both}), 422)


def test_who_plans_moves_the_own_sessions_and_changes_nothing_else(program, made, lesson, site_db):
    path = f"/sessions/{lesson.session.id}"
    hall = make_room(site_db, "Hall B")
    stranger = make_lecturer(site_db)
    make_course(site_db, "PHY1", lecturers=(stranger,))
    site_db.commit()
    moved = program.send("PATCH", path, {"room_ids": [hall.id, hall.id]}, headers=tag(program.get(path)))
    assert [room["name"] for room in moved.json["rooms"]] == ["Hall B"]
    for field in ({"early_minutes": 0}, {"audiences": [{"course_id": lesson.course.id}]}):
        assert "timetable" in is_problem(program.send("PATCH", path, field, headers=ANY), 403)["detail"]
    is_problem(made(stranger).send("PATCH", path, {"note": "x"}, headers=ANY), 404)
    is_problem(program.send("DELETE", path, headers=ANY), 403)
    is_problem(made(lesson.lecturer, scopes=["read"]).send("PATCH", path, {"note": "x"}, headers=ANY), 403)


def test_a_register_keeps_its_course(of_admin, program, lesson, site_db):
    entry = f"/sessions/{lesson.session.id}/attendance/{lesson.students[0].id}"
    program.send("PUT", entry, {"status": "present", "reason": "x"}, headers=ANY)
    other = make_course(site_db, "PHY1")
    site_db.commit()
    change = {"audiences": [{"course_id": other.id}]}
    told = is_problem(of_admin.send("PATCH", f"/sessions/{lesson.session.id}", change, headers=ANY), 409)
    assert "the course stays" in told["detail"]
    both = {"audiences": [{"course_id": lesson.course.id}, {"course_id": other.id}]}
    assert of_admin.send("PATCH", f"/sessions/{lesson.session.id}", both, headers=ANY).status_code == 200


@pytest.fixture
def weekly(lesson, soon):
    day = soon.date()
    return {
        "uid": "T-1",
        "first_day": day.isoformat(),
        "until": (day + timedelta(weeks=3)).isoformat(),
        "start": "09:00",
        "end": "10:30",
        "room_ids": [lesson.session.room_id],
        "audiences": [{"course_id": lesson.course.id}],
    }


def test_a_series_is_added_changed_and_deleted(of_admin, lesson, weekly, site_db):
    made = of_admin.send("POST", "/series", weekly)
    path = place(made)
    assert (made.json["uid"], made.json["external"], made.json["to_come"]) == ("T-1", True, 4)
    assert of_admin.get(path).headers["ETag"] == made.headers["ETag"]
    assert "uid" in is_problem(of_admin.send("POST", "/series", weekly), 409)["errors"]["json"]
    assert of_admin.items("/series?uid=T-1")[0]["id"] == made.json["id"]
    changed = of_admin.send("PATCH", path, {"start": "11:00", "end": "12:00"}, headers=tag(made))
    assert changed.status_code == 200, changed.text
    listed = of_admin.items(f"/sessions?series_id={made.json['id']}")
    lengths = {datetime.fromisoformat(one["ends_at"]) - datetime.fromisoformat(one["starts_at"]) for one in listed}
    assert (len(listed), lengths) == (4, {timedelta(hours=1)})
    is_problem(of_admin.send("PATCH", path, {"start": "12:00"}, headers=tag(made)), 412)
    before = actions(site_db)
    again = of_admin.send("PATCH", path, {"start": "11:00", "end": "12:00"}, headers=tag(changed))
    assert (again.headers["ETag"], actions(site_db)) == (changed.headers["ETag"], before)
    assert of_admin.send("DELETE", path, headers=tag(again)).status_code == 204
    assert of_admin.items(f"/sessions?series_id={made.json['id']}") == []
    assert of_admin.read(path)["to_come"] == 0
    site_db.rollback()
    assert site_db.scalar(sa.select(sa.func.count()).select_from(DroppedOccurrence)) == 4


def test_all_of_a_series_or_nothing(of_admin, lesson, weekly, site_db, soon):
    taken = make_session(
        site_db, make_course(site_db, "PHY1"), lesson.session.room, starts_at=soon + timedelta(weeks=1)
    )
    taken.starts_at = taken.starts_at.replace(hour=0)
    taken.ends_at = taken.starts_at + timedelta(hours=23)
    site_db.commit()
    is_problem(of_admin.send("POST", "/series", weekly), 409)
    assert site_db.scalar(sa.select(sa.func.count()).select_from(SessionSeries)) == 0
    site_db.rollback()
    made = of_admin.send("POST", "/series", weekly | {"leave_out": True})
    assert made.json["to_come"] == 3
    assert "PHY1" in made.json["notes"][0]


NO_SERIES = [
    ({"until": "2020-01-01"}, "until"),
    ({"start": "24:00"}, "start"),
    ({"start": "9:00"}, "start"),
    ({"start": "09:00\n"}, "start"),
    ({"end": "09:00"}, "first_day"),
    ({"uid": ""}, "uid"),
    ({"uid": "a\0b"}, "uid"),
    ({"course_id": 1}, "course_id"),
    ({"room_ids": [99999]}, "room_ids"),
]
"""What a series cannot be, and the field that is wrong."""


def test_what_no_series_is(of_admin, weekly, site_db):
    for change, field in NO_SERIES:
        answer = of_admin.send("POST", "/series", weekly | change)
        assert answer.status_code in (409, 422), answer.text
        assert field in is_problem(answer, answer.status_code)["errors"]["json"], change
    assert actions(site_db) == []


def test_nobody_else_writes_the_timetable(program, made, weekly, body, site_db):
    head = make_lecturer(site_db, role=Role.DEPARTMENT, of=make_department(site_db))
    site_db.commit()
    for one in (program, made(head)):
        is_problem(one.send("POST", "/series", weekly), 403)
        is_problem(one.send("POST", "/sessions", body), 403)
