"""Photos that are to be enrolled, judged by their headers; the gallery's worker decodes them and judges the rest."""

import io
import struct
import unicodedata
import warnings
from collections.abc import Collection
from pathlib import PurePosixPath, PureWindowsPath

from PIL import Image, UnidentifiedImageError

from attendance.errors import AttendanceError
from attendance.texts import english

MOST_PHOTOS = 10
MAX_BYTES = 10_000_000
MAX_PIXELS = 80_000_000
"""What the gallery's worker takes at most."""

_FORMATS = ("JPEG", "PNG")
_LONGEST_NAME = 255
_JPEG_ENDS = b"\xff\xd9"
# ISO/IEC 23008-12: the brands of the file type box with which a phone's HEIC pictures begin.
_HEIC_BRANDS = (b"heic", b"heix", b"heif", b"mif1", b"msf1", b"hevc")
_DAMAGED = english("is damaged, or was cut off on its way.")


class PhotoError(AttendanceError):
    """The file cannot be enrolled; the message is the rest of a sentence that begins with its name."""


def check_photo(data: bytes) -> None:
    """Look whether a file is a picture that the gallery's worker will look at; no pixel is decoded.

    Args:
        data: the file, up to one byte more than `MAX_BYTES`.

    Raises:
        PhotoError: it is empty, too large, neither JPEG nor PNG, has too many pixels, or is cut off.
    """
    if not data:
        raise PhotoError(english("is empty."))
    if len(data) > MAX_BYTES:
        raise PhotoError(english("is larger than %(megabytes)s MB.", megabytes=MAX_BYTES // 1000000))
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS:
        raise PhotoError(english("is a HEIC picture. Save it as JPEG."))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the check below is the stricter one
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise PhotoError(english("has more than %(most)s million pixels.", most=MAX_PIXELS // 1000000))
                if picture.format == "PNG":
                    picture.verify()  # reads the check sums
                elif _JPEG_ENDS not in data:
                    raise PhotoError(_DAMAGED)
    except UnidentifiedImageError:
        raise PhotoError(english("is no JPEG or PNG picture.")) from None
    except Image.DecompressionBombError:
        raise PhotoError(english("has more than %(most)s million pixels.", most=MAX_PIXELS // 1000000)) from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error):
        raise PhotoError(_DAMAGED) from None


def name_of_photo(given: str | None, taken: Collection[str] = ()) -> str:
    """A file's name without folders and what cannot be shown, unlike those that are taken.

    Phones give every picture the same name, and a report must tell them apart.
    """
    last = PurePosixPath(PureWindowsPath(given or "").as_posix()).name
    shown = "".join(c if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Cn", "Co") else "_" for c in last)
    stem, dot, ending = (shown.strip() or "photo").rpartition(".")
    stem, ending = (stem, dot + ending[:20]) if stem else (dot + ending, "")
    for number in range(1, len(taken) + 2):
        more = f" ({number})" if number > 1 else ""
        name = stem[: _LONGEST_NAME - len(more) - len(ending)] + more + ending
        if name not in taken:
            return name
    raise AssertionError("unreachable")
