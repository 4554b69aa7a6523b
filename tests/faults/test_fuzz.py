"""Bytes that nobody would send: messages and pictures changed anywhere. Each is answered or refused; no other pays."""

import queue
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import cv2
import grpc
import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import ImageError
from protos.attendance.v1 import attendance_pb2 as pb
from tests.faults.camera import SteadyCamera
from tests.faults.conftest import Begin, Serve
from tests.faults.faces import STUDENTS, Faces
from tests.faults.service import PATIENCE_S, ServiceProgram
from tests.faults.university import Lesson, University

STREAM = "/attendance.v1.RecognitionService/StreamFrames"
SEED = 20261128
ENDINGS = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL, grpc.StatusCode.PERMISSION_DENIED}
"""How a call may end for a message that is none: it is told so, or it names another camera."""
ORDINARY = {
    pb.FRAME_OUTCOME_RECOGNIZED,
    pb.FRAME_OUTCOME_INVALID_IMAGE,
    pb.FRAME_OUTCOME_TOO_LARGE,
    pb.FRAME_OUTCOME_INVALID_CAPTURE_TIME,
    pb.FRAME_OUTCOME_NO_SESSION,
}

pytestmark = pytest.mark.timeout(3600)

Change = tuple[str, float, bytes]
changes = st.lists(
    st.tuples(
        st.sampled_from(("replace", "insert", "delete", "cut")),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=4,
)


def changed(data: bytes, edits: list[Change]) -> bytes:
    """Data with parts replaced, inserted, deleted, or with its end cut off."""
    for kind, where, content in edits:
        place = int(where * len(data))
        match kind:
            case "replace":
                data = data[:place] + content + data[place + len(content) :]
            case "insert":
                data = data[:place] + content + data[place:]
            case "delete":
                data = data[:place] + data[place + len(content) :]
            case "cut":
                data = data[:place]
    return data


class RawCamera:
    """A camera's call of bytes, opened again whenever it has ended."""

    def __init__(self, service: ServiceProgram, lesson: Lesson) -> None:
        self._metadata = (("authorization", f"Bearer {lesson.token}"),)
        self._channel = grpc.insecure_channel(service.address)
        self._open: Any = self._channel.stream_stream(STREAM, None, pb.StreamFramesResponse.FromString)
        self._call: Any = None
        self._messages: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.endings: Counter[grpc.StatusCode] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._messages.put(None)
        self._channel.close()

    def ask(self, message: bytes) -> pb.FrameResult | grpc.StatusCode:
        """The answer to a message, or how the call ended for it."""
        try:
            if self._call is None:
                self._messages = queue.SimpleQueue()
                self._call = self._open(_until_none(self._messages), metadata=self._metadata)
                assert next(self._call).HasField("opened")
            self._messages.put(message)
            result: pb.FrameResult = next(self._call).result
            return result
        except grpc.RpcError as error:
            self._messages.put(None)
            self._call = None
            code: grpc.StatusCode = error.code()
            self.endings[code] += 1
            return code


def _until_none(messages: "queue.SimpleQueue[bytes | None]") -> Iterator[bytes]:
    while (message := messages.get(timeout=PATIENCE_S)) is not None:
        yield message


def judge(answer: pb.FrameResult | grpc.StatusCode) -> None:
    """Fail unless an answer is one that an operator can explain."""
    if isinstance(answer, pb.FrameResult):
        assert answer.outcome in ORDINARY, answer
    else:
        assert answer in ENDINGS, answer


async def test_changed_messages_and_pictures_are_answered_or_refused(
    university: University, serve: Serve, faces: Faces, begin: Begin, soak: bool
) -> None:
    service = serve(ATTENDANCE_SERVICE_MAX_CAMERA_RATE="10000")
    await service.start()
    line = begin("fuzzed messages and pictures", short=150, long=10_000)
    frames = SteadyCamera(service.address, university.add_lesson(), faces)
    good = faces.frames[min(STUDENTS)]
    with RawCamera(service, frames.lesson) as camera:

        @hypothesis.seed(SEED)
        @hypothesis.settings(
            max_examples=line.planned,
            deadline=None,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=(hypothesis.Phase.generate,),
        )
        @hypothesis.given(changes, st.booleans())
        def fuzz(edits: list[Change], whole: bool) -> None:
            line.rounds += 1
            if whole:
                message = changed(frames.frame(at=datetime.now(UTC), jpeg=good).SerializeToString(), edits)
            else:
                jpeg = changed(good, edits)
                message = frames.frame(at=datetime.now(UTC), jpeg=jpeg).SerializeToString()
            judge(camera.ask(message))

        fuzz()
        answer = camera.ask(frames.frame(at=datetime.now(UTC), jpeg=good).SerializeToString())
    assert isinstance(answer, pb.FrameResult)
    assert answer.outcome == pb.FRAME_OUTCOME_RECOGNIZED
    after = SteadyCamera(service.address, university.add_lesson(), faces)
    await after.run()
    await line.register(university, after)
    assert service.surprises() == []


def test_a_picture_changed_at_any_offset_is_decoded_or_refused() -> None:
    noise = np.random.default_rng(SEED)
    image = noise.integers(0, 255, (24, 32, 3), np.uint8)
    done, data = cv2.imencode(".jpg", image)
    assert done
    good = data.tobytes()
    outcomes: Counter[str] = Counter()
    for place in range(len(good)):
        for value in (0x00, 0xFF, good[place] ^ 0x40):
            bad = good[:place] + bytes([value]) + good[place + 1 :]
            try:
                shape = decode_image(bad, max_pixels=10_000, formats=("JPEG",)).shape
            except ImageError:
                outcomes["refused"] += 1
            else:
                outcomes["decoded"] += 1
                assert shape[2] == 3
                assert shape[0] * shape[1] <= 10_000
        with pytest.raises(ImageError):
            decode_image(good[:place], max_pixels=10_000, formats=("JPEG",))
    assert min(outcomes.values()) > 100
