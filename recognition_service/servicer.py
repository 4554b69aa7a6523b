"""The calls of the contract. Errors become statuses here and nowhere else; unknown ones are logged and stay unnamed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import structlog
from google.protobuf.message import DecodeError

from attendance.face_engine.interface import EngineInfo
from protos.attendance.v1 import attendance_pb2 as pb
from protos.attendance.v1 import attendance_pb2_grpc as pb_grpc
from recognition_service.access.auth import CameraIdentity, current_identity
from recognition_service.access.guarding import CallRefusedError
from recognition_service.engine.batcher import Batcher
from recognition_service.engine.found import FoundFaces
from recognition_service.engine.worker import EngineWorker
from recognition_service.errors import ServiceError, UnavailableError
from recognition_service.evidence.gallery_watch import GalleryWatch
from recognition_service.outbox.store import Outbox, OutboxError
from recognition_service.replication.giving import IndexGiver
from recognition_service.replies import encoded_face, recognized_face
from recognition_service.status import status_message
from recognition_service.streams.camera_stream import Context
from recognition_service.streams.hub import StreamHub
from recognition_service.streams.tools import StreamRefusedError, StreamTools

_FORMATS = ("JPEG", "PNG")

log = structlog.get_logger()

AnyContext = grpc.aio.ServicerContext[Any, Any]


class RecognitionServicer(pb_grpc.RecognitionServiceServicer):
    """The recognition service; callers have been admitted by `access.auth.AuthInterceptor`."""

    def __init__(
        self,
        *,
        hub: StreamHub,
        tools: StreamTools,
        batcher: Batcher[Any, Any],
        engine: EngineWorker,
        gallery: GalleryWatch,
        outbox: Outbox,
        giver: IndexGiver,
    ) -> None:
        """Put the parts together.

        Args:
            hub: serves the cameras' streams.
            tools: what streams work with; unary calls use the same.
            batcher: asked for its counts.
            engine: asked what it is.
            gallery: whose matcher names faces.
            outbox: asked for its depth.
            giver: gives the index to other machines.
        """
        self._hub = hub
        self._tools = tools
        self._batcher = batcher
        self._engine = engine
        self._gallery = gallery
        self._outbox = outbox
        self._giver = giver
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def stop_giving(self) -> None:
        """End the calls that fetch the index: they go on where they were, at the service that comes after."""
        self._giver.stop()

    async def wait_idle(self) -> None:
        """Wait until no call of this contract is open."""
        await self._idle.wait()

    async def StreamFrames(self, request_iterator: object, context: Context) -> None:  # noqa: N802 - the contract's name
        """See the contract."""
        async with self._boundary(context):
            camera = current_identity()
            if not isinstance(camera, CameraIdentity):
                raise StreamRefusedError(grpc.StatusCode.PERMISSION_DENIED, "only a camera may stream frames")
            await self._hub.serve(camera, context)

    async def Recognize(self, request: pb.RecognizeRequest, context: AnyContext) -> pb.RecognizeResponse:  # noqa: N802
        """See the contract."""
        async with self._boundary(context):
            matcher = self._gallery.matcher
            found = await self._find(request.image, context)
            matches = await asyncio.get_running_loop().run_in_executor(
                self._tools.executor, matcher.match_faces, found.faces
            )
            pairs = sorted(zip(found.faces, matches, strict=True), key=lambda pair: -pair[0].score)
            return pb.RecognizeResponse(
                faces=[recognized_face(face, match) for face, match in pairs],
                width=found.width,
                height=found.height,
                index_version=matcher.gallery.version,
            )

    async def EncodeFaces(self, request: pb.EncodeFacesRequest, context: AnyContext) -> pb.EncodeFacesResponse:  # noqa: N802
        """See the contract."""
        async with self._boundary(context):
            engine = self._engine_info()
            found = await self._find(request.image, context)
            return pb.EncodeFacesResponse(
                faces=[encoded_face(face) for face in sorted(found.faces, key=lambda face: -face.score)],
                width=found.width,
                height=found.height,
                model=engine.model,
            )

    async def GetIndex(self, request: pb.GetIndexRequest, context: AnyContext) -> None:  # noqa: N802
        """See the contract."""
        async with self._boundary(context):
            await self._giver.give(request, context)

    async def GetStatus(self, request: pb.GetStatusRequest, context: AnyContext) -> pb.GetStatusResponse:  # noqa: N802
        """See the contract."""
        async with self._boundary(context):
            outbox = await asyncio.get_running_loop().run_in_executor(self._tools.executor, self._outbox_state)
            return status_message(
                self._tools.statistics,
                engine=self._engine.info,
                gallery=self._gallery.gallery,
                outbox=outbox,
                cameras=len(self._hub.streams),
                waiting=self._batcher.waiting,
                batches=self._batcher.batches,
            )

    @asynccontextmanager
    async def _boundary(self, context: AnyContext) -> AsyncIterator[None]:
        """Count the call while it is open, and end it with the status of what was raised."""
        self._calls += 1
        self._idle.clear()
        try:
            yield
        except (ServiceError, StreamRefusedError, CallRefusedError) as error:
            await _abort(context, error.status, str(error))
        except grpc.aio.InternalError:
            log.info("call_broken_off", peer=context.peer())
        except DecodeError:  # from reading a stream; `access.guarding` answers it, as for every call
            raise
        except Exception:
            log.exception("call_failed")
            await _abort(context, grpc.StatusCode.INTERNAL, "the service failed on this call; its log says why")
        finally:
            self._calls -= 1
            if self._calls == 0:
                self._idle.set()

    async def _find(self, image: bytes, context: AnyContext) -> FoundFaces:
        caller = current_identity()
        now = asyncio.get_running_loop().time()
        remaining = context.time_remaining()
        wait = self._tools.deadline_s if remaining is None else min(self._tools.deadline_s, remaining)
        return await self._tools.pipeline.find(
            image, lane=("operator", caller.id), upsample=None, deadline=now + wait, formats=_FORMATS
        )

    def _engine_info(self) -> EngineInfo:
        if self._engine.info is None:
            raise UnavailableError("the face engine is starting; try again shortly")
        return self._engine.info

    def _outbox_state(self) -> tuple[int, timedelta]:
        try:
            return self._outbox.depth(), self._outbox.oldest_age(datetime.now(UTC))
        except OutboxError as error:
            log.error("outbox_not_read", reason=str(error))
            raise UnavailableError("the outbox cannot be read; the service's log says why") from None


async def _abort(context: AnyContext, status: grpc.StatusCode, details: str) -> None:
    try:
        await context.abort(status, details)
    except grpc.aio.InternalError:  # gRPC's word for a client that is gone
        log.info("call_broken_off", peer=context.peer())
