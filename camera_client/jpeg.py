"""Frames and picture files to JPEGs that may be sent: small enough, upright, whole."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.errors import AttendanceError

# Markers of ITU-T T.81, table B.1. SOF0..SOF15 start a frame, but for DHT, JPG and DAC, which lie in their range.
_START_OF_IMAGE = b"\xff\xd8"
_END_OF_IMAGE = b"\xff\xd9"
_START_OF_SCAN = 0xDA
_APP1 = 0xE1
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# What may follow 0xFF behind the first scan: a stuffed zero, restarts, tables, scans, what applications say, fills.
_IN_SCANS = frozenset({0x00, *range(0xD0, 0xD8), 0xC4, *range(0xDA, 0xDE), *range(0xE0, 0xF0), 0xFE, 0xFF})
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})

# Exif 2.3, section 4.6: the orientation tag, an unsigned short; 1 is upright.
_ORIENTATION_TAG = 0x0112
_UPRIGHT = 1

_SMALLEST_SIDE = 32
_GREY_OR_COLOUR = (1, 3)


class PictureError(AttendanceError):
    """A picture cannot be sent; the message says why, without naming the picture."""


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What stands in a JPEG before its pixels.

    Attributes:
        width: pixels as stored, before any rotation.
        height: pixels as stored.
        components: 1 grey, 3 colour, 4 CMYK.
        orientation: Exif's, 1 (upright) to 8.
        scan: index of the first byte after the start of the first scan's marker.
    """

    width: int
    height: int
    components: int
    orientation: int
    scan: int


def read_jpeg_header(data: bytes) -> JpegHeader | None:
    """The header of a JPEG; None when there is no whole one."""
    size: tuple[int, int, int] | None = None
    orientation = _UPRIGHT
    for marker, start, end in _segments(data):
        if marker == _START_OF_SCAN:
            return None if size is None else JpegHeader(*size, orientation, start)
        if marker in _START_OF_FRAME and end - start >= 6:  # precision, height, width, components
            height, width, components = struct.unpack_from(">HHB", data, start + 1)
            size = (width, height, components)
        elif marker == _APP1 and data[start : start + 6] == b"Exif\0\0":
            orientation = _exif_orientation(data[start + 6 : end])
    return None


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, first and last-plus-one index of the content of each segment, up to the first scan."""
    if not data.startswith(_START_OF_IMAGE):
        return
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:  # every marker starts with it
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in _NO_LENGTH:
            at += 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data):
            return
        yield marker, at + 4, end
        if marker == _START_OF_SCAN:
            return
        at = end


def _exif_orientation(tiff: bytes) -> int:
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return _UPRIGHT
    try:
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, directory)
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if tag == _ORIENTATION_TAG:
                return int(value)
    except struct.error:
        pass  # a damaged Exif block says nothing; the picture itself may be whole
    return _UPRIGHT


class JpegEncoder:
    """Makes JPEGs of a chosen quality that keep bounds on width and bytes."""

    # Qualities tried, one after the other, when a frame is too large at the chosen one; then it shrinks by this factor.
    _LESSER_QUALITIES = (75, 60, 45, 30)
    _SHRINK = 0.7

    def __init__(self, *, quality: int = 90, max_width: int | None = None, max_bytes: int = 4_000_000) -> None:
        """Set the bounds.

        Args:
            quality: JPEG quality, 1 to 100, of frames that fit at it.
            max_width: wider images are scaled down to it, pixels.
            max_bytes: no JPEG is larger.
        """
        self._quality = quality
        self._max_width = max_width
        self._max_bytes = max_bytes

    def encode(self, image: NDArray[np.uint8]) -> bytes:
        """A JPEG of an image.

        Args:
            image: blue, green, red, shape (height, width, 3), or grey, shape (height, width).

        Raises:
            PictureError: the image cannot be encoded, or not within the bounds.
        """
        width = image.shape[1]
        if self._max_width is not None and width > self._max_width:
            image = _scaled(image, self._max_width / width)
        while min(image.shape[:2]) >= _SMALLEST_SIDE:
            for quality in (self._quality, *(q for q in self._LESSER_QUALITIES if q < self._quality)):
                data = _jpeg(image, quality)
                if len(data) <= self._max_bytes:
                    return data
            image = _scaled(image, self._SHRINK)
        raise PictureError(f"it is smaller than {_SMALLEST_SIDE} pixels, or larger than {self._max_bytes} bytes")

    def accept(self, data: bytes) -> bytes:
        """The content of a picture file as a JPEG that may be sent: as it is, if it may, else encoded anew.

        A JPEG that Exif declares rotated is turned upright, because the service looks at the pixels alone.

        Raises:
            PictureError: not a picture, a damaged one, or one that does not fit the bounds.
        """
        header = read_jpeg_header(data)
        if header is not None and data.rfind(_END_OF_IMAGE, header.scan) < 0:
            raise PictureError("it is cut off before its end")
        if header is not None and _is_damaged(data, header.scan):
            raise PictureError("it is damaged")
        if header is not None and self._may_go_as_it_is(data, header):
            _decoded(data, cv2.IMREAD_REDUCED_GRAYSCALE_8)  # cheap proof that it can be decoded
            return data
        return self.encode(_decoded(data, cv2.IMREAD_COLOR))

    def _may_go_as_it_is(self, data: bytes, header: JpegHeader) -> bool:
        narrow = self._max_width is None or header.width <= self._max_width
        plain = header.orientation == _UPRIGHT and header.components in _GREY_OR_COLOUR
        return narrow and plain and len(data) <= self._max_bytes


def _is_damaged(data: bytes, scan: int) -> bool:
    """Whether what cannot be stands between a JPEG's first scan and its end; decoders make grey of it and say nothing.

    In coded pixels, 0xFF is followed by 0x00 or by a marker (T.81, B.1.1.5): of a restart, or of what may come between
    two scans.
    """
    coded = np.frombuffer(data, np.uint8)[scan : data.find(_END_OF_IMAGE, scan)]  # phones put more pictures behind it
    return not _IN_SCANS.issuperset(np.unique(coded[1:][coded[:-1] == 0xFF]).tolist())


def _decoded(data: bytes, flags: int) -> NDArray[np.uint8]:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error:
        image = None
    if image is None:
        raise PictureError("it is empty" if not data else "it is no picture, or a damaged one")
    return image.astype(np.uint8, copy=False)


def _scaled(image: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    try:
        done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error:
        done = False
    if not done:
        raise PictureError("it cannot be made a JPEG")
    return data.tobytes()
