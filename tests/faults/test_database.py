"""MariaDB stopped, killed and frozen while cameras send: what was acknowledged is on the register when it is back."""

import asyncio
import random
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.camera import SteadyCamera
from tests.faults.conftest import Begin, Serve
from tests.faults.faces import Faces
from tests.faults.service import PATIENCE_S, ServiceProgram
from tests.faults.university import University

SEED = 20261124
CAMERAS = 2
WAYS = ("stopped", "killed", "frozen", "stopped, and the service killed meanwhile")

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
def university(mariadb_server: Any, tmp_path: Path, faces: Faces) -> Iterator[University]:
    """A university on MariaDB, which may be stopped."""
    # A commit that was answered survives a killed server; for other tests that does not matter.
    mariadb_server.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 2")
    name = f"faults_{secrets.token_hex(6)}"
    mariadb_server.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    university = University(tmp_path, mariadb_server.url(name), faces)
    yield university
    university.close()
    mariadb_server.execute(f"DROP DATABASE {name}")


@pytest.fixture
def database(mariadb_server: Any, university: University) -> Any:
    """The server of `university`."""
    return mariadb_server


@pytest.mark.long("MariaDB is stopped and started again and again")
async def test_a_database_that_comes_and_goes_loses_nobody(
    database: Any, university: University, faces: Faces, service: ServiceProgram, begin: Begin
) -> None:
    chance = random.Random(SEED)
    for way in WAYS:
        line = begin(f"database {way}", long=10)
        for _ in line:
            lessons = [university.add_lesson() for _ in range(CAMERAS)]
            cameras = [SteadyCamera(service.address, lesson, faces, pause_s=0.01) for lesson in lessons]
            watching = [asyncio.create_task(camera.run()) for camera in cameras]
            await all_answered(cameras, chance.randrange(1, 20))
            await outage(database, service, way, chance.uniform(0.2, 1.5))
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.gather(*watching)
            for camera in cameras:
                await line.register(university, camera)


@pytest.mark.long("two services, and a camera at each")
async def test_two_services_of_one_room_make_one_register(
    university: University, faces: Faces, serve: Serve, begin: Begin
) -> None:
    chance = random.Random(SEED)
    services = [serve(), serve(ATTENDANCE_SERVICE_OUTBOX=str(university.folder / "second.db"))]
    await asyncio.gather(*(service.start() for service in services))
    line = begin("one of two services of a room killed", short=2, long=20)
    for _ in line:
        lesson = university.add_lesson()
        lessons = [lesson, university.add_camera(lesson)]
        cameras = [SteadyCamera(service.address, own, faces) for service, own in zip(services, lessons, strict=True)]
        watching = [asyncio.create_task(camera.run()) for camera in cameras]
        await all_answered(cameras, chance.randrange(20))
        victim = chance.choice(services)
        victim.kill()
        await victim.start()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*watching)
        await line.register(university, cameras[0])
    assert [service.surprises() for service in services] == [[], []]


async def all_answered(cameras: list[SteadyCamera], count: int) -> None:
    """Wait until each camera has so many answers: the timetable of its room was read."""
    async with asyncio.timeout(PATIENCE_S):
        while min(camera.answered for camera in cameras) < count:
            await asyncio.sleep(0.001)


async def outage(database: Any, service: ServiceProgram, way: str, seconds: float) -> None:
    """Have the database away for a while."""
    if way == "frozen":
        database.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        database.process.send_signal(signal.SIGCONT)
        return
    await asyncio.to_thread(database.stop, signal.SIGKILL if way == "killed" else signal.SIGTERM)
    await asyncio.sleep(seconds)
    if "service" in way:
        service.kill()
    database.begin()
    await asyncio.to_thread(database.wait)
    database.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 2")
    if "service" in way:
        await service.start()
