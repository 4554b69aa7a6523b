"""The health of cameras, on its way through the outbox."""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import Camera, CameraHealth
from attendance.database.watching.health import MinuteOfHealth, health_hours
from recognition_service.outbox.store import Outbox
from tests.attendance.database.watching.healths import minutes_of
from tests.factories import NINE, make_camera
from tests.recognition_service.outbox.committing import commit


def frames(sessions: sessionmaker[Session]) -> list[list[int]]:
    with sessions() as db:
        rows = db.scalars(sa.select(CameraHealth).order_by(CameraHealth.camera_id, CameraHealth.hour)).all()
        return [[one.frames for one in minutes_of(row.hour, row.minutes)] for row in rows]


def minute(number: int, count: int) -> MinuteOfHealth:
    return MinuteOfHealth(NINE + timedelta(minutes=number), count)


def test_hours_wait_merged_outlive_the_process_and_are_committed_however_often(
    outbox: Outbox, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as db:
        camera_id = make_camera(db).id
    outbox.put_health(health_hours(camera_id, [minute(0, 3)]))
    ((first, _),) = outbox.pending_health(9)
    outbox.put_health(health_hours(camera_id, [minute(0, 5), minute(1, 2), minute(60, 1)]))
    outbox.discard_health([first])  # committed meanwhile, and renewed
    outbox.close()
    again = Outbox(outbox.path)
    assert len(again.pending_health(9)) == 2
    commit(again, sessions)
    assert frames(sessions) == [[5, 2], [1]]
    again.put_health(health_hours(camera_id, [minute(0, 3), minute(2, 1)]))
    commit(again, sessions)
    assert frames(sessions) == [[5, 2, 1], [1]]
    assert again.pending_health(9) == []
    again.close()


def test_what_the_database_refuses_is_in_nobodys_way(outbox: Outbox, sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as db:
        camera_id = make_camera(db).id

    def refuse(db: Session, *_: object) -> None:
        if any(isinstance(row, CameraHealth) for row in db.new):
            raise sa.exc.DataError("", {}, Exception("out of range"))

    sa.event.listen(sessions, "before_flush", refuse)
    try:
        outbox.put_health(health_hours(camera_id, [minute(0, 3)]))
        commit(outbox, sessions)
    finally:
        sa.event.remove(sessions, "before_flush", refuse)
    assert outbox.pending_health(9) == []
    outbox.put_health(health_hours(camera_id, [minute(1, 3)]))
    commit(outbox, sessions)
    assert frames(sessions) == [[3]]


def test_a_camera_that_was_deleted_leaves_nothing(outbox: Outbox, sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as db:
        gone, here = make_camera(db).id, make_camera(db).id
        db.execute(sa.delete(Camera).where(Camera.id == gone))
    outbox.put_health([*health_hours(gone, [minute(0, 1)]), *health_hours(here, [minute(0, 2)])])
    commit(outbox, sessions)
    assert frames(sessions) == [[2]]
