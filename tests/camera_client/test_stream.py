import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from protos.attendance.v1 import attendance_pb2 as pb
from tests.camera_client.cameras import SECRET, START, ListedFrames, camera, numbers
from tests.camera_client.scripted_service import Behaviour, ScriptedService


async def test_frames_arrive_whole_and_are_counted(start_service: Any) -> None:
    service = ScriptedService()
    it = camera(await start_service(service), ListedFrames(12))
    await it.stream()
    assert numbers(service.frames) == list(range(12))
    assert [frame.sequence for frame in service.frames] == list(range(1, 13))
    assert {frame.camera for frame in service.frames} == {"c1"}
    assert service.frames[5].capture_time.ToDatetime(tzinfo=UTC) == START + timedelta(seconds=5)
    assert service.authorizations == [f"Bearer {SECRET}"]
    assert service.half_closed == 1
    counts = it.run.counts
    assert (counts.sent, counts.resent, counts.lost, counts.reconnects) == (12, 0, 0, 0)
    assert counts.outcomes == {"recognized": 12}
    assert (counts.faces, counts.recognized, counts.confirmed) == (24, 12, {"s1"})


@pytest.mark.parametrize("window", [1, 3])
async def test_no_more_frames_than_the_window_are_in_flight(start_service: Any, window: int) -> None:
    service = ScriptedService([Behaviour(window=window, latency_s=0.02)])
    it = camera(await start_service(service), ListedFrames(15))
    await it.stream()
    assert numbers(service.frames) == list(range(15))
    assert service.most_in_flight <= window


async def test_a_window_that_changes_during_the_stream_is_kept(start_service: Any) -> None:
    def credit(frame: pb.StreamFramesRequest) -> int:
        return {5: 3, 20: 1, 30: 0}.get(int(frame.jpeg[2:]), 0)

    service = ScriptedService([Behaviour(window=1, latency_s=0.02, credits=credit)])
    it = camera(await start_service(service), ListedFrames(40))
    await it.stream()
    assert numbers(service.frames) == list(range(40))
    assert set(service.in_flight_seen[:6]) == {1}
    assert max(service.in_flight_seen[6:22]) == 3
    assert set(service.in_flight_seen[23:]) == {1}  # those that were on the way when it shrank may still be


async def test_a_live_camera_sends_the_newest_to_a_slow_service(start_service: Any) -> None:
    service = ScriptedService([Behaviour(window=1, latency_s=0.2)])
    it = camera(await start_service(service), ListedFrames(60, interval_s=0.02), keep_all=False)
    await it.stream()
    sent = numbers(service.frames)
    assert sent == sorted(set(sent))
    assert sent[-1] == 59
    assert len(sent) < 30
    assert it.run.waiting.dropped == 60 - len(sent)
    assert it.run.counts.answered == len(sent)


@pytest.mark.parametrize(
    "outcome", [pb.FRAME_OUTCOME_UNAVAILABLE, pb.FRAME_OUTCOME_OVERLOADED, pb.FRAME_OUTCOME_EXPIRED]
)
async def test_frames_that_could_not_be_dealt_with_are_sent_again(start_service: Any, outcome: int) -> None:
    seen: set[int] = set()

    def first_time_fails(frame: pb.StreamFramesRequest) -> int:
        number = int(frame.jpeg[2:])
        again = number in seen
        seen.add(number)
        return pb.FRAME_OUTCOME_RECOGNIZED if again or number % 3 else outcome

    service = ScriptedService([Behaviour(outcome=first_time_fails)])
    it = camera(await start_service(service), ListedFrames(9))
    await it.stream()
    counts = it.run.counts
    assert counts.outcomes["recognized"] == 9
    assert counts.resent == 3
    assert counts.answered == 12
    assert [frame.sequence for frame in service.frames] == list(range(1, 13))


async def test_sending_again_is_bounded(start_service: Any) -> None:
    never = Behaviour(
        outcome=lambda frame: (
            pb.FRAME_OUTCOME_UNAVAILABLE if frame.jpeg == b"\xff\xd81" else pb.FRAME_OUTCOME_RECOGNIZED
        )
    )
    service = ScriptedService([never])
    it = camera(await start_service(service), ListedFrames(3), resends=2)
    with capture_logs() as events:
        await it.stream()
    assert numbers(service.frames).count(1) == 3
    assert it.run.counts.given_up == 1
    assert it.run.counts.outcomes == {"unavailable": 3, "recognized": 2}
    assert {"event": "frame_given_up", "log_level": "error", "frame": "1", "attempts": 3} in events


