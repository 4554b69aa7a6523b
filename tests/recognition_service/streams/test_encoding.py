"""Which faces of a stream reach the encoder, through the whole service."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.interface import FaceBoxes
from attendance.settings.families import DLIB
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.engine.at_work import Pauses
from recognition_service.engine.batcher import Batcher
from recognition_service.engine.pipeline import Pipeline
from recognition_service.engine.places import Place
from recognition_service.engine.work import Found, Job
from recognition_service.engine.worker import EngineWorker
from recognition_service.telemetry.metrics import Metrics
from tests.recognition_service.campus import CameraCall, Campus, calling, face_of, running
from tests.recognition_service.engines import ColourEngine, alive, encoded, encoding_of, picture

Start = Callable[..., Any]
OpenStream = Callable[..., Any]


class CountingEngine(ColourEngine):
    """Counts the faces that it encodes, and fails when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded = 0
        self.fails = False

    def encode(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self.fails:
            raise ZeroDivisionError("this face is cursed")
        self.encoded += len(chips)
        return super().encode(chips)


async def settle(call: CameraCall) -> bytes:
    """Have the red student confirmed and settled; gives the last frame."""
    for _ in range(5):
        (face,) = (await call.ask(face_of("red"))).faces
        assert face.match == pb.MATCH_STUDENT
    return encoded(alive(face_of("red"), 5))


def matches(results: Sequence[pb.FrameResult]) -> list[pb.Match]:
    return [face.match for result in results for face in result.faces]


async def test_a_settled_student_s_face_is_found_and_not_encoded(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    engine = CountingEngine()
    call = await open_stream(await start(engine=engine))
    frame = await settle(call)
    before, searched = engine.encoded, len(engine.batches)
    results = [await call.ask(frame) for _ in range(6)]
    assert matches(results) == [pb.MATCH_FOLLOWED] * 6
    assert {(face.student, face.confirmed, face.track) for result in results for face in result.faces} == {
        ("", False, 1)
    }
    assert (engine.encoded, len(engine.batches)) == (before, searched + 6)
    # Whoever comes into the place is named in the very frame.
    (face,) = (await call.ask(face_of("green"))).faces
    assert (face.match, face.student) == (pb.MATCH_STUDENT, "green")
    assert engine.encoded == before + 1


async def test_frames_sent_without_waiting_are_chosen_from_in_their_order(
    start: Start, open_stream: OpenStream
) -> None:
    call = await open_stream(await start(window=4, engine=CountingEngine()))
    frame = await settle(call)
    await call.ask(frame)
    for image in (frame, frame, encoded(alive(face_of("green"), 6)), frame):
        await call.send(image)
    results = [await call.result() for _ in range(4)]
    assert [result.sequence for result in results] == [7, 8, 9, 10]
    # After the green face, whoever is there is encoded again.
    assert matches(results) == [pb.MATCH_FOLLOWED, pb.MATCH_FOLLOWED, pb.MATCH_STUDENT, pb.MATCH_STUDENT]


async def test_a_frame_whose_face_cannot_be_encoded_is_refused_alone(start: Start, open_stream: OpenStream) -> None:
    engine = CountingEngine()
    call = await open_stream(await start(engine=engine))
    frame = await settle(call)
    await call.ask(frame)
    engine.fails = True
    assert (await call.ask(frame)).outcome == pb.FRAME_OUTCOME_RECOGNIZED, "nothing is to be encoded"
    assert (await call.ask(face_of("green"))).outcome == pb.FRAME_OUTCOME_INTERNAL_ERROR
    assert (await call.ask(picture())).outcome == pb.FRAME_OUTCOME_RECOGNIZED
    engine.fails = False
    (face,) = (await call.ask(face_of("green"))).faces
    assert face.student == "green"


class SmallFace(CountingEngine):
    """Sees the same face, and says that it is too small to be named."""

    def detect(self, *arguments: Any, **options: Any) -> list[FaceBoxes]:
        box = np.array([[8, 8, 8 + DLIB.smallest_named - 1, 72]], np.float32)
        return [
            replace(boxes, boxes=box) if len(boxes.boxes) else boxes for boxes in super().detect(*arguments, **options)
        ]


async def test_a_face_too_small_is_told_and_never_encoded(start: Start, open_stream: OpenStream) -> None:
    engine = SmallFace()
    call = await open_stream(await start(engine=engine))
    before = engine.encoded  # to warm up
    results = [await call.ask(face_of("red")) for _ in range(3)]
    assert matches(results) == [pb.MATCH_TOO_SMALL] * 3
    assert engine.encoded == before


async def test_a_frame_that_was_searched_is_answered_however_full_the_queue_is() -> None:
    """Another camera takes the only place while a frame is searched, and the frame's deadline passes."""
    engine = CountingEngine()
    worker = EngineWorker(lambda: engine)
    holder: list[Place[Job, Found]] = []

    async def find(bucket: Any, jobs: Sequence[Job], pauses: Pauses[Found]) -> list[Found | Exception]:
        if not holder:
            holder.append(batcher.reserve("other"))
        return await worker.find(bucket, jobs, pauses)

    batcher: Batcher[Job, Found] = Batcher(find, max_batch=1, max_delay_s=0, max_queue=1)
    with ThreadPoolExecutor(1) as decoders:
        pipeline = Pipeline(
            batcher, decoders, Metrics(), max_bytes=10**8, max_pixels=10**8, expected_s=worker.expected_s
        )
        await worker.start()
        batcher.start()
        deadline = batcher.clock.time() + 0.3
        async with pipeline.detect(
            encoded(face_of("red")), lane="own", upsample=0, deadline=deadline, formats=("JPEG",)
        ) as detected:
            await asyncio.sleep(0.4)
            faces, _ = await pipeline.encode(detected, [0])
        assert len(faces) == 1
        batcher.forget(holder[0])
        await batcher.close()
        await worker.close()


async def test_the_setting_0_encodes_every_face(campus: Campus) -> None:
    matching = campus.settings.matching.model_copy(update={"encode_interval_s": 0.0})
    engine = CountingEngine()
    async with AsyncExitStack() as stack:
        settings = campus.settings.model_copy(update={"matching": matching})
        service = await stack.enter_async_context(running(settings, lambda: engine))
        stub = await stack.enter_async_context(calling(service))
        call = CameraCall(stub, campus.front, "front", campus.now)
        await call.opened()
        frame = await settle(call)
        results = [await call.ask(frame) for _ in range(6)]
        assert matches(results) == [pb.MATCH_STUDENT] * 6
        assert engine.encoded >= 11
        call.call.cancel()


def test_the_encodings_of_the_two_students_are_apart() -> None:
    """Else the tests above would say nothing."""
    assert np.linalg.norm(encoding_of((200, 60, 60)) - encoding_of((60, 200, 60))) > 1
