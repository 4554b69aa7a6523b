"""`python -m benchmarks.service.cameras < SPEC`: simulated cameras in a process of their own, for so many seconds.

The load is described on standard input and what came of it is written on standard output, as JSON (see `Load` and
`Seen`), after a line when counting begins and one when it ends. A camera keeps to the service's window, as the camera
client does: while as many frames are in flight as it may have, new ones are not sent. One that is `rude` sends them all
the same.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from protos.attendance.v1 import attendance_pb2 as pb
from protos.attendance.v1 import attendance_pb2_grpc as pb_grpc

BEGINS, ENDS = "counting", "counted"
"""Lines of the standard output."""
_OPEN_TOGETHER = 20
_OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]


@dataclass(frozen=True)
class CameraLoad:
    """What one camera does."""

    name: str
    token: str
    rate: float | None = None
    """Frames a second; None: whenever the window allows."""
    rude: bool = False
    """Whether it ignores the window."""
    frames: str = ""
    """Folder of frames of its own; empty: those of the load."""
    address: str = ""
    """Of its service; empty: that of the load."""


@dataclass(frozen=True)
class Load:
    """What all cameras do."""

    address: str
    frames: str
    """Folder of JPEG files, sent in turn."""
    cameras: Sequence[CameraLoad]
    warm_up_s: float
    """After all are connected, seconds in which nothing is counted."""
    seconds: float
    """Counted."""
    certificates: str = ""
    """Folder that `attendance tls make-test-ca` made; empty: no TLS."""
    client_certificate: bool = False


@dataclass
class Seen:
    """What one camera saw of the answers to frames that it sent, or of those that came, in the counted time."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """Answers that came in the counted time."""
    sent: int = 0
    held_back: int = 0
    """Frames not sent, because the window was full."""
    latencies: list[float] = field(default_factory=list)
    """From sending to the answer of recognized frames, seconds."""
    longest_service_s: float = 0.0
    """The longest that the service says a recognized frame took from its arrival to its answer."""
    failed: str = ""
    """Why the stream ended before its time."""


class _Camera:
    def __init__(self, load: Load, own: CameraLoad, frames: Sequence[bytes], clock: "_Clock") -> None:
        self.seen = Seen()
        self._load, self._own, self._frames, self._clock = load, own, frames, clock
        self._sequence = random.Random(own.name).randrange(len(frames))  # noqa: S311 - where it begins
        self._sent_at: dict[int, float] = {}
        self._window = 1
        self._free = asyncio.Event()

    async def run(self, opening: asyncio.Semaphore) -> None:
        async with _channel(self._load, self._own.address or self._load.address) as channel:
            stub: Any = pb_grpc.RecognitionServiceStub(channel)  # type: ignore[no-untyped-call]
            async with opening:
                call = stub.StreamFrames(metadata=(("authorization", f"Bearer {self._own.token}"),))
                opened = await call.read()
            if opened is grpc.aio.EOF or not opened.HasField("opened"):
                self.seen.failed = "not admitted"
                self._clock.connected()
                return
            self._window = opened.opened.window
            self._clock.connected()
            reader = asyncio.create_task(self._read(call))
            try:
                await self._clock.all_connected.wait()
                async with asyncio.timeout_at(self._clock.ends):
                    await self._send(call)
            except TimeoutError:
                pass
            finally:
                call.cancel()
                await asyncio.wait([reader])

    async def _send(self, call: Any) -> None:
        loop = asyncio.get_running_loop()
        rate = self._own.rate
        due = loop.time() + (random.random() / rate if rate else 0)  # noqa: S311 - cameras do not keep step
        while not self.seen.failed:
            if rate:
                await asyncio.sleep(due - loop.time())
                due += 1 / rate
            while len(self._sent_at) >= self._window and not rate:
                self._free.clear()
                await self._free.wait()
            counts = self._clock.counts()
            if len(self._sent_at) >= self._window and not self._own.rude:
                self.seen.held_back += counts
                continue
            self._sequence += 1
            request = pb.StreamFramesRequest(
                camera=self._own.name, sequence=self._sequence, jpeg=self._frames[self._sequence % len(self._frames)]
            )
            request.capture_time.GetCurrentTime()
            self._sent_at[self._sequence] = time.perf_counter()
            self.seen.sent += counts
            await call.write(request)

    async def _read(self, call: Any) -> None:
        try:
            while (message := await call.read()) is not grpc.aio.EOF:
                if message.HasField("result"):
                    self._take(message.result)
            self.seen.failed = "the service ended the stream"
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            self.seen.failed = str(error)
        except asyncio.CancelledError:
            pass  # the time is over
        self._free.set()

    def _take(self, result: pb.FrameResult) -> None:
        taken = time.perf_counter() - self._sent_at.pop(result.sequence)
        self._window = result.window or self._window
        self._free.set()
        if not self._clock.counts():
            return
        outcome = pb.FrameOutcome.Name(result.outcome).removeprefix("FRAME_OUTCOME_").lower()
        self.seen.outcomes[outcome] += 1
        if result.outcome == pb.FRAME_OUTCOME_RECOGNIZED:
            self.seen.latencies.append(round(taken, 5))
            service_s = result.latency.seconds + result.latency.nanos / 1e9
            self.seen.longest_service_s = max(self.seen.longest_service_s, service_s)


class _Clock:
    """Begins when every camera is connected."""

    def __init__(self, load: Load) -> None:
        self.all_connected = asyncio.Event()
        self.ends = 0.0
        self._load = load
        self._waiting = len(load.cameras)
        self._begins = float("inf")

    def connected(self) -> None:
        self._waiting -= 1
        if self._waiting == 0:
            self._begins = asyncio.get_running_loop().time() + self._load.warm_up_s
            self.ends = self._begins + self._load.seconds
            self.all_connected.set()

    async def tell(self) -> None:
        """Write when counting begins and when it ends."""
        await self.all_connected.wait()
        for line, at in ((BEGINS, self._begins), (ENDS, self.ends)):
            await asyncio.sleep(at - asyncio.get_running_loop().time())
            print(line, flush=True)

    def counts(self) -> bool:
        return self._begins <= asyncio.get_running_loop().time() < self.ends


def _channel(load: Load, address: str) -> grpc.aio.Channel:
    if not load.certificates:
        return grpc.aio.insecure_channel(address, _OPTIONS)
    folder = Path(load.certificates)
    own = (folder / "camera.key", folder / "camera.pem") if load.client_certificate else ()
    return grpc.aio.secure_channel(
        address,
        grpc.ssl_channel_credentials((folder / "ca.pem").read_bytes(), *(path.read_bytes() for path in own)),
        _OPTIONS,
    )


async def _run(load: Load) -> list[Seen]:
    folders = {own.frames or load.frames for own in load.cameras}
    frames = {folder: [path.read_bytes() for path in sorted(Path(folder).iterdir())] for folder in folders}
    clock, opening = _Clock(load), asyncio.Semaphore(_OPEN_TOGETHER)
    cameras = [_Camera(load, own, frames[own.frames or load.frames], clock) for own in load.cameras]
    await asyncio.gather(clock.tell(), *(camera.run(opening) for camera in cameras))
    return [camera.seen for camera in cameras]


def main() -> None:
    """Read the load, do it, write what was seen."""
    spec = json.load(sys.stdin)
    load = Load(**spec | {"cameras": [CameraLoad(**own) for own in spec["cameras"]]})
    json.dump([vars(seen) for seen in asyncio.run(_run(load))], sys.stdout)


if __name__ == "__main__":
    main()
