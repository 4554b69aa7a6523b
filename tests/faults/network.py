"""A TCP proxy between a camera and the service that behaves as networks do: it breaks, stalls, and forgets a side."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

_CHUNK = 4096


class _Link:
    """One connection through the proxy."""

    def __init__(self, camera: asyncio.StreamWriter, service: asyncio.StreamWriter) -> None:
        self.camera = camera
        self.service = service
        self.silent = False
        """Whether nothing passes any more, though one side is still open."""


class Network:
    """The way to the service at a port, in a block of its own. All its connections have the same fate."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._links: list[_Link] = []
        self._passing = asyncio.Event()
        self._passing.set()
        self._closed = False
        self._threshold: int | None = None
        self._fault: Callable[[], None] = lambda: None
        self._sent = 0
        self.faults = 0
        """Faults that were due and done."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._passing.set()
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def after(self, sent: int, fault: Callable[[], None]) -> None:
        """Do a fault when the camera has sent so many bytes more."""
        self._threshold, self._fault = self._sent + sent, fault

    def cut(self) -> None:
        """Break every connection, for both sides."""
        for link in self._links:
            _reset(link.camera)
            _reset(link.service)
        self._links.clear()

    def forget_camera(self) -> None:
        """Lose the cameras without the service's being told."""
        for link in self._links:
            link.silent = True
            _reset(link.camera)

    def forget_service(self) -> None:
        """Lose the service without the cameras' being told."""
        for link in self._links:
            link.silent = True
            _reset(link.service)

    def stall(self, seconds: float) -> None:
        """Let nothing pass for a while; connections stay open and new ones are taken."""
        self._passing.clear()
        asyncio.get_running_loop().call_later(seconds, self._passing.set)

    def away(self, seconds: float) -> None:
        """Break every connection, and every new one for a while."""
        self.cut()
        self._closed = True
        asyncio.get_running_loop().call_later(seconds, self._back)

    def _back(self) -> None:
        self._closed = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closed:
            _reset(writer)
            return
        try:
            from_service, to_service = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            _reset(writer)
            return
        link = _Link(writer, to_service)
        self._links.append(link)
        await asyncio.gather(
            self._pump(link, reader, to_service, counts=True), self._pump(link, from_service, writer, counts=False)
        )

    async def _pump(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._passing.wait()
                if not link.silent:
                    writer.write(data)
                    await writer.drain()
                if counts:
                    self._count(len(data))
        await self._passing.wait()  # an end does not pass either
        if not link.silent:
            writer.close()

    def _count(self, sent: int) -> None:
        self._sent += sent
        if self._threshold is not None and self._sent >= self._threshold:
            self._threshold = None
            self.faults += 1
            self._fault()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST, as a machine does that knows nothing of it."""
    own: socket.socket | None = writer.get_extra_info("socket")
    if own is not None and own.fileno() >= 0:
        with suppress(OSError):
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    writer.transport.abort()
