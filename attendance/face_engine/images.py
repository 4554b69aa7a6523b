"""Compressed photos and frames in, RGB arrays out; hostile and damaged ones refused before they cost anything."""

import io
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from PIL import Image as Pillow

from attendance.face_engine.containers import Container, read_container
from attendance.face_engine.interface import Image, ImageError, ImageTooLargeError
from attendance.pictures.memory import MOST_BYTES, decoding_bytes, reduction_for, rgb_as_stored
from attendance.pictures.orientation import turned_upright

DAMAGES = (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError)
"""What Pillow's readers raise on damaged files (UnidentifiedImageError is an OSError)."""
_BY_OPENCV = frozenset({1, 3})
"""Components of JPEG files that OpenCV decodes to the very pixels of Pillow; CMYK it converts in a way of its own."""
_REDUCED: Mapping[int, int] = {
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
"""Beside `IMREAD_COLOR_RGB` these say nothing of grey: those named COLOR have the bit of BGR, which excludes it."""


def decode_image(
    data: bytes,
    *,
    max_pixels: int,
    formats: Sequence[str] = ("JPEG", "PNG"),
    upright: bool = False,
    shrink_above: int | None = None,
    reduce: int = 1,
) -> Image:
    """Decode one JPEG or PNG image.

    Grey, palette and CMYK images become RGB, 16 bits a channel become 8, and transparency is dropped, as
    `face_recognition.load_image_file` does it. Bytes after the image's end are ignored. Safe to call from several
    threads; the decoding itself releases Python's global lock. A JPEG that is neither turned nor shrunk afterwards, as
    a camera's frame, is decoded by OpenCV straight into the array, which takes two thirds of Pillow's time and gives
    the same pixels.

    Args:
        data: the file's bytes.
        max_pixels: the largest image accepted, judged from the header before anything is decoded. Pillow's own guard
            (`PIL.Image.MAX_IMAGE_PIXELS`, 89 million) holds beside it.
        formats: those accepted, of "JPEG" and "PNG".
        upright: turn the picture as its EXIF or XMP says; for photos that people took.
        shrink_above: shrink by the smallest whole number that leaves at most this many pixels; None: never. Decoding
            takes at most `attendance.pictures.memory.MOST_BYTES` then: a JPEG is reduced while it is decoded, where
            that is needed, and what cannot be is refused.
        reduce: decode a JPEG at 1/1, 1/2, 1/4 or 1/8 of its size, which its blocks of 8 x 8 pixels allow for less work
            than decoding it whole (ITU-T T.81: fewer coefficients of each). Sizes are rounded up. A PNG stays as it is.

    Returns:
        RGB, uint8, shape (height, width, 3), contiguous and writable.

    Raises:
        ImageError: no image, an image of another format, cut off, damaged, too large, or with a header that promises
            more pixels than its bytes can hold; nothing of these but damaged pixels is decoded.
    """
    container = read_container(data)
    if container.format not in formats:
        raise ImageError(f"a {container.format} image, where {' or '.join(formats)} is expected")
    check_size(container.width, container.height, max_pixels)
    if not container.complete:
        raise ImageError(f"the {container.format} is truncated: it stops before the end of the image")
    if container.coded_bytes < container.least_bytes:
        raise ImageError(
            f"damaged {container.format}: it declares {container.width} x {container.height} pixels, which take at "
            f"least {container.least_bytes:,} bytes, and holds {container.coded_bytes:,} bytes of them"
        )
    plain = shrink_above is None and not upright
    if plain and container.format == "JPEG" and container.components in _BY_OPENCV and reduce in _REDUCED:
        return _decoded_by_opencv(container, reduce)
    try:
        with Pillow.open(io.BytesIO(container.essence), formats=[container.format]) as file:
            if shrink_above is not None:
                reduce = max(reduce, _affordable(file))
            if reduce > 1:
                file.draft(None, (max(1, container.width // reduce), max(1, container.height // reduce)))
            file.load()
            picture = rgb_as_stored(file)
    except DAMAGES as error:
        raise ImageError(f"damaged {container.format}: it cannot be decoded") from error
    if shrink_above is not None:
        picture = shrunk(picture, container.width, container.height, shrink_above)
    if upright:
        picture = turned_upright(picture, container.orientation)
    return np.array(picture, dtype=np.uint8)


def _decoded_by_opencv(container: Container, reduce: int) -> Image:
    """The pixels of a JPEG, by libjpeg as Pillow's are, without Pillow's way through memory of its own.

    libjpeg writes a line to the standard error where a picture is damaged and can be shown all the same.
    """
    flags = cv2.IMREAD_COLOR_RGB | _REDUCED[reduce] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(container.essence, np.uint8), flags)
    except cv2.error:
        pixels = None
    expected = -(-container.height // reduce), -(-container.width // reduce), 3
    if pixels is None or pixels.shape != expected or pixels.dtype != np.uint8:
        raise ImageError("damaged JPEG: it cannot be decoded")
    return np.asarray(pixels, np.uint8)


def _affordable(file: Pillow.Image) -> int:
    reduction = reduction_for(file)
    if reduction is None:
        kind = "progressive JPEG" if file.format == "JPEG" else str(file.format)
        raise ImageTooLargeError(
            f"a {kind} of {file.width} x {file.height} pixels takes {decoding_bytes(file, 8) // 1_000_000:,} MB to "
            f"decode; at most {MOST_BYTES // 1_000_000} are given: save it as a JPEG that is not progressive"
        )
    return reduction


def shrunk(picture: Pillow.Image, width: int, height: int, most_pixels: int) -> Pillow.Image:
    """The picture, of that size before it was decoded, by the smallest whole number that leaves few enough pixels."""
    factor = 1
    while (width // factor) * (height // factor) > most_pixels:
        factor += 1
    if factor == 1:
        return picture
    if picture.size == (width, height):
        return picture.reduce(factor)
    return picture.resize((max(1, width // factor), max(1, height // factor)), Pillow.Resampling.BOX)


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Check the size that a header declares.

    Raises:
        ImageError: it has no pixels, or more than `max_pixels` or Pillow's own bound.
    """
    if width == 0 or height == 0:
        raise ImageError(f"the image declares {width} x {height} pixels: it is empty")
    limit = min(max_pixels, Pillow.MAX_IMAGE_PIXELS or max_pixels)
    if width * height > limit:
        raise ImageTooLargeError(
            f"the image declares {width} x {height} pixels, {width * height:,} in all; at most {limit:,} are accepted",
            pixels=width * height,
        )
