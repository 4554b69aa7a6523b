"""The unary calls over real sockets."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest

from protos.attendance.v1 import attendance_pb2 as pb
from tests.recognition_service import engines
from tests.recognition_service.campus import COLOURS, STRANGER, Campus, bearer, face_of, publish_index, until
from tests.recognition_service.engines import MODEL, ColourEngine, encoded, encoding_of, picture

Start = Callable[..., Any]
REQUESTS = {"Recognize": pb.RecognizeRequest, "EncodeFaces": pb.EncodeFacesRequest}


async def call(stub: Any, campus: Campus, name: str, image: bytes, timeout: float | None = None) -> Any:
    request = REQUESTS[name](image=image)
    return await getattr(stub, name)(request, metadata=bearer(campus.enrolment), timeout=timeout)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
async def test_faces_are_named_against_everybody(campus: Campus, start: Start, file_format: str) -> None:
    stub = await start()
    response = await call(stub, campus, "Recognize", encoded(face_of("blue"), file_format))
    (face,) = response.faces
    assert (face.match, face.student, face.track, face.confirmed) == (pb.MATCH_STUDENT, "blue", 0, False)
    assert (response.width, response.height) == (128, 96)
    assert response.index_version.startswith("000001-")
    assert campus.register() == {}


async def test_a_stranger_is_nobody(campus: Campus, start: Start) -> None:
    (face,) = (await call(await start(), campus, "Recognize", encoded(picture(STRANGER)))).faces
    assert (face.match, face.student) == (pb.MATCH_UNKNOWN, "")


@pytest.mark.parametrize("name", REQUESTS)
async def test_no_face_is_an_empty_answer(campus: Campus, start: Start, name: str) -> None:
    response = await call(await start(), campus, name, encoded(picture()))
    assert (len(response.faces), response.width) == (0, 128)


async def test_with_an_empty_gallery_the_distance_is_infinite(campus: Campus, start: Start) -> None:
    publish_index(campus.settings, ())
    (face,) = (await call(await start(), campus, "Recognize", encoded(face_of("red")))).faces
    assert (face.match, face.distance) == (pb.MATCH_UNKNOWN, float("inf"))


async def test_encodings_are_the_engines(campus: Campus, start: Start) -> None:
    response = await call(await start(), campus, "EncodeFaces", encoded(face_of("green"), "PNG"))
    (face,) = response.faces
    assert response.model == MODEL
    np.testing.assert_array_equal(np.array(face.encoding, np.float32), encoding_of(COLOURS["green"]))
    assert len(face.landmarks) == 5
    assert face.box.right == 72
    assert face.sharpness >= 0


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (b"", (grpc.StatusCode.INVALID_ARGUMENT, "")),
        (b"GIF89a", (grpc.StatusCode.INVALID_ARGUMENT, "")),
        (encoded(picture(), "PNG")[:-100], (grpc.StatusCode.INVALID_ARGUMENT, "truncated")),
        (encoded(picture()) + bytes(30_000), (grpc.StatusCode.INVALID_ARGUMENT, "bytes")),
        (encoded(picture(corner=engines.TOO_LARGE)), (grpc.StatusCode.INVALID_ARGUMENT, "too large")),
        (encoded(picture(corner=engines.RAISE)), (grpc.StatusCode.INTERNAL, "log")),
    ],
    ids=["empty", "gif", "truncated", "bytes", "pixels", "engine-fails"],
)
async def test_errors_are_statuses_with_a_sentence(
    campus: Campus, start: Start, name: str, image: bytes, expected: tuple[grpc.StatusCode, str]
) -> None:
    stub = await start(max_message_bytes=30_000)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(stub, campus, name, image)
    assert caught.value.code() == expected[0]
    assert expected[1] in str(caught.value.details())
    assert "cursed" not in str(caught.value.details())
    assert (await call(stub, campus, name, encoded(face_of("red")))).faces


async def test_a_full_queue_is_resource_exhausted(campus: Campus, start: Start) -> None:
    engine = ColourEngine()
    stub = await start(engine=engine, max_batch=1, max_queue=1)
    engine.gate.clear()
    calls = [asyncio.create_task(call(stub, campus, "Recognize", encoded(picture())))]
    await until(lambda: len(engine.batches) == 2)
    calls += [asyncio.create_task(call(stub, campus, "Recognize", encoded(picture()))) for _ in range(3)]
    await until(lambda: sum(task.done() for task in calls) == 2)
    for task in (task for task in calls if task.done()):
        error = task.exception()
        assert isinstance(error, grpc.aio.AioRpcError)
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    engine.gate.set()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, pb.RecognizeResponse) for result in results) == 2


async def test_a_caller_in_a_hurry_is_not_worked_for_after_its_deadline(campus: Campus, start: Start) -> None:
    engine = ColourEngine()
    stub = await start(engine=engine, max_batch=1)
    engine.gate.clear()
    first = asyncio.create_task(call(stub, campus, "Recognize", encoded(picture())))
    await until(lambda: len(engine.batches) == 2)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(stub, campus, "Recognize", encoded(picture()), timeout=0.2)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    await asyncio.sleep(0.1)
    engine.gate.set()
    await first
    await call(stub, campus, "Recognize", encoded(picture()))
    assert len(engine.batches) == 3


async def test_an_operator_who_sends_much_keeps_no_camera_out(
    campus: Campus, start: Start, open_stream: Callable[..., Any]
) -> None:
    engine = ColourEngine()
    stub = await start(engine=engine, max_batch=1, max_queue=4)
    camera = await open_stream(stub)
    engine.gate.clear()
    calls = [asyncio.create_task(call(stub, campus, "Recognize", encoded(picture())))]
    await until(lambda: len(engine.batches) == 2)
    calls += [asyncio.create_task(call(stub, campus, "Recognize", encoded(picture()))) for _ in range(5)]
    await until(lambda: sum(task.done() for task in calls) == 1)  # one runs, four wait, one is refused
    await camera.send(face_of("red"))
    await until(lambda: sum(task.done() for task in calls) == 2)  # one more has made room
    engine.gate.set()
    assert (await camera.result()).outcome == pb.FRAME_OUTCOME_RECOGNIZED
    await asyncio.gather(*calls, return_exceptions=True)
