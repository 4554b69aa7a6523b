"""Reading by OpenCV, which says yes to pictures that it did not write."""

import cv2
import numpy as np
from numpy.typing import NDArray

from camera_client.decoding.interlacing import declares_interlaced
from camera_client.decoding.reader import InterlacedError

_LEAST_PATIENCE = 250
_DOUBT_FRAMES = 50
_INTRA = ord("I")


class OpenCvReader:
    """An open capture of OpenCV.

    Of an interlaced picture, OpenCV 4.13 and 5.0 convert nothing and report success: memory of before is handed out. So
    of what may be interlaced, only a picture that differs from the one before is believed.
    """

    def __init__(self, capture: cv2.VideoCapture, name: str, *, patient: bool = False) -> None:
        """Take an open capture over.

        Args:
            capture: open, of FFmpeg; of a webcam, nothing is doubted.
            name: what messages call the source.
            patient: go on past what cannot be decoded, as in a file; else the first failure is the end.
        """
        self._capture = capture
        self._name = name
        self.fps = capture.get(cv2.CAP_PROP_FPS)
        self.frames = max(0.0, capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self._patience = max(_LEAST_PATIENCE, int(self.frames)) if patient else 0
        self.broke = False
        self.interlaced = _declared(capture)
        self._in_doubt = bool(self.interlaced)
        self._doubted = 0
        self._last: NDArray[np.uint8] | None = None

    def grab(self) -> bool:
        """See `VideoReader.grab`."""
        while self._grab_one():
            if not self._in_doubt or self._shows_something_new():
                return True
        if self._in_doubt and self._doubted > 1:  # it ended before anything was shown
            raise InterlacedError(self._name)
        return False

    def _grab_one(self) -> bool:
        self.broke = False
        for _ in range(self._patience + 1):
            if self._capture.grab():
                return True
            self.broke = True
        return False

    def _shows_something_new(self) -> bool:
        """Whether the decoder has given two pictures that differ; until then none is believed."""
        image = self._image()
        if self._last is not None and image is not None and not np.array_equal(image, self._last):
            self._in_doubt = False
            return True
        self._last = image
        self._doubted += 1
        if self._doubted < _DOUBT_FRAMES:
            return False
        raise InterlacedError(self._name)

    def retrieve(self) -> NDArray[np.uint8] | None:
        """See `VideoReader.retrieve`."""
        image = self._image()
        if not self.interlaced or image is None:
            return image
        repeated = image is not self._last and self._last is not None and np.array_equal(image, self._last)
        self._last = image
        return None if repeated else image

    def _image(self) -> NDArray[np.uint8] | None:
        whole, image = self._capture.retrieve()
        return image.astype(np.uint8, copy=False) if whole and image is not None else None

    @property
    def stamp_s(self) -> float:
        """See `VideoReader.stamp_s`."""
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000

    @property
    def stands_alone(self) -> bool:
        """See `VideoReader.stands_alone`."""
        return int(self._capture.get(cv2.CAP_PROP_FRAME_TYPE)) == _INTRA

    def seek(self, stamp_s: float) -> None:
        """See `VideoFileReader.seek`."""
        self._capture.set(cv2.CAP_PROP_POS_MSEC, 1000 * stamp_s)
        self._last = None

    def release(self) -> None:
        """See `VideoReader.release`."""
        self._capture.release()


def _declared(capture: cv2.VideoCapture) -> bool | None:
    if capture.getBackendName() != "FFMPEG":
        return False
    codec = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=False).decode("latin-1")
    place = int(capture.get(cv2.CAP_PROP_CODEC_EXTRADATA_INDEX))
    found, data = capture.retrieve(None, place) if place > 0 else (False, None)
    return declares_interlaced(codec, data.tobytes() if found and data is not None else b"")
