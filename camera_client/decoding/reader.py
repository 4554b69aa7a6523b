"""What reads the pictures of a video or of a network camera."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from camera_client.frames import SourceError


class InterlacedError(SourceError):
    """The pictures are interlaced, and nothing here can decode those."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name}: the pictures are interlaced, and cannot be decoded here: switch the camera to progressive "
            "pictures, convert the file (ffmpeg -i FILE -vf bwdif NEW.mp4), or install the Python package av"
        )


class VideoReader(Protocol):
    """An open video or stream. `grab` goes on to the next picture, `retrieve` gives it."""

    fps: float
    """Pictures a second, as the header says; 0: it does not."""
    frames: float
    """Pictures, as the header says; 0: it does not."""
    broke: bool
    """Whether something before the picture could not be decoded, or the picture is marked as damaged."""

    def grab(self) -> bool:
        """Go on to the next picture; False when there is none.

        Raises:
            InterlacedError: see there.
        """
        ...

    def retrieve(self) -> NDArray[np.uint8] | None:
        """The picture as blue, green, red, shape (height, width, 3); None when the decoder gave none."""
        ...

    @property
    def stamp_s(self) -> float:
        """The picture's own time stamp, seconds."""
        ...

    @property
    def stands_alone(self) -> bool:
        """Whether the picture is decoded from itself, so that no damage before it can be in it."""
        ...

    def release(self) -> None:
        """Close it."""
        ...


class VideoFileReader(VideoReader, Protocol):
    """An open video file, in which one can go elsewhere."""

    def seek(self, stamp_s: float) -> None:
        """Go to the picture that stands alone at or before a time stamp, or near it: look where one is.

        Args:
            stamp_s: as `stamp_s` gives it.
        """
        ...
