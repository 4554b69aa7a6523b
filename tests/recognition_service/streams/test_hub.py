"""Streams over real sockets: what becomes of each frame, and of the call."""

import asyncio
import struct
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import sqlalchemy as sa

from attendance.database.engine import begin_writing
from attendance.database.models import Camera, Room
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.streams import camera_stream
from tests.recognition_service import engines
from tests.recognition_service.campus import STRANGER, CameraCall, Campus, add_session, bearer, face_of, until
from tests.recognition_service.engines import ColourEngine, encoded, picture

Start = Callable[..., Any]
OpenStream = Callable[..., Any]


def huge_jpeg() -> bytes:
    """A whole JPEG whose header declares 60,000 x 60,000 pixels."""
    data = bytearray(encoded(picture()))
    place = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, place + 5, 60_000, 60_000)
    return bytes(data)


async def status_of(stub: Any, campus: Campus) -> pb.GetStatusResponse:
    status: pb.GetStatusResponse = await stub.GetStatus(pb.GetStatusRequest(), metadata=bearer(campus.monitoring))
    return status


async def test_the_camera_is_told_its_room_its_window_and_the_time(campus: Campus, start: Start) -> None:
    stub = await start(window=3)
    call = CameraCall(stub, campus.front, "front", campus.now)
    opened = await call.opened()
    assert (opened.room, opened.window) == ("Hall", 3)
    assert abs(opened.service_time.ToDatetime(tzinfo=UTC) - datetime.now(UTC)) < timedelta(minutes=1)
    call.call.cancel()


