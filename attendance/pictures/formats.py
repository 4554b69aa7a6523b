"""What kind of file this is, told from its first bytes: a name's ending says nothing, since anybody can change it."""

from collections.abc import Sequence

JPEG, PNG, WEBP, AVIF, HEIC = "JPEG", "PNG", "WebP", "AVIF", "HEIC"
PHOTO_FORMATS = (JPEG, PNG, WEBP, AVIF, HEIC)
"""What photos may be."""
HEAD_BYTES = 64
"""As many of a file's first bytes as `format_of` looks at."""

PICTURE_SUFFIXES = frozenset(
    (
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".avif",
        ".heic",
        ".heif",
        ".hif",
        ".gif",
        ".bmp",
        ".tif",
        ".tiff",
    )
)
"""Endings of names by which their owners say that a file is a picture, in lower case."""

_STARTS = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF or raw"),
    (b"MM\0*", "TIFF or raw"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"8BPS", "Photoshop"),
    (b"%PDF-", "PDF"),
)
# ISO/IEC 14496-12, file type box: the major brand, a version, and what else the file can be read as.
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_HEIF_BRANDS = frozenset((b"mif1", b"mif2", b"msf1"))


def format_of(data: bytes) -> str | None:
    """The format of a file by its first bytes, by the name that people know; None for what is no known picture.

    Args:
        data: the file, or at least its first `HEAD_BYTES`.
    """
    for start, name in _STARTS:
        if data.startswith(start):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WEBP
    if data[4:8] == b"ftyp":
        return _by_brands(data)
    # A bitmap says its own length, and that nothing is reserved; two letters alone begin many texts.
    if data[:2] == b"BM" and data[6:10] == b"\0\0\0\0":
        return "BMP"
    return None


def _by_brands(data: bytes) -> str | None:
    end = min(int.from_bytes(data[:4], "big"), len(data), HEAD_BYTES)
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))]
    for brand in brands:
        if brand in _AVIF_BRANDS:
            return AVIF
        if brand in _HEIC_BRANDS:
            return HEIC
    if _HEIF_BRANDS.intersection(brands):
        return HEIC  # a still picture whose coding its brands leave open; HEVC but for AVIF, which says so
    return "film"


def one_of(names: Sequence[str], last: str = "or") -> str:
    """E.g. "JPEG, PNG or WebP".

    Args:
        names: one or more.
        last: stands before the last.
    """
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else names[0]
