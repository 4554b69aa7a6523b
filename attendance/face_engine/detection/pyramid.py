"""The tiled image pyramid of dlib's detector: where each level lies, and how its pixels map to the image's.

dlib shrinks an image by 5/6 again and again, lays all levels into one picture and runs the network once over it. Faces
near the edge of a level see part of the level beside it, so the same answers need the same layout. Everything here
follows `dlib/image_transforms/image_pyramid.h` of dlib 20.0 (`pyramid_down<6>`, `compute_tiled_image_pyramid_details`,
`tiled_pyramid_to_image`) with the detector's paddings, 10 pixels between levels and 11 around.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE = (6 - 1.0) / 6
"""Each level's sides over those of the one before (`pyramid_rate(pyramid_down<6>)`)."""
PADDING = 10
"""Pixels between levels."""
OUTER_PADDING = 11
"""Pixels around all."""
_SMALLEST_HEIGHT = 5
POINT_OFFSET = 0.3
"""`pyramid_down<N>::point_up` moves a point by this much at each level."""


@dataclass(frozen=True, slots=True)
class Level:
    """One level's place in the tile, pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The last column."""
        return self.left + self.width - 1

    @property
    def bottom(self) -> int:
        """The last row."""
        return self.top + self.height - 1


@dataclass(frozen=True, slots=True)
class TileLayout:
    """Where the levels of an image lie in its tile; levels[0] is the image itself."""

    width: int
    height: int
    levels: tuple[Level, ...]


@functools.lru_cache(maxsize=512)
def tile_layout(width: int, height: int) -> TileLayout:
    """The tile of an image of `width` x `height` pixels, both at least 1.

    The levels go down the left side as far as they must, and the rest up the right side from the bottom; those that
    would touch the image itself are left out.
    """
    sides = _level_sides(width, height)
    rows = _first_column_height(sides)
    levels: list[Level] = []
    top = OUTER_PADDING
    while top < rows + OUTER_PADDING and len(levels) < len(sides):
        level = Level(OUTER_PADDING, top, *sides[len(levels)])
        levels.append(level)
        top += level.height + PADDING
    bottom = top - PADDING - 1
    for level_width, level_height in sides[len(levels) :]:
        level = Level(OUTER_PADDING + width - level_width, bottom - level_height + 1, level_width, level_height)
        if _overlap(levels[0], level):
            break
        levels.append(level)
        bottom -= level_height + PADDING
    return TileLayout(width + 2 * OUTER_PADDING, rows + 2 * OUTER_PADDING, tuple(levels))


def _level_sides(width: int, height: int) -> list[tuple[int, int]]:
    sides = [(width, height)]
    while True:
        height, width = math.floor(RATE * height), math.floor(RATE * width)
        if width == 0 or height < _SMALLEST_HEIGHT:
            return sides
        sides.append((width, height))


def _first_column_height(sides: list[tuple[int, int]]) -> int:
    full_width, full_height = sides[0]
    total = sum(height + PADDING for _, height in sides) - 2 * PADDING
    column = 0
    previous_width = 0
    for width, height in sides:
        # dlib subtracts unsigned integers here: a difference below zero wraps round and counts as plenty of room.
        beside = width <= (full_width - previous_width - PADDING) % 2**64
        if beside and (column - full_height) * 2 >= total - full_height:
            break
        column += height + PADDING
        previous_width = width
    return column - PADDING


def _overlap(one: Level, other: Level) -> bool:
    return max(one.left, other.left) <= min(one.right, other.right) and max(one.top, other.top) <= min(
        one.bottom, other.bottom
    )


def boxes_in_image(layout: TileLayout, centres: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """Map detection windows of the tile to the image.

    Args:
        layout: the tile's.
        centres: shape (n, 2), x and y of the windows' centres in the tile, pixels.
        width: of the window, pixels.
        height: of the window, pixels.

    Returns:
        float64, shape (n, 4): left, top, right, bottom as dlib has them (the last column and row belong to the box),
        not yet rounded.
    """
    half = np.array([(width - 1) / 2, (height - 1) / 2])
    corners = np.stack([centres - half, centres + half], axis=1)
    levels = nearest_levels(layout, centres)
    origins = np.array([(level.left, level.top) for level in layout.levels], float)[levels]
    corners -= origins[:, None]
    upwards = 6 / (6 - 1.0)
    for step in range(1, len(layout.levels)):
        deeper = levels >= step
        corners[deeper] = corners[deeper] * upwards + POINT_OFFSET
    return corners.reshape(-1, 4)


def nearest_levels(layout: TileLayout, points: NDArray[np.float64]) -> NDArray[np.int64]:
    """The level that each point of the tile belongs to: the first that contains it, else the nearest.

    Args:
        layout: the tile's.
        points: shape (n, 2), x and y, pixels; rounded to whole pixels first, as `nearest_rect` takes them.

    Returns:
        int64, shape (n,).
    """
    whole = np.floor(points + 0.5)
    first = np.array([(level.left, level.top) for level in layout.levels], float)
    last = np.array([(level.right, level.bottom) for level in layout.levels], float)
    nearest = np.clip(whole[:, None], first, last)
    squared = ((nearest - whole[:, None]) ** 2).sum(axis=2)
    nearest_level: NDArray[np.int64] = squared.argmin(axis=1)
    return nearest_level
