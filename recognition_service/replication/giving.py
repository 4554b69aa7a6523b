"""GetIndex: the published index, given to recognition services on other machines."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import grpc
import structlog

from attendance.gallery.gallery import GalleryError
from attendance.gallery.offering import CHUNK_BYTES, Offer, chunks_of, offer_of
from attendance.settings import Settings
from attendance.settings.listening import is_loopback
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.access.auth import current_identity
from recognition_service.access.guarding import CallRefusedError

log = structlog.get_logger()

Context = grpc.aio.ServicerContext[Any, Any]


class IndexGiver:
    """Answers GetIndex. Whoever calls was admitted by the token; here it is asked whether others could listen."""

    def __init__(self, settings: Settings) -> None:
        """Prepare.

        Args:
            settings: all of them.
        """
        self._folder: Path = settings.index_path
        self._holds_copy = settings.replica.on
        self._behind_proxy = settings.service.index_behind_proxy
        # Twice the setting is what gRPC receives; what is sent must be less than the setting.
        self._chunk_bytes = min(CHUNK_BYTES, settings.service.max_message_bytes // 2)
        self._stopping = False

    def stop(self) -> None:
        """End the calls that are open after their next chunk: the service stops."""
        self._stopping = True

    async def give(self, request: pb.GetIndexRequest, context: Context) -> None:
        """Offer the index that is published, and send it unless the caller has it.

        Raises:
            CallRefusedError: it is not given to this caller, or not now.
        """
        self._require_privacy(context)
        if self._holds_copy:
            raise CallRefusedError(
                grpc.StatusCode.FAILED_PRECONDITION,
                "this service holds a copy of the index itself: ask the machine that holds the store",
            )
        try:
            offer = await asyncio.to_thread(offer_of, self._folder)
            if offer is None:
                raise CallRefusedError(grpc.StatusCode.NOT_FOUND, "no index is published yet")
            await context.write(pb.GetIndexResponse(offer=_offer_message(offer)))
            if request.have_version != offer.version:
                await self._send(offer, request, context)
        except GalleryError as error:
            log.warning("index_not_given", reason=str(error))
            raise CallRefusedError(grpc.StatusCode.UNAVAILABLE, str(error)) from None

    async def _send(self, offer: Offer, request: pb.GetIndexRequest, context: Context) -> None:
        goes_on = request.partial_version == offer.version
        received = {file.name: file.bytes for file in request.received} if goes_on else {}
        chunks = chunks_of(self._folder, offer, received, chunk_bytes=self._chunk_bytes)
        sent = 0
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            if self._stopping:
                raise CallRefusedError(grpc.StatusCode.UNAVAILABLE, "the service is stopping; ask again shortly")
            message = pb.IndexChunk(file=chunk.file, offset=chunk.offset, data=chunk.data, sha256=chunk.sha256)
            await context.write(pb.GetIndexResponse(chunk=message))
            sent += len(chunk.data)
        log.info("index_given", version=offer.version, bytes=sent, to=current_identity().name)

    def _require_privacy(self, context: Context) -> None:
        """Encodings never go where others could read them.

        Raises:
            CallRefusedError: the call is not encrypted, and comes neither from this machine, where a proxy may have
                taken TLS off, nor from a proxy that the settings tell of.
        """
        encrypted = b"ssl" in context.auth_context().get("transport_security_type", [])
        if not (encrypted or self._behind_proxy or _is_of_this_machine(context.peer())):
            log.warning("index_not_given", reason="the call is not encrypted", peer=context.peer())
            raise CallRefusedError(
                grpc.StatusCode.PERMISSION_DENIED, "the index is given by TLS only: it holds biometric data"
            )


def _offer_message(offer: Offer) -> pb.IndexOffer:
    files = [pb.IndexFile(name=name, bytes=size) for name, size in offer.files.items()]
    return pb.IndexOffer(version=offer.version, manifest=offer.manifest, manifest_sha256=offer.sha256, files=files)


def _is_of_this_machine(peer: str) -> bool:
    """Whether a peer, as gRPC names it ("ipv4:127.0.0.1:4711", "ipv6:%5B::1%5D:4711"), is on loopback."""
    kind, _, address = unquote(peer).partition(":")
    return kind == "unix" or is_loopback(address.rpartition(":")[0])
