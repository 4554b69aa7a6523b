"""What is said of a photo: the outcomes, and one photo's verdict."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class PhotoOutcome(StrEnum):
    """What became of a photo; OK, DOUBTFUL and SET_ASIDE give an encoding."""

    OK = "ok"
    DOUBTFUL = "doubtful"
    """Used, but a better photo would be welcome."""
    SET_ASIDE = "set aside"
    """An outlier among five or more of the student's own: kept and shown, but not searched."""
    NO_FACE = "no face"
    NOT_UPRIGHT = "not upright"
    SEVERAL_FACES = "several faces"
    UNREADABLE = "unreadable"
    TOO_SMALL = "too small"
    BLURRED = "blurred"
    TOO_DARK = "too dark"
    TOO_BRIGHT = "too bright"
    LOW_CONTRAST = "low contrast"
    TURNED_AWAY = "turned away"
    EYES_CLOSED = "eyes closed"
    LIKE_ANOTHER = "like another student"
    UNLIKE_OWN = "unlike own photos"
    SHARED = "photo of two students"
    REPEATED = "same photo again"
    NO_CONSENT = "no consent"
    MISPLACED = "not used"

    @property
    def gives_encoding(self) -> bool:
        """Whether the photo's encoding goes into the store."""
        return self in (PhotoOutcome.OK, PhotoOutcome.DOUBTFUL, PhotoOutcome.SET_ASIDE)


@dataclass(frozen=True, slots=True, eq=False)
class PhotoVerdict:
    """What became of one photo, and why."""

    name: str
    """As it was given: a path or a file name. Whoever shows it escapes it."""
    outcome: PhotoOutcome
    detail: str = ""
    """A clause that says more, for people."""
    encoding: NDArray[np.float64] | None = None
    """Shape (encoding_size,), for the outcomes that give one."""
    quality: float | None = None
    """0 to 1; None where no face could be looked at."""
    thumbnail: bytes | None = None
    """A small JPEG for people; None where the photo could not be read."""
    sha256: str | None = None
    """Of the file, in hexadecimal digits; None where it could not be read."""
    other: str | None = None
    """The other student whom the photo is like, or whose it is."""
