"""Frames decoded at a part of their size, where the smallest face wanted allows it."""

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import sqlalchemy as sa

from attendance.database.models import Camera
from attendance.face_engine.accelerated import AcceleratedEngine
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.engine.batcher import Batcher
from recognition_service.engine.decoding import reduction_for, smallest_searched
from recognition_service.engine.found import FoundFaces
from recognition_service.engine.pipeline import Pipeline
from recognition_service.engine.work import Found, Job, Wanted
from recognition_service.engine.worker import EngineWorker
from recognition_service.telemetry.metrics import Metrics
from tests.recognition_service.campus import Campus, bearer, face_of
from tests.recognition_service.engines import encoded

Start = Callable[..., Any]
OpenStream = Callable[..., Any]

FOREVER = 1e12


@pytest.mark.parametrize(
    ("smallest", "by"), [(None, 1), (20, 1), (159, 1), (160, 2), (319, 2), (320, 4), (640, 8), (10_000, 8)]
)
def test_the_smallest_face_keeps_what_the_detector_needs(smallest: int | None, by: int) -> None:
    assert reduction_for(smallest) == by


async def test_boxes_are_those_of_the_frame_as_it_was_sent(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    call = await open_stream(await start(smallest_face=200))
    frame = face_of("red").repeat(2, axis=0).repeat(2, axis=1)
    results = [await call.ask(frame) for _ in range(4)]
    faces = [face for result in results for face in result.faces]
    assert {(face.match, face.student) for face in faces} == {(pb.MATCH_STUDENT, "red")}
    assert {(face.box.left, face.box.top, face.box.right, face.box.bottom) for face in faces} == {(16, 16, 144, 144)}
    assert faces[-1].confirmed


async def test_a_picture_to_recognize_is_never_reduced(campus: Campus, start: Start) -> None:
    stub = await start(smallest_face=200)
    request = pb.EncodeFacesRequest(image=encoded(face_of("red")))
    response = await stub.EncodeFaces(request, metadata=bearer(campus.enrolment))
    assert (response.width, response.height, len(response.faces)) == (128, 96, 1)


@pytest.fixture(scope="module")
def crowd(pictures: Path) -> bytes:
    """Six people, about twice as large as in the picture: their faces are 200 pixels wide.

    At exactly twice the size dlib's own search takes one face from another level of its pyramid in the whole frame.
    """
    picture = cv2.imread(str(pictures / "t1.jpg"), cv2.IMREAD_COLOR)
    assert picture is not None
    done, data = cv2.imencode(".jpg", cv2.resize(picture, None, fx=2.05, fy=2.05, interpolation=cv2.INTER_CUBIC))
    assert done
    return data.tobytes()


async def find(frame: bytes, smallest_face: int | None) -> FoundFaces:
    """What a real engine finds in a frame."""
    worker = EngineWorker(AcceleratedEngine)
    batcher: Batcher[Job, Found] = Batcher(worker.find, max_batch=1, max_delay_s=0, max_queue=4)
    with ThreadPoolExecutor(1) as decoders:
        pipeline = Pipeline(
            batcher,
            decoders,
            Metrics(),
            max_bytes=10**8,
            max_pixels=10**8,
            expected_s=worker.expected_s,
            smallest_face=smallest_face,
        )
        await worker.start()
        batcher.start()
        found = await pipeline.find(frame, lane=1, upsample=0, deadline=FOREVER, formats=("JPEG",), reducible=True)
        await batcher.close()
        await worker.close()
    return found


async def test_the_same_faces_are_found_and_look_the_same(crowd: bytes) -> None:
    whole, part = await find(crowd, None), await find(crowd, 160)
    assert (part.width, part.height) == (whole.width, whole.height)
    assert len(whole.faces) == len(part.faces) == 6
    for face in whole.faces:
        other = min(part.faces, key=lambda one: float(np.abs(one.box - face.box).sum()))
        width = float(face.box[2] - face.box[0])
        assert np.abs(other.box - face.box).max() < 0.15 * width
        assert np.abs(other.landmarks - face.landmarks).max() < 0.1 * width
        assert np.linalg.norm(other.encoding - face.encoding) < 0.35


@pytest.mark.parametrize(
    ("wanted", "searched"), [(None, None), (20, 20), (159, 159), (160, 80), (640, 80), (1000, 125)]
)
def test_what_the_engine_is_asked_for_is_of_the_pictures_that_it_gets(wanted: int | None, searched: int | None) -> None:
    assert smallest_searched(wanted) == searched


class Asked:
    """An engine's place that keeps what it is asked for, and finds nothing."""

    def __init__(self) -> None:
        self.buckets: list[Any] = []

    async def find(self, bucket: Any, images: Sequence[Job], pauses: object) -> list[Found | Exception]:
        self.buckets.append(bucket)
        return [[] for _ in images]


async def test_a_camera_s_own_smallest_face_comes_before_the_service_s() -> None:
    asked = Asked()
    batcher: Batcher[Job, Found] = Batcher(asked.find, max_batch=1, max_delay_s=0, max_queue=4)
    frame = encoded(face_of("red"))
    with ThreadPoolExecutor(1) as decoders:
        pipeline = Pipeline(
            batcher,
            decoders,
            Metrics(),
            max_bytes=10**8,
            max_pixels=10**8,
            expected_s=lambda height, width, wanted: 1.0,
            smallest_face=36,
        )
        batcher.start()
        find = functools.partial(pipeline.find, lane=1, deadline=FOREVER, formats=("JPEG",))
        await find(frame, upsample=None, reducible=True)
        await find(frame, upsample=None, reducible=True, smallest_face=20)
        await find(frame, upsample=None, reducible=True, smallest_face=320)
        await find(frame, upsample=2, reducible=True, smallest_face=20)
        await find(frame, upsample=None)
        await batcher.close()
    assert asked.buckets == [
        (96, 128, Wanted(None, 36)),
        (96, 128, Wanted(None, 20)),
        (24, 32, Wanted(None, 80)),
        (96, 128, Wanted(2, 20)),
        (96, 128, Wanted(None, None)),
    ]


async def test_a_camera_s_own_smallest_face_reaches_its_frames(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    with campus.sessions.begin() as db:
        (camera,) = db.scalars(sa.select(Camera).where(Camera.name == "front"))
        camera.smallest_face = 200
    call = await open_stream(await start())
    frame = face_of("red").repeat(2, axis=0).repeat(2, axis=1)
    result = await call.ask(frame)
    assert [(face.box.left, face.box.right) for face in result.faces] == [(16, 144)]
