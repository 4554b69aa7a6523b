import asyncio
from collections.abc import Iterator
from threading import Event
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from camera_client.backoff import Backoff
from camera_client.client import RefusedError
from camera_client.frames import CapturedFrame
from camera_client.stream import GaveUpError
from protos.attendance.v1 import attendance_pb2 as pb
from tests.camera_client.cameras import SECRET, ListedFrames, camera, numbers
from tests.camera_client.scripted_service import Behaviour, ScriptedService, serve


@pytest.mark.parametrize("ending", [{"abort_after": 3}, {"leave_after": 3}, {"close_after": 3}])
async def test_nothing_is_lost_when_calls_end_early(start_service: Any, ending: dict[str, int]) -> None:
    early = Behaviour(latency_s=0.05, **ending)  # type: ignore[arg-type]
    service = ScriptedService([early, early, Behaviour()])
    it = camera(await start_service(service), ListedFrames(12))
    await it.stream()
    assert sorted(set(numbers(service.frames))) == list(range(12))
    assert it.run.counts.outcomes["recognized"] == 12
    assert it.run.counts.reconnects == 2
    assert it.run.counts.lost == 0
    for call in service.frames_of_call:
        assert numbers(call) == sorted(numbers(call))
        assert [frame.sequence for frame in call] == sorted({frame.sequence for frame in call})


async def test_a_closing_service_is_left_for_the_named_time(start_service: Any) -> None:
    service = ScriptedService([Behaviour(close_after=2, window=1, latency_s=0.1, reconnect_after_s=0.7), Behaviour()])
    it = camera(await start_service(service), ListedFrames(5))
    with capture_logs() as events:
        await it.stream()
    told = next(event for event in events if event["event"] == "service_closes_stream")
    assert told["reason"] == "restarting"
    assert 0.7 <= told["retry_in_s"] <= 0.7 * 1.25 + 0.01
    assert service.half_closed == 2  # the closing call is half-closed too, so that the service can end it
    assert it.run.counts.failures == 0


async def test_a_live_camera_loses_what_was_on_the_way_and_goes_on(start_service: Any) -> None:
    service = ScriptedService([Behaviour(abort_after=2, answers=False), Behaviour()])
    it = camera(await start_service(service), ListedFrames(40, interval_s=0.02), keep_all=False)
    await it.stream()
    assert it.run.counts.lost == 2
    assert it.run.counts.reconnects == 1
    assert numbers(service.frames)[-1] == 39
    assert it.run.counts.resent == 0


@pytest.mark.parametrize("keep_all", [True, False])
async def test_a_line_cut_in_the_middle_is_mended(start_service: Any, start_proxy: Any, keep_all: bool) -> None:
    service = ScriptedService([Behaviour(latency_s=0.02)])
    proxy, port = await start_proxy(await start_service(service))
    it = camera(port, ListedFrames(60, interval_s=0.02), keep_all=keep_all)
    streaming = asyncio.create_task(it.stream())
    for frames in (5, 15):
        while len(service.frames) < frames:
            await asyncio.sleep(0.01)
        proxy.cut()
    await streaming
    assert it.run.counts.reconnects >= 1
    if keep_all:
        assert sorted(set(numbers(service.frames))) == list(range(60))
        assert it.run.counts.lost == 0
    else:
        assert numbers(service.frames)[-1] == 59


async def test_a_service_that_dies_and_starts_again(start_service: Any, unused_port: int) -> None:
    first, second = ScriptedService([Behaviour(latency_s=0.05)]), ScriptedService()
    server = await started(first, unused_port)
    it = camera(unused_port, ListedFrames(60, interval_s=0.01))
    streaming = asyncio.create_task(it.stream())
    while len(first.frames) < 8:
        await asyncio.sleep(0.01)
    await server.stop(0)
    await asyncio.sleep(0.5)
    assert not streaming.done()
    await start_service(second, unused_port)
    await streaming
    assert sorted(set(numbers(first.frames) + numbers(second.frames))) == list(range(60))
    assert it.run.counts.answered == 60
    assert it.run.counts.failures >= 1


async def started(service: ScriptedService, port: int) -> grpc.aio.Server:
    return (await serve(service, port))[0]


@pytest.fixture
async def unused_port() -> int:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()
    return port


async def test_an_absent_service_is_given_up_when_asked(unused_port: int) -> None:
    it = camera(unused_port, ListedFrames(3), give_up_s=0.5)
    with (
        capture_logs() as events,
        pytest.raises(GaveUpError, match=f"127.0.0.1:{unused_port} could not be reached for"),
    ):
        await it.stream()
    attempts = [event["attempt"] for event in events if event["event"] == "service_unreachable"]
    assert attempts == list(range(1, len(attempts) + 1))
    assert len(attempts) >= 2
    assert it.run.waiting.depth == 3


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, r"token is unknown or revoked.*attendance camera rotate c1"),
        (grpc.StatusCode.PERMISSION_DENIED, r"does not belong to the camera 'c1'.*ATTENDANCE_CAMERA_NAME"),
        (grpc.StatusCode.FAILED_PRECONDITION, r"no room.*attendance camera move c1"),
        (grpc.StatusCode.UNIMPLEMENTED, r"another version.*ATTENDANCE_CAMERA_SERVER"),
    ],
)
async def test_a_refusal_says_what_to_do(start_service: Any, code: grpc.StatusCode, words: str) -> None:
    service = ScriptedService([Behaviour(refuse=(code, f"not you, {SECRET}"))])
    it = camera(await start_service(service), ListedFrames(3), patient=False)
    with pytest.raises(RefusedError, match=words) as caught:
        await it.stream()
    assert "not you, ***" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert len(service.frames_of_call) == 1


