"""A network that breaks between the camera's program and the service: every frame is dealt with in the end."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from operations.demo.programs import Programs
from tests.faults.camera import SteadyCamera
from tests.faults.conftest import Begin
from tests.faults.faces import OTHERS, STUDENTS, Faces
from tests.faults.network import Network
from tests.faults.service import PATIENCE_S, ServiceProgram
from tests.faults.university import Lesson, University

SEED = 20261125
TURNS = 9
"""How often everybody is seen: enough to be confirmed by one of three connections."""
FAULTS: dict[str, Callable[[Network], None]] = {
    "cut": Network.cut,
    "cut, and away for a second": lambda network: network.away(1.0),
    "stalled for three seconds": lambda network: network.stall(3.0),
    "half open: the service is not told": Network.forget_camera,
    "half open: the camera is not told": Network.forget_service,
}
SHORT = list(FAULTS)[1:4]

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="session")
def recording(faces: Faces, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of frames in which everybody is seen in turn."""
    folder = tmp_path_factory.mktemp("recording")
    people = sorted(STUDENTS | OTHERS) * TURNS
    for number, person in enumerate(people):
        (folder / f"{number:04d}.jpg").write_bytes(faces.frames[person])
    return folder


@pytest.fixture
async def network(service: ServiceProgram) -> AsyncIterator[Network]:
    """The way to the service."""
    async with Network(service.port) as network:
        yield network


async def test_a_network_that_breaks_loses_no_frame(
    university: University, service: ServiceProgram, network: Network, recording: Path, begin: Begin
) -> None:
    chance = random.Random(SEED)
    size = sum(path.stat().st_size for path in recording.iterdir())
    expected = Counter({(student, "present"): 1 for student in STUDENTS})
    for name, fault in FAULTS.items():
        line = begin(f"network {name}", short=name in SHORT, long=10)
        for number in line:
            lesson = university.add_lesson()
            network.after(chance.randrange(size // 20, size * 9 // 10), partial(fault, network))
            await film(university, lesson, network.address, recording)
            assert network.faults == number + 1
            line.count(expected, await settled(university, lesson))
        network.faults = 0


async def test_a_silent_cameras_stream_is_ended(
    university: University, service: ServiceProgram, network: Network, faces: Faces, begin: Begin
) -> None:
    line = begin("camera's cable pulled out", short=0)
    for _ in line:  # takes as long as gRPC waits for a ping's answer: in the long form only
        camera = SteadyCamera(network.address, university.add_lesson(), faces, pause_s=0.05)
        watching = asyncio.create_task(camera.run())
        async with asyncio.timeout(PATIENCE_S):
            while camera.answered < 4:
                await asyncio.sleep(0.01)
            network.stall(90.0)
            while not service.events("stream_ended"):
                await asyncio.sleep(0.1)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        again = SteadyCamera(service.address, camera.lesson, faces)
        await again.run()
        await line.register(university, again)


async def film(university: University, lesson: Lesson, address: str, recording: Path) -> None:
    """Run the camera's program until it has an answer to every frame."""
    environ = ServiceProgram.environment(
        ATTENDANCE_CAMERA_SERVER=address,
        ATTENDANCE_CAMERA_NAME=lesson.camera,
        ATTENDANCE_CAMERA_TOKEN=lesson.token,
        ATTENDANCE_CAMERA_ANSWER_TIMEOUT_S="1",
    )
    words = ["camera", "run", "--source", str(recording), "--rate", "3", "--as-fast-as-possible"]
    words += ["--start-time", lesson.begins.isoformat(), "--give-up-after", "60"]
    with Programs(university.folder / "logs") as programs:
        programs.start("camera", words, environ)
        async with asyncio.timeout(PATIENCE_S):
            while not programs.has_ended("camera"):
                await asyncio.sleep(0.05)
        programs.check()


async def settled(university: University, lesson: Lesson) -> Counter[tuple[str, str]]:
    """The register, when it is as long as it should be or a while has passed."""
    for _ in range(100):
        if university.rows(lesson).total() >= len(STUDENTS):
            break
        await asyncio.sleep(0.05)
    return university.rows(lesson)
