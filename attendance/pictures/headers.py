"""What the files of newer formats say of themselves: their size, and whether they are whole. No pixel is decoded.

Read after the WebP container specification (RFC 9649) and ISO/IEC 14496-12 and 23008-12 (boxes of HEIC and AVIF).
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from attendance.errors import AttendanceError
from attendance.pictures.formats import AVIF, HEIC, WEBP

MOST_PIXELS = {WEBP: 6_250_000, AVIF: 12_500_000, HEIC: 25_000_000}
"""The largest pictures decoded. Measured, a pixel takes 16, 9.5 and 4.9 bytes meanwhile. Phones' HEIC pictures have 12
or 24 million pixels."""

_VP8X_HEAD, _VP8_HEAD, _VP8L_HEAD = 18, 20, 15
# Boxes that have others inside, of those on the way to the sizes.
_HOLDERS = {b"meta": 4, b"iprp": 0, b"ipco": 0}
"""And the bytes before the first of these."""
_DEEPEST = 4


class PhotoFileError(AttendanceError):
    """A picture cannot be read; the message is a clause that says why."""


class CostlyPhotoError(PhotoFileError):
    """It has too many pixels, or decoding it takes too much memory or time."""


class Header(NamedTuple):
    """What a file says of its picture."""

    width: int
    height: int


def read_header(data: bytes, kind: str) -> Header:
    """The size of a WebP, AVIF or HEIC picture, as it is stored.

    Args:
        data: the whole file.
        kind: what `format_of` says.

    Raises:
        CostlyPhotoError: it has more than `MOST_PIXELS`.
        PhotoFileError: the file stops before its end, or does not say the size.
    """
    header = _read_webp(data) if kind == WEBP else _read_boxes(data, kind)
    if header.width * header.height > MOST_PIXELS[kind]:
        raise CostlyPhotoError(
            f"the {kind} picture has {header.width} x {header.height} pixels, which take too much memory to open; at "
            f"most {MOST_PIXELS[kind] / 1_000_000:.3g} million are taken: save it as JPEG, or smaller"
        )
    return header


def _read_webp(data: bytes) -> Header:
    if 8 + int.from_bytes(data[4:8], "little") > len(data) or len(data) < 30:
        raise PhotoFileError("the WebP is truncated: it stops before the end of the image")
    kind, body = data[12:16], data[20:]
    if kind == b"VP8X":
        return Header(*(1 + int.from_bytes(body[at : at + 3], "little") for at in (4, 7)))
    if kind == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return Header(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", body, 6)
        return Header(width & 0x3FFF, height & 0x3FFF)
    raise PhotoFileError("damaged WebP: it does not say its size")


def _read_boxes(data: bytes, kind: str) -> Header:
    """The largest of the sizes that its items have: of a picture in tiles that of the whole, not of its thumbnail."""
    sizes = [
        Header(*struct.unpack_from(">II", data, start + 4))
        for name, start, end in _boxes(data, 0, len(data), kind)
        if name == b"ispe" and end - start >= 12
    ]
    if not sizes:
        raise PhotoFileError(f"damaged {kind}: it does not say its size")
    largest = max(sizes, key=lambda size: size.width * size.height)
    if not largest.width or not largest.height:
        raise PhotoFileError(f"damaged {kind}: it declares {largest.width} x {largest.height} pixels")
    return largest


def _boxes(data: bytes, start: int, end: int, kind: str, depth: int = 0) -> Iterator[tuple[bytes, int, int]]:
    """Each box's name and where its contents start and end."""
    while start < end:
        if start + 8 > end:
            raise PhotoFileError(f"the {kind} is truncated: it stops before the end of the image")
        length, name = struct.unpack_from(">I4s", data, start)
        head = 8
        if length == 1 and start + 16 <= end:
            (length,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        elif length == 0:  # to the end of the file
            length = end - start
        if length < head:
            raise PhotoFileError(f"damaged {kind}: a part shorter than its own head")
        if start + length > end:
            raise PhotoFileError(f"the {kind} is truncated: it stops before the end of the image")
        yield name, start + head, start + length
        if name in _HOLDERS and depth < _DEEPEST:
            yield from _boxes(data, start + head + _HOLDERS[name], start + length, kind, depth + 1)
        start += length
