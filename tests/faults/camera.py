"""A camera that goes on whatever happens: it shows who is in sight, and connects again whenever it is cut off."""

import asyncio
import itertools
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import grpc

from protos.attendance.v1 import attendance_pb2 as pb
from protos.attendance.v1 import attendance_pb2_grpc as pb_grpc
from tests.faults.faces import OTHERS, STUDENTS, Faces
from tests.faults.university import Lesson, Rows

STEP = timedelta(seconds=0.3)
"""From one frame to the next by the camera's clock; more than `matching.vote_interval_s`."""
_ANSWER_S = 20.0
_AGAIN_S = 0.1


class SteadyCamera:
    """Shows one person a frame, in turn. A student whose confirmation was acknowledged leaves the room.

    So whoever was acknowledged must be on the register without being seen again, whatever befell the service then.
    """

    def __init__(self, address: str, lesson: Lesson, faces: Faces, *, pause_s: float = 0.0) -> None:
        self.lesson = lesson
        self.confirmed: set[str] = set()
        self.named: set[str] = set()
        self.ending: grpc.StatusCode | None = None
        """How the last call ended."""
        self.outcomes: Counter[str] = Counter()
        self.details: set[str] = set()
        self.connections = 0
        self._address = address
        self._faces = faces
        self._pause_s = pause_s
        self._sequence = itertools.count(1)
        self._people = itertools.cycle(sorted(STUDENTS | OTHERS))

    @property
    def answered(self) -> int:
        return self.outcomes.total()

    @property
    def expected(self) -> Rows:
        """The register, once everybody was acknowledged."""
        return Counter({(student, "present"): 1 for student in STUDENTS})

    async def run(self, *, until: asyncio.Event | None = None) -> None:
        """Go on until every student was acknowledged and, if `until` is given, that is set."""
        while not self._done(until):
            try:
                async with grpc.aio.insecure_channel(
                    self._address, [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
                ) as channel:
                    await self._stream(channel, until)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError, TimeoutError) as error:
                self.ending = error.code() if isinstance(error, grpc.aio.AioRpcError) else None
                await asyncio.sleep(_AGAIN_S)

    def frame(self, *, at: datetime | None = None, jpeg: bytes | None = None) -> pb.StreamFramesRequest:
        """The next frame."""
        sequence = next(self._sequence)
        request = pb.StreamFramesRequest(
            camera=self.lesson.camera, sequence=sequence, jpeg=self._next_jpeg() if jpeg is None else jpeg
        )
        request.capture_time.FromDatetime(at or self.lesson.begins + sequence * STEP)
        return request

    def _done(self, until: asyncio.Event | None) -> bool:
        return self.confirmed >= STUDENTS and (until is None or until.is_set())

    def _next_jpeg(self) -> bytes:
        person = next(person for person in self._people if person not in self.confirmed)
        return self._faces.frames[person]

    async def _stream(self, channel: grpc.aio.Channel, until: asyncio.Event | None) -> None:
        stub: Any = pb_grpc.RecognitionServiceStub(channel)
        call = stub.StreamFrames(metadata=(("authorization", f"Bearer {self.lesson.token}"),))
        try:
            opened = await self._read(call)
            if opened is None or not opened.HasField("opened"):
                return
            self.connections += 1
            in_flight = 0
            while not self._done(until):
                while in_flight < opened.opened.window:
                    await call.write(self.frame())
                    in_flight += 1
                message = await self._read(call)
                if message is None or message.HasField("closing"):
                    await self._rest(call)
                    return
                in_flight -= 1
                self._take(message.result)
                if self._pause_s:
                    await asyncio.sleep(self._pause_s)
        finally:
            call.cancel()

    async def _rest(self, call: Any) -> None:
        while (message := await self._read(call)) is not None:
            if message.HasField("result"):
                self._take(message.result)

    async def _read(self, call: Any) -> pb.StreamFramesResponse | None:
        async with asyncio.timeout(_ANSWER_S):
            message = await call.read()
        return message if isinstance(message, pb.StreamFramesResponse) else None

    def _take(self, result: pb.FrameResult) -> None:
        self.outcomes[pb.FrameOutcome.Name(result.outcome).removeprefix("FRAME_OUTCOME_").lower()] += 1
        if result.detail:
            self.details.add(result.detail)
        self.named |= {face.student for face in result.faces}
        self.confirmed |= {face.student for face in result.faces if face.confirmed}
