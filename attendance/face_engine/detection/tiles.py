"""Filling the tile of an image: dlib's upsampling, bit for bit, and the pyramid's levels."""

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.detection.pyramid import Level, TileLayout, tile_layout
from attendance.face_engine.interface import Image


def upsample_image(image: Image, times: int) -> Image:
    """Double an image as dlib's detectors do before they search.

    dlib's own resizing does the work: its result is cut down to whole numbers, so that in even areas the last bit of a
    float decides about a whole step of brightness, and no other implementation gives the same picture.

    Args:
        image: RGB, at least 2 x 2.
        times: how often.

    Returns:
        RGB; a side grows to twice its length plus 2 (width) or 1 (height) each time, as `dlib::pyramid_up` has it.
    """
    for _ in range(times):
        height, width = image.shape[:2]
        image = dlib.resize_image(image, *upsampled_size(height, width, 1))
    return image


def upsampled_size(height: int, width: int, times: int) -> tuple[int, int]:
    """Height and width of an image after `times` doublings (`pyramid_down<2>::rect_up`, rounded)."""
    for _ in range(times):
        height, width = 2 * height + 1, 2 * width + 2
    return height, width


def upsampled_layout(image: Image, times: int) -> TileLayout:
    """The tile of an image after `times` doublings."""
    height, width = upsampled_size(image.shape[0], image.shape[1], times)
    return tile_layout(width, height)


def fill_tile(image: Image, layout: TileLayout, means: NDArray[np.float32], tile: NDArray[np.float32]) -> None:
    """Write an image and its pyramid into a tile; what lies between the levels is left as it is.

    Each level is interpolated from the one before with corners aligned, in float32 (`dlib::resize_image` on floats).

    Args:
        image: RGB, of the layout's size.
        layout: where the levels go.
        means: shape (3,), what is taken away from the pixel values.
        tile: float32, shape (layout.height, layout.width, 3); between the levels it should hold zeros.
    """
    level = layout.levels[0]
    above = _place(tile, level)
    cv2.subtract(image, np.array([*means, 0.0]), dst=above, dtype=cv2.CV_32F)
    for smaller in layout.levels[1:]:
        below = _place(tile, smaller)
        scale_x = (level.width - 1) / max(smaller.width - 1, 1)
        scale_y = (level.height - 1) / max(smaller.height - 1, 1)
        cv2.warpAffine(
            above,
            np.array([[scale_x, 0, 0], [0, scale_y, 0]]),
            (smaller.width, smaller.height),
            dst=below,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        level, above = smaller, below


def _place(tile: NDArray[np.float32], level: Level) -> NDArray[np.float32]:
    return tile[level.top : level.top + level.height, level.left : level.left + level.width]
