"""The health of a camera, from its frames to the database, through the running service."""

import sqlalchemy as sa

from attendance.database.models import CameraHealth
from attendance.database.watching.health import MinuteOfHealth
from attendance.settings.camera import RECORDING_METADATA
from tests.attendance.database.watching.healths import minutes_of
from tests.recognition_service.campus import CameraCall, Campus, calling, face_of, running, until


def kept(campus: Campus, camera: str) -> list[MinuteOfHealth]:
    with campus.sessions() as db:
        rows = db.scalars(sa.select(CameraHealth).where(CameraHealth.camera_id == campus.camera(camera).id)).all()
        return [minute for row in rows for minute in minutes_of(row.hour, row.minutes)]


async def test_what_a_camera_sent_is_its_history(campus: Campus) -> None:
    async with running(campus.settings) as service, calling(service) as stub:
        call = CameraCall(stub, campus.front, "front", campus.now)
        await call.opened()
        for _ in range(5):
            await call.ask(face_of("red"))
        idle = CameraCall(stub, campus.empty, "empty", campus.now)
        await idle.opened()
        await idle.ask(face_of("red"))  # no session counts there: it came all the same
    # At its end the service hands over what it has.
    await until(lambda: kept(campus, "front"))
    minutes = kept(campus, "front")
    assert sum(minute.frames for minute in minutes) == 5
    assert [sum(minute.heights[size] for minute in minutes) for size in range(8)] == [0, 0, 0, 0, 0, 5, 0, 0]
    (picture,) = [minute.picture for minute in minutes if minute.picture]
    assert 30 < picture.brightness < 130
    assert picture.sharpness > 1
    assert all(minute.clock_offset_ms is not None for minute in minutes)
    assert [(minute.frames, minute.picture) for minute in kept(campus, "empty") if minute.frames] == [(1, None)]


async def test_recordings_are_no_health_of_a_camera(campus: Campus) -> None:
    async with running(campus.settings) as service, calling(service) as stub:
        token = (RECORDING_METADATA, campus.recording)
        call = CameraCall(stub, campus.front, "front", campus.now, token)
        await call.opened()
        await call.ask(face_of("red"))
    assert kept(campus, "front") == []
