"""Moving pictures made here, and a scripted service to send them to."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import grpc
import pytest
import trustme

from tests.camera_client.moving_pictures import picture, write_video
from tests.camera_client.programs import SECRET, Program
from tests.camera_client.scripted_service import Proxy, ScriptedService, serve


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds at 10 frames/s, Motion JPEG in AVI."""
    return write_video(tmp_path_factory.mktemp("video") / "clip.avi", 30, codec="MJPG")


@pytest.fixture(scope="session")
def mp4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds at 10 frames/s, MPEG-4."""
    return write_video(tmp_path_factory.mktemp("video") / "clip.mp4", 30, codec="mp4v")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures, of three kinds."""
    path = tmp_path / "pictures"
    path.mkdir()
    for number in range(6):
        assert cv2.imwrite(str(path / f"{number:02}{('.jpg', '.png', '.bmp')[number % 3]}"), picture(number))
    return path


Serve = Callable[..., Awaitable[int]]


@pytest.fixture
async def start_service() -> AsyncIterator[Serve]:
    """Starts services, `await start_service(service, port=0, credentials=None)`, and stops them after the test."""
    servers: list[grpc.aio.Server] = []

    async def start(service: ScriptedService, port: int = 0, credentials: grpc.ServerCredentials | None = None) -> int:
        server, bound = await serve(service, port, credentials)
        servers.append(server)
        return bound

    yield start
    for server in servers:
        await server.stop(0)


@pytest.fixture
async def start_proxy() -> AsyncIterator[Callable[[int], Awaitable[tuple[Proxy, int]]]]:
    """Starts proxies in front of a port and stops them after the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(target: int) -> tuple[Proxy, int]:
            proxy = Proxy(target)
            stack.push_async_callback(proxy.stop)
            return proxy, await proxy.start()

        yield start


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Program]]]:
    """Starts the program: `await start(port, *arguments)`; none of them outlives the test."""
    programs: list[Program] = []
    clean = {key: value for key, value in os.environ.items() if not key.startswith("ATTENDANCE_")}

    async def run(port: int, *arguments: str, **environment: str) -> Program:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "operations.cli",
            *("camera", "run", "--server", f"127.0.0.1:{port}", "--name", "c1"),
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=tmp_path,
            env=clean
            | {"ATTENDANCE_CAMERA_TOKEN": SECRET, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
            | environment,
        )
        programs.append(Program(process))
        return programs[-1]

    yield run
    for program in programs:
        with contextlib.suppress(ProcessLookupError):
            program.process.kill()
        await program.process.wait()


@dataclass(frozen=True)
class Certificates:
    """A service's credentials for 127.0.0.1, the authority that signed them, and another authority."""

    server: grpc.ServerCredentials
    authority: Path
    other_authority: Path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    authority, other = trustme.CA(), trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    other.cert_pem.write_to_path(folder / "other.pem")
    pair = issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes()
    return Certificates(grpc.ssl_server_credentials([pair]), folder / "ca.pem", folder / "other.pem")
