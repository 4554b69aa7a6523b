"""Photos that are to be enrolled, judged by their headers, and small copies of them to be looked at.

The gallery's worker decodes them and judges the rest.
"""

import io
import struct
import unicodedata
import warnings
from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import PurePosixPath, PureWindowsPath

from flask import Response, abort, current_app
from PIL import Image
from werkzeug.datastructures import FileStorage

from attendance.errors import AttendanceError
from attendance.pictures.apart import readable
from attendance.pictures.formats import JPEG, PHOTO_FORMATS, PNG, format_of
from attendance.pictures.headers import MOST_PIXELS, CostlyPhotoError, PhotoFileError, read_header
from attendance.pictures.memory import has_too_many_scans, reduction_for
from attendance.texts import english
from webapp.tools.decoding import decode_small
from webapp.tools.languages import say_error

MOST_PHOTOS = 10
MAX_BYTES = 10_000_000
MAX_PIXELS = 80_000_000
"""What the gallery's worker takes at most."""

_LONGEST_NAME = 255
# What Pillow's readers raise on damaged files; UnidentifiedImageError is an OSError.
_DAMAGES = (PhotoFileError, OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error)
_JPEG_ENDS = b"\xff\xd9"
_DAMAGED = english("is damaged, or was cut off on its way.")
_COSTLY = english("takes too much memory to open. Save it as a JPEG that is not progressive.")
# Of a name that a message carries in a cookie.
_SHOWN_OF_NAME = 30
_SIDE, _QUALITY = 720, 85

Photo = tuple[str, FileStorage]
"""A file under the name that it will have."""


class PhotoError(AttendanceError):
    """The file cannot be enrolled; the message is the rest of a sentence that begins with its name."""


def check_photo(data: bytes) -> None:
    """Look whether a file is a picture that the gallery's worker will look at; no pixel is decoded.

    Args:
        data: the file, up to one byte more than `MAX_BYTES`.

    Raises:
        PhotoError: it is empty, too large, of no format that is taken, has too many pixels, or is cut off.
    """
    if not data:
        raise PhotoError(english("is empty."))
    if len(data) > MAX_BYTES:
        raise PhotoError(english("is larger than %(megabytes)s MB.", megabytes=MAX_BYTES // 1000000))
    kind = format_of(data)
    if kind is None:
        raise PhotoError(english("is no picture: neither JPEG, PNG, WebP, AVIF nor HEIC."))
    if kind not in PHOTO_FORMATS or not readable(kind):
        raise PhotoError(english("is a file of the format %(format)s. Save it as JPEG.", format=kind))
    if kind in (JPEG, PNG):
        _check_old_format(data, kind)
        return
    try:
        read_header(data, kind)
    except CostlyPhotoError:
        most = f"{MOST_PIXELS[kind] / 1_000_000:.3g}"
        raise PhotoError(
            english(
                "has more than %(most)s million pixels, too many for a %(format)s picture. Save it as JPEG.",
                most=most,
                format=kind,
            )
        ) from None
    except PhotoFileError:
        raise PhotoError(_DAMAGED) from None


def _check_old_format(data: bytes, kind: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the check below is the stricter one
            with Image.open(io.BytesIO(data), formats=(kind,)) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise PhotoError(english("has more than %(most)s million pixels.", most=MAX_PIXELS // 1000000))
                if reduction_for(picture) is None:
                    raise PhotoError(_COSTLY)
                if kind == PNG:
                    picture.verify()  # reads the check sums
                elif _JPEG_ENDS not in data or has_too_many_scans(data):
                    raise PhotoError(_DAMAGED)
    except Image.DecompressionBombError:
        raise PhotoError(english("has more than %(most)s million pixels.", most=MAX_PIXELS // 1000000)) from None
    except _DAMAGES:
        raise PhotoError(_DAMAGED) from None


def checked_photos(files: Sequence[FileStorage]) -> tuple[list[Photo], list[str]]:
    """The photos that can be taken under the names they will have, and a sentence for each of the others."""
    good: dict[str, FileStorage] = {}
    rejected = []
    for file in files:
        name = name_of_photo(file.filename, good)
        try:
            check_photo(file.stream.read(MAX_BYTES + 1))
        except PhotoError as error:
            shown = name if len(name) <= _SHOWN_OF_NAME else f"{name[: _SHOWN_OF_NAME - 1]}\u2026"
            rejected.append(f"{shown} {say_error(error)}")
        else:
            good[name] = file
    return list(good.items()), rejected


def small_copy(data: bytes) -> bytes:
    """A photo to be looked at: upright, of at most 720 pixels a side, a JPEG without the original's metadata.

    Args:
        data: a file that `check_photo` has let through.

    Raises:
        PhotoError: it takes too much memory, or cannot be decoded.
    """
    try:
        # Who decides on a photo sees what the engine will see of it.
        upright = decode_small(data, side=_SIDE, most_pixels=MAX_PIXELS, as_stored=True)
    except _DAMAGES:
        raise PhotoError(_DAMAGED) from None
    if upright is None:
        raise PhotoError(_COSTLY)
    upright.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    upright.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def photo_answer(content: bytes | None) -> Response:
    """A small copy of a photo that a student proposes, as an answer; 404 for none."""
    if content is None:
        abort(404)
    return Response(small_copy(content), mimetype="image/jpeg")


def proposals_kept_for() -> timedelta:
    """How long a photo that a student proposes is kept."""
    return timedelta(days=current_app.config["ATTENDANCE"].students.photo_days)


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
