"""By how much images are scaled before the search, so that the smallest face wanted is found."""

from collections.abc import Iterable

from attendance.face_engine.checks import MOST_UPSAMPLE, WORK_FACTOR
from attendance.face_engine.interface import Image

SEARCHED_FACE = 16
"""Pixels: YuNet finds nearly all faces of this width, so that the smallest face wanted comes to it or a little more."""
_SCALES = (0.125, 0.25, 1 / 3, 0.5, 2 / 3, 1.0, 1.5, 2.0, 3.0, 4.0)
DLIB_SEARCHED_FACE = 72
"""Pixels from which dlib's detector finds a face (`benchmarks.small_faces`: all of 36 doubled, of 20 doubled twice)."""
DLIB_UPSAMPLE = 1
"""Doublings of an image where nobody says: dlib's detector finds faces from about 36 pixels then."""


def scale_for(smallest_face: int | None) -> float:
    """What the sides of frames are multiplied by before YuNet's search, so that the smallest face wanted is found.

    Args:
        smallest_face: its width in pixels; None: the frames are searched as they are.
    """
    if smallest_face is None:
        return 1.0
    return next((scale for scale in _SCALES if scale * smallest_face >= SEARCHED_FACE), _SCALES[-1])


def doublings_for(smallest_face: int | None) -> int:
    """How often an image is doubled before dlib's search, so that the smallest face wanted is found.

    Args:
        smallest_face: its width in pixels; None: `DLIB_UPSAMPLE`.
    """
    if smallest_face is None:
        return DLIB_UPSAMPLE
    enough = (times for times in range(MOST_UPSAMPLE) if smallest_face << times >= DLIB_SEARCHED_FACE)
    return next(enough, MOST_UPSAMPLE)


def fitted(scale: float, images: Iterable[Image], *, max_pixels: int) -> float:
    """A scale that follows from the smallest face wanted, halved until images of these sizes are not too large.

    Args:
        scale: what their sides are to be multiplied by. At most 2 always fits.
        images: of one call.
        max_pixels: the largest image that the engine accepts.
    """
    largest = max((image.shape[0] * image.shape[1] for image in images), default=0)
    while scale > 2 and largest * scale**2 > WORK_FACTOR * max_pixels:  # twice fits whatever is accepted
        scale /= 2
    return scale
