"""A camera client at work on a list of numbered frames, for tests to look at."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

from camera_client.backoff import Backoff
from camera_client.client import CameraClient, CaptureThread
from camera_client.clock import CameraClock
from camera_client.connection import Connection, Token
from camera_client.counts import Counts
from camera_client.frames import CapturedFrame, FrameSource, SourceError
from camera_client.run import Run, StreamLimits
from camera_client.spool.folder import Spool
from camera_client.spool.replay import Replay
from camera_client.waiting import WaitingFrames
from protos.attendance.v1 import attendance_pb2 as pb

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
SECRET = "cam_never_to_be_seen"


@dataclass
class ListedFrames:
    """A source of numbered frames, `interval_s` apart; it may end badly."""

    count: int
    interval_s: float = 0.0
    error: str | None = None
    name: str = "a list"

    def frames(self, stop: Event) -> Iterator[CapturedFrame]:
        for number in range(self.count):
            if self.interval_s and stop.wait(self.interval_s):
                return
            yield CapturedFrame(START + timedelta(seconds=number), b"\xff\xd8%d" % number, str(number))
        if self.error is not None:
            raise SourceError(self.error)


@dataclass
class Camera:
    """A client at work, with all that a test looks at."""

    run: Run
    client: CameraClient
    capture: CaptureThread

    async def stream(self) -> None:
        self.capture.start()
        try:
            await asyncio.wait_for(self.client.stream(), 60)
        finally:
            self.capture.stop()
            self.run.waiting.close()
            await asyncio.to_thread(self.capture.join, 10)
            assert not self.capture.is_alive()


def camera(
    port: int,
    source: FrameSource,
    *,
    keep_all: bool = True,
    patient: bool = True,
    address: str | None = None,
    tls_ca: Path | None = None,
    spool: Spool | None = None,
    spool_rate: float = 1000.0,
    **limits: Any,
) -> Camera:
    token = Token.of_value(SECRET)
    connection = Connection(address or f"127.0.0.1:{port}", token=token, tls_ca=tls_ca)
    run = Run(
        camera="c1",
        waiting=WaitingFrames(
            asyncio.get_running_loop(), keep_all=keep_all, store=spool.keep if spool is not None else None
        ),
        counts=Counts(),
        limits=StreamLimits(**limits),
        backoff=Backoff(0.05, 0.2),
        clean=connection.without_token,
        replay=None if spool is None else Replay(spool, spool_rate, backoff=Backoff(0.05, 0.2)),
        clock=CameraClock() if spool is None else spool.clock,
    )
    client = CameraClient(connection, run, patient=patient, refused_wait_s=0.1)
    return Camera(run, client, CaptureThread(source, run))


def numbers(frames: Sequence[pb.StreamFramesRequest]) -> list[int]:
    return [int(frame.jpeg[2:]) for frame in frames]
