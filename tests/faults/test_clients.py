"""Clients that misbehave on one service, while a camera beside them is served: mute, slow, and without a token."""

import asyncio
import resource
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import pytest

from protos.attendance.v1 import attendance_pb2_grpc as pb_grpc
from tests.faults.camera import SteadyCamera
from tests.faults.conftest import Begin, Serve, Tally, scraped
from tests.faults.faces import Faces
from tests.faults.http2 import GREETING, PREFACE, call, message, trickle
from tests.faults.service import PATIENCE_S, ServiceProgram
from tests.faults.university import University

STREAM = "/attendance.v1.RecognitionService/StreamFrames"
SPARE_FILES = 200
"""Open files that this process needs beside the connections of strangers."""

pytestmark = pytest.mark.timeout(900)


@asynccontextmanager
async def camera_beside(
    university: University, service: ServiceProgram, faces: Faces, line: Tally
) -> AsyncIterator[SteadyCamera]:
    """A camera that sends before, during and after the block, and has its register in the end."""
    camera = SteadyCamera(service.address, university.add_lesson(), faces, pause_s=0.05)
    enough = asyncio.Event()
    watching = asyncio.create_task(camera.run(until=enough))
    await served(camera, 1)
    yield camera
    await served(camera, 5)
    enough.set()
    async with asyncio.timeout(PATIENCE_S):
        await watching
    assert camera.connections == 1
    assert set(camera.outcomes) == {"recognized"}
    await line.register(university, camera)


async def served(camera: SteadyCamera, frames: int) -> None:
    """Wait until a camera has so many answers more."""
    count = camera.answered + frames
    async with asyncio.timeout(PATIENCE_S):
        while camera.answered < count:
            await asyncio.sleep(0.01)


async def test_a_client_that_never_reads_holds_up_nobody(
    university: University, service: ServiceProgram, faces: Faces, begin: Begin, soak: bool
) -> None:
    line = begin("client that never reads", long=3)
    for _ in line:
        mute = SteadyCamera(service.address, university.add_lesson(), faces)
        async with (
            camera_beside(university, service, faces, line) as camera,
            # Without probing, gRPC lets 64 kB of answers pile up at the client, then none.
            grpc.aio.insecure_channel(service.address, [("grpc.http2.bdp_probe", 0)]) as channel,
        ):
            flood = asyncio.create_task(_flood(channel, mute))
            await until_steady(service)
            await served(camera, 5)
            if soak:  # it is cut off half a minute after it should have read
                async with asyncio.timeout(60):
                    while mute.lesson.camera not in [event["camera"] for event in service.events("stream_ended")]:
                        await asyncio.sleep(0.1)
            flood.cancel()
            await asyncio.gather(flood, return_exceptions=True)


async def _flood(channel: grpc.aio.Channel, camera: SteadyCamera) -> None:
    stub: Any = pb_grpc.RecognitionServiceStub(channel)
    stream = stub.StreamFrames(metadata=(("authorization", f"Bearer {camera.lesson.token}"),))
    await stream.read()
    with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        while True:
            await stream.write(camera.frame(jpeg=b"no picture"))


async def until_steady(service: ServiceProgram) -> None:
    """Wait until the service takes no more frames than those of the camera beside."""
    async with asyncio.timeout(PATIENCE_S):
        before = 0.0
        while True:
            taken = (await scraped(service))["frames_received_total"]
            if taken > 300 and taken - before < 20:  # the mute one was heard, and is no more
                return
            before = taken
            await asyncio.sleep(0.5)


async def test_a_client_that_sends_a_byte_a_second_holds_up_nobody(
    university: University, service: ServiceProgram, faces: Faces, begin: Begin, soak: bool
) -> None:
    line = begin("clients that send a byte a second")
    lesson = university.add_lesson()
    slow = SteadyCamera(service.address, lesson, faces)
    begun = GREETING + call(STREAM, lesson.token)
    ways = {
        "greeting": (b"", PREFACE, 1.0),
        "headers": (GREETING, call(STREAM, lesson.token), 1.0),
        "frame": (begun, message(slow.frame().SerializeToString()[:16000]), 1.0),
        "nothing": (b"", b"", 0.0),
    }
    for _ in line:
        async with camera_beside(university, service, faces, line) as camera:
            connections = {name: await asyncio.open_connection("127.0.0.1", service.port) for name in ways}
            tasks = []
            for name, (at_once, slowly, every_s) in ways.items():
                _, writer = connections[name]
                writer.write(at_once)
                tasks.append(asyncio.create_task(_trickle(writer, slowly, every_s)))
            await served(camera, 20)
            # Who has not even greeted after ten seconds is cut off; a frame may take as long as it likes.
            for name in ("greeting", "nothing"):
                async with asyncio.timeout(30):
                    while await _more(connections[name][0]):
                        pass
            await served(camera, 200 if soak else 5)
            assert not connections["frame"][0].at_eof()
            for task in tasks:
                task.cancel()
            for _, writer in connections.values():
                writer.close()


async def _trickle(writer: asyncio.StreamWriter, data: bytes, every_s: float) -> None:
    with suppress(OSError):
        await trickle(writer, data, every_s=every_s)


async def _more(reader: asyncio.StreamReader) -> bool:
    try:
        return bool(await reader.read(4096))
    except OSError:
        return False


async def test_strangers_in_great_number_keep_no_camera_out(
    university: University, serve: Serve, faces: Faces, begin: Begin, soak: bool
) -> None:
    count = _allowed(10_000 if soak else 1_000)
    few = begin(f"{count:,} connections without a token, few files")
    for _ in few:
        service = serve()
        await service.start(["prlimit", "--nofile=512:1024"])
        await crowd(university, service, faces, few, count)
    all_held = begin(f"{count:,} connections without a token, all held", short=0)
    for _ in all_held:
        service = serve(ATTENDANCE_SERVICE_MAX_CONNECTIONS=str(count + 100))
        await service.start()
        await crowd(university, service, faces, all_held, count)


async def crowd(university: University, service: ServiceProgram, faces: Faces, line: Tally, count: int) -> None:
    """Connect so many strangers at once while a camera sends and a new index is published."""
    async with camera_beside(university, service, faces, line) as camera:
        opened = []
        for number in range(count):
            with suppress(OSError):  # the service takes as many as its setting says
                reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
                if number % 2:  # one half says nothing at all
                    writer.write(GREETING + call(STREAM))
                opened.append((reader, writer))
        assert len(opened) > count * 0.9
        await served(camera, 20)
        await all_refused(service, 30)
        version = faces.publish(university.index)  # there are files left to open
        async with asyncio.timeout(PATIENCE_S):
            while version not in [event["version"] for event in service.events("index_loaded")]:
                await asyncio.sleep(0.05)
        for _, writer in opened:
            writer.transport.abort()
    assert len(service.events("stream_opened")) == 1
    assert not [line for line in service.lines if "Too many open files" in line or "limit reached" in line]
    assert service.surprises() == []


async def all_refused(service: ServiceProgram, least: int) -> None:
    """Wait until so many calls were refused."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            metrics = await scraped(service)
            refused = Counter(
                {name: value for name, value in metrics.items() if name.startswith("refused_calls_total")}
            )
            if sum(refused.values()) >= least:
                return
            await asyncio.sleep(0.2)


def _allowed(wanted: int) -> int:
    """How many connections this machine allows a process; the limit is raised as far as it may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard - SPARE_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most + SPARE_FILES, hard) if hard >= 0 else most, hard))
    return most
