"""SIGTERM while cameras send: the service ends well, and the register has all who were acknowledged when it has."""

import asyncio
import random

import pytest

from tests.faults.camera import SteadyCamera
from tests.faults.conftest import Begin
from tests.faults.faces import Faces
from tests.faults.service import PATIENCE_S, ServiceProgram
from tests.faults.university import University

SEED = 20261127
CAMERAS = 2

pytestmark = pytest.mark.timeout(900)


async def test_a_terminated_service_has_stored_all_that_it_acknowledged(
    university: University, service: ServiceProgram, faces: Faces, begin: Begin
) -> None:
    chance = random.Random(SEED)
    line = begin("service terminated (SIGTERM) at random points", short=2, long=20)
    for _ in line:
        cameras = [SteadyCamera(service.address, university.add_lesson(), faces) for _ in range(CAMERAS)]
        watching = [asyncio.create_task(camera.run()) for camera in cameras]
        frames = chance.randrange(1, 24)
        async with asyncio.timeout(PATIENCE_S):
            while max(camera.answered for camera in cameras) < frames:
                await asyncio.sleep(0.001)
        assert await service.terminate() == 0
        for camera in cameras:
            assert {student for student, _ in university.rows(camera.lesson)} >= camera.confirmed
        await service.start()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*watching)
        for camera in cameras:
            await line.register(university, camera)
