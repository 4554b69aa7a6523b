"""The date that a video's container says, which is UTC by its standard.

MP4 and MOV: `creation_time` of the movie header, seconds since 1904 UTC (ISO/IEC 14496-12, 8.2.2). Matroska and WebM:
`DateUTC` of the segment's information, nanoseconds since 2001 UTC (RFC 9559, 5.1.2.11). Others have none. Some
recorders write local time, or the end of the recording, there: nobody can tell from the file.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

_MP4_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)
_MATROSKA_EPOCH = datetime(2001, 1, 1, tzinfo=UTC)
_EBML, _SEGMENT, _INFO, _DATE_UTC = 0x1A45DFA3, 0x18538067, 0x1549A966, 0x4461
_MOST_ELEMENTS = 10_000
_MOST_HEADER = 1_000_000
_FIRST_YEAR = 1990


def container_date(path: Path) -> datetime | None:
    """The date, aware, UTC; None: the container has none.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(12)
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
            found = _of_mp4(file)
        elif int.from_bytes(head[:4], "big") == _EBML:
            found = _of_matroska(file)
        else:
            found = None
    return found if found is not None and found.year >= _FIRST_YEAR else None


def _of_mp4(file: BinaryIO) -> datetime | None:
    for kind, begins, ends in _boxes(file, 0, file.seek(0, os.SEEK_END)):
        if kind != b"moov":
            continue
        for inner, at, _ in _boxes(file, begins, ends):
            if inner == b"mvhd":
                file.seek(at)
                header = file.read(12)
                wide = header[:1] == b"\1"
                seconds = int.from_bytes(header[4:12] if wide else header[4:8], "big")
                return _added(_MP4_EPOCH, timedelta(seconds=seconds)) if 0 < seconds < 1 << 34 else None
    return None


def _boxes(file: BinaryIO, begins: int, ends: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, and where the content begins and ends, of each box."""
    at = begins
    for _ in range(_MOST_ELEMENTS):
        if at + 8 > ends:
            return
        file.seek(at)
        header = file.read(16)
        size, kind, inside = int.from_bytes(header[:4], "big"), header[4:8], at + 8
        if size == 1:
            size, inside = int.from_bytes(header[8:16], "big"), at + 16
        end = ends if size == 0 else at + size
        if end <= at:
            return
        yield kind, inside, min(end, ends)
        at = end


def _of_matroska(file: BinaryIO) -> datetime | None:
    size = file.seek(0, os.SEEK_END)
    for kind, begins, ends in _elements(file, 0, size):
        if kind != _SEGMENT:
            continue
        for inner, at, end in _elements(file, begins, ends):
            if inner == _INFO and end - at <= _MOST_HEADER:
                return _date_in(file, at, end)
    return None


def _date_in(file: BinaryIO, begins: int, ends: int) -> datetime | None:
    for kind, at, end in _elements(file, begins, ends):
        if kind == _DATE_UTC and end - at == 8:
            file.seek(at)
            nanoseconds = int.from_bytes(file.read(8), "big", signed=True)
            return _added(_MATROSKA_EPOCH, timedelta(microseconds=nanoseconds // 1000))
    return None


def _elements(file: BinaryIO, begins: int, ends: int) -> Iterator[tuple[int, int, int]]:
    """Number, and where the content begins and ends, of each element: RFC 8794, 4 to 6."""
    at = begins
    for _ in range(_MOST_ELEMENTS):
        file.seek(at)
        head = file.read(12)
        if at >= ends or len(head) < 2 or not head[0]:
            return
        length = 9 - head[0].bit_length()
        kind = int.from_bytes(head[:length], "big")
        if len(head) <= length or not head[length]:
            return
        width = 9 - head[length].bit_length()
        size = int.from_bytes(head[length : length + width], "big") & ((1 << 7 * width) - 1)
        inside = at + length + width
        end = ends if size == (1 << 7 * width) - 1 else min(inside + size, ends)  # all ones: not known
        yield kind, inside, end
        at = end


def _added(epoch: datetime, since: timedelta) -> datetime | None:
    try:
        return epoch + since
    except OverflowError:
        return None
