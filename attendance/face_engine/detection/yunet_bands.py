"""YuNet over frames too large for one call: bands across the longer side, which change nothing in the anchors."""

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.models.opencv_export import STRIDES
from attendance.face_engine.runtimes.runtime import Session

GRID = STRIDES[-1]
"""Pixels: pieces of a frame start and end at multiples of it, so that their anchors are those of the frame."""
REACH = 224
"""Pixels beyond a cell of the grid, to each side, that the anchors in it depend on at most: one at pixel p depends on
those from p - 219 to p + 225, as the sizes, strides and paddings of the network's layers have it."""
WORK_PIXELS = 10_000_000
"""Of one call, or of as many calls at once as two cores take. It bounds memory, and how long others wait: some
0.2 s on two cores. Bands of less would be mostly what they share with their neighbours."""

Anchors = NDArray[np.float32]


def anchors_in_bands(
    session: Session, frames: NDArray[np.uint8], *, work_pixels: int
) -> Generator[None, None, Anchors]:
    """The anchors of frames, stopping after each band.

    Args:
        session: frames, uint8 (n, height, width, 3), to anchors, float32 (n, 16, anchors).
        frames: what it takes; sides are multiples of `GRID`.
        work_pixels: most pixels of a frame in one call, as far as what a band needs around it allows.

    Returns:
        float32, shape (n, 16, anchors).
    """
    height, width = frames.shape[1:3]
    if height * width <= work_pixels:
        anchors: Anchors = session.run(frames)
        yield
        return anchors
    axis = 1 if height >= width else 2  # of the frames; bands across the longer side share least
    length, across = frames.shape[axis], frames.shape[3 - axis]
    step = max(work_pixels // across - 2 * REACH, 2 * REACH) // GRID * GRID
    levels: list[list[Anchors]] = [[] for _ in STRIDES]
    for first in range(0, length, step):
        last = min(first + step, length)
        start, end = max(first - REACH, 0), min(last + REACH, length)
        band = np.ascontiguousarray(frames[:, start:end] if axis == 1 else frames[:, :, start:end])
        for level, stride, maps in zip(levels, STRIDES, _maps(session.run(band), *band.shape[1:3]), strict=True):
            inside = slice((first - start) // stride, (last - start) // stride)
            level.append(maps[:, :, inside] if axis == 1 else maps[:, :, :, inside])
        yield
    whole = [np.concatenate(level, axis=axis + 1) for level in levels]
    return np.concatenate([maps.reshape(*maps.shape[:2], -1) for maps in whole], axis=2)


def _maps(anchors: Anchors, height: int, width: int) -> list[Anchors]:
    """The anchors of each level, finest first, shape (n, 16, rows, columns)."""
    maps, start = [], 0
    for stride in STRIDES:
        rows, columns = height // stride, width // stride
        part = anchors[:, :, start : start + rows * columns]
        maps.append(part.reshape(*anchors.shape[:2], rows, columns))
        start += rows * columns
    return maps
