"""Rooms and cameras."""

import re
import tomllib
from datetime import timedelta
from html import unescape

import pytest
import sqlalchemy as sa

from attendance.database.access.tokens import camera_of
from attendance.database.models import Camera, Room, utc_now
from tests.factories import make_camera, make_course, make_room, make_session
from tests.webapp.visiting import plain
from webapp.admin.home import ago
from webapp.admin.writing import begin_change


def shown(answer, name):
    return unescape(re.findall(rf'<code id="{name}"[^>]*>([^<]+)</code>', answer.text)[0])


def fresh(db, model):
    db.rollback()
    db.expire_all()
    return db.scalars(sa.select(model).order_by(model.id)).all()


def test_adds_renames_and_finds_rooms(admin, site_db):
    assert "No rooms yet" in admin.text("/admin/rooms")
    assert admin.post("/admin/rooms/new", {"name": " Room  204 "}).status_code == 302
    room = fresh(site_db, Room)[0]
    assert room.name == "Room 204"
    for name, message in (
        ("Room 204", "Another room has this name."),
        ("", "Name is empty."),
        ("x" * 81, "at most 80"),
    ):
        answer = admin.post("/admin/rooms/new", {"name": name})
        assert (answer.status_code, message in answer.text) == (422, True)
    admin.post(f"/admin/rooms/{room.id}", {"name": "Aula"})
    assert [room.name for room in fresh(site_db, Room)] == ["Aula"]
    assert "Aula" in admin.text("/admin/rooms?q=ul")
    assert "No rooms found" in admin.text("/admin/rooms?q=204")
    make_room(site_db, "Lab")
    site_db.commit()
    assert admin.post(f"/admin/rooms/{room.id}", {"name": "Lab"}).status_code == 422


def test_a_room_with_sessions_is_not_deleted(admin, site_db):
    room = make_room(site_db, "Aula")
    session = make_session(site_db, make_course(site_db), room)
    camera = make_camera(site_db, room=room)
    site_db.commit()
    address = f"/admin/rooms/{room.id}/delete"
    assert "1 session of the timetable, past ones included" in admin.text(address)
    assert admin.post(address).status_code == 422
    site_db.delete(session)
    site_db.commit()
    assert "1 camera will stand in no room" in admin.text(address)
    assert admin.post(address).status_code == 302
    assert fresh(site_db, Room) == []
    assert [one.room_id for one in fresh(site_db, Camera)] == [None]
    assert camera.id


def test_a_session_put_there_while_deleting_is_kept(admin, site, site_db, monkeypatch):
    room = make_room(site_db, "Aula")
    course = make_course(site_db)
    site_db.commit()

    def begin_after_a_session():
        with site.sessions() as db:
            make_session(db, db.merge(course), db.merge(room))
            db.commit()
        return begin_change()

    monkeypatch.setattr("webapp.admin.rooms.begin_change", begin_after_a_session)
    answer = admin.post(f"/admin/rooms/{room.id}/delete")
    assert "is not deleted: a session takes place there" in admin.text(answer.headers["Location"])
    assert len(fresh(site_db, Room)) == 1


def test_a_camera_s_token_is_shown_once_and_never_logged(admin, site_db, capfd):
    room = make_room(site_db, "Aula")
    site_db.commit()
    form = {"name": 'front "left"', "room": str(room.id), "upsample": "2", "smallest_face": "20"}
    answer = admin.post("/admin/cameras/new", form)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    token = shown(answer, "token")
    assert token.startswith("cam_")
    assert tomllib.loads(shown(answer, "lines")) == {"camera": {"name": 'front "left"', "token": token}}
    camera = camera_of(site_db, token)
    assert (camera.name, camera.room_id, camera.upsample) == ('front "left"', room.id, 2)
    assert camera.smallest_face == 20
    for page in ("/admin", "/admin/cameras", f"/admin/cameras/{camera.id}", f"/admin/cameras/{camera.id}/token"):
        assert token not in admin.get(page).text
        assert camera.token_hash not in admin.get(page).text
    # Sending the same form again, as a reloaded page does, makes no second camera.
    assert admin.post("/admin/cameras/new", form).status_code == 422
    logged = "".join(capfd.readouterr())
    assert "camera_added" in logged
    assert token not in logged


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": ""}, "Name is empty."),
        ({"name": "old"}, "Another camera has this name."),
        ({"room": "999"}, "Choose a room of the list."),
        ({"room": "x"}, "Choose a room of the list."),
        ({"upsample": "9"}, "Choose one of the list."),
        ({"smallest_face": "7"}, "Smallest face wanted, pixels: from 8 to 10000."),
        ({"smallest_face": "many"}, "type a whole number of pixels."),
    ],
)
def test_a_wrong_camera_is_refused(admin, site_db, changed, message):
    make_camera(site_db, name="old")
    other = make_camera(site_db, name="other")
    site_db.commit()
    for address in ("/admin/cameras/new", f"/admin/cameras/{other.id}"):
        answer = admin.post(address, {"name": "new", "room": "", "upsample": "", **changed})
        assert (answer.status_code, message in plain(answer.text)) == (422, True)
    assert [camera.name for camera in fresh(site_db, Camera)] == ["old", "other"]


