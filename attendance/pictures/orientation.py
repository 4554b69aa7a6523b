"""How a picture must be turned to be upright: what EXIF and XMP say, wherever the format keeps them.

Read after EXIF 2.3 (tag 0x0112), TIFF 6.0, and XMP part 2 (`tiff:Orientation`), which some programs write alone.
"""

import re
import struct
import zlib

from PIL.Image import Image, Transpose

UPRIGHT = 1
_TAG, _SHORT, _LONG = 0x0112, 3, 4
_EXIF_MARK = b"Exif\0\0"
_XMP = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])\b""")
# PNG's own chunk since 2017, and what ImageMagick and others wrote before: EXIF in hexadecimal digits.
_RAW_PROFILES = (b"Raw profile type exif", b"Raw profile type APP1")
_HOW = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
"""What turns the stored rows and columns into the picture as it was seen."""
_MOST_TEXT = 1_000_000
"""Bytes of a compressed text that are looked at; EXIF has at most 65,535, XMP's orientation stands near its start."""


def exif_orientation(block: bytes) -> int | None:
    """The orientation that a block of EXIF says, 1 to 8; None: it says none, or no such one.

    Args:
        block: begins with TIFF's header, before which "Exif" and two zeros may stand.
    """
    tiff = block.removeprefix(_EXIF_MARK)
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for entry in range(count):
            tag, kind, _ = struct.unpack_from(order + "HHI", tiff, start + 2 + 12 * entry)
            if tag == _TAG and kind in (_SHORT, _LONG):
                code = order + ("H" if kind == _SHORT else "I")
                (value,) = struct.unpack_from(code, tiff, start + 2 + 12 * entry + 8)
                return int(value) if 1 <= value <= 8 else None
    except struct.error:
        pass
    return None


def xmp_orientation(packet: bytes) -> int | None:
    """The orientation that an XMP packet says, 1 to 8, or None."""
    found = _XMP.search(packet[:_MOST_TEXT])
    return int(found[1]) if found else None


def png_orientation(kind: bytes, content: bytes) -> int | None:
    """The orientation that a chunk of a PNG says, 1 to 8, or None.

    Args:
        kind: its four letters.
        content: its data.
    """
    if kind == b"eXIf":
        return exif_orientation(content)
    if kind == b"iTXt" and content.startswith(b"XML:com.adobe.xmp\0"):
        return xmp_orientation(content)
    if kind in (b"zTXt", b"tEXt"):
        keyword, _, text = content.partition(b"\0")
        if keyword in _RAW_PROFILES:
            return exif_orientation(_raw_profile(text, compressed=kind == b"zTXt"))
    return None


def _raw_profile(text: bytes, *, compressed: bool) -> bytes:
    """The bytes of a profile that is written as text: a newline, its name, its length, and hexadecimal digits."""
    try:
        if compressed:
            text = zlib.decompressobj().decompress(text[1:], _MOST_TEXT)
        return bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii"))
    except (zlib.error, ValueError):
        return b""


def orientation_of(picture: Image) -> int:
    """The orientation of a picture that Pillow opened, as EXIF or XMP say it, 1 to 8; damaged, they say nothing.

    A PNG may say it behind its pixels; to know it, Pillow decodes such a file.
    """
    try:
        value = picture.getexif().get(_TAG)
    except (SyntaxError, ValueError, struct.error):  # what Pillow raises on damaged EXIF
        return UPRIGHT
    return value if isinstance(value, int) and value in _HOW else UPRIGHT


def turned_upright(picture: Image, orientation: int) -> Image:
    """A picture as it was seen.

    Args:
        picture: as it is stored.
        orientation: 1 to 8.
    """
    how = _HOW.get(orientation)
    return picture if how is None else picture.transpose(how)
