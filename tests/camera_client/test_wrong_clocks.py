"""Cameras whose clock is wrong while the service is away: what they kept arrives with the right times or not at all."""

import asyncio
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from structlog.testing import capture_logs

from camera_client.frames import CapturedFrame
from camera_client.spool.folder import Spool, SpoolLimits
from tests.camera_client.cameras import Camera, camera
from tests.camera_client.clocks import RIGHT, OtherClock, camera_clock
from tests.camera_client.scripted_service import Behaviour, ScriptedService

DAY_S = 86_400


@dataclass
class Seen:
    """A camera that sees one picture every second of its machine's time; the JPEG says what time it really was."""

    machine: OtherClock
    count: int
    name: str = "a window"
    interval_s: float = 1.0

    def frames(self, stop: Event) -> Iterator[CapturedFrame]:
        for _ in range(self.count):
            taken = self.machine.read()
            yield CapturedFrame(taken.at, b"\xff\xd8" + self.machine.right.isoformat().encode(), moment=taken.moment)
            self.machine.passes(self.interval_s)
            if stop.wait(0.01):
                return


def opened(folder: Path, machine: OtherClock, *, age_s: float = DAY_S) -> Spool:
    return Spool(folder, SpoolLimits(10**8, 0, age_s), clock=camera_clock(machine))


def watch(spool: Spool, machine: OtherClock, count: int = 5) -> None:
    """See something while the service is away."""
    for frame in Seen(machine, count).frames(Event()):
        assert spool.keep(frame)


async def connect(spool: Spool, machine: OtherClock, start_service: Any, **more: Any) -> tuple[ScriptedService, Camera]:
    """Let the camera send what it kept and what it sees, until all is sent."""
    service = ScriptedService([Behaviour(window=64, clock=lambda: machine.right)])
    it = camera(await start_service(service), Seen(machine, 300, interval_s=0.01), keep_all=False, spool=spool, **more)
    streaming = asyncio.create_task(it.stream())
    async with asyncio.timeout(30):
        while (len(spool) and not spool.clock.disputed) or not [
            frame for frame in service.frames if not frame.replayed
        ]:
            await asyncio.sleep(0.01)
    it.client.stop()
    await streaming
    return service, it


def errors_s(service: ScriptedService, *, replayed: bool) -> set[int]:
    """How far the frames' times were from what they should have been; the service's time takes a moment to arrive."""
    return {
        round(
            (
                frame.capture_time.ToDatetime(tzinfo=UTC) - datetime.fromisoformat(frame.jpeg[2:].decode())
            ).total_seconds()
        )
        for frame in service.frames
        if frame.replayed is replayed
    }


@pytest.mark.parametrize("behind_s", [7200, 3 * DAY_S, -7200])
@pytest.mark.parametrize("by", ["time server", "service"])
async def test_what_a_clock_behind_saw_in_an_outage_gets_the_right_times(
    start_service: Any, tmp_path: Path, behind_s: float, by: str
) -> None:
    """The camera starts in an outage; a time server sets its clock when the network returns, or nobody ever does."""
    machine = OtherClock(wrong_s=-behind_s)
    spool = opened(tmp_path, machine)
    watch(spool, machine)
    if by == "time server":
        machine.wrong_s, machine.server = 0.0, True
        watch(spool, machine)
    service, it = await connect(spool, machine, start_service)
    assert errors_s(service, replayed=True) == {0}
    assert errors_s(service, replayed=False) == {0}
    assert spool.expired == spool.without_time == 0
    assert it.run.counts.replayed == spool.stored


async def test_kept_frames_are_in_order_whatever_the_clock_did(tmp_path: Path) -> None:
    machine = OtherClock(wrong_s=7200)
    spool = opened(tmp_path, machine)
    for wrong_s in (7200, -3600, 0):
        machine.wrong_s = wrong_s
        watch(spool, machine, 2)
    machine.server = True
    real = []
    while (found := spool.read_oldest()) is not None:
        real.append(datetime.fromisoformat(found[1].jpeg[2:].decode()))
        assert found[1].captured_at == real[-1]
        spool.discard(found[0])
    assert len(real) == 6
    assert real == sorted(real)


async def test_two_clocks_that_should_be_right_let_no_kept_frame_pass(start_service: Any, tmp_path: Path) -> None:
    """The service refuses live frames of other times; what was kept is not believed either, and waits."""
    machine = OtherClock(wrong_s=-7200, server=True)
    spool = opened(tmp_path, machine)
    watch(spool, machine)
    with capture_logs() as events:
        service, _ = await connect(spool, machine, start_service)
        await asyncio.sleep(0.2)
    assert errors_s(service, replayed=False) == {-7200}
    assert not errors_s(service, replayed=True)
    assert len(spool) >= 5
    told = {event["event"]: event for event in events}
    assert "a time server keeps this camera's clock" in told["clock_differs"]["advice"]
    assert "replay_waits" in told
    machine.wrong_s = 0.0
    service, _ = await connect(spool, machine, start_service)
    assert errors_s(service, replayed=True) == {0}
    assert not len(spool)


@pytest.mark.parametrize("by", ["time server", "service"])
async def test_a_restart_of_the_machine_keeps_what_was_known_of_the_time(
    start_service: Any, tmp_path: Path, by: str
) -> None:
    machine = OtherClock(wrong_s=-7200)
    spool = opened(tmp_path, machine)
    watch(spool, machine)
    if by == "service":
        spool.clock.compare(machine.right)
    else:
        machine.wrong_s, machine.server = 0.0, True
    watch(spool, machine)
    spool.close()
    machine.restart(off_s=1800, wrong_s=-9000)
    later = opened(tmp_path, machine)
    assert len(later) == 10
    watch(later, machine)
    service, _ = await connect(later, machine, start_service)
    assert errors_s(service, replayed=True) == {0}


