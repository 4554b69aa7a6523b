from datetime import timedelta

from sqlalchemy.orm import Session

from attendance.database.watching.rooms import SILENT, RoomWatch, room_watch
from tests.factories import NINE, make_camera, make_room

NOW = NINE
MINUTE = timedelta(minutes=1)


def living(room: RoomWatch) -> int:
    return len(room.cameras) - len(room.dead)


def never_spoke(room: RoomWatch) -> bool:
    return any(camera.last_seen_at is None for camera in room.dead)


def test_a_room_is_watched_while_all_its_cameras_live_and_see(db: Session) -> None:
    hall, empty = make_room(db), make_room(db)
    front, back = make_camera(db, name="a", room=hall, token="a"), make_camera(db, name="b", room=hall, token="b")
    make_camera(db, token="stray")
    front.last_seen_at = back.last_seen_at = NOW - SILENT
    db.flush()
    rooms = room_watch(db, [hall.id, empty.id], NOW)
    assert (rooms[hall.id].watched, living(rooms[hall.id]), rooms[hall.id].dead, rooms[hall.id].blind) == (
        True,
        2,
        (),
        (),
    )
    assert (rooms[hall.id].dead_since, rooms[hall.id].blind_since, never_spoke(rooms[hall.id])) == (None, None, False)
    assert (rooms[empty.id].watched, rooms[empty.id].cameras, living(rooms[empty.id])) == (False, (), 0)


def test_tells_the_dead_and_since_when(db: Session) -> None:
    hall = make_room(db)
    front, back = make_camera(db, name="a", room=hall, token="a"), make_camera(db, name="b", room=hall, token="b")
    front.last_seen_at, back.last_seen_at = NOW - 20 * MINUTE, NOW
    front.blind_since = NOW - 60 * MINUTE  # of a dead one it says nothing
    db.flush()
    room = room_watch(db, [hall.id], NOW)[hall.id]
    assert (room.watched, living(room), room.dead_since, room.blind) == (False, 1, NOW - 20 * MINUTE, ())
    assert [camera.name for camera in room.dead] == ["a"]
    back.last_seen_at = NOW - 30 * MINUTE
    db.flush()
    assert room_watch(db, [hall.id], NOW)[hall.id].dead_since == NOW - 30 * MINUTE


def test_a_camera_that_never_spoke_and_one_without_a_token_are_dead(db: Session) -> None:
    hall = make_room(db)
    make_camera(db, room=hall, token="a")
    room = room_watch(db, [hall.id], NOW)[hall.id]
    assert (room.watched, never_spoke(room), room.dead_since) == (False, True, None)
    attic = make_room(db)
    make_camera(db, room=attic).last_seen_at = NOW
    db.flush()
    assert room_watch(db, [attic.id], NOW)[attic.id].dead_since == NOW


def test_a_blind_camera_watches_nothing(db: Session) -> None:
    hall = make_room(db)
    camera = make_camera(db, room=hall, token="a")
    camera.last_seen_at, camera.blind_since = NOW, NOW - 5 * MINUTE
    db.flush()
    room = room_watch(db, [hall.id], NOW)[hall.id]
    assert (room.watched, living(room), room.blind_since) == (False, 1, NOW - 5 * MINUTE)


def test_extra_cameras_do_not_matter(db: Session) -> None:
    hall = make_room(db)
    make_camera(db, room=hall, token="a").last_seen_at = NOW
    make_camera(db, room=hall, token="b").extra = True
    db.flush()
    room = room_watch(db, [hall.id], NOW)[hall.id]
    assert (room.watched, len(room.cameras)) == (True, 1)
