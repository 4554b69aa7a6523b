"""Made-up pixels of faces: those of the living, that change, and those of pictures, that do not."""

import cv2
import numpy as np
from numpy.typing import NDArray

from recognition_service.presentation.views import AROUND_SIDE, PATCH_SIDE, FaceView

FEATURES = np.asarray(
    cv2.resize(np.random.default_rng(0).normal(0, 1, (6, 6)), (PATCH_SIDE, PATCH_SIDE), interpolation=cv2.INTER_CUBIC),
    np.float64,
)
"""What does not change of a face: smooth, with a mean of about 0 and a spread of about 1."""
_BLANK = np.full((AROUND_SIDE, AROUND_SIDE), 128, np.uint8)


def living_view(moment: float, *, left: float = 0.0) -> FaceView:
    """A face at a moment, seconds; at another, more of it is different than any movement explains."""
    return _view(128 + 30 * FEATURES + 60 * expression(moment), left)


def picture_view(noise: float = 2.0, seed: int = 0, *, left: float = 0.0) -> FaceView:
    """A photo of a face, filmed anew; without noise, sent again."""
    grain = np.random.default_rng(seed).normal(0, noise, (PATCH_SIDE, PATCH_SIDE)) if noise else 0.0
    return _view(128 + 35 * FEATURES + grain, left)


def expression(moment: float) -> NDArray[np.float64]:
    """Mouth and eyes, as open as they are then, from -1 to 1: moments half a second or one apart are not alike."""
    down, across = np.mgrid[0:PATCH_SIDE, 0:PATCH_SIDE] - PATCH_SIDE / 2
    mouth = np.exp(-(across**2) / 80 - (down - 12) ** 2 / 12)
    eyes = np.exp(-((np.abs(across) - 9) ** 2) / 20 - (down + 7) ** 2 / 10)
    phase = 4.8 * (moment % 100_000)
    return np.asarray(np.cos(phase) * mouth + np.sin(phase) * eyes, np.float64)


def _view(grey: NDArray[np.float64], left: float) -> FaceView:
    patch = np.clip(grey, 0, 255).astype(np.uint8)
    return FaceView(patch, _BLANK, (left + 40.0, 40.0), 80.0, _BLANK, 1.0)
