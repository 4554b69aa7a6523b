"""kill -9 of the service at random points, with a camera that goes on: every acknowledged student exactly once."""

import asyncio
import random

import pytest

from tests.faults.camera import SteadyCamera
from tests.faults.conftest import Begin, Serve
from tests.faults.faces import Faces
from tests.faults.service import PATIENCE_S
from tests.faults.university import University

SEED = 20261123
MOST_FRAMES = 28
"""A camera has everybody acknowledged after about so many frames."""

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


async def answers(camera: SteadyCamera, watching: asyncio.Task[None], count: int) -> None:
    """Wait until a camera has so many answers, or all that it needs."""
    async with asyncio.timeout(PATIENCE_S):
        while camera.answered < count and not watching.done():
            await asyncio.sleep(0.001)
