"""What can be told of a source by its pictures: it shows nothing, or always the same."""

import zlib

import numpy as np
import structlog
from numpy.typing import NDArray

_BLANK_SPAN = 6
"""Grey levels between the darkest and the brightest part of a picture of nothing; the service has the same bound."""
_STILL_S = 60.0
"""A sensor has noise: what is the same to the bit for longer comes from a memory. The service has the same bound."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class PictureWatch:
    """Tells once when a source begins to show nothing or the same, and when that ends.

    Such pictures are sent: by them the service knows that the camera watches nothing.
    """

    def __init__(self, name: str) -> None:
        """Watch a source, which messages call `name`."""
        self._name = name
        self._blank = self._still = False
        self._sum: int | None = None
        self._same_since_s = 0.0

    def see(self, image: NDArray[np.uint8], at_s: float) -> None:
        """Look at the next picture, which was taken at a time in seconds."""
        coarse = image[::8, ::8]
        blank = int(np.percentile(coarse, 98)) - int(np.percentile(coarse, 2)) <= _BLANK_SPAN
        if blank != self._blank:
            (log.warning if blank else log.info)("source_blank" if blank else "source_shows_again", source=self._name)
        self._blank = blank
        digest = zlib.crc32(np.ascontiguousarray(image).data)
        if digest != self._sum:
            self._sum, self._same_since_s = digest, at_s
        still = at_s - self._same_since_s > _STILL_S
        if still != self._still:
            (log.warning if still else log.info)("source_frozen" if still else "source_moves_again", source=self._name)
        self._still = still
