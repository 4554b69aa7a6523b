"""What decoding a picture costs in memory, told from its header, by how much it must be reduced meanwhile, and its RGB.

A file of two kilobytes can hold 49 million pixels. Their number alone does not say what they cost: a WebP picture takes
four times the memory of a JPEG, and a progressive JPEG holds all its coefficients besides.
"""

import re

from PIL import Image as Pillow
from PIL.Image import Image

MOST_BYTES = 100_000_000
"""Memory that decoding one picture may take."""
MOST_SCANS = 100
"""Of a JPEG: a progressive picture has about ten, and thousands of them keep a decoder busy for hours."""
MARKER_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
"""In entropy-coded data a marker is 0xFF and neither a stuffed zero, a restart (D0 to D7) nor another 0xFF."""
_SEGMENT = re.compile(rb"\xff+([^\x00\xff])", re.DOTALL)
_EOI, _SOS, _ALONE = 0xD9, 0xDA, frozenset({0x01, *range(0xD0, 0xD9)})
_REDUCTIONS = (1, 2, 4, 8)
"""By which a JPEG can be reduced while it is decoded (ITU-T T.81: fewer of each block's coefficients)."""
_COEFFICIENT = 2
"""Bytes of each sample that a decoder of progressive JPEG keeps (libjpeg's JCOEF)."""
_WEBP = 16
"""Bytes a pixel, measured: two canvases of libwebp's, the frame, and Pillow's picture."""
_AS_DECODED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I": 4}
"""Bytes a pixel of Pillow's pictures by mode; all others have 4."""
_PLAIN_MODES = frozenset({"RGB", "L", "1", "CMYK", "LA", "RGBA"})
_INTO_RGB = {"RGB": 0, "RGBA": 8, "LA": 8, "La": 8, "RGBa": 8, "P": 8, "I;16": 10, "I;16B": 10, "I": 10}
"""Bytes a pixel of what is made on the way to RGB, transparency included; for all others 4."""


def decoding_bytes(picture: Image, reduction: int = 1) -> int:
    """The memory that decoding a picture and making it RGB takes at most.

    Args:
        picture: opened by Pillow and not loaded: only its header is looked at.
        reduction: by which a JPEG is reduced while it is decoded; 1, 2, 4 or 8.
    """
    pixels = picture.width * picture.height
    if picture.format == "WEBP":
        return pixels * (_WEBP + _INTO_RGB.get(picture.mode, 4))
    own = pixels * (_AS_DECODED.get(picture.mode, 4) + _INTO_RGB.get(picture.mode, 4))
    if picture.format not in ("JPEG", "MPO"):
        return own
    return own // reduction**2 + (pixels * _samples(picture) if picture.info.get("progressive") else 0)


def reduction_for(picture: Image, *, most_bytes: int = MOST_BYTES) -> int | None:
    """The least reduction with which a picture can be decoded within a bound of memory; None: with none.

    Args:
        picture: as for `decoding_bytes`.
        most_bytes: the bound.
    """
    reductions = _REDUCTIONS if picture.format in ("JPEG", "MPO") else _REDUCTIONS[:1]
    return next((by for by in reductions if decoding_bytes(picture, by) <= most_bytes), None)


def has_too_many_scans(data: bytes) -> bool:
    """Whether decoding a JPEG file would take a decoder through more than `MOST_SCANS` scans of all its pixels.

    Decoders have no bound for it, and 59 bytes are a scan. Segments are walked as ITU-T T.81, annex B, has them, and
    what stands between them is passed over as libjpeg does it.
    """
    position, scans = 2, 0
    while (found := _SEGMENT.search(data, position)) is not None and (marker := found[1][0]) != _EOI:
        position = found.end()
        if marker in _ALONE:
            continue
        position += int.from_bytes(data[position : position + 2], "big")
        if marker != _SOS:
            continue
        scans += 1
        if scans > MOST_SCANS:
            return True
        after = MARKER_AFTER_SCAN.search(data, position)
        if after is None:
            return False
        position = after.start()
    return False


def rgb_as_stored(picture: Image) -> Image:
    """A picture as RGB, as the engines see it: transparency is dropped, and of 16 bits a channel the high ones count.

    Whoever decides on a photo must see the same. A picture whose see-through parts are laid on white can show one face
    to a person, and hold another one.

    Raises:
        ValueError: its colours are of a kind that no photo has.
    """
    if picture.mode == "P":
        picture = picture.convert("RGBA")  # straight to RGB, Pillow warns where a palette has transparency
    if picture.mode.startswith("I;16"):
        # Pillow's own conversion clips at 255; the high byte is the picture.
        high_byte = 0 if picture.mode == "I;16B" else 1
        picture = Pillow.frombytes("L", picture.size, picture.tobytes()[high_byte::2])
    if picture.mode not in _PLAIN_MODES:
        raise ValueError(f"an image of colour mode {picture.mode}, which is not supported")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _samples(picture: Image) -> int:
    """Bytes of coefficients a pixel, rounded up; of components that are sampled less finely there are fewer."""
    layers = getattr(picture, "layer", ())
    finest = max((layer[1] * layer[2] for layer in layers), default=1)
    return -(-_COEFFICIENT * sum(layer[1] * layer[2] for layer in layers) // finest) or 3 * _COEFFICIENT
