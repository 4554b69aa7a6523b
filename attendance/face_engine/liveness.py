"""Liveness models: networks that tell a face from a picture of one, in one look at its surroundings.

The input is that of MiniFASNet, of Silent-Face-Anti-Spoofing by Minivision (Apache 2.0), as its 2.7_80x80 models take
it: a square of 80 pixels around the middle of the face's box, 2.7 times as large as the box and moved into the picture
where it reaches beyond it; BGR, float32 from 0 to 255, channels first. The output is one score a class, of which the
second is a living face.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.interface import Image, ModelError
from attendance.face_engine.runtimes.runtime import start_runtime

CROP_SIDE = 80
CROP_SCALE = 2.7
_LIVE = 1
"""The place of the living among the scores."""
_LARGEST = 64 * 2**20
"""Bytes; the models are of two megabytes."""


def crop_for(image: Image, box: tuple[float, float, float, float]) -> NDArray[np.uint8]:
    """What a model looks at.

    Args:
        image: RGB, uint8, shape (height, width, 3).
        box: left, top, right, bottom of the face, pixels.

    Returns:
        BGR, uint8, shape (CROP_SIDE, CROP_SIDE, 3).
    """
    height, width = image.shape[:2]
    left, top, right, bottom = box
    wide, high = max(right - left, 1.0), max(bottom - top, 1.0)
    scale = min((height - 1) / high, (width - 1) / wide, CROP_SCALE)
    half = wide * scale / 2, high * scale / 2
    middle_x = min(max((left + right) / 2, half[0]), width - 1 - half[0])
    middle_y = min(max((top + bottom) / 2, half[1]), height - 1 - half[1])
    x, y = max(0, int(middle_x - half[0])), max(0, int(middle_y - half[1]))
    part = image[y : int(middle_y + half[1]) + 1, x : int(middle_x + half[0]) + 1]
    crop = cv2.resize(part, (CROP_SIDE, CROP_SIDE), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), np.uint8)


class LivenessModel:
    """A liveness model in ONNX Runtime; may be used from any thread."""

    def __init__(self, path: Path) -> None:
        """Load it and try it on nothing.

        Args:
            path: the ONNX file.

        Raises:
            ModelError: there is no such file, it cannot be run, or it does not take or give what is said above.
        """
        try:
            if path.stat().st_size > _LARGEST:
                raise ModelError(f"the liveness model {path} has more than {_LARGEST >> 20} MiB")
            model = path.read_bytes()
        except OSError as error:
            raise ModelError(f"the liveness model {path} cannot be read: {error.strerror}") from None
        runtime = start_runtime("onnxruntime", threads=1)
        try:
            self._session = runtime.load(model, precision="fp32")
        except ModelError as error:
            raise ModelError(f"the liveness model {path}: {error}") from None
        try:
            scores = self._scores(np.zeros((CROP_SIDE, CROP_SIDE, 3), np.uint8))
        except Exception as error:  # ONNX Runtime's errors have no common root
            raise ModelError(
                f"the liveness model {path} does not take one input of 1 x 3 x {CROP_SIDE} x {CROP_SIDE}: {error}"
            ) from None
        if scores.ndim != 1 or len(scores) <= _LIVE or not np.isfinite(scores).all():
            raise ModelError(f"the liveness model {path} does not give one score for each of two classes or more")

    def live(self, crop: NDArray[np.uint8]) -> float:
        """How sure the model is of a living face, from 0 to 1; 0.5 where it answers with what is no number.

        Args:
            crop: what `crop_for` gave.
        """
        scores = self._scores(crop)
        if not np.isfinite(scores).all():
            return 0.5
        weights = np.exp(scores - scores.max())
        return float(weights[_LIVE] / weights.sum())

    def _scores(self, crop: NDArray[np.uint8]) -> NDArray[np.float64]:
        values = np.ascontiguousarray(crop.transpose(2, 0, 1)[np.newaxis].astype(np.float32))
        return np.asarray(self._session.run(values)[0], np.float64)