async def test_bad_frames_are_told_once_and_not_sent_again(start_service: Any) -> None:
    service = ScriptedService([Behaviour(outcome=lambda _: pb.FRAME_OUTCOME_INVALID_IMAGE)])
    it = camera(await start_service(service), ListedFrames(5))
    with capture_logs() as events:
        await it.stream()
    assert it.run.counts.outcomes == {"invalid_image": 5}
    told = [event for event in events if event["event"] == "frames_answered"]
    assert [(event["outcome"], event["detail"]) for event in told] == [
        ("invalid_image", "because of FRAME_OUTCOME_INVALID_IMAGE")
    ]


async def test_a_service_that_never_answers_is_called_anew(start_service: Any) -> None:
    service = ScriptedService([Behaviour(answers=False), Behaviour()])
    it = camera(await start_service(service), ListedFrames(6), answer_s=0.3)
    with capture_logs() as events:
        await it.stream()
    assert it.run.counts.outcomes == {"recognized": 6}
    reasons = [event["reason"] for event in events if event["event"] == "service_unreachable"]
    assert reasons == ["a frame had no answer for 0 s"]


async def test_a_service_that_never_admits_is_called_anew(start_service: Any) -> None:
    service = ScriptedService([Behaviour(opens=False), Behaviour()])
    it = camera(await start_service(service), ListedFrames(3), open_s=0.3)
    await it.stream()
    assert it.run.counts.outcomes == {"recognized": 3}
    assert it.run.counts.reconnects == 0


async def test_a_frozen_line_is_replaced(start_service: Any, start_proxy: Any) -> None:
    service = ScriptedService()
    proxy, port = await start_proxy(await start_service(service))
    it = camera(port, ListedFrames(30, interval_s=0.02), answer_s=0.5, open_s=1.0)
    streaming = asyncio.create_task(it.stream())
    await service.got_frame.wait()
    proxy.frozen.set()
    while it.run.counts.failures == 0:
        await asyncio.sleep(0.02)
    proxy.frozen.clear()
    await streaming
    assert it.run.counts.answered >= 30
    assert it.run.counts.lost == 0


async def test_stopping_half_closes_and_takes_the_last_answers(start_service: Any) -> None:
    service = ScriptedService([Behaviour(latency_s=0.3)])
    it = camera(await start_service(service), ListedFrames(1000, interval_s=0.02), keep_all=False)
    streaming = asyncio.create_task(it.stream())
    await service.got_frame.wait()
    it.client.stop()
    await streaming
    assert service.half_closed == 1
    assert it.run.counts.answered == len(service.frames) >= 1
    assert it.run.counts.lost == 0


@pytest.mark.parametrize("behaviour", [Behaviour(opens=False), Behaviour(answers=False)])
async def test_stopping_does_not_wait_for_a_silent_service(start_service: Any, behaviour: Behaviour) -> None:
    service = ScriptedService([behaviour])
    it = camera(await start_service(service), ListedFrames(1000, interval_s=0.02), drain_s=0.3)
    streaming = asyncio.create_task(it.stream())
    while not service.frames_of_call or (behaviour.opens and not service.frames):
        await asyncio.sleep(0.01)
    it.client.stop()
    await asyncio.wait_for(streaming, 10)


async def test_a_clock_that_differs_is_warned_of(start_service: Any) -> None:
    service = ScriptedService([Behaviour(clock=lambda: datetime.now(UTC) + timedelta(hours=1))])
    it = camera(await start_service(service), ListedFrames(1))
    with capture_logs() as events:
        await it.stream()
    warned = next(event for event in events if event["event"] == "clock_differs")
    assert warned["clock_ahead_s"] == pytest.approx(-3600, abs=5)
    assert it.run.as_event()["clock_ahead_s"] == pytest.approx(-3600, abs=5)


async def test_a_clock_that_is_right_is_reported_too(start_service: Any) -> None:
    it = camera(await start_service(ScriptedService()), ListedFrames(1))
    with capture_logs() as events:
        await it.stream()
    assert abs(it.run.counts.clock_ahead_s or 0.0) < 5
    assert it.run.counts.clock_ahead_s is not None
    assert "clock_differs" not in [event["event"] for event in events]