def test_frames_of_a_time_that_nobody_knew_are_not_believed_after_a_restart(tmp_path: Path) -> None:
    machine = OtherClock(wrong_s=-7200)
    spool = opened(tmp_path, machine)
    watch(spool, machine)
    spool.close()
    machine.restart(off_s=60, wrong_s=0)
    with capture_logs() as events:
        later = opened(tmp_path, machine)
    assert len(later) == 0
    assert (later.without_time, later.as_event()["spool_without_time"]) == (5, 5)
    assert [(event["event"], event["deleted"]) for event in events] == [("spooled_frames_without_time", 5)]
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".jpg"] == []


def test_a_restart_of_the_program_alone_changes_nothing(tmp_path: Path) -> None:
    machine = OtherClock(wrong_s=-7200)
    spool = opened(tmp_path, machine)
    watch(spool, machine)
    spool.close()
    later = opened(tmp_path, machine)
    watch(later, machine)
    machine.wrong_s, machine.server = 0.0, True
    found = later.read_oldest()
    assert (len(later), found is not None and found[1].captured_at) == (10, RIGHT)


@pytest.mark.parametrize("wrong_s", [-3 * DAY_S, 3 * DAY_S])
def test_frames_ten_seconds_old_are_kept_over_any_restart(tmp_path: Path, wrong_s: float) -> None:
    machine = OtherClock(server=True)
    spool = opened(tmp_path, machine, age_s=3600)
    watch(spool, machine, 10)
    spool.close()
    machine.restart(off_s=10, wrong_s=wrong_s)
    later = opened(tmp_path, machine, age_s=3600)
    later.delete_old()
    assert len(later) == 10
    machine.passes(3601)
    later.delete_old()
    assert len(later) == 0


def test_frames_grow_old_over_restarts_of_a_machine_that_never_learns_the_time(tmp_path: Path) -> None:
    machine = OtherClock(server=True)
    spool = opened(tmp_path, machine, age_s=3600)
    watch(spool, machine)
    for _ in range(3):
        spool.close()
        machine.restart(off_s=30, wrong_s=-DAY_S)
        spool = opened(tmp_path, machine, age_s=3600)
        machine.passes(1000)
        spool.delete_old()
        assert len(spool) == 5
    machine.passes(700)
    spool.delete_old()
    assert len(spool) == 0


def test_time_that_the_machine_was_off_counts_when_the_clock_is_known(tmp_path: Path) -> None:
    machine = OtherClock(server=True)
    spool = opened(tmp_path, machine, age_s=3600)
    watch(spool, machine)
    spool.close()
    machine.restart(off_s=4000)
    later = opened(tmp_path, machine, age_s=3600)
    assert len(later) == 5  # nobody can say yet how long it was off
    machine.server = True
    later.delete_old()
    assert (len(later), later.expired) == (0, 5)


@pytest.mark.parametrize("server", [True, False])
def test_the_spool_of_an_earlier_version_is_read_on(tmp_path: Path, server: bool) -> None:
    machine = OtherClock(server=server)
    for number in range(3):
        jpeg = b"\xff\xd8%d" % number
        path = tmp_path / f"{1_772_438_400_000_000 + number}-{zlib.crc32(jpeg):08x}.jpg"
        path.write_bytes(jpeg)
        os.utime(path, times=(RIGHT.timestamp() - 3000, RIGHT.timestamp() - 3000))
    spool = opened(tmp_path, machine, age_s=3600)
    found = spool.read_oldest()
    assert (len(spool), found is not None and found[1].captured_at) == (3, RIGHT)
    watch(spool, machine, 2)
    spool.close()
    again = opened(tmp_path, machine, age_s=3600)
    assert len(again) == 5
    machine.passes(700)
    again.delete_old()
    assert len(again) == (2 if server else 5)  # without a right clock they count as new
    machine.passes(3000)
    again.delete_old()
    assert len(again) == 0


def test_what_was_known_survives_a_torn_record(tmp_path: Path) -> None:
    machine = OtherClock(server=True)
    spool = opened(tmp_path, machine)
    watch(spool, machine)
    spool.close()
    (tmp_path / "clock.json").write_text('[{"name": "a1", "off')
    later = opened(tmp_path, machine)  # the same start of the machine needs no record
    assert len(later) == 5
    later.close()
    machine.restart()
    (tmp_path / "clock.json").write_bytes(b"\xff{}")
    with capture_logs():
        assert len(opened(tmp_path, machine)) == 0


def test_the_record_goes_with_the_last_frame(tmp_path: Path) -> None:
    machine = OtherClock()
    spool = opened(tmp_path, machine)
    watch(spool, machine, 1)
    assert (tmp_path / "clock.json").exists()
    found = spool.read_oldest()
    assert found is not None
    spool.discard(found[0])
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


async def test_live_frames_of_a_wrong_clock_have_the_services_time(start_service: Any, tmp_path: Path) -> None:
    machine = OtherClock(wrong_s=-3 * DAY_S)
    with capture_logs() as events:
        service, it = await connect(opened(tmp_path, machine), machine, start_service)
    assert errors_s(service, replayed=False) == {0}
    assert it.run.counts.clock_ahead_s == pytest.approx(-3 * DAY_S, abs=5)
    (warned,) = [event for event in events if event["event"] == "clock_differs"]
    assert "the times of the service's clock" in warned["advice"]
