"""What can be told of a frame without looking for faces: whether it shows anything, and whether it is a new picture.

A lens that is covered, a light that is off and a sensor that is blinded give pictures in which nobody could be found;
so does a camera that goes on sending one picture from its memory. Whoever sits before such a camera is not absent.
"""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.database.watching.health import PictureQuality
from recognition_service.engine.similarity import BLOCK, Thumbnail

_BLACK, _WHITE, _PLAIN = 20, 245, 6
"""Grey levels. Faces in a room too dark to be seen by people have 30 and more; a wall that fills the picture, lit by
one lamp, spans 20 and more, a lens under a hand or a sheet of paper 2 to 5."""
_ODD = 0.02
"""Share of the picture that decides nothing at either end: a lamp of a machine, a dead pixel, the time in a corner."""
_JPEG_START, _SCAN_STARTS, _COMMENT = 0xD8, 0xDA, 0xFE
_APPLICATION = range(0xE0, 0xF0)


@dataclass(frozen=True, slots=True)
class Look:
    """What can be told of a frame without looking for faces."""

    digest: bytes = b""
    """The same for the same picture; empty: not known."""
    blank: bool = False
    """It shows nothing."""


def shows_nothing(picture: NDArray[np.uint8] | NDArray[np.int16]) -> bool:
    """Whether a picture is black, white or all of one shade, but for a fiftieth of it at either end.

    Args:
        picture: RGB, shape (height, width, 3), or the grey levels of one that was reduced already, (height, width).
    """
    grey = picture if picture.ndim == 2 else reduced(picture)
    shares = np.cumsum(np.bincount(grey.ravel(), minlength=256)) / max(1, grey.size)
    low, high = int(np.searchsorted(shares, _ODD, side="right")), int(np.searchsorted(shares, 1 - _ODD))
    return high <= _BLACK or low >= _WHITE or high - low <= _PLAIN


def measure(picture: NDArray[np.uint8]) -> PictureQuality:
    """How bright and how sharp a picture is.

    Sharpness is the standard deviation of the Laplacian of its grey levels (Pech-Pacheco et al., ICPR 2000: its
    variance), which has the unit of grey levels.

    Args:
        picture: RGB, shape (height, width, 3).
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return PictureQuality(float(cv2.mean(grey)[0]), float(deviation[0, 0]))


def picture_digest(jpeg: bytes) -> bytes:
    """The same 16 bytes for JPEG files of the same pixels, coded the same way.

    What a camera writes beside the picture (the time, its name, a comment) does not count. A camera that codes what
    lies in its memory again and again gives the same scan each time.

    Args:
        jpeg: a file; of one that is none, the digest is of its bytes.
    """
    digest = hashlib.blake2b(digest_size=16)
    view = memoryview(jpeg)
    place = 2
    while len(view) >= place + 4 and view[place] == 0xFF and view[place + 1] not in (0xFF, 0x00, _JPEG_START):
        marker, length = view[place + 1], int.from_bytes(view[place + 2 : place + 4], "big")
        if marker == _SCAN_STARTS:
            break
        if marker not in _APPLICATION and marker != _COMMENT:
            digest.update(view[place : place + 2 + length])
        place += 2 + length
    digest.update(view[place:])
    return digest.digest()


def reduced(picture: NDArray[np.uint8] | NDArray[np.int16], to_grey: int = cv2.COLOR_RGB2GRAY) -> Thumbnail:
    """The means of blocks: that of 64 pixels has an eighth of their noise, of which a covered lens has plenty.

    Args:
        picture: RGB, shape (height, width, 3).
        to_grey: how its colours are made grey, where they are in another order.
    """
    height, width = picture.shape[:2]
    size = max(1, width // BLOCK), max(1, height // BLOCK)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, to_grey), np.int16)