async def test_a_student_of_the_roster_is_named_confirmed_and_entered(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    call = await open_stream(await start())
    results = [await call.ask(face_of("red")) for _ in range(4)]

    assert {result.outcome for result in results} == {pb.FRAME_OUTCOME_RECOGNIZED}
    assert {result.session_id for result in results} == {campus.session_id}
    assert all(result.detail == "" and result.latency.ToTimedelta() > timedelta(0) for result in results)
    faces = [face for result in results for face in result.faces]
    assert [(face.match, face.student) for face in faces] == [(pb.MATCH_STUDENT, "red")] * 4
    assert len({face.track for face in faces}) == 1
    assert [face.confirmed for face in faces] == [False, False, True, True]
    assert (faces[0].box.left, faces[0].box.bottom, faces[0].score) == (8, 72, 1.5)
    assert faces[0].distance == pytest.approx(0.3, abs=0.1)  # as he is now, and not as on his photo
    await until(lambda: campus.register() == {"red": "present"})


@pytest.mark.parametrize(("colour", "match"), [("blue", pb.MATCH_NOT_ON_ROSTER), (None, pb.MATCH_UNKNOWN)])
async def test_others_are_named_by_nobody(
    campus: Campus, start: Start, open_stream: OpenStream, colour: str | None, match: pb.Match
) -> None:
    call = await open_stream(await start())
    image = face_of(colour) if colour else picture(STRANGER)
    for _ in range(5):
        (face,) = (await call.ask(image)).faces
        assert (face.match, face.student, face.confirmed) == (match, "", False)
    assert campus.register() == {}


async def test_a_frame_without_faces_is_recognized_as_empty(start: Start, open_stream: OpenStream) -> None:
    call = await open_stream(await start())
    result = await call.ask(picture())
    assert (result.outcome, len(result.faces)) == (pb.FRAME_OUTCOME_RECOGNIZED, 0)


@pytest.mark.parametrize(
    ("jpeg", "outcome", "detail"),
    [
        (b"", pb.FRAME_OUTCOME_INVALID_IMAGE, ""),
        (b"no picture at all", pb.FRAME_OUTCOME_INVALID_IMAGE, ""),
        (encoded(picture())[:-200], pb.FRAME_OUTCOME_INVALID_IMAGE, "truncated"),
        (encoded(picture(), "PNG"), pb.FRAME_OUTCOME_INVALID_IMAGE, "PNG"),
        (huge_jpeg(), pb.FRAME_OUTCOME_TOO_LARGE, "60000 x 60000"),
        (encoded(picture()) + bytes(30_000), pb.FRAME_OUTCOME_TOO_LARGE, "bytes"),
        (encoded(picture(corner=engines.TOO_LARGE)), pb.FRAME_OUTCOME_TOO_LARGE, "too large"),
        (encoded(picture(corner=engines.RAISE)), pb.FRAME_OUTCOME_INTERNAL_ERROR, "log"),
    ],
    ids=["empty", "text", "truncated", "png", "60000x60000", "bytes", "for-the-engine", "engine-fails"],
)
async def test_a_bad_frame_is_answered_and_the_stream_goes_on(
    start: Start, open_stream: OpenStream, jpeg: bytes, outcome: pb.FrameOutcome, detail: str
) -> None:
    call = await open_stream(await start(max_message_bytes=30_000))
    result = await call.ask(jpeg)
    assert (result.outcome, len(result.faces)) == (outcome, 0)
    assert result.detail
    assert detail in result.detail
    assert "cursed" not in result.detail
    assert (await call.ask(face_of("red"))).outcome == pb.FRAME_OUTCOME_RECOGNIZED


async def test_a_message_far_beyond_the_limit_ends_its_call_only(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    stub = await start(max_message_bytes=30_000)
    call, other = await open_stream(stub), await open_stream(stub, "back")
    await call.send(bytes(200_000))
    assert (await call.ending())[0] == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await other.ask(face_of("red"))).outcome == pb.FRAME_OUTCOME_RECOGNIZED


async def test_one_bad_frame_does_not_fail_its_batch(start: Start, open_stream: OpenStream) -> None:
    engine = ColourEngine()
    stub = await start(engine=engine, max_batch=3, max_delay_ms=5_000)
    call = await open_stream(stub)
    for image in (face_of("red"), picture(corner=engines.RAISE), face_of("green")):
        await call.send(image)
    results = [await call.result() for _ in range(3)]
    assert [result.outcome for result in results] == [
        pb.FRAME_OUTCOME_RECOGNIZED,
        pb.FRAME_OUTCOME_INTERNAL_ERROR,
        pb.FRAME_OUTCOME_RECOGNIZED,
    ]
    assert [face.student for result in results for face in result.faces] == ["red", "green"]
    assert 3 in engine.batches


async def test_without_a_session_the_picture_is_not_looked_at(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    stub = await start()
    call = await open_stream(stub, "empty")
    result = await call.ask(b"not even a picture")
    assert (result.outcome, result.session_id) == (pb.FRAME_OUTCOME_NO_SESSION, 0)
    assert "Attic" in result.detail
    front = await open_stream(stub)
    for when in (campus.now - timedelta(hours=3), campus.now + timedelta(hours=2)):
        assert (await front.ask(b"", at=when)).outcome == pb.FRAME_OUTCOME_NO_SESSION


async def test_the_capture_time_decides_the_session(campus: Campus, start: Start, open_stream: OpenStream) -> None:
    later = campus.now + timedelta(days=1)
    tomorrow = add_session(campus, "front", later)
    call = await open_stream(await start(max_clock_ahead_s=200_000))
    assert (await call.ask(picture(), at=later + timedelta(minutes=1))).session_id == tomorrow
    assert (await call.ask(picture(), at=later - timedelta(minutes=1))).session_id == tomorrow
    assert (await call.ask(picture())).session_id == campus.session_id


async def test_a_session_added_while_the_service_runs_counts(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    call = await open_stream(await start(), "empty")
    assert (await call.ask(picture())).outcome == pb.FRAME_OUTCOME_NO_SESSION
    add_session(campus, "empty", campus.now - timedelta(minutes=1))
    async with asyncio.timeout(60):
        while (await call.ask(picture(), at=campus.now)).outcome != pb.FRAME_OUTCOME_RECOGNIZED:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("seconds", [None, -62_135_596_800, 253_402_300_799, 10**15, 0], ids=str)
async def test_a_capture_time_that_is_none_is_refused(
    start: Start, open_stream: OpenStream, seconds: int | None
) -> None:
    call = await open_stream(await start())
    request = pb.StreamFramesRequest(camera="front", sequence=7, jpeg=encoded(face_of("red")))
    if seconds is not None:
        request.capture_time.seconds = seconds
    await call.call.write(request)
    result = await call.result()
    assert (result.sequence, result.outcome) == (7, pb.FRAME_OUTCOME_INVALID_CAPTURE_TIME)
    assert "capture time" in result.detail
    assert (await call.ask(face_of("red"))).outcome == pb.FRAME_OUTCOME_RECOGNIZED


async def test_frames_beyond_the_window_are_refused_at_once(start: Start, open_stream: OpenStream) -> None:
    engine = ColourEngine()
    stub = await start(engine=engine, window=2, max_batch=1)
    call = await open_stream(stub)
    engine.gate.clear()
    for _ in range(4):
        await call.send(face_of("red"))
    refused = [await call.result() for _ in range(2)]
    assert [(result.sequence, result.outcome) for result in refused] == [
        (3, pb.FRAME_OUTCOME_OVERLOADED),
        (4, pb.FRAME_OUTCOME_OVERLOADED),
    ]
    engine.gate.set()
    assert [(await call.result()).sequence for _ in range(2)] == [1, 2]
    for _ in range(8):  # a camera that keeps to its window is never refused
        assert (await call.ask(picture())).outcome == pb.FRAME_OUTCOME_RECOGNIZED


async def test_a_full_queue_refuses_frames(campus: Campus, start: Start, open_stream: OpenStream) -> None:
    engine = ColourEngine()
    stub = await start(engine=engine, max_batch=1, max_queue=1)
    call = await open_stream(stub)
    engine.gate.clear()
    await call.send(picture())
    await until(lambda: len(engine.batches) == 2)  # the first was the warming up
    await call.send(picture())
    while (await status_of(stub, campus)).frames_waiting < 1:
        await asyncio.sleep(0.02)
    await call.send(picture())
    await asyncio.sleep(1)
    engine.gate.set()
    outcomes = [(await call.result()).outcome for _ in range(3)]
    assert outcomes == [pb.FRAME_OUTCOME_RECOGNIZED, pb.FRAME_OUTCOME_RECOGNIZED, pb.FRAME_OUTCOME_OVERLOADED]


async def test_a_frame_that_waits_too_long_is_dropped_unseen(start: Start, open_stream: OpenStream) -> None:
    engine = ColourEngine()
    stub = await start(engine=engine, max_batch=1, frame_deadline_ms=1_000)
    call = await open_stream(stub)
    engine.gate.clear()
    await call.send(face_of("red"))
    await until(lambda: len(engine.batches) == 2)
    await call.send(face_of("red"))
    await asyncio.sleep(1.5)
    engine.gate.set()
    assert [(await call.result()).outcome for _ in range(2)] == [
        pb.FRAME_OUTCOME_RECOGNIZED,
        pb.FRAME_OUTCOME_EXPIRED,
    ]
    assert len(engine.batches) == 2


async def test_results_keep_the_order_of_arrival_across_batches(start: Start, open_stream: OpenStream) -> None:
    stub = await start(max_batch=2, max_delay_ms=300)
    call = await open_stream(stub)
    await call.send(picture(size=(96, 160)))  # alone in its bucket: goes after the delay
    for _ in range(2):
        await call.send(picture())  # a full batch: goes at once
    assert [(await call.result()).sequence for _ in range(3)] == [1, 2, 3]


async def test_an_outbox_that_cannot_store_refuses_to_acknowledge(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    call = await open_stream(await start())
    assert (await call.ask(face_of("red"))).outcome == pb.FRAME_OUTCOME_RECOGNIZED
    outbox = campus.settings.outbox_path
    outbox.rename(outbox.with_suffix(".away"))
    results = [await call.ask(face_of("red")) for _ in range(3)]
    assert results[-1].outcome == pb.FRAME_OUTCOME_UNAVAILABLE
    assert results[-1].session_id == campus.session_id
    assert "store" in results[-1].detail
    assert str(outbox) not in results[-1].detail
    outbox.with_suffix(".away").rename(outbox)
    assert (await call.ask(face_of("red"))).outcome == pb.FRAME_OUTCOME_RECOGNIZED
    await until(lambda: campus.register() == {"red": "present"})


async def test_a_timetable_that_cannot_be_read_is_said(campus: Campus, start: Start, open_stream: OpenStream) -> None:
    call = await open_stream(await start())
    with campus.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE class_session RENAME TO gone")
        connection.commit()
    result = await call.ask(face_of("red"))
    assert (result.outcome, len(result.faces)) == (pb.FRAME_OUTCOME_UNAVAILABLE, 0)
    assert "timetable" in result.detail
    with campus.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO class_session")
        connection.commit()
    async with asyncio.timeout(60):
        while (await call.ask(face_of("red"))).outcome != pb.FRAME_OUTCOME_RECOGNIZED:
            await asyncio.sleep(0.05)


async def test_an_engine_that_dies_costs_its_batch_and_comes_back(start: Start, open_stream: OpenStream) -> None:
    call = await open_stream(await start(build=engines.build_blocking))
    assert (await call.ask(face_of("red"))).outcome == pb.FRAME_OUTCOME_RECOGNIZED
    assert (await call.ask(picture(corner=engines.DIE))).outcome == pb.FRAME_OUTCOME_INTERNAL_ERROR
    seen = set()
    async with asyncio.timeout(60):
        while pb.FRAME_OUTCOME_RECOGNIZED not in seen:
            seen.add((await call.ask(face_of("red"))).outcome)
            await asyncio.sleep(0.05)
    assert seen <= {pb.FRAME_OUTCOME_UNAVAILABLE, pb.FRAME_OUTCOME_RECOGNIZED}


async def test_a_frame_of_another_camera_ends_the_call(start: Start, open_stream: OpenStream) -> None:
    call = await open_stream(await start())
    await call.send(face_of("red"), camera="back")
    code, details = await call.ending()
    assert code == grpc.StatusCode.PERMISSION_DENIED
    assert "'back'" in details
    assert "'front'" in details


async def test_a_camera_in_no_room_is_told_what_to_do(campus: Campus, start: Start) -> None:
    call = CameraCall(await start(), campus.stray, "stray", campus.now)
    code, details = await call.ending()
    assert code == grpc.StatusCode.FAILED_PRECONDITION
    assert "attendance camera move stray" in details


async def test_a_camera_that_has_sent_all_gets_all_results_and_a_good_ending(
    start: Start, open_stream: OpenStream
) -> None:
    call = await open_stream(await start())
    for _ in range(3):
        await call.send(face_of("red"))
    await call.call.done_writing()
    assert [(await call.result()).sequence for _ in range(3)] == [1, 2, 3]
    assert (await call.ending())[0] == grpc.StatusCode.OK


async def test_the_newest_stream_of_a_camera_wins(start: Start, open_stream: OpenStream) -> None:
    stub = await start()
    older = await open_stream(stub)
    newer = await open_stream(stub)
    closing = (await older.read()).closing
    assert "another stream" in closing.reason
    assert closing.reconnect_after.ToTimedelta() > timedelta(seconds=1)
    assert (await older.ending())[0] == grpc.StatusCode.OK
    assert (await newer.ask(face_of("red"))).outcome == pb.FRAME_OUTCOME_RECOGNIZED


async def test_frames_in_flight_of_the_older_stream_are_still_answered(start: Start, open_stream: OpenStream) -> None:
    engine = ColourEngine()
    stub = await start(engine=engine)
    older = await open_stream(stub)
    engine.gate.clear()
    await older.send(face_of("red"))
    await until(lambda: len(engine.batches) == 2)
    await open_stream(stub)
    assert (await older.read()).HasField("closing")
    engine.gate.set()
    assert (await older.result()).outcome == pb.FRAME_OUTCOME_RECOGNIZED
    assert (await older.ending())[0] == grpc.StatusCode.OK


async def test_two_cameras_of_one_room_fill_one_register(campus: Campus, start: Start, open_stream: OpenStream) -> None:
    stub = await start()
    front, back = await open_stream(stub), await open_stream(stub, "back")
    for _ in range(4):
        await asyncio.gather(front.ask(face_of("red")), back.ask(face_of("green")))
    await until(lambda: campus.register() == {"red": "present", "green": "present"})


async def test_a_camera_that_goes_away_mid_frame_leaves_the_others_and_its_evidence(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    engine = ColourEngine()
    stub = await start(engine=engine)
    front, back = await open_stream(stub), await open_stream(stub, "back")
    for _ in range(3):
        await front.ask(face_of("red"))
    for _ in range(2):
        await front.send(face_of("red"))
    front.call.cancel()
    assert (await back.ask(face_of("green"))).outcome == pb.FRAME_OUTCOME_RECOGNIZED
    await until(lambda: campus.register() == {"red": "present"})
    again = await open_stream(stub)
    assert (await again.ask(face_of("red"))).outcome == pb.FRAME_OUTCOME_RECOGNIZED


async def test_a_moved_cameras_stream_is_closed_and_its_next_is_of_the_new_room(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    stub = await start()
    call = await open_stream(stub)
    with campus.sessions.begin() as db:
        begin_writing(db)
        attic = db.scalars(sa.select(Room).where(Room.name == "Attic")).one()
        db.execute(sa.update(Camera).where(Camera.name == "front").values(room_id=attic.id))
    assert "moved" in (await call.read()).closing.reason
    assert (await call.ending())[0] == grpc.StatusCode.OK
    again = CameraCall(stub, campus.front, "front", campus.now)
    assert (await again.opened()).room == "Attic"
    again.call.cancel()


async def test_a_revoked_cameras_open_stream_ends(campus: Campus, start: Start, open_stream: OpenStream) -> None:
    stub = await start()
    call, other = await open_stream(stub), await open_stream(stub, "back")
    with campus.sessions.begin() as db:
        db.execute(sa.update(Camera).where(Camera.name == "front").values(token_hash=None))
    code, details = await call.ending()
    assert (code, details) == (grpc.StatusCode.UNAUTHENTICATED, "the camera's token has been revoked")
    again = CameraCall(stub, campus.front, "front", campus.now)
    assert (await again.ending())[0] == grpc.StatusCode.UNAUTHENTICATED
    assert (await other.ask(picture())).outcome == pb.FRAME_OUTCOME_RECOGNIZED


async def test_when_a_camera_was_last_seen_is_kept(campus: Campus, start: Start, open_stream: OpenStream) -> None:
    stub = await start()
    assert campus.camera("front").last_seen_at is None
    await open_stream(stub)
    await until(lambda: campus.camera("front").last_seen_at is not None)
    assert campus.camera("back").last_seen_at is None


async def test_a_client_that_never_reads_is_bounded_and_cut_off(
    campus: Campus, start: Start, open_stream: OpenStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_stream, "_LONGEST_WRITE_S", 0.5)
    # Without probing, gRPC lets 64 kB of results pile up at the client, then none.
    stub = await start(window=2, options=(("grpc.http2.bdp_probe", 0),))
    call, other = await open_stream(stub), await open_stream(stub, "back")

    async def send_for_ever() -> None:
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            while True:
                await call.send(b"no picture")

    sending = asyncio.create_task(send_for_ever())
    async with asyncio.timeout(60):
        while (await status_of(stub, campus)).cameras_connected == 2:
            await asyncio.sleep(0.1)
    assert (await other.ask(face_of("red"))).outcome == pb.FRAME_OUTCOME_RECOGNIZED
    # gRPC's client calls it INTERNAL when the end meets a write of its own.
    assert (await call.ending())[0] in (grpc.StatusCode.ABORTED, grpc.StatusCode.INTERNAL)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


async def test_a_call_s_first_frame_says_how_large_its_frames_are(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    """A camera that began with small frames must connect again before it sends large ones, and then may."""
    stub = await start()
    call = await open_stream(stub)
    small, twice, large = (picture((200, 60, 60), size=(96 * by, 128 * by)) for by in (1, 2, 3))
    assert (await call.ask(small)).outcome == pb.FRAME_OUTCOME_RECOGNIZED
    assert (await call.ask(twice)).outcome == pb.FRAME_OUTCOME_RECOGNIZED, "four times the pixels"
    sequence = await call.send(large)
    messages = [await call.read(), await call.read()]
    (result,) = [message.result for message in messages if message.HasField("result")]
    (closing,) = [message.closing for message in messages if message.HasField("closing")]
    assert (result.sequence, result.outcome) == (sequence, pb.FRAME_OUTCOME_UNAVAILABLE)
    assert "connect again" in result.detail
    assert "connect again" in closing.reason
    assert closing.reconnect_after.ToTimedelta() == timedelta(0)
    assert (await call.ending())[0] == grpc.StatusCode.OK
    again = await open_stream(stub)
    assert (await again.ask(large)).outcome == pb.FRAME_OUTCOME_RECOGNIZED
    assert (await again.ask(small)).outcome == pb.FRAME_OUTCOME_RECOGNIZED


async def test_a_frame_that_nobody_may_send_does_not_end_the_call(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    call = await open_stream(await start())
    assert (await call.ask(face_of("red"))).outcome == pb.FRAME_OUTCOME_RECOGNIZED
    assert (await call.ask(huge_jpeg())).outcome == pb.FRAME_OUTCOME_TOO_LARGE
    assert (await call.ask(face_of("red"))).outcome == pb.FRAME_OUTCOME_RECOGNIZED
