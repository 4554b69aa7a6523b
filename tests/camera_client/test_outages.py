"""Live cameras that lose the service or the network: what they saw meanwhile arrives later, and the disk is empty."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from camera_client.frames import CapturedFrame
from camera_client.spool.folder import Spool, SpoolLimits
from protos.attendance.v1 import attendance_pb2 as pb
from tests.camera_client.cameras import START, Camera, ListedFrames, camera, numbers
from tests.camera_client.clocks import OtherClock, camera_clock
from tests.camera_client.scripted_service import Behaviour, ScriptedService

ENDLESS = 1_000_000


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", SpoolLimits(10**8, 0, 3600))


@pytest.fixture
async def unused_port() -> int:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()
    return port


def live(port: int, spool: Spool | None, *, interval_s: float = 0.02, **more: Any) -> Camera:
    return camera(port, ListedFrames(ENDLESS, interval_s=interval_s), keep_all=False, spool=spool, **more)


@contextlib.asynccontextmanager
async def at_work(it: Camera) -> AsyncIterator[None]:
    """A camera that is stopped at the end."""
    streaming = asyncio.create_task(it.stream())
    try:
        yield
    finally:
        it.client.stop()
        await streaming


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def pictures(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jpg"))


def times_are_original(frames: list[pb.StreamFramesRequest]) -> bool:
    return all(
        frame.capture_time.ToDatetime(tzinfo=UTC) == START + timedelta(seconds=int(frame.jpeg[2:])) for frame in frames
    )


async def test_what_was_seen_before_the_service_came_arrives_behind_what_is_seen_now(
    start_service: Any, unused_port: int, spool: Spool, tmp_path: Path
) -> None:
    service = ScriptedService([Behaviour(window=64)])
    it = live(unused_port, spool)
    with capture_logs() as events:
        async with at_work(it):
            await until(lambda: len(spool) >= 20)
            assert len(pictures(tmp_path / "spool")) >= 19
            await start_service(service, unused_port)
            await until(lambda: it.run.counts.connections == 1 and not len(spool))
    old = [frame for frame in service.frames if frame.replayed]
    new = [frame for frame in service.frames if not frame.replayed]
    assert not any(frame.recording for frame in service.frames)
    assert numbers(old) == list(range(numbers(old)[0], len(old)))
    assert numbers(old)[0] <= 1  # the camera may see something before it knows that the service is away
    assert numbers(new) == sorted(numbers(new))
    assert numbers(old)[-1] < numbers(new)[0]
    assert times_are_original(service.frames)
    assert [frame.sequence for frame in service.frames] == sorted({frame.sequence for frame in service.frames})
    assert pictures(tmp_path / "spool") == []
    assert it.run.counts.replayed == len(old) == spool.stored
    told = [event["event"] for event in events]
    assert told.index("spooling_starts") < told.index("spooling_ends") < told.index("replay_ends")


async def test_a_cut_network_loses_nothing(start_service: Any, start_proxy: Any, spool: Spool, tmp_path: Path) -> None:
    service = ScriptedService([Behaviour(window=64, latency_s=0.05)])
    proxy, port = await start_proxy(await start_service(service))
    there = proxy.target_port
    it = live(port, spool)
    async with at_work(it):
        for frames in (10, 60, 110):
            await until(lambda frames=frames: len(service.frames) >= frames)  # type: ignore[misc]
            proxy.target_port = 9  # nobody there
            proxy.cut()
            await until(lambda: len(spool) >= 15)
            proxy.target_port = there
        await until(lambda: it.run.counts.connections == 4 and not len(spool))
    got = set(numbers(service.frames))
    assert len(set(range(max(got) + 1)) - got) <= it.run.waiting.dropped  # a slow machine may drop some
    assert it.run.counts.lost == 0
    assert times_are_original(service.frames)
    assert pictures(tmp_path / "spool") == []


async def test_a_network_that_falls_silent_is_noticed_before_the_connection_breaks(
    start_service: Any, start_proxy: Any, spool: Spool
) -> None:
    service = ScriptedService([Behaviour(window=4)])
    proxy, port = await start_proxy(await start_service(service))
    it = live(port, spool, quiet_s=0.3, answer_s=1000.0)
    async with at_work(it):
        await until(lambda: len(service.frames) >= 5)
        proxy.frozen.set()
        await until(lambda: len(spool) >= 10)
        assert it.run.counts.failures == 0
        proxy.frozen.clear()
        await until(lambda: not len(spool) and not it.run.waiting.diverted)
    assert it.run.counts.replayed >= 10
    assert it.run.counts.reconnects == 0


async def test_frames_that_the_service_cannot_store_come_again_later(start_service: Any, spool: Spool) -> None:
    away = asyncio.Event()
    away.set()
    refused: set[int] = set()

    def outcome(frame: pb.StreamFramesRequest) -> Any:
        if not away.is_set():
            return pb.FRAME_OUTCOME_RECOGNIZED
        refused.update(numbers([frame]))
        return pb.FRAME_OUTCOME_UNAVAILABLE

    service = ScriptedService([Behaviour(window=64, outcome=outcome)])
    it = live(await start_service(service), spool)
    async with at_work(it):
        await until(lambda: len(spool) >= 20)
        assert it.run.counts.replayed == 0
        away.clear()
        await until(lambda: not len(spool))
    assert it.run.counts.replayed >= 20
    assert it.run.counts.reconnects == 0
    assert len(refused) >= 20
    assert refused <= set(numbers([frame for frame in service.frames if frame.replayed]))
    # Only what a newer frame replaced before it was sent, on a slow machine, was never here.
    assert len(set(range(max(refused))) - set(numbers(service.frames))) <= it.run.waiting.dropped


@pytest.mark.parametrize("outcome", [pb.FRAME_OUTCOME_OVERLOADED, pb.FRAME_OUTCOME_EXPIRED])
async def test_frames_of_an_overloaded_service_are_not_spooled_and_old_ones_wait(
    start_service: Any, spool: Spool, outcome: int
) -> None:
    await leave_behind(spool, 5)
    service = ScriptedService([Behaviour(window=64, outcome=lambda _: outcome)])
    it = live(await start_service(service), spool)
    async with at_work(it):
        await until(lambda: len([frame for frame in service.frames if frame.replayed]) >= 2)
    assert len(spool) == 5
    assert it.run.counts.replayed == 0


async def leave_behind(spool: Spool, count: int, port: int = 9) -> None:
    """Let a camera without a service fill the spool."""
    it = live(port, spool)
    async with at_work(it):
        await until(lambda: len(spool) >= count)
    for stored in list(spool._frames[count:]):
        spool.discard(stored)


async def test_a_stop_while_the_service_is_away_ends_at_once_and_a_later_run_sends(
    start_service: Any, spool: Spool, tmp_path: Path
) -> None:
    await leave_behind(spool, 12)
    spool.close()
    service = ScriptedService()
    later = Spool(tmp_path / "spool", SpoolLimits(10**8, 0, 3600))
    it = live(await start_service(service), later, interval_s=0.1)
    async with at_work(it):
        await until(lambda: not len(later))
    old = [frame for frame in service.frames if frame.replayed]
    assert len(set(numbers(old))) == len(old) == 12
    assert pictures(tmp_path / "spool") == []


@pytest.mark.parametrize(("window", "latency_s"), [(2, 0.3), (3, 0.3), (64, 0.05)])
async def test_old_frames_go_one_at_a_time_and_leave_a_place_for_live_ones(
    start_service: Any, spool: Spool, window: int, latency_s: float
) -> None:
    class Watched(ScriptedService):
        old_in_flight = most_old_in_flight = 0

        async def _answer(self, frame: Any, behaviour: Any, answers: Any) -> None:
            self.old_in_flight += frame.replayed
            self.most_old_in_flight = max(self.most_old_in_flight, self.old_in_flight)
            await super()._answer(frame, behaviour, answers)
            self.old_in_flight -= frame.replayed

    await leave_behind(spool, 8)
    service = Watched([Behaviour(window=window, latency_s=latency_s)])
    it = live(await start_service(service), spool, interval_s=0.4)
    async with at_work(it):
        await until(lambda: not len(spool))
    assert service.most_old_in_flight == 1
    sent_with = zip(service.frames, service.in_flight_seen, strict=True)
    assert max(count for frame, count in sent_with if frame.replayed) < window


async def test_live_frames_that_fill_the_window_leave_no_time_for_old_ones(start_service: Any, spool: Spool) -> None:
    await leave_behind(spool, 5)
    service = ScriptedService([Behaviour(window=2, latency_s=0.5)])
    it = live(await start_service(service), spool, interval_s=0.02)
    async with at_work(it):
        await until(lambda: len(service.frames) >= 9)
    assert [frame.replayed for frame in service.frames].count(True) <= 2  # such as before the first live frame came


async def test_a_service_that_closes_the_stream_misses_nothing_until_the_next(start_service: Any, spool: Spool) -> None:
    service = ScriptedService([Behaviour(window=64, close_after=5, reconnect_after_s=0.5), Behaviour(window=64)])
    it = live(await start_service(service), spool)
    async with at_work(it):
        await until(lambda: it.run.counts.connections == 2 and not len(spool))
    got = set(numbers(service.frames))
    assert len(set(range(max(got) + 1)) - got) <= it.run.waiting.dropped
    assert it.run.counts.lost == 0


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.FAILED_PRECONDITION])
async def test_a_camera_that_is_refused_keeps_no_pictures(
    start_service: Any, spool: Spool, tmp_path: Path, code: grpc.StatusCode
) -> None:
    service = ScriptedService([Behaviour(refuse=(code, "not you"))])
    it = live(await start_service(service), spool)
    async with at_work(it):
        await until(lambda: len(service.frames_of_call) >= 2)
    assert pictures(tmp_path / "spool") == []


async def test_an_old_frame_that_breaks_every_connection_is_given_up(
    start_service: Any, spool: Spool, tmp_path: Path
) -> None:
    first = ENDLESS
    for number in range(4):
        spool.keep(CapturedFrame(START - timedelta(minutes=4 - number), b"\xff\xd8%d" % (first + number)))

    def breaks(frame: pb.StreamFramesRequest) -> int:
        if frame.replayed and int(frame.jpeg[2:]) == first:
            raise RuntimeError("a bug of the service")
        return pb.FRAME_OUTCOME_RECOGNIZED

    class Fragile(ScriptedService):
        async def _answer(self, frame: Any, behaviour: Any, answers: Any) -> None:
            try:
                await super()._answer(frame, behaviour, answers)
            except RuntimeError:
                await answers.put(None)  # the call ends without a word

    service = Fragile([Behaviour(outcome=breaks)])
    it = live(await start_service(service), spool, interval_s=0.1)
    with capture_logs() as events:
        async with at_work(it):
            await until(lambda: not len(spool))
    assert [event["event"] for event in events].count("frame_given_up") == 1
    assert it.run.counts.given_up == 1
    assert it.run.counts.replayed >= 3
    assert pictures(tmp_path / "spool") == []


async def test_a_full_disk_changes_nothing_for_the_live_camera(
    start_service: Any, unused_port: int, tmp_path: Path
) -> None:
    full = Spool(tmp_path / "spool", SpoolLimits(10**8, 10**18, 3600))
    service = ScriptedService([Behaviour(window=64)])
    it = live(unused_port, full)
    with capture_logs() as events:
        async with at_work(it):
            await until(lambda: it.run.waiting.captured >= 20)
            await start_service(service, unused_port)
            await until(lambda: len(service.frames) >= 10)
    assert [event["event"] for event in events].count("frames_not_spooled") == 1
    assert not any(frame.replayed for frame in service.frames)
    assert numbers(service.frames)[0] >= 18  # the newest of those that waited


async def test_old_pictures_are_deleted_while_nothing_else_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = OtherClock()
    spool = Spool(tmp_path / "spool", SpoolLimits(10**8, 0, 3600), clock=camera_clock(machine))
    await leave_behind(spool, 3)
    it = live(9, spool)
    machine.passes(3601)
    monkeypatch.setattr("camera_client.spool.replay._TIDY_INTERVAL_S", 0.01)
    assert it.run.replay is not None
    tidying = asyncio.create_task(it.run.replay.tidy())
    await until(lambda: not pictures(tmp_path / "spool"))
    tidying.cancel()
