"""kill -9 of the service at random points, with a camera that goes on: every acknowledged student exactly once."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import grpc
import pytest

from attendance.database.models import ClassSession
from attendance.database.watching.observation import minute_of, observed_minutes
from protos.attendance.v1 import attendance_pb2_grpc as pb_grpc
from tests.faults.camera import SteadyCamera
from tests.faults.conftest import Begin, Serve
from tests.faults.faces import Faces
from tests.faults.service import PATIENCE_S
from tests.faults.university import Lesson, University

SEED = 20261123
MOST_FRAMES = 28
"""A camera has everybody acknowledged after about so many frames."""

MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.timeout(1800)


async def test_a_service_killed_at_random_loses_and_doubles_nobody(
    university: University, faces: Faces, serve: Serve, begin: Begin
) -> None:
    chance = random.Random(SEED)
    line = begin("service killed (kill -9) at random points", short=5, long=50)
    service = serve()
    for _ in line:
        if not service.running:
            await service.start()
        camera = SteadyCamera(service.address, university.add_lesson(), faces)
        watching = asyncio.create_task(camera.run())
        await answers(camera, watching, chance.randrange(MOST_FRAMES))
        await asyncio.sleep(chance.uniform(0, 0.03))
        service.kill()
        if chance.random() < 0.2:  # and once more before it serves again
            service.begin()
            await asyncio.sleep(chance.uniform(0, 2))
            service.kill()
        await service.start()
        async with asyncio.timeout(PATIENCE_S):
            await watching
        await line.register(university, camera)
    assert service.surprises() == []


async def test_a_service_killed_while_it_watches_loses_the_minute_under_way_at_most(
    university: University, faces: Faces, serve: Serve
) -> None:
    service, lesson = serve(), university.add_lesson()
    await service.start()
    camera, first = SteadyCamera(service.address, lesson, faces), minute_of(lesson.begins) + MINUTE
    async with grpc.aio.insecure_channel(service.address) as channel:
        stub: Any = pb_grpc.RecognitionServiceStub(channel)
        call = stub.StreamFrames(metadata=(("authorization", f"Bearer {lesson.token}"),))
        assert (await call.read()).HasField("opened")
        for frame in range(14):  # three a minute, and two of the fifth
            at = first + frame // 3 * MINUTE + timedelta(seconds=15 * (frame % 3))
            await call.write(camera.frame(at=at))
            assert (await call.read()).HasField("result")
        service.kill()
        call.cancel()
    await service.start()
    async with asyncio.timeout(PATIENCE_S):
        while len(watched := _watched(university, lesson)) < 4:
            await asyncio.sleep(0.05)
    assert watched == [first + number * MINUTE for number in range(4)]


def _watched(university: University, lesson: Lesson) -> list[Any]:
    with university.sessions() as db:
        minutes = observed_minutes(db, db.get_one(ClassSession, lesson.session_id))
    return [minute.at for minute in minutes if minute.watched_live]


async def answers(camera: SteadyCamera, watching: asyncio.Task[None], count: int) -> None:
    """Wait until a camera has so many answers, or all that it needs."""
    async with asyncio.timeout(PATIENCE_S):
        while camera.answered < count and not watching.done():
            await asyncio.sleep(0.001)
