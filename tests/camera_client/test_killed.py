"""The program killed with SIGKILL while it spools and while it sends what it spooled."""

import asyncio
import random
import signal
import zlib
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.camera_client.scripted_service import Behaviour, ScriptedService

RATE = 20


def camera_of(folder: Path) -> tuple[str, ...]:
    return ("--source", str(folder), "--loop", "--rate", str(RATE))


def pictures(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "attendance-data" / "camera-spool").glob("*/*.jpg"))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def killed(program: Any) -> None:
    program.process.send_signal(signal.SIGKILL)
    await program.process.communicate()


def microseconds(frame: Any) -> int:
    return int(frame.capture_time.ToMicroseconds())


async def test_killed_while_it_spools_and_while_it_sends_again(
    start: Any, start_service: Any, folder: Path, tmp_path: Path
) -> None:
    rng = random.Random(4)
    for _ in range(3):
        before = len(pictures(tmp_path))
        program = await start(9, *camera_of(folder))
        await until(lambda before=before: len(pictures(tmp_path)) >= before + 15)  # type: ignore[misc]
        await asyncio.sleep(rng.uniform(0, 0.1))
        there = set(pictures(tmp_path))
        await killed(program)
        assert there <= set(pictures(tmp_path))
    stored = pictures(tmp_path)
    times = [int(path.name.split("-")[0]) for path in stored]
    for path in stored:
        assert zlib.crc32(path.read_bytes()) == int(path.stem.split("-")[1], 16)
    service = ScriptedService([Behaviour(latency_s=0.02)])
    port = await start_service(service)
    for share in (0.7, 0.4):
        program = await start(port, *camera_of(folder), ATTENDANCE_CAMERA_SPOOL_RATE="50")
        await until(lambda share=share: len(pictures(tmp_path)) <= share * len(stored))  # type: ignore[misc]
        await asyncio.sleep(rng.uniform(0, 0.1))
        await killed(program)
    program = await start(port, *camera_of(folder), ATTENDANCE_CAMERA_SPOOL_RATE="50")
    await until(lambda: not pictures(tmp_path))
    program.process.terminate()
    assert await program.end() == 0, program.err
    sent = Counter(microseconds(frame) for frame in service.frames if frame.replayed)
    assert sorted(sent) == times
    assert sent.total() <= len(times) + 2  # at most the frame on the way at each killing is sent twice
    spools = tmp_path / "attendance-data" / "camera-spool"
    assert [path.name for path in spools.glob("*/*")] == ["lock"]
    assert program.event("camera_stopped")["spool_frames"] == 0


async def test_a_stop_while_the_service_is_away_leaves_the_frames_for_the_next_run(
    start: Any, start_service: Any, folder: Path, tmp_path: Path
) -> None:
    program = await start(9, *camera_of(folder))
    await until(lambda: len(pictures(tmp_path)) >= 10)
    program.process.terminate()
    assert await program.end() == 0, program.err
    assert program.event("camera_stopped")["spool_frames"] == len(pictures(tmp_path))
    service = ScriptedService()
    program = await start(await start_service(service), *camera_of(folder), ATTENDANCE_CAMERA_SPOOL_RATE="100")
    await until(lambda: not pictures(tmp_path))
    program.process.terminate()
    assert await program.end() == 0, program.err
    assert program.event("spool_opened")["spool_frames"] == program.event("camera_stopped")["replayed"]
    first = min(frame.capture_time.ToDatetime(tzinfo=UTC) for frame in service.frames)
    assert first < datetime.now(UTC)


async def test_a_spool_can_be_put_elsewhere_and_switched_off(start: Any, folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    program = await start(9, *camera_of(folder), ATTENDANCE_CAMERA_SPOOL_DIRECTORY=str(elsewhere))
    by_systemd = await start(9, *camera_of(folder), STATE_DIRECTORY=f"{tmp_path / 'state'}:/other")
    off = await start(9, *camera_of(folder), ATTENDANCE_CAMERA_SPOOL="false")
    await until(lambda: len(list(elsewhere.glob("c1-*/*.jpg"))) >= 3)
    await until(lambda: len(list(tmp_path.glob("state/camera-spool/c1-*/*.jpg"))) >= 3)
    for each in (program, by_systemd, off):
        each.process.terminate()
        assert await each.end() == 0, each.err
    assert not (tmp_path / "attendance-data").exists()
    assert "spool_frames" not in off.event("camera_stopped")


@pytest.mark.parametrize("options", [("--frames", "5"), ("--as-fast-as-possible",)])
async def test_a_recording_that_is_played_once_is_not_spooled(
    start: Any, folder: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    program = await start(9, "--source", str(folder), "--give-up-after", "0.5", *options)
    assert await program.end() == 1
    assert not (tmp_path / "attendance-data").exists()


async def test_a_second_program_for_the_camera_goes_on_without_a_spool(
    start: Any, folder: Path, tmp_path: Path
) -> None:
    first = await start(9, *camera_of(folder))
    await until(lambda: len(pictures(tmp_path)) >= 3)
    second = await start(9, *camera_of(folder))
    line = b""
    while b"no_spool" not in line:
        line = await asyncio.wait_for(second.process.stderr.readline(), 30)
    assert b"another program that runs for this camera" in line
    for each in (first, second):
        each.process.terminate()
        assert await each.end() == 0, each.err
