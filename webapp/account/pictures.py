"""Profile pictures: what was sent is checked, decoded and encoded anew, so that only pixels are kept."""

import hashlib
import io
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from attendance.errors import AttendanceError
from attendance.pictures.headers import PhotoFileError
from attendance.texts import english
from webapp.tools.decoding import decode_small

MAX_BYTES = 5_000_000
MAX_PIXELS = 50_000_000
SIDE = 256
_QUALITY = 88
_TOO_MANY = english("The picture has too many pixels. Choose a smaller one, or save it as JPEG.")


class ProfilePictureError(AttendanceError):
    """The file is no picture that can be used; the message says why, for the person who sent it."""


@dataclass(frozen=True)
class Picture:
    """A square JPEG of `SIDE` pixels and the SHA-256 (hex) of its bytes."""

    data: bytes
    digest: str


def prepare_picture(data: bytes) -> Picture:
    """Make a profile picture: upright, cut to its middle square, without the original's metadata.

    Args:
        data: a file of one of `attendance.pictures.formats.PHOTO_FORMATS`.

    Raises:
        ProfilePictureError: the file is too large, is no such picture, is damaged, or has too many pixels (judged from
            its header, before anything is decoded).
    """
    if len(data) > MAX_BYTES:
        raise ProfilePictureError(
            english(
                "The picture is larger than %(megabytes)s MB. Choose a smaller one.", megabytes=MAX_BYTES // 1_000_000
            )
        )
    try:
        picture = decode_small(data, side=2 * SIDE, most_pixels=MAX_PIXELS)
    except UnidentifiedImageError:
        raise ProfilePictureError(english("The file is no picture: neither JPEG, PNG, WebP, AVIF nor HEIC.")) from None
    except (PhotoFileError, OSError, SyntaxError, ValueError):
        raise ProfilePictureError(english("The picture is damaged and cannot be read.")) from None
    if picture is None:
        raise ProfilePictureError(_TOO_MANY)
    square = ImageOps.fit(picture, (SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    square.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    encoded = buffer.getvalue()
    return Picture(encoded, hashlib.sha256(encoded).hexdigest())
