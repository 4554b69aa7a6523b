"""What an operator changes while frames flow: the index is replaced, broken, replaced again; a camera is revoked."""

import asyncio
import shutil
import time
from collections.abc import Callable

import grpc
import pytest

from tests.faults.camera import SteadyCamera
from tests.faults.conftest import Begin, Tally, scraped
from tests.faults.faces import STUDENTS, Faces
from tests.faults.service import PATIENCE_S, ServiceProgram
from tests.faults.university import University

SOON_S = 2.0
NEWCOMER = max(STUDENTS)

pytestmark = pytest.mark.timeout(900)


async def until(condition: Callable[[], object]) -> float:
    """Wait until something is so; gives the seconds that it took."""
    began = time.monotonic()
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)
    return time.monotonic() - began


async def test_a_new_index_is_in_use_soon_and_no_frame_is_dropped(
    university: University, service: ServiceProgram, faces: Faces, begin: Begin
) -> None:
    line = begin("index replaced, and broken, while frames flow", long=10)
    for _ in line:
        await replace_index(university, service, faces, line)
    assert all("damaged" in event["reason"] for event in service.events("index_not_loaded"))


async def replace_index(university: University, service: ServiceProgram, faces: Faces, line: Tally) -> None:
    """Enrol a student while a camera sees them."""
    first = faces.publish(university.index, without=frozenset({NEWCOMER}))
    await until(lambda: first in _loaded(service))
    camera = SteadyCamera(service.address, university.add_lesson(), faces, pause_s=0.01)
    watching = asyncio.create_task(camera.run())
    await until(lambda: camera.confirmed >= STUDENTS - {NEWCOMER})

    broken = "999999-broken"
    shutil.copytree(university.index / "versions" / first, university.index / "versions" / broken)
    (university.index / "versions" / broken / "index.faiss").write_bytes(b"")
    current = university.index / "CURRENT"
    was = current.read_text()
    current.write_text(was.replace(first, broken))
    refusals = len(service.events("index_not_loaded"))
    await until(lambda: len(service.events("index_not_loaded")) > refusals)
    assert any(name.startswith("index_info ") and first in name for name in await scraped(service))
    assert NEWCOMER not in camera.named
    current.write_text(was)
    shutil.rmtree(university.index / "versions" / broken)

    version = faces.publish(university.index)
    assert await until(lambda: version in _loaded(service)) < SOON_S
    assert await until(lambda: NEWCOMER in camera.named) < SOON_S
    async with asyncio.timeout(PATIENCE_S):
        await watching
    assert (camera.connections, set(camera.outcomes)) == (1, {"recognized"})
    await line.register(university, camera)


def _loaded(service: ServiceProgram) -> list[str]:
    return [event["version"] for event in service.events("index_loaded")]


async def test_a_revoked_cameras_open_stream_ends_soon_and_it_stays_out(
    university: University, service: ServiceProgram, faces: Faces, begin: Begin
) -> None:
    line = begin("camera revoked while it sends", long=10)
    for _ in line:
        await revoke(university, service, faces, line)
    assert len(service.events("stream_revoked")) == line.rounds


async def revoke(university: University, service: ServiceProgram, faces: Faces, line: Tally) -> None:
    """Revoke one of two cameras that send."""
    beside, revoked = (SteadyCamera(service.address, university.add_lesson(), faces, pause_s=0.02) for _ in range(2))
    enough = asyncio.Event()
    tasks = [asyncio.create_task(camera.run(until=enough)) for camera in (beside, revoked)]
    await until(lambda: revoked.confirmed >= STUDENTS and beside.confirmed >= STUDENTS)
    university.revoke(revoked.lesson)
    assert await until(lambda: revoked.ending == grpc.StatusCode.UNAUTHENTICATED) < SOON_S
    answered = revoked.answered
    await asyncio.sleep(0.5)
    assert (revoked.answered, revoked.connections) == (answered, 1)
    enough.set()
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*tasks)
    assert beside.connections == 1
    for camera in (beside, revoked):  # what was seen before stays
        await line.register(university, camera)
