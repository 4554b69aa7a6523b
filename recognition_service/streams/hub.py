"""The open streams, one a camera: admission, the newest wins, and all of them told when the service stops."""

import asyncio
import random
from collections.abc import Mapping

import grpc
import structlog

from recognition_service.access.auth import CameraIdentity
from recognition_service.streams.camera_stream import CameraStream, Context
from recognition_service.streams.tools import StreamRefusedError, StreamTools

_SUPERSEDED_S = 30.0
"""Two programs with one camera's token would else throw each other out without a pause."""
_DRAINED_S = 2.0

log = structlog.get_logger()


class StreamHub:
    """Serves streams and knows which are open. Used by the event loop's thread only."""

    def __init__(self, tools: StreamTools, *, most: int) -> None:
        """Prepare.

        Args:
            tools: of every stream.
            most: streams open at once.
        """
        self._most = most
        self._tools = tools
        self._streams: dict[int, CameraStream] = {}
        self._finishing: set[asyncio.Task[None]] = set()
        self._draining = False
        self.opened = asyncio.Event()
        """Set when a stream opens; whoever waits for it clears it."""

    @property
    def streams(self) -> Mapping[int, CameraStream]:
        """The open streams by their camera's number in the database."""
        return self._streams

    def live_cameras(self) -> list[int]:
        """The numbers of the cameras whose streams are open, but for those that an operator plays recordings with."""
        return [key for key, stream in self._streams.items() if not stream.camera.plays_recordings]

    async def serve(self, camera: CameraIdentity, context: Context) -> None:
        """Serve one call of a camera until it ends.

        Raises:
            StreamRefusedError: the camera is not admitted, or the call must end with that status.
        """
        if camera.room_id is None:
            raise StreamRefusedError(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"the camera {camera.name} stands in no room: put it in one on the dashboard's page of cameras, or "
                f"with `attendance camera move {camera.name}`",
            )
        if self._draining:
            raise StreamRefusedError(grpc.StatusCode.UNAVAILABLE, "the service is stopping")
        if len(self._streams) >= self._most and camera.id not in self._streams:
            log.warning("stream_refused", camera=camera.name, streams=len(self._streams))
            raise StreamRefusedError(
                grpc.StatusCode.RESOURCE_EXHAUSTED, f"{self._most} cameras are connected, and no more are let in"
            )
        stream = CameraStream(camera, context, self._tools)
        older = self._streams.get(camera.id)
        self._streams[camera.id] = stream
        if older is not None:
            log.warning("stream_superseded", camera=camera.name)
            older.close("another stream was opened with this camera's token", _SUPERSEDED_S)
        self.opened.set()
        log.info("stream_opened", camera=camera.name, room=camera.room, peer=context.peer())
        try:
            await stream.run()
        finally:
            if self._streams.get(camera.id) is stream:
                del self._streams[camera.id]
            log.info("stream_ended", camera=camera.name, frames=stream.frames)
            await self._finish(stream)

    def drain(self, reason: str) -> None:
        """Admit nobody any more and tell every camera that its call ends; frames in flight are still answered."""
        self._draining = True
        for stream in self._streams.values():
            # Spread, so that they do not all come back in one moment.
            stream.close(reason, _DRAINED_S * random.uniform(1, 2))  # noqa: S311 - no secret

    async def forget(self, student: str) -> None:
        """Forget what was seen of a student who is erased, in every stream."""
        await asyncio.gather(*(stream.forget(student) for stream in tuple(self._streams.values())))

    async def wait_finished(self) -> None:
        """Wait until the evidence of all ended streams is stored."""
        while self._finishing:
            await asyncio.wait(self._finishing)

    async def _finish(self, stream: CameraStream) -> None:
        """Store a stream's last sightings, even when the call's own task is cancelled meanwhile."""
        task = asyncio.create_task(stream.finish())
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)
        await asyncio.shield(task)
