"""What a recognition service tells the dashboard of one picture while a camera is hung: numbers, never pixels.

Both programs read and write it here, so that a page and the service that it asks mean the same.
"""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

SCHEME = "Aiming"
"""Of the header `Authorization` with which the page asks, before the ticket."""


class AimingProblem(StrEnum):
    """Why there is no picture."""

    FORGED = "forged"
    """The ticket is none, was changed, or its key is gone."""
    EXPIRED = "expired"
    ENDED = "ended"
    """Whoever got the ticket is signed out, was removed, or is no administrator any more."""
    OTHER_CAMERA = "other_camera"
    """The ticket is of another camera."""
    NOT_CONNECTED = "not_connected"
    """The camera has no open stream at the service that was asked."""
    NO_FRAME = "no_frame"
    """The camera is connected, and sends nothing, or nothing live."""
    UNREADABLE = "unreadable"
    """The camera's frames cannot be used."""
    BUSY = "busy"
    """The service has no time for it, or cannot know whether a session counts."""
    GONE = "gone"
    """The picture is not kept any more."""


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True)


class AimedFace(_Said):
    """A face of the picture. Pixels are those of the picture as the camera sent it."""

    left: float
    top: float
    right: float
    bottom: float
    sharpness: float
    """Variance of the Laplacian of the aligned face."""

    @property
    def width(self) -> int:
        """Of its box, pixels."""
        return round(self.right - self.left)

    @property
    def height(self) -> int:
        """Of its box, pixels."""
        return round(self.bottom - self.top)


class AimedShot(_Said):
    """One picture of a camera, by its numbers."""

    number: int
    """By which the picture itself is asked for; it grows."""
    captured_at: datetime
    """By the camera's clock; by the service's, where the frame has no time that can be."""
    arrived_at: datetime
    """By the service's clock."""
    width: int
    height: int
    session: bool
    """Whether a class session counts in the room: then faces are pixelated, whatever the ticket allows."""
    clear: bool
    """Whether faces are shown as they are."""
    brightness: float
    """Mean grey level, 0 to 255."""
    blank: bool
    """It is black, white, or all of one shade."""
    smallest_named: float
    """Width in pixels of the smallest face that may be named with the models in use."""
    clear_width: float
    """Width in pixels from which a face counts in full."""
    clear_sharpness: float
    """Sharpness from which it does."""
    faces: tuple[AimedFace, ...]
    """From left to right, in the order of the numbers that stand in the picture."""


class AimingAnswer(_Said):
    """Why there is no picture, as the service says it."""

    problem: AimingProblem
