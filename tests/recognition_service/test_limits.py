"""What the service takes of one camera, of one address and of all, over real sockets."""

import asyncio
import struct
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import numpy as np
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from attendance.database.access.tokens import hash_token, new_token
from attendance.database.models import ApiToken, Camera, TokenRole
from attendance.settings.camera import RECORDING_METADATA
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.access.auth import SERVICE
from tests.recognition_service.campus import CameraCall, Campus, bearer, calling, face_of, running, until
from tests.recognition_service.engines import ColourEngine, encoded, picture

Start = Callable[..., Any]
OpenStream = Callable[..., Any]


async def test_more_cameras_than_the_limit_are_refused_and_one_may_come_back(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    stub = await start(max_streams=1)
    await open_stream(stub)
    code, details = await CameraCall(stub, campus.back, "back", campus.now).ending()
    assert (code, details) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "1 cameras are connected, and no more are let in")
    again = await open_stream(stub)  # takes the place of its own older stream
    assert (await again.ask(picture())).outcome == pb.FRAME_OUTCOME_RECOGNIZED


async def test_a_camera_that_sends_too_fast_is_told_and_goes_on(start: Start, open_stream: OpenStream) -> None:
    call = await open_stream(await start(max_camera_rate=2))
    results = [await call.ask(b"") for _ in range(12)]
    refused = [result for result in results if result.outcome == pb.FRAME_OUTCOME_OVERLOADED]
    assert refused
    assert refused[0].detail == "more than 2 frames a second: send fewer"
    await asyncio.sleep(0.6)
    assert (await call.ask(face_of("red"))).outcome == pb.FRAME_OUTCOME_RECOGNIZED


