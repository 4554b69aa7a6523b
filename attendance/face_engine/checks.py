"""The checks of arguments that every engine makes, so that all refuse the same things with the same words."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.interface import FaceBoxes, Image, ImageError, ImageTooLargeError

MOST_UPSAMPLE = 3
"""Doublings: a face of 10 pixels. Beyond it there is nothing left to recognise."""
LONGEST_SIDE = 32_768
"""Pixels. The detector works on a frame of black around the image, which a thin and endless one multiplies."""
WORK_FACTOR = 4
"""An image may grow by upsampling to this many times `max_pixels`: once, for the largest."""

_CHANNELS = 3


def check_images(images: Sequence[Image], *, max_pixels: int, upsample: int = 0) -> list[Image]:
    """Check a batch and make each image contiguous.

    Args:
        images: RGB, uint8, shape (height, width, 3), sizes as they come; strides may be any.
        max_pixels: the largest image accepted.
        upsample: times each is going to be doubled.

    Returns:
        The images in order, C-contiguous.

    Raises:
        ImageError: an image is not uint8 RGB, is empty or too large; the message names its place in the batch.
        ValueError: `upsample` is out of bounds.
    """
    if not 0 <= upsample <= MOST_UPSAMPLE:
        raise ValueError(f"upsample is {upsample}; it must be 0 to {MOST_UPSAMPLE}")
    return [_check_image(image, place, max_pixels, upsample) for place, image in enumerate(images)]


def _check_image(image: Image, place: int, max_pixels: int, upsample: int) -> Image:
    if not isinstance(image, np.ndarray):
        raise ImageError(f"image {place} of the batch is a {type(image).__name__}, not a numpy array")
    if image.dtype != np.uint8 or image.ndim != _CHANNELS or image.shape[2] != _CHANNELS:
        raise ImageError(
            f"image {place} of the batch is {image.dtype} of shape {image.shape}, not uint8 RGB (height, width, 3)"
        )
    height, width = image.shape[:2]
    size = f"image {place} of the batch has {width} x {height} pixels"
    if height == 0 or width == 0:
        raise ImageError(f"{size}: it is empty")
    if height * width > max_pixels:
        raise ImageTooLargeError(f"{size}; at most {max_pixels:,} in all are accepted")
    if max(height, width) > LONGEST_SIDE:
        raise ImageTooLargeError(f"{size}; a side has at most {LONGEST_SIDE:,}")
    if height * width * 4**upsample > WORK_FACTOR * max_pixels:
        raise ImageTooLargeError(
            f"{size}; doubled {upsample} times that is more than the {WORK_FACTOR * max_pixels:,} an engine works on"
        )
    return np.ascontiguousarray(image)


def check_faces(images: Sequence[Image], faces: Sequence[FaceBoxes]) -> None:
    """Check that every image has its boxes, and that they are boxes.

    Raises:
        ValueError: there are not as many `faces` as `images`, or boxes are not finite numbers of shape (n, 4).
    """
    if len(images) != len(faces):
        raise ValueError(f"{len(faces)} lists of boxes for {len(images)} images")
    for place, found in enumerate(faces):
        boxes = np.asarray(found.boxes)
        if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():  # (n, 4)
            raise ValueError(f"the boxes of image {place} are not finite numbers of shape (n, 4)")


def check_chips(chips: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Check a batch of aligned faces and make it contiguous; shape (0, side, side, 3) is an empty batch.

    Raises:
        ImageError: `chips` is not uint8 of shape (n, side, side, 3).
    """
    if not isinstance(chips, np.ndarray):
        raise ImageError(f"the chips are a {type(chips).__name__}, not a numpy array")
    if chips.dtype != np.uint8 or chips.ndim != 4 or chips.shape[1:] != (side, side, _CHANNELS):
        raise ImageError(f"the chips are {chips.dtype} of shape {chips.shape}, not uint8 (n, {side}, {side}, 3)")
    return np.ascontiguousarray(chips)
