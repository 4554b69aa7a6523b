"""Where an index is fetched from: a recognition service, or a folder that is mounted."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, Protocol

import grpc

from attendance.errors import AttendanceError
from attendance.gallery.gallery import GalleryError
from attendance.gallery.offering import Chunk, Offer, chunks_of, offer_of
from attendance.settings.replica import ReplicaSettings
from protos.attendance.v1 import attendance_pb2 as pb
from protos.attendance.v1 import attendance_pb2_grpc as pb_grpc

_ANSWER_S = 30.0
"""A connection on which nothing comes for so long is given up."""
_TRIES = 12
"""Behind a proxy, so many services may be asked until one that has the store answers."""
_LONGEST_TOKEN = 512
_LONGEST_DETAILS = 500
_NOT_CONNECTED, _NOT_VERIFIED = "failed to connect", "CERTIFICATE_VERIFY_FAILED"
_LARGEST_MESSAGE = 16_000_000


class SourceAwayError(AttendanceError):
    """The machine with the store does not give its index; the message says why, for people."""


class IndexSource(Protocol):
    """Where an index comes from."""

    @property
    def name(self) -> str:
        """For people."""

    def fetch(self, have: str, partial: tuple[str, Mapping[str, int]]) -> AsyncGenerator[Offer | Chunk]:
        """First the offer; then, unless `have` is that version, the rest of its files.

        Args:
            have: the version in use; "" for none.
            partial: a version of which a part was received, and how many bytes of each file; "" for none.

        Raises:
            SourceAwayError: it cannot be had now.
        """


def source_of(settings: ReplicaSettings) -> IndexSource:
    """The source that is set.

    Raises:
        ValueError: none is.
    """
    if settings.folder is not None:
        return MountedFolder(settings.folder)
    if settings.source is None or settings.token_file is None or settings.tls_ca is None:
        raise ValueError("the index does not come from elsewhere")
    return OtherService(settings.source, settings.token_file, settings.tls_ca)


class MountedFolder:
    """The folder of published indexes of the machine with the store, mounted here."""

    def __init__(self, folder: Path) -> None:
        """Take the folder."""
        self._folder = folder

    @property
    def name(self) -> str:
        """For people."""
        return str(self._folder)

    async def fetch(self, have: str, partial: tuple[str, Mapping[str, int]]) -> AsyncGenerator[Offer | Chunk]:
        """See `IndexSource`."""
        try:
            offer = await asyncio.to_thread(offer_of, self._folder)
            if offer is None:
                raise SourceAwayError(f"there is no index in {self._folder}: is it mounted, and one published?")
            yield offer
            if have == offer.version:
                return
            chunks = chunks_of(self._folder, offer, partial[1] if partial[0] == offer.version else {})
            while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                yield chunk
        except GalleryError as error:
            raise SourceAwayError(f"{self._folder}: {error}") from None


class OtherService:
    """A recognition service on the machine with the store, by TLS."""

    def __init__(self, address: str, token_file: Path, tls_ca: Path) -> None:
        """Prepare; files are read at each call, so that new ones need no restart.

        Args:
            address: host:port.
            token_file: holds a token of the role replica alone.
            tls_ca: PEM certificate authorities, one of which vouches for the service.
        """
        self._address = address
        self._token_file = token_file
        self._tls_ca = tls_ca

    @property
    def name(self) -> str:
        """For people."""
        return self._address

    async def fetch(self, have: str, partial: tuple[str, Mapping[str, int]]) -> AsyncGenerator[Offer | Chunk]:
        """See `IndexSource`."""
        version, received = partial
        request = pb.GetIndexRequest(
            have_version=have,
            partial_version=version,
            received=[pb.ReceivedFile(name=name, bytes=size) for name, size in received.items()],
        )
        token, authority = await asyncio.to_thread(self._read_files)
        options = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_retries", 0),
            ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
            ("grpc.primary_user_agent", "attendance-replica"),
        ]
        credentials = grpc.ssl_channel_credentials(authority)
        async with grpc.aio.secure_channel(self._address, credentials, options) as channel:
            stub = pb_grpc.RecognitionServiceStub(channel)  # type: ignore[no-untyped-call]
            for tries_left in reversed(range(_TRIES)):
                try:
                    async for part in _answers(stub, request, token):
                        yield part
                    return
                except grpc.aio.AioRpcError as error:
                    if error.code() is not grpc.StatusCode.FAILED_PRECONDITION or not tries_left:
                        raise SourceAwayError(self._refusal(error, token)) from None
                except TimeoutError:
                    raise SourceAwayError(f"{self._address} has not answered for {_ANSWER_S:.0f} seconds") from None

    def _refusal(self, error: grpc.aio.AioRpcError, token: str) -> str:
        """What went wrong, in words; gRPC's own are for programmers."""
        details = error.details() or ""
        if _NOT_VERIFIED in details:
            return f"{self._address} has a certificate that {self._tls_ca} does not vouch for, or of another name"
        if details.startswith(_NOT_CONNECTED):
            return f"{self._address} cannot be reached ({details.rpartition(': ')[2]})"
        said = details.replace(token, "***")[:_LONGEST_DETAILS] or str(error.code())
        return f"{self._address} does not give its index: {said}"

    def _read_files(self) -> tuple[str, bytes]:
        try:
            token = _content(self._token_file).decode("ascii").strip()
        except UnicodeDecodeError:
            raise SourceAwayError(f"cannot read {self._token_file}: it is no text") from None
        authority = _content(self._tls_ca)
        if not token or not token.isprintable() or " " in token or len(token) > _LONGEST_TOKEN:
            raise SourceAwayError(f"{self._token_file} holds no token: one word is expected")
        if b"-----BEGIN CERTIFICATE-----" not in authority:
            raise SourceAwayError(f"{self._tls_ca} holds no PEM certificate")
        return token, authority


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceAwayError(f"cannot read {path}: {error.strerror}") from None


async def _answers(stub: Any, request: pb.GetIndexRequest, token: str) -> AsyncGenerator[Offer | Chunk]:
    # A proxy sends each camera's calls to one of several services, by this name. One that holds a copy itself gives
    # none, so that another name is taken for each call.
    name = f"replica-{secrets.token_hex(4)}"
    call = stub.GetIndex(request, metadata=(("authorization", f"Bearer {token}"), ("attendance-camera", name)))
    try:
        while True:
            async with asyncio.timeout(_ANSWER_S):
                message = await call.read()
            if not isinstance(message, pb.GetIndexResponse):
                return
            yield _part(message)
    finally:
        call.cancel()


def _part(message: pb.GetIndexResponse) -> Offer | Chunk:
    if message.HasField("chunk"):
        chunk = message.chunk
        return Chunk(chunk.file, chunk.offset, chunk.data, chunk.sha256)
    offer = message.offer
    return Offer(offer.version, offer.manifest, offer.manifest_sha256, {file.name: file.bytes for file in offer.files})
