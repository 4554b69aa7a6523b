"""A real gRPC service that keeps StreamFrames' contract and misbehaves as a test asks; a proxy that cuts lines."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from protos.attendance.v1 import attendance_pb2 as pb
from protos.attendance.v1 import attendance_pb2_grpc as pb_grpc


@dataclass
class Behaviour:
    """What one call is like."""

    window: int = 4
    room: str = "Aula"
    latency_s: float = 0.0
    outcome: Callable[[pb.StreamFramesRequest], Any] = lambda frame: pb.FRAME_OUTCOME_RECOGNIZED
    refuse: tuple[grpc.StatusCode, str] | None = None
    close_after: int | None = None  # frames until StreamClosing
    reconnect_after_s: float = 0.05
    abort_after: int | None = None  # frames until the call fails with UNAVAILABLE
    leave_after: int | None = None  # frames until the call ends OK without a word
    answers: bool = True
    opens: bool = True
    credits: Callable[[pb.StreamFramesRequest], int] = lambda frame: 0  # the window from this answer on
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass
class ScriptedService(pb_grpc.RecognitionServiceServicer):
    """Answers call n with the nth behaviour of the script, the last one for ever."""

    script: list[Behaviour] = field(default_factory=lambda: [Behaviour()])
    frames: list[pb.StreamFramesRequest] = field(default_factory=list)
    frames_of_call: list[list[pb.StreamFramesRequest]] = field(default_factory=list)
    authorizations: list[str | bytes | None] = field(default_factory=list)
    half_closed: int = 0
    most_in_flight: int = 0
    in_flight_seen: list[int] = field(default_factory=list)
    got_frame: asyncio.Event = field(default_factory=asyncio.Event)

    async def StreamFrames(  # noqa: N802 - the contract's name
        self, request_iterator: AsyncIterator[pb.StreamFramesRequest], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.StreamFramesResponse]:
        behaviour = self.script[min(len(self.frames_of_call), len(self.script) - 1)]
        received: list[pb.StreamFramesRequest] = []
        self.frames_of_call.append(received)
        self.authorizations.append(dict(context.invocation_metadata() or ()).get("authorization"))
        if behaviour.refuse is not None:
            await context.abort(*behaviour.refuse)
        if not behaviour.opens:
            await asyncio.sleep(3600)
        now = Timestamp()
        now.FromDatetime(behaviour.clock())
        opened = pb.StreamOpened(room=behaviour.room, window=behaviour.window, service_time=now)
        yield pb.StreamFramesResponse(opened=opened)
        answers: asyncio.Queue[pb.StreamFramesResponse | None] = asyncio.Queue()
        reader = asyncio.create_task(self._read(request_iterator, behaviour, received, answers))
        try:
            while (answer := await answers.get()) is not None:
                yield answer
            if reader.done() and reader.exception() is not None:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
        finally:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await reader

    async def _read(
        self,
        requests: AsyncIterator[pb.StreamFramesRequest],
        behaviour: Behaviour,
        received: list[pb.StreamFramesRequest],
        answers: "asyncio.Queue[pb.StreamFramesResponse | None]",
    ) -> None:
        pending: set[asyncio.Task[None]] = set()
        try:
            async for frame in requests:
                received.append(frame)
                self.frames.append(frame)
                self.got_frame.set()
                pending = {task for task in pending if not task.done()}
                self.in_flight_seen.append(len(pending) + 1)
                self.most_in_flight = max(self.most_in_flight, len(pending) + 1)
                if behaviour.abort_after is not None and len(received) >= behaviour.abort_after:
                    raise RuntimeError("asked to fail")
                if behaviour.leave_after is not None and len(received) >= behaviour.leave_after:
                    return
                if behaviour.close_after is not None and len(received) == behaviour.close_after:
                    closing = pb.StreamClosing(reason="restarting")
                    closing.reconnect_after.FromMilliseconds(int(1000 * behaviour.reconnect_after_s))
                    await answers.put(pb.StreamFramesResponse(closing=closing))
                if behaviour.answers:
                    pending.add(asyncio.create_task(self._answer(frame, behaviour, answers)))
            self.half_closed += 1
            await asyncio.gather(*pending)
        finally:
            for task in pending:
                task.cancel()
            await answers.put(None)

    async def _answer(self, frame: pb.StreamFramesRequest, behaviour: Behaviour, answers: "asyncio.Queue[Any]") -> None:
        await asyncio.sleep(behaviour.latency_s)
        outcome = behaviour.outcome(frame)
        result = pb.FrameResult(sequence=frame.sequence, outcome=outcome, session_id=1, window=behaviour.credits(frame))
        if outcome == pb.FRAME_OUTCOME_RECOGNIZED:
            result.faces.add(match=pb.MATCH_STUDENT, student="s1", distance=0.3, track=1, confirmed=True)
            result.faces.add(match=pb.MATCH_UNKNOWN, distance=0.9, track=2)
        else:
            result.detail = f"because of {pb.FrameOutcome.Name(outcome)}"
        await answers.put(pb.StreamFramesResponse(result=result))


async def serve(
    service: ScriptedService, port: int = 0, credentials: grpc.ServerCredentials | None = None
) -> tuple[grpc.aio.Server, int]:
    """Start a service on loopback; the server and its port."""
    server = grpc.aio.server()
    pb_grpc.add_RecognitionServiceServicer_to_server(service, server)
    address = f"127.0.0.1:{port}"
    bound = server.add_insecure_port(address) if credentials is None else server.add_secure_port(address, credentials)
    await server.start()
    return server, bound


class Proxy:
    """A TCP proxy in front of a port, whose lines can be cut or frozen."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.frozen = asyncio.Event()
        self.accepted = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """End every connection without a farewell."""
        for writer in self._writers:
            writer.transport.abort()

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        for source, sink in ((reader, back), (there, writer)):
            self._pumps.add(asyncio.create_task(self._pump(source, sink)))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                while self.frozen.is_set():
                    await asyncio.sleep(0.02)
                sink.write(data)
                await sink.drain()
        sink.close()
