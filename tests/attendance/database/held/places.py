"""A session of three students, and closing it."""

from datetime import timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session, sessionmaker

from attendance.database.register import close_ended_sessions
from tests.factories import (
    NINE,
    enrol,
    make_camera,
    make_course,
    make_lecturer,
    make_room,
    make_session,
    make_student,
    recognisable,
    watch_whole,
)

LATER = NINE + timedelta(days=1)


class Place(NamedTuple):
    """The ids of a session, its room and camera, its student s1, and of who teaches it."""

    session: int
    room: int
    camera: int
    student: int
    account: int


def make_place(sessions: sessionmaker[Session], *, watched: bool = True) -> Place:
    """A session of s1, s2 and s3, whom the cameras know, in a room that is watched or not."""
    with sessions.begin() as db:
        room, lecturer = make_room(db), make_lecturer(db)
        course = make_course(db, lecturers=(lecturer,))
        students = [make_student(db, number) for number in ("s1", "s2", "s3")]
        enrol(db, course, *students)
        recognisable(db, *students)
        camera = make_camera(db, room=room)
        session = make_session(db, course, room)
        if watched:
            watch_whole(db, session)
        return Place(session.id, room.id, camera.id, students[0].id, lecturer.id)


def close(sessions: sessionmaker[Session]) -> None:
    """Close it, a day later."""
    assert close_ended_sessions(sessions, LATER) == 1
