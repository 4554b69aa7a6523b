"""The process that `attendance.pictures.apart` starts: one picture in, its pixels out.

In: a line of JSON, then the file. Out: a line of JSON (mode, width, height), then the pixels; or the line "damaged".
Whatever else happens is one thing for who asked: too much memory or time.
"""

import io
import json
import os
import resource
import struct
import sys
from collections.abc import Callable
from typing import Any

from PIL import Image

from attendance.pictures.formats import AVIF
from attendance.pictures.orientation import orientation_of, turned_upright

_STRIP_ROWS = 256
# What the decoders raise on damaged files.
_DAMAGES = (OSError, ValueError, SyntaxError, EOFError, RuntimeError, IndexError, KeyError, TypeError, struct.error)


def main() -> None:
    """Answer the request on standard input."""
    asked = json.loads(sys.stdin.buffer.readline())
    _bound(asked["most_bytes"], asked["most_seconds"])
    data = sys.stdin.buffer.read()
    try:
        decode = _avif if asked["kind"] == AVIF else _heic
        small = decode(data, lambda size: _reduction(asked, size), asked["as_stored"])
        small = small.convert("RGBA" if small.has_transparency_data or small.mode == "RGBa" else "RGB")
    except _DAMAGES as error:
        if "emory" in str(error):  # libheif's and Pillow's words where there is not enough
            raise MemoryError from error
        sys.stdout.buffer.write(b"damaged\n")
        return
    head = {"mode": small.mode, "width": small.width, "height": small.height}
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n")
    sys.stdout.buffer.write(small.tobytes())


def _bound(most_bytes: int, most_seconds: int) -> None:
    # With one processor the decoders start no threads, each of which would want a stack of eight megabytes. It is not
    # always the same one: pictures may be decoded side by side, and others work, too.
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[os.getpid() % len(processors)]})
    resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (most_seconds, most_seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a picture's remains are nobody's


def _reduction(asked: dict[str, Any], size: tuple[int, int]) -> int:
    """The whole number by which both sides are divided."""
    if asked["side"] is not None:
        return max(1, min(size) // int(asked["side"]))
    by = 1
    while (size[0] // by) * (size[1] // by) > asked["pixels"]:
        by += 1
    return by


def _avif(data: bytes, reduction: Callable[[tuple[int, int]], int], as_stored: bool) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=["AVIF"]) as picture:
        orientation = orientation_of(picture)
        stored = picture.convert("RGB") if as_stored and picture.mode != "RGB" else picture
        return turned_upright(stored.reduce(reduction(picture.size)), orientation)


def _heic(data: bytes, reduction: Callable[[tuple[int, int]], int], as_stored: bool) -> Image.Image:
    """Decode strip by strip: the decoder's own pixels take three bytes each, Pillow's would take four more.

    libheif turns the picture as its `irot` and `imir` say, which in HEIC hold whatever EXIF says (ISO/IEC 23008-12).
    """
    import pillow_heif  # noqa: PLC0415 - an installation may leave it out

    options = pillow_heif.options
    for extra in ("THUMBNAILS", "DEPTH_IMAGES", "AUX_IMAGES"):
        setattr(options, extra, False)
    setattr(options, "DECODE_THREADS", 1)  # noqa: B010 - a module's option, which nothing here reads
    file = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True, remove_stride=False)
    pixels, (width, height), mode, stride = memoryview(file.data), file.size, file.mode, file.stride
    by = reduction((width, height))
    small = Image.new("RGB" if as_stored else mode, (-(-width // by), -(-height // by)))
    rows = by * max(1, _STRIP_ROWS // by)
    for top in range(0, height, rows):
        count = min(rows, height - top)
        part = pixels[top * stride : (top + count) * stride]
        strip = Image.frombytes(mode, (width, count), part, "raw", mode, stride)
        if as_stored and mode != "RGB":
            strip = (strip.convert("RGBA") if mode == "RGBa" else strip).convert("RGB")
        small.paste(strip.reduce(by), (0, top // by))
    return small


if __name__ == "__main__":
    main()
