"""From compressed pictures to pixels, at the size that the smallest face wanted allows, and a glance at them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from attendance.database.watching.health import PictureQuality
from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import Image
from recognition_service.engine.looks import measure, reduced, shows_nothing
from recognition_service.engine.regions import RegionSearch
from recognition_service.engine.similarity import Thumbnail

_SURELY_FOUND = 80
"""Pixels from which dlib's detector finds every face (see docs/performance.md), and enough to be named."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture's pixels, and what they show at a glance."""

    image: Image
    blank: bool
    """It shows nothing."""
    picture: PictureQuality | None
    """How it looks, where that is wanted."""
    search: RegionSearch | None
    """What of it is searched, where the camera's regions say; None: all."""


def decode(
    data: bytes,
    *,
    formats: Sequence[str],
    reduction: int,
    most_pixels: int,
    measured: bool,
    narrow: Callable[[Thumbnail, tuple[int, int]], RegionSearch] | None = None,
) -> Decoded:
    """Decode a picture; blocks for milliseconds.

    Args:
        data: the file's bytes.
        formats: accepted file formats, "JPEG", "PNG".
        reduction: by how much a JPEG is reduced meanwhile, 1, 2, 4 or 8.
        most_pixels: the largest picture accepted.
        measured: whether it is wanted how bright and sharp it is.
        narrow: says what of it is to be searched, by its blocks and its width and height.

    Raises:
        ImageError: it cannot be decoded, or is too large.
    """
    image = decode_image(data, max_pixels=most_pixels, formats=formats, reduce=reduction)
    blocks = reduced(image)
    search = None if narrow is None else narrow(blocks, (image.shape[1], image.shape[0]))
    return Decoded(image, shows_nothing(blocks), measure(image) if measured else None, search)


def reduction_for(smallest_face: int | None) -> int:
    """By how much pictures may be reduced, 1, 2, 4 or 8, so that the smallest face wanted is still found."""
    return next((by for by in (8, 4, 2) if smallest_face is not None and smallest_face >= by * _SURELY_FOUND), 1)


def smallest_searched(smallest_face: int | None) -> int | None:
    """The smallest face wanted, in pixels of pictures as the engine gets them; None: any."""
    return None if smallest_face is None else smallest_face // reduction_for(smallest_face)