async def test_a_patient_camera_comes_back_after_a_refusal(start_service: Any) -> None:
    refused = Behaviour(refuse=(grpc.StatusCode.FAILED_PRECONDITION, "in no room"))
    service = ScriptedService([refused, refused, Behaviour()])
    it = camera(await start_service(service), ListedFrames(3))
    with capture_logs() as events:
        await it.stream()
    assert numbers(service.frames) == [0, 1, 2]
    assert [event["event"] for event in events].count("camera_refused") == 2


async def test_a_service_that_cannot_deal_with_any_frame_is_given_up(start_service: Any) -> None:
    service = ScriptedService([Behaviour(outcome=lambda _: pb.FRAME_OUTCOME_UNAVAILABLE)])
    it = camera(await start_service(service), ListedFrames(3), resends=10_000, give_up_s=0.5)
    with pytest.raises(GaveUpError, match="has dealt with no frame for"):
        await it.stream()
    assert it.run.waiting.depth == 3


async def test_stopping_ends_the_wait_between_attempts(unused_port: int) -> None:
    it = camera(unused_port, ListedFrames(1))
    it.run.backoff = Backoff(3000.0, 3600.0)
    streaming = asyncio.create_task(it.stream())
    while it.run.counts.failures == 0:
        await asyncio.sleep(0.01)
    it.client.stop()
    await asyncio.wait_for(streaming, 10)


async def test_a_source_that_fails_ends_the_run_after_its_frames(start_service: Any) -> None:
    service = ScriptedService()
    it = camera(await start_service(service), ListedFrames(3, error="the webcam is gone"))
    await it.stream()
    assert it.run.counts.outcomes == {"recognized": 3}
    assert it.capture.error == "the webcam is gone"


async def test_a_source_without_frames_needs_no_service(unused_port: int) -> None:
    it = camera(unused_port, ListedFrames(0, error="not a video"))
    await it.stream()
    assert it.capture.error == "not a video"


async def test_a_bug_in_a_source_is_one_sentence(start_service: Any) -> None:
    class Broken(ListedFrames):
        def frames(self, stop: Event) -> Iterator[CapturedFrame]:
            raise ZeroDivisionError
            yield

    it = camera(await start_service(ScriptedService()), Broken(0))
    with capture_logs() as events:
        await it.stream()
    assert it.capture.error == "a list: capturing failed (ZeroDivisionError); the log says where"
    assert "capture_failed" in [event["event"] for event in events]


async def test_the_token_is_in_no_event(start_service: Any) -> None:
    refuse = Behaviour(refuse=(grpc.StatusCode.UNAUTHENTICATED, f"unknown token {SECRET}"))
    drop = Behaviour(refuse=(grpc.StatusCode.INTERNAL, f"bug with {SECRET}"))
    service = ScriptedService([refuse, drop, Behaviour(outcome=lambda _: pb.FRAME_OUTCOME_NO_SESSION)])
    it = camera(await start_service(service), ListedFrames(2))
    with capture_logs() as events:
        await it.stream()
    assert len(events) >= 4
    assert SECRET not in str(events) + repr(it.client.__dict__) + repr(it.run)


class TestEncrypted:
    async def test_tls_with_the_right_authority(self, start_service: Any, certificates: Any) -> None:
        service = ScriptedService()
        port = await start_service(service, 0, certificates.server)
        it = camera(port, ListedFrames(3), tls_ca=certificates.authority, patient=False)
        await it.stream()
        assert numbers(service.frames) == [0, 1, 2]

    async def test_another_authority_is_refused_with_advice(self, start_service: Any, certificates: Any) -> None:
        port = await start_service(ScriptedService(), 0, certificates.server)
        it = camera(port, ListedFrames(1), tls_ca=certificates.other_authority, patient=False)
        with pytest.raises(
            RefusedError, match="certificate is not signed by the authority in ATTENDANCE_CAMERA_TLS_CA"
        ):
            await it.stream()

    async def test_another_name_is_refused_with_advice(self, start_service: Any, certificates: Any) -> None:
        port = await start_service(ScriptedService(), 0, certificates.server)
        it = camera(port, ListedFrames(1), address=f"localhost:{port}", tls_ca=certificates.authority, patient=False)
        with pytest.raises(RefusedError, match="or is for another name"):
            await it.stream()
