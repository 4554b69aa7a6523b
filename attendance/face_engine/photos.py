"""Photos that people took, in, RGB arrays out: upright, of any format that phones and browsers save."""

import io

import numpy as np
from PIL import Image as Pillow

from attendance.face_engine.images import DAMAGES, check_size, decode_image, shrunk
from attendance.face_engine.interface import Image, ImageError, ImageTooLargeError
from attendance.pictures.apart import decode_apart
from attendance.pictures.formats import JPEG, PHOTO_FORMATS, PNG, WEBP, format_of, one_of
from attendance.pictures.headers import CostlyPhotoError, PhotoFileError, read_header
from attendance.pictures.memory import rgb_as_stored
from attendance.pictures.orientation import orientation_of, turned_upright


def decode_photo(data: bytes, *, max_pixels: int, shrink_above: int) -> Image:
    """Decode a photo: a JPEG, PNG, WebP, AVIF or HEIC file, as its contents say.

    Transparency is dropped. It takes at most `attendance.pictures.memory.MOST_BYTES`, or for AVIF and HEIC, which a
    process of their own decodes, what `attendance.pictures.apart` gives.

    Args:
        data: the file's bytes; whatever its name, its first ones tell the format.
        max_pixels: the largest picture accepted, judged from the header before anything is decoded.
        shrink_above: shrink by the smallest whole number that leaves at most this many pixels.

    Returns:
        RGB, uint8, shape (height, width, 3), contiguous and writable, turned as EXIF, XMP or the format itself say.

    Raises:
        ImageError: another format, cut off, damaged, too large; the message names the format.
    """
    kind = format_of(data)
    if kind in (JPEG, PNG) or not data:
        return decode_image(data, max_pixels=max_pixels, upright=True, shrink_above=shrink_above)
    if kind is None:
        raise ImageError(f"no picture: neither {one_of(PHOTO_FORMATS, 'nor')}")
    if kind not in PHOTO_FORMATS:
        raise ImageError(f"a {kind} file, where {one_of(PHOTO_FORMATS)} is expected: save it as JPEG")
    try:
        width, height = read_header(data, kind)
        check_size(width, height, max_pixels)
        if kind == WEBP:
            picture = _decode_webp(data, shrink_above)
        else:
            picture = decode_apart(data, kind, pixels=shrink_above, as_stored=True)
    except CostlyPhotoError as error:
        raise ImageTooLargeError(str(error)) from error
    except PhotoFileError as error:
        raise ImageError(str(error)) from error
    return np.array(picture, dtype=np.uint8)


def _decode_webp(data: bytes, shrink_above: int) -> Pillow.Image:
    try:
        with Pillow.open(io.BytesIO(data), formats=["WEBP"]) as file:
            file.load()
            orientation = orientation_of(file)
            picture = shrunk(rgb_as_stored(file), *file.size, shrink_above)
    except DAMAGES as error:
        raise PhotoFileError("damaged WebP: it cannot be decoded") from error
    return turned_upright(picture, orientation)
