"""Pictures that people sent, decoded small: in bounded memory, and one at a time in each worker process."""

import io
import warnings
from concurrent.futures import ThreadPoolExecutor

from PIL import Image, UnidentifiedImageError

from attendance.pictures.apart import decode_apart, readable
from attendance.pictures.formats import JPEG, PHOTO_FORMATS, PNG, WEBP, format_of
from attendance.pictures.headers import CostlyPhotoError, read_header
from attendance.pictures.memory import has_too_many_scans, reduction_for, rgb_as_stored
from attendance.pictures.orientation import orientation_of, turned_upright

_REDUCIBLE = ("L", "LA", "RGB", "RGBA")
_ONE_AT_A_TIME = ThreadPoolExecutor(1, thread_name_prefix="picture")
"""What several take together is what one takes. In one thread, because every thread keeps some of the memory that it
has used."""


def decode_small(data: bytes, *, side: int, most_pixels: int, as_stored: bool = False) -> Image.Image | None:
    """Decode a picture: upright, RGB, and not much larger than is needed.

    Args:
        data: the file, of one of `PHOTO_FORMATS`, as its contents say.
        side: pixels that the shorter side keeps, where it has them.
        most_pixels: the largest picture accepted.
        as_stored: whether transparency is dropped, as the engines that recognise faces do it; otherwise there is white
            behind what is transparent.

    Returns:
        The picture; None when it has more pixels, or takes more than `attendance.pictures.memory.MOST_BYTES` to
        decode. Both are judged from its header, before anything is decoded.

    Raises:
        PIL.UnidentifiedImageError: none of the formats, or one that cannot be read here.
        PhotoFileError: a WebP, AVIF or HEIC file is damaged.
        Exception: the file is damaged; Pillow's readers raise many kinds.
    """
    return _ONE_AT_A_TIME.submit(_decode, data, side, most_pixels, as_stored).result()


def _decode(data: bytes, side: int, most_pixels: int, as_stored: bool) -> Image.Image | None:
    kind = format_of(data)
    if kind not in PHOTO_FORMATS or not readable(kind):
        raise UnidentifiedImageError(kind)
    if kind in (JPEG, PNG):
        return _decode_by_pillow(data, kind, side, most_pixels, as_stored)
    try:
        header = read_header(data, kind)
        if header.width * header.height > most_pixels:
            return None
        if kind == WEBP:
            return _decode_by_pillow(data, "WEBP", side, most_pixels, as_stored)
        return _opaque(decode_apart(data, kind, side=side, as_stored=as_stored))
    except CostlyPhotoError:
        return None


def _decode_by_pillow(data: bytes, name: str, side: int, most_pixels: int, as_stored: bool) -> Image.Image | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks below are the stricter ones; of metadata each fault is a warning
        try:
            opened = Image.open(io.BytesIO(data), formats=(name,))
        except Image.DecompressionBombError:
            return None
        if opened.format in ("JPEG", "MPO") and has_too_many_scans(data):
            opened.close()
            raise ValueError("a JPEG of too many scans")
        with opened:
            return _small(opened, side, most_pixels, as_stored)


def _small(opened: Image.Image, side: int, most_pixels: int, as_stored: bool) -> Image.Image | None:
    least = reduction_for(opened)
    if opened.width * opened.height > most_pixels or least is None:
        return None
    shorter = min(opened.size)
    by = max(least, next((by for by in (8, 4, 2) if shorter >= by * side), 1))
    opened.draft("RGB", (max(1, opened.width // by), max(1, opened.height // by)))
    picture: Image.Image = rgb_as_stored(opened) if as_stored else opened
    if picture.mode not in _REDUCIBLE:
        picture = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
    small = picture.reduce(max(1, min(picture.size) // side))
    small = small if as_stored else _opaque(small)
    # Of a PNG the orientation may stand behind the pixels, which are there by now.
    return turned_upright(small, orientation_of(opened))


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    rgba = image.convert("RGBA")
    ground = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return Image.alpha_composite(ground, rgba).convert("RGB")
