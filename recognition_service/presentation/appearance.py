"""Appearances: in how many ways a face was seen that no movement of a flat picture explains.

Two views of one face are laid upon each other as well as an affine map and a change of brightness can: that is all that
a flat picture does which is moved, turned, tilted a little, lit anew and filmed again. What is left over is what a face
does: it turns in depth, blinks, speaks. The map is found by maximising the enhanced correlation coefficient
(Evangelidis, Psarakis: "Parametric image alignment using enhanced correlation coefficient maximization", IEEE TPAMI 30,
2008), which is what brightness and contrast do not change.

The difference of two views is the share of the contrast of one that the other does not explain, without what is finer
than an eyelid: noise of sensors and of JPEG is, and the traces of scaling.

`python -m benchmarks.presentation` tells how far apart pictures and faces are by it.
"""

import math
from copy import copy

import cv2
import numpy as np
from numpy.typing import NDArray

from recognition_service.presentation.views import FACE_SIDE, PATCH_SIDE

_SMOOTH = 1.2
"""Standard deviation of the smoothing before two views are compared, pixels of the patch."""
_LID = 5
"""Pixels of a side over which what is left is averaged."""
_STEPS, _PRECISION = 20, 1e-4
"""Of the search for the map; it ends mostly after ten."""
_TURNS = (-14.0, 14.0)
"""Degrees from which it begins again where it found nothing: pictures are held askew more than heads are."""
_LEAST_CONTRAST = 4.0
"""Grey levels (standard deviation): a face with less shows nothing that could be compared."""
UNLIKE = math.inf
"""The difference of views that cannot be laid upon each other."""


def _oval() -> NDArray[np.uint8]:
    """Where the face is in a patch, without hair and background."""
    at = np.arange(PATCH_SIDE) + 0.5 - PATCH_SIDE / 2
    inside = (at[np.newaxis] / (0.42 * FACE_SIDE)) ** 2 + (at[:, np.newaxis] / (0.5 * FACE_SIDE)) ** 2 <= 1
    return inside.astype(np.uint8)


_OVAL = _oval()
_INSIDE = _OVAL.astype(bool)
_MASK = cv2.dilate(_OVAL, np.ones((7, 7), np.uint8)) * 255
_MIDDLE = (PATCH_SIDE - 1) / 2


class Appearance:
    """A view made ready to be compared."""

    def __init__(self, patch: NDArray[np.uint8]) -> None:
        """Make a patch of `FaceView` ready."""
        self.pixels = np.asarray(cv2.GaussianBlur(patch.astype(np.float32), (0, 0), _SMOOTH), np.float32)

    def mirrored(self) -> "Appearance":
        """The same view as a mirror shows it."""
        other = copy(self)
        other.pixels = np.ascontiguousarray(self.pixels[:, ::-1])
        return other

    @property
    def contrast(self) -> float:
        """Standard deviation of the face's grey levels."""
        return float(self.pixels[_INSIDE].std())

    @property
    def shows_something(self) -> bool:
        """Whether there is anything to compare."""
        return self.contrast >= _LEAST_CONTRAST


def difference(one: Appearance, other: Appearance, *, enough: float = 0.0) -> float:
    """How far two views of a face are from being one flat picture.

    Args:
        one: a view that shows something.
        other: a view that shows something.
        enough: a difference from which on it is worth looking for a better map.

    Returns:
        0 for the same picture, about 1 for two that have nothing in common; `UNLIKE` where no map is found.
    """
    found = math.inf
    for turn in (0.0, *_TURNS):
        begin = np.vstack([cv2.getRotationMatrix2D((_MIDDLE, _MIDDLE), turn, 1.0), (0, 0, 1)]).astype(np.float32)
        left, warp = _laid_upon(one, other, begin, cv2.MOTION_AFFINE)
        found = min(found, left)
        if found < enough:
            break
        if warp is not None:
            found = min(found, _laid_upon(one, other, warp, cv2.MOTION_HOMOGRAPHY)[0])
        if found < enough:
            break
    return found


def _laid_upon(
    one: Appearance, other: Appearance, begin: NDArray[np.float32], motion: int
) -> tuple[float, NDArray[np.float32] | None]:
    """What is left over with the best map, and that map; neither where the search runs away."""
    affine = motion == cv2.MOTION_AFFINE
    until = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _STEPS, _PRECISION)
    try:
        start = begin[:2].copy() if affine else begin.copy()
        _, found = cv2.findTransformECC(one.pixels, other.pixels, start, motion, until, _MASK, 1)
    except cv2.error:
        return UNLIKE, None
    warp = np.vstack([found, (0, 0, 1)]).astype(np.float32) if affine else np.asarray(found, np.float32)
    if not 0.5 < float(np.linalg.det(warp[:2, :2])) < 2.0:
        return UNLIKE, None
    moved = cv2.warpPerspective(
        other.pixels,
        warp,
        (PATCH_SIDE, PATCH_SIDE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return _unexplained(one.pixels, np.asarray(moved, np.float32)), warp


def _unexplained(pixels: NDArray[np.float32], moved: NDArray[np.float32]) -> float:
    """The share of the variance of the face that the other, with brightness and contrast fitted, does not explain."""
    face, fit = pixels[_INSIDE], moved[_INSIDE]
    face_mean, fit_mean = face.mean(), fit.mean()
    spread = float(((fit - fit_mean) ** 2).mean())
    gain = float(((face - face_mean) * (fit - fit_mean)).mean()) / max(spread, 1e-6)
    left = np.where(_INSIDE, (pixels - face_mean) - gain * (moved - fit_mean), 0.0)
    coarse = cv2.blur(left, (_LID, _LID))
    return float((coarse[_INSIDE] ** 2).mean() / max(float(((face - face_mean) ** 2).mean()), 1e-6))
