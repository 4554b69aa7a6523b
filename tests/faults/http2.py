"""HTTP/2 by hand (RFC 9113), for clients that no library would make: a byte a second, frames cut anywhere."""

import asyncio
import struct
from collections.abc import Sequence

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, GOAWAY = 0x0, 0x1, 0x4, 0x7
_END_HEADERS = 0x4
_LONGEST = 127
"""HPACK's longest string whose length takes one byte; longer ones take more."""


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    """One frame (section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


GREETING = PREFACE + frame(SETTINGS)


def call(path: str, token: str | None = None, *, stream: int = 1) -> bytes:
    """The headers that begin a gRPC call."""
    headers = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost")]
    headers += [("te", "trailers"), ("content-type", "application/grpc")]
    if token is not None:
        headers.append(("authorization", f"Bearer {token}"))
    return frame(HEADERS, _packed(headers), flags=_END_HEADERS, stream=stream)


def message(content: bytes, *, stream: int = 1) -> bytes:
    """A gRPC message that fits into one frame of data."""
    return frame(DATA, b"\0" + struct.pack(">I", len(content)) + content, stream=stream)


async def trickle(writer: asyncio.StreamWriter, data: bytes, *, every_s: float) -> None:
    """Send data a byte at a time."""
    for place in range(len(data)):
        writer.write(data[place : place + 1])
        await writer.drain()
        await asyncio.sleep(every_s)


def _packed(headers: Sequence[tuple[str, str]]) -> bytes:
    """HPACK (RFC 7541, section 6.2.2): every header as a literal that is not indexed."""
    return b"".join(b"\0" + _string(name) + _string(value) for name, value in headers)


def _string(text: str) -> bytes:
    data = text.encode()
    assert len(data) < _LONGEST
    return bytes([len(data)]) + data
