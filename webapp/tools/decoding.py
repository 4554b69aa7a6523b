"""Pictures that people sent, decoded small: in bounded memory, and one at a time in each worker process."""

import io
import warnings
from concurrent.futures import ThreadPoolExecutor

from PIL import ExifTags, Image, ImageOps

from attendance.pictures import has_too_many_scans, reduction_for, rgb_as_stored

_REDUCIBLE = ("L", "LA", "RGB", "RGBA")
_ONE_AT_A_TIME = ThreadPoolExecutor(1, thread_name_prefix="picture")
"""What several take together is what one takes. In one thread, because every thread keeps some of the memory that it
has used."""


def decode_small(
    data: bytes, *, formats: tuple[str, ...], side: int, most_pixels: int, as_stored: bool = False
) -> Image.Image | None:
    """Decode a picture: upright, RGB, and not much larger than is needed.

    Args:
        data: the file.
        formats: those accepted, by Pillow's names.
        side: pixels that the shorter side keeps, where it has them.
        most_pixels: the largest picture accepted.
        as_stored: whether transparency is dropped, as the engines that recognise faces do it; otherwise there is white
            behind what is transparent.

    Returns:
        The picture; None when it has more pixels, or takes more than `attendance.pictures.MOST_BYTES` to decode. Both
        are judged from its header, before anything is decoded.

    Raises:
        PIL.UnidentifiedImageError: none of the formats.
        Exception: the file is damaged; Pillow's readers raise many kinds.
    """
    return _ONE_AT_A_TIME.submit(_decode, data, formats, side, most_pixels, as_stored).result()


def _decode(data: bytes, formats: tuple[str, ...], side: int, most_pixels: int, as_stored: bool) -> Image.Image | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks below are the stricter ones; of metadata each fault is a warning
        try:
            opened = Image.open(io.BytesIO(data), formats=tuple(formats))
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
    orientation = opened.getexif().get(ExifTags.Base.Orientation)
    opened.draft("RGB", (max(1, opened.width // by), max(1, opened.height // by)))
    picture: Image.Image = rgb_as_stored(opened) if as_stored else opened
    if picture.mode not in _REDUCIBLE:
        picture = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
    small = picture.reduce(max(1, min(picture.size) // side))
    small = small if as_stored else _opaque(small)
    if orientation:
        small.getexif()[ExifTags.Base.Orientation] = orientation
    return ImageOps.exif_transpose(small)


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    rgba = image.convert("RGBA")
    ground = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return Image.alpha_composite(ground, rgba).convert("RGB")