def test_moves_rotates_revokes_and_deletes(admin, site_db):
    room = make_room(site_db, "Aula")
    camera = make_camera(site_db, name="front", token="cam_old", upsample=1, smallest_face=24)
    site_db.commit()
    address = f"/admin/cameras/{camera.id}"
    assert re.search(r'<option selected value="1">2 times', admin.get(address).text)
    assert 'value="24"' in admin.get(address).text
    admin.post(address, {"name": "front", "room": str(room.id), "upsample": "", "smallest_face": ""})
    moved = fresh(site_db, Camera)[0]
    assert (moved.room_id, moved.upsample, moved.smallest_face) == (room.id, None, None)
    assert camera_of(site_db, "cam_old") is not None

    assert "The present token ends at once" in admin.text(f"{address}/token")
    token = shown(admin.post(f"{address}/token"), "token")
    site_db.rollback()
    assert camera_of(site_db, "cam_old") is None
    assert camera_of(site_db, token).id == camera.id

    assert admin.post(f"{address}/revoke").status_code == 302
    site_db.rollback()
    assert camera_of(site_db, token) is None
    assert "The token is revoked" in admin.text(address)
    assert "Revoked" in admin.text("/admin/cameras")

    assert admin.post(f"{address}/delete").status_code == 302
    assert fresh(site_db, Camera) == []


def test_marks_a_camera_as_extra(admin, site_db):
    camera = make_camera(site_db, name="front", token="cam_old")
    site_db.commit()
    address = f"/admin/cameras/{camera.id}"
    form = {"name": "front", "room": "", "upsample": ""}
    box = re.compile(r'<input[^>]*name="extra"[^>]*>')
    assert "checked" not in box.findall(admin.get(address).text)[0]
    admin.post(address, {**form, "extra": "y"})
    assert fresh(site_db, Camera)[0].extra is True
    assert "checked" in box.findall(admin.get(address).text)[0]
    assert "Extra" in admin.text("/admin/cameras")
    admin.post(address, form)
    assert fresh(site_db, Camera)[0].extra is False


def test_says_that_a_camera_sees_nothing(admin, site_db):
    camera = make_camera(site_db, name="front", token="cam_old", room=make_room(site_db, "Aula"))
    camera.last_seen_at, camera.blind_since = utc_now(), utc_now()
    site_db.commit()
    assert "front Aula Sees nothing" in admin.text("/admin/cameras")
    assert "nobody is marked absent there" in admin.text(f"/admin/cameras/{camera.id}/revoke")


def test_says_when_a_camera_was_last_seen(admin, site_db):
    for name, age in (("now", timedelta(seconds=3)), ("earlier", timedelta(hours=2)), ("never", None)):
        camera = make_camera(site_db, name=name, token=f"cam_{name}", room=make_room(site_db, f"R-{name}"))
        camera.last_seen_at = None if age is None else utc_now() - age
    site_db.commit()
    text = admin.text("/admin/cameras")
    assert re.search(r"earlier R-earlier Away 2 h ago .* never R-never Never connected never now R-now Connected", text)
    assert "earlier" not in admin.text("/admin/cameras?q=r-now")


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=-5), "0 s ago"),
        (timedelta(seconds=59), "59 s ago"),
        (timedelta(minutes=3, seconds=50), "3 min ago"),
        (timedelta(hours=23), "23 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=40), "40 days ago"),
    ],
)
def test_ages_in_words(age, words):
    assert ago(utc_now() - age) == words