async def test_an_address_with_wrong_tokens_is_blocked_but_for_tokens_known_to_be_right(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    stub = await start(max_refusals=3)
    await open_stream(stub)
    codes = []
    for _ in range(6):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetStatus(pb.GetStatusRequest(), metadata=bearer(new_token("cam")))
        codes.append(caught.value.code())
    assert codes == [grpc.StatusCode.UNAUTHENTICATED] * 3 + [grpc.StatusCode.RESOURCE_EXHAUSTED] * 3
    assert "wait" in (caught.value.details() or "")
    code, _ = await CameraCall(stub, new_token("cam"), "front", campus.now).ending()
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    await stub.GetStatus(pb.GetStatusRequest(), metadata=bearer(campus.front))


async def test_right_tokens_pass_from_a_blocked_address_though_never_seen_before(campus: Campus, start: Start) -> None:
    stub = await start(max_refusals=30)
    statements: list[str] = []
    sa.event.listen(sa.Engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    flood = Counter([await _asked(stub, new_token("cam")) for _ in range(230)])
    assert flood[grpc.StatusCode.RESOURCE_EXHAUSTED] >= 190
    assert set(flood) == {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.RESOURCE_EXHAUSTED}
    asked = [statement for statement in statements if "token_hash" in statement and "api_token" in statement]
    assert len(asked) <= flood[grpc.StatusCode.UNAUTHENTICATED] + 4  # each of those let through, and all at once
    for token in (campus.back, campus.enrolment, campus.monitoring):
        assert await _asked(stub, token) == grpc.StatusCode.OK
    assert (await CameraCall(stub, campus.front, "front", campus.now).opened()).HasField("service_time")
    assert await _asked(stub, new_token("cam")) == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_tokens_made_and_revoked_during_a_flood_count_within_seconds(campus: Campus, start: Start) -> None:
    stub = await start(max_refusals=3)
    while await _asked(stub, new_token("cam")) != grpc.StatusCode.RESOURCE_EXHAUSTED:
        pass
    made = new_token("api")
    with campus.sessions.begin() as db:
        db.add(ApiToken(name="made late", role=TokenRole.MONITORING, token_hash=hash_token(made)))
        db.execute(sa.delete(ApiToken).where(ApiToken.name == TokenRole.ENROLMENT.value))
    async with asyncio.timeout(20):
        while await _asked(stub, made) != grpc.StatusCode.OK:
            await asyncio.sleep(0.5)
    assert await _asked(stub, campus.enrolment) != grpc.StatusCode.OK


async def test_wrong_tokens_beside_a_right_one_are_no_way_around_the_limit(campus: Campus, start: Start) -> None:
    stub = await start(max_refusals=3)

    async def beside(recording: str) -> grpc.StatusCode:
        return await _asked(stub, campus.front, (RECORDING_METADATA, recording))

    codes = [await beside(new_token("op")) for _ in range(6)]
    assert codes == [grpc.StatusCode.UNAUTHENTICATED] * 3 + [grpc.StatusCode.RESOURCE_EXHAUSTED] * 3
    assert await beside(campus.recording) == grpc.StatusCode.OK
    assert await _asked(stub, campus.front) == grpc.StatusCode.OK


async def _asked(stub: Any, token: str, *beside: tuple[str, str]) -> grpc.StatusCode:
    try:
        await stub.GetStatus(pb.GetStatusRequest(), metadata=(*bearer(token), *beside))
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def test_a_frame_that_promises_more_pixels_than_it_holds_costs_the_engine_nothing_live_or_kept(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    engine = ColourEngine()
    call = await open_stream(await start(engine=engine))
    small = bytearray(encoded(np.zeros((8, 8, 3), np.uint8)))
    at = small.index(b"\xff\xc0")
    small[at + 5 : at + 9] = struct.pack(">HH", 4000, 4000)
    warm = len(engine.batches)
    for number in range(1, 7):
        request = pb.StreamFramesRequest(camera="front", sequence=number, jpeg=bytes(small), replayed=number % 2 == 0)
        request.capture_time.FromDatetime(datetime.now(UTC))
        await call.call.write(request)
        result = await call.result()
        assert result.outcome == pb.FRAME_OUTCOME_INVALID_IMAGE
        assert "it declares 4000 x 4000 pixels, which take at least" in result.detail
    assert len(engine.batches) == warm
    call.sequence = 6
    assert (await call.ask(face_of("red"))).outcome == pb.FRAME_OUTCOME_RECOGNIZED


async def test_connections_beyond_the_limit_are_closed(campus: Campus) -> None:
    limited = campus.settings.service.model_copy(update={"max_connections": 2})
    async with running(campus.settings.model_copy(update={"service": limited})) as service:
        held = [await asyncio.open_connection("127.0.0.1", service.port) for _ in range(2)]
        for reader, _ in held:
            assert await asyncio.wait_for(reader.read(9), 30)  # gRPC greets
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        assert await asyncio.wait_for(reader.read(), 30) == b""
        for _, open_writer in (*held, (reader, writer)):
            open_writer.close()
        async with asyncio.timeout(60), calling(service) as stub:  # and there is room again
            await stub.GetStatus(pb.GetStatusRequest(), metadata=bearer(campus.front), wait_for_ready=True)


async def test_a_message_that_is_none_ends_its_call_only_and_is_told(campus: Campus) -> None:
    with capture_logs() as logs:
        async with running(campus.settings) as service, grpc.aio.insecure_channel(service.address) as channel:
            call: Any = channel.stream_stream(f"/{SERVICE}/StreamFrames")(metadata=bearer(campus.front))
            await call.read()
            await call.write(b"\xff\xff\xff")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert [entry["log_level"] for entry in logs if entry["event"] == "message_not_understood"] == ["warning"]
    assert not [entry for entry in logs if entry["log_level"] == "error"]


async def test_a_revoked_cameras_stream_ends_within_two_seconds(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    call = await open_stream(await start())
    with campus.sessions.begin() as db:
        db.execute(sa.update(Camera).where(Camera.name == "front").values(token_hash=None))
    revoked = time.monotonic()
    assert (await call.ending())[0] == grpc.StatusCode.UNAUTHENTICATED
    assert time.monotonic() - revoked < 2


async def test_frames_of_a_wrong_clock_are_refused_and_kept_ones_are_not(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    call = await open_stream(await start(max_clock_ahead_s=60, max_clock_behind_s=300))
    now = datetime.now(UTC)
    for wrong, sentence in (
        (timedelta(hours=1), "s in the future: set the camera's clock"),
        (-timedelta(hours=1), "s ago"),
    ):
        result = await call.ask(face_of("red"), at=now + wrong)
        assert result.outcome == pb.FRAME_OUTCOME_INVALID_CAPTURE_TIME
        assert sentence in result.detail
    for right in (timedelta(seconds=20), -timedelta(minutes=4)):
        assert (await call.ask(face_of("red"), at=now + right)).outcome == pb.FRAME_OUTCOME_RECOGNIZED
    kept = pb.StreamFramesRequest(camera="front", sequence=99, jpeg=encoded(face_of("red")), replayed=True)
    kept.capture_time.FromDatetime(now - timedelta(hours=1))
    await call.call.write(kept)
    assert (await call.result()).outcome == pb.FRAME_OUTCOME_NO_SESSION  # of that time, and there was none


async def test_kept_frames_of_a_camera_whose_clock_is_wrong_are_refused_like_its_live_ones(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    call = await open_stream(await start(max_clock_ahead_s=60, max_clock_behind_s=300))
    now = datetime.now(UTC)

    async def kept(sequence: int, *, recording: bool) -> pb.FrameResult:
        request = pb.StreamFramesRequest(camera="front", sequence=sequence, jpeg=encoded(face_of("red")), replayed=True)
        request.recording = recording
        request.capture_time.FromDatetime(now - timedelta(hours=2))
        await call.call.write(request)
        result: pb.FrameResult = await call.result()
        return result

    wrong = await call.ask(face_of("red"), at=now - timedelta(hours=2))
    assert wrong.outcome == pb.FRAME_OUTCOME_INVALID_CAPTURE_TIME
    refused = await kept(98, recording=False)
    assert refused.outcome == pb.FRAME_OUTCOME_INVALID_CAPTURE_TIME
    assert "kept by a camera whose clock is wrong" in refused.detail
    # The times of a recording are none of this clock's; and once the clock is right, kept frames are taken.
    assert (await kept(99, recording=True)).outcome == pb.FRAME_OUTCOME_NO_SESSION
    assert (await call.ask(face_of("red"), at=now)).outcome == pb.FRAME_OUTCOME_RECOGNIZED
    assert (await kept(100, recording=False)).outcome == pb.FRAME_OUTCOME_NO_SESSION


async def test_live_frames_go_before_those_kept_on_a_cameras_disk(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    engine = ColourEngine()
    stub = await start(engine=engine, max_batch=1, window=8)
    front, back = await open_stream(stub), await open_stream(stub, "back")
    engine.gate.clear()
    await front.send(picture())
    await until(lambda: len(engine.batches) == 2)  # the first was the warming up
    for number in range(2, 5):
        request = pb.StreamFramesRequest(camera="front", sequence=number, jpeg=encoded(picture()), replayed=True)
        request.capture_time.FromDatetime(campus.now)
        await front.call.write(request)
    while (await status_of(stub, campus)).frames_waiting < 3:
        await asyncio.sleep(0.02)
    await back.send(picture())
    while (await status_of(stub, campus)).frames_waiting < 4:
        await asyncio.sleep(0.02)
    order: list[str] = []

    async def results(call: Any, count: int) -> None:
        for _ in range(count):
            assert (await call.result()).outcome == pb.FRAME_OUTCOME_RECOGNIZED
            order.append(call.camera)

    engine.gate.set()
    await asyncio.gather(results(front, 4), results(back, 1))
    assert order.index("back") <= 2  # behind the frame that was at work


async def test_a_long_queue_shrinks_the_window_and_a_short_one_lets_it_grow(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    engine = ColourEngine()
    stub = await start(engine=engine, max_batch=1, window=4, max_queue=4)
    call, other = await open_stream(stub), await open_stream(stub, "back")
    windows: list[int] = []

    async def results(count: int) -> None:
        windows.extend([(await call.result()).window for _ in range(count)])

    engine.gate.clear()
    before = len(engine.batches)
    await call.send(picture())
    while len(engine.batches) == before:  # or its place is one of those that are counted below
        await asyncio.sleep(0.02)
    for _ in range(4):
        await other.send(picture())
    for _ in range(3):
        await call.send(picture())
    while (await status_of(stub, campus)).frames_waiting < 4:
        await asyncio.sleep(0.02)
    for _ in range(8):  # refused at once, with the queue full
        await call.send(b"")
    await results(8)
    engine.gate.set()
    await results(4)
    assert 2 in windows
    for _ in range(12):
        await call.send(picture())
        await results(1)
    assert windows[-1] == 0
    assert max(windows[-12:]) == 4


async def status_of(stub: Any, campus: Campus) -> pb.GetStatusResponse:
    status: pb.GetStatusResponse = await stub.GetStatus(pb.GetStatusRequest(), metadata=bearer(campus.monitoring))
    return status
