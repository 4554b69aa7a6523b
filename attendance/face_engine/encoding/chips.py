"""Faces cut out of images, turned upright and scaled: dlib's `get_face_chip`, for all faces of a batch.

Where a face is more than twice the chip's size, dlib samples a smaller picture of its surroundings, made with a filter
of five by five pixels (`extract_image_chips` in `dlib/image_transforms/interpolation.h`), so that nothing is skipped.
The geometry of all faces is computed together; the sampling is OpenCV's, which lets other Python threads run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.interface import Image

_DOWN = np.array([1.25, 0.75])
"""`pyramid_down<2>::point_down` moves a point by this much after halving it."""
_UNCLEAR = 0.006
"""Steps of brightness: a sampled value so near a whole number may be cut down to another one than dlib's, which is
computed in float64. OpenCV's float32 was off by up to 0.004."""
_SMALLEST_SHRUNK = 8
"""dlib gives up, and a black chip, where a side has no more pixels left to halve."""


@dataclass(frozen=True, slots=True, eq=False)
class _Cuts:
    """How each chip is cut out of its image."""

    regions: NDArray[np.int64]
    """Shape (n, 4): the part of the image that is looked at: left, top, right, bottom; the last belong to it."""
    halvings: NDArray[np.int64]
    """Shape (n,): how often that part is halved first."""
    transforms: NDArray[np.float64]
    """Shape (n, 2, 3): from the chip's pixels to those of the part, halved."""


def similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The turn, scale and shift that bring points nearest to others (Umeyama, PAMI 1991, in two dimensions).

    Args:
        source: shape (k, 2), two points or more.
        target: shape (..., k, 2).

    Returns:
        Shape (..., 2, 3): the matrix, and the shift in the last column; never mirrored. Source points that are all one
        get no turn and no scale.
    """
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=-2, keepdims=True)
    centred, wanted = source - source_mean, target - target_mean
    spread = (centred**2).sum()
    if spread > 0:
        cosine = (wanted * centred).sum(axis=(-2, -1)) / spread
        sine = (wanted[..., 1] * centred[:, 0] - wanted[..., 0] * centred[:, 1]).sum(axis=-1) / spread
    else:
        cosine, sine = np.ones(target.shape[:-2]), np.zeros(target.shape[:-2])
    matrix = np.stack([np.stack([cosine, -sine], axis=-1), np.stack([sine, cosine], axis=-1)], axis=-2)
    shift = target_mean[..., 0, :] - matrix @ source_mean
    return np.concatenate([matrix, shift[..., None]], axis=-1)


def cut_chips(
    images: Sequence[Image],
    landmarks: Sequence[NDArray[np.float64]],
    template: NDArray[np.float64],
    side: int,
    *,
    exact: bool,
) -> list[NDArray[np.uint8]]:
    """Cut the faces out of images.

    Args:
        images: RGB, uint8, contiguous.
        landmarks: of each image's faces, shape (n, k, 2), pixels.
        template: shape (k, 2): where the landmarks should be in the chip, pixels.
        side: of the chips, pixels.
        exact: give dlib's values to the last step; else, for a third less time, one value in about 10,000 is a step off
            (rounding in float32).

    Returns:
        For each image uint8 (n, side, side, 3); what lies outside the image is black.
    """
    chips = []
    for image, points in zip(images, landmarks, strict=True):
        cut = np.zeros((len(points), side, side, 3), np.uint8)
        cuts = _plan(points, template, side, image.shape[1], image.shape[0])
        for chip, region, halvings, transform in zip(cut, cuts.regions, cuts.halvings, cuts.transforms, strict=True):
            part = _shrink(image, region, int(halvings))
            if part is not None:
                _sample(part, transform, chip, exact=exact)
        chips.append(cut)
    return chips


def _plan(points: NDArray[np.float64], template: NDArray[np.float64], side: int, width: int, height: int) -> _Cuts:
    found = similarity(template, points)
    scales = np.hypot(found[:, 0, 0], found[:, 1, 0])
    turns = np.where(scales[:, None, None] > 0, found[:, :, :2] / np.maximum(scales, 1e-300)[:, None, None], np.eye(2))
    centres = found[:, :, :2] @ [side / 2, side / 2] + found[:, :, 2]
    # dlib's rectangles end with their last pixel: a square of `side` pixels is that much less one across.
    extents = side * scales - 1
    halvings, margins = np.zeros(len(points), np.int64), np.full(len(points), 2.0)
    while (larger := extents / 2.0 ** (halvings + 1) > side - 1).any():
        halvings += larger
        margins = np.where(larger, 2 * margins + 2, margins)
    corners = np.array([(-0.5, -0.5), (0.5, -0.5), (-0.5, 0.5), (0.5, 0.5)])
    turned = extents[:, None, None] * (corners @ turns.transpose(0, 2, 1)) + centres[:, None]
    first = np.maximum(turned.min(axis=1) - margins[:, None], 0)
    last = np.minimum(turned.max(axis=1) + margins[:, None], [width - 1, height - 1])
    regions = np.floor(np.concatenate([first, last], axis=1) + 0.5)
    regions = np.clip(regions, -1, max(width, height)).astype(np.int64)
    centres = centres - regions[:, :2]
    for step in range(int(halvings.max(initial=0))):
        centres = np.where((halvings > step)[:, None], centres / 2 - _DOWN, centres)
    extents = extents / 2.0**halvings
    matrices = turns * (extents / (side - 1))[:, None, None]
    shifts = centres - extents[:, None] / 2 * turns.sum(axis=2)
    return _Cuts(regions, halvings, np.concatenate([matrices, shifts[..., None]], axis=2))


def _shrink(image: Image, region: NDArray[np.int64], halvings: int) -> NDArray[np.float32] | None:
    """The part of an image that is looked at, halved so often; None where there is nothing to look at."""
    left, top, right, bottom = region
    part = image[top : bottom + 1, left : right + 1].astype(np.float32)
    for _ in range(halvings):
        if min(part.shape[:2]) <= _SMALLEST_SHRUNK:
            return None
        # The same filter at the same pixels, but for the first; dlib cuts its values down to whole numbers.
        rows, columns = ((length - 3) // 2 for length in part.shape[:2])
        part = np.floor(cv2.pyrDown(part)[1 : 1 + rows, 1 : 1 + columns])
    return part if part.size else None


def _sample(part: NDArray[np.float32], transform: NDArray[np.float64], chip: NDArray[np.uint8], *, exact: bool) -> None:
    side = len(chip)
    sampled = cv2.warpAffine(part, transform, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    if exact:
        # Rounded to the nearest after taking a half away: cut down, once with a little added and once with it taken.
        more, less = (cv2.convertScaleAbs(sampled, alpha=1, beta=_UNCLEAR * sign - 0.5) for sign in (1, -1))
        chip[:] = more
        _sample_exactly(part, transform, chip, np.flatnonzero(more != less))
    else:
        chip[:] = sampled
    _blacken_outside(chip, transform, part.shape[1], part.shape[0])


def _sample_exactly(
    part: NDArray[np.float32], transform: NDArray[np.float64], chip: NDArray[np.uint8], values: NDArray[np.int64]
) -> None:
    """Sample some values of a chip, by their flat places, in float64 and in dlib's order (`interpolate_bilinear`)."""
    height, width = part.shape[:2]
    pixels, channels = np.divmod(values, 3)
    rows, columns = np.divmod(pixels, len(chip))
    x = transform[0, 0] * columns + transform[0, 1] * rows + transform[0, 2]
    y = transform[1, 0] * columns + transform[1, 1] * rows + transform[1, 2]
    inside = (x >= 0) & (y >= 0) & (x < width - 1) & (y < height - 1)
    if not inside.all():
        x, y, channels, values = x[inside], y[inside], channels[inside], values[inside]
    left, top = x.astype(np.int64), y.astype(np.int64)
    across, down = x - left, y - top
    flat = part.reshape(-1)
    corner = (top * width + left) * 3 + channels
    upper = (1 - across) * flat.take(corner) + across * flat.take(corner + 3)
    corner += 3 * width
    lower = (1 - across) * flat.take(corner) + across * flat.take(corner + 3)
    chip.reshape(-1)[values] = ((1 - down) * upper + down * lower).astype(np.uint8)


def _blacken_outside(chip: NDArray[np.uint8], transform: NDArray[np.float64], width: int, height: int) -> None:
    """Black wherever one of the four pixels that a value lies between is missing; OpenCV fades out there."""
    side = len(chip)
    ends = np.array([(0, 0), (side - 1, 0), (0, side - 1), (side - 1, side - 1)])
    corners = ends @ transform[:, :2].T + transform[:, 2]
    if (corners >= 0).all() and (corners < [width - 1, height - 1]).all():
        return
    steps = np.arange(side)
    x = transform[0, 0] * steps + transform[0, 1] * steps[:, None] + transform[0, 2]
    y = transform[1, 0] * steps + transform[1, 1] * steps[:, None] + transform[1, 2]
    chip[(x < 0) | (y < 0) | (x >= width - 1) | (y >= height - 1)] = 0
