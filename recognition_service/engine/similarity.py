"""Whether a frame shows what the last one examined showed, told from grey thumbnails of an eighth of the size.

A pixel of the thumbnail is the mean of 8 x 8 pixels, which JPEG keeps as one number, so that it is quick to decode and
noise is an eighth of a pixel's. The largest difference counts, not the mean: a face that appears in a corner of a
still picture changes a few pixels much and the mean hardly. Light that changes as a whole changes every pixel, and is
examined. The comparison is with the last frame examined, not with the last sent, so that slow changes add up.
"""

import math
from datetime import datetime, timedelta
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.images import decode_image
from attendance.zones import Zones

Thumbnail = NDArray[np.int16]
"""Grey levels, shape (height / 8, width / 8)."""

BLOCK = 8
"""Pixels of a side whose mean is one pixel of a thumbnail."""
SAME_WITHIN = 10
"""Grey levels. Noise of 3 a pixel moves means of 64 by 0.4, and the largest of 8,000 differences by about 2; somebody
in front of a wall moves them by tens (`python -m benchmarks.skipping`)."""


def thumbnail(jpeg: bytes, *, max_pixels: int) -> Thumbnail:
    """Decode an eighth.

    Args:
        jpeg: the frame.
        max_pixels: the largest frame accepted, judged from the header.

    Raises:
        ImageError: as `decode_image`.
    """
    image = decode_image(jpeg, max_pixels=max_pixels, formats=("JPEG",), reduce=BLOCK)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.int16)


def masked(frame: Thumbnail, zones: Zones) -> Thumbnail:
    """A thumbnail that is black where no face counts, so that nothing that moves there makes a frame a new one."""
    return frame * _looked_at(zones, *frame.shape) if zones else frame


@lru_cache(maxsize=256)
def _looked_at(zones: Zones, height: int, width: int) -> Thumbnail:
    looked_at = np.zeros((height, width), np.int16)
    for row in range(height):
        for left, right in zones.spans((row + 0.5) / height):
            looked_at[row, math.floor(left * width) : math.ceil(right * width)] = 1
    return looked_at


class LastExamined:
    """The last frame of one camera that was examined."""

    def __init__(self, longest_s: float) -> None:
        """Begin with none.

        Args:
            longest_s: frames captured further from the last one examined are examined however alike they are, seconds.
        """
        self._longest = timedelta(seconds=longest_s)
        self._last: tuple[Thumbnail, datetime] | None = None
        self.blank = False
        """Whether it shows nothing."""

    def forget(self) -> None:
        """Begin again with none."""
        self._last, self.blank = None, False

    def shows(self, frame: Thumbnail, captured: datetime) -> bool:
        """Whether a frame shows the same."""
        if self._last is None:
            return False
        last, when = self._last
        if abs(captured - when) >= self._longest or last.shape != frame.shape:
            return False
        return int(np.abs(frame - last).max(initial=0)) <= SAME_WITHIN

    def examined(self, frame: Thumbnail, captured: datetime, *, blank: bool = False) -> None:
        """Remember a frame that was examined; one captured before the last is not remembered."""
        if self._last is None or captured >= self._last[1]:
            self._last, self.blank = (frame, captured), blank
