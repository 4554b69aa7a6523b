"""The outbox's disk full: nothing is acknowledged, the reason is told, and with space again it goes on."""

import asyncio
import resource
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.camera import SteadyCamera
from tests.faults.conftest import Begin, Serve, scraped
from tests.faults.faces import STUDENTS, Faces
from tests.faults.service import PATIENCE_S, ServiceProgram
from tests.faults.university import University

DISK_BYTES = 8_000_000
"""More than the outbox and its log take; SQLite lets the log grow to a thousand pages of 4 kB."""
_TOO_SMALL = 4096
"""Bytes to which a file may grow where there is no small disk: less than one entry of the outbox's log."""

pytestmark = pytest.mark.timeout(900)


async def test_a_full_disk_acknowledges_nobody_and_loses_nobody(
    university: University, serve: Serve, faces: Faces, tmp_path: Path, begin: Begin
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    service = serve(ATTENDANCE_SERVICE_OUTBOX=str(disk / "outbox.db"))
    own = has_own_disks()
    await service.start(on_small_disk(disk) if own else ())
    line = begin(f"outbox's disk full ({'small tmpfs' if own else 'limit on file sizes'})", short=2, long=20)
    for _ in line:
        camera = SteadyCamera(service.address, university.add_lesson(), faces, pause_s=0.005)
        free = fill(service, disk) if own else limit(service)
        watching = asyncio.create_task(camera.run())
        await refused(camera)
        await until_ready(service, False)
        assert (camera.confirmed, university.rows(camera.lesson).total()) == (set(), 0)
        free()
        await until_ready(service, True)
        async with asyncio.timeout(PATIENCE_S):
            await watching
        await line.register(university, camera)
    assert "the service cannot store what it sees; its log says why" in camera.details
    reasons = {event["reason"] for event in service.events("sightings_not_stored")}
    assert any("disk is full" in reason or not own for reason in reasons)
    assert service.surprises() == []


async def refused(camera: SteadyCamera) -> None:
    """Wait until a camera has been refused for a while; what shows nobody new is still answered."""
    async with asyncio.timeout(PATIENCE_S):
        while camera.outcomes["unavailable"] < 3 * len(STUDENTS):
            await asyncio.sleep(0.01)


async def until_ready(service: ServiceProgram, wanted: bool) -> None:
    """Wait until the service says that it is ready, or is not."""
    async with asyncio.timeout(PATIENCE_S):
        while (await scraped(service))["ready"] != wanted:
            await asyncio.sleep(0.1)


def has_own_disks() -> bool:
    """Whether a program may be given a file system of its own here."""
    probe = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", "/mnt"]
    with suppress(OSError):
        return subprocess.run(probe, check=False, capture_output=True).returncode == 0
    return False


def on_small_disk(folder: Path) -> list[str]:
    """What to put before a command so that it finds a small disk at a folder, which nobody else sees."""
    script = f'mount -t tmpfs -o size={DISK_BYTES} tmpfs "$0" && exec "$@"'
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", script, str(folder)]


def fill(service: ServiceProgram, folder: Path) -> Callable[[], None]:
    """Fill the disk to the last byte; what is given makes room again."""
    ballast = Path(f"/proc/{service.pid}/root") / folder.relative_to("/") / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65_536, 512):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
    return ballast.unlink


def limit(service: ServiceProgram) -> Callable[[], None]:
    """Let no file of the service grow; what is given lifts that."""
    usual = resource.prlimit(service.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (_TOO_SMALL, usual[1]))
    return lambda: resource.prlimit(service.pid, resource.RLIMIT_FSIZE, usual) and None
