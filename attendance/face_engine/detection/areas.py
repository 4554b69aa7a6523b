"""Which rectangles of a frame are searched where a camera has zones, so that what is left out costs nothing.

Each rectangle is searched as a picture of its own, with a margin, and answers for the faces whose centre lies in it
without the margin. What lies between them is never searched.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.detection.decoding import suppress
from attendance.face_engine.interface import FaceBoxes, Image
from attendance.zones import Zones

_REACH = 256
"""Pixels around a face's centre that are searched at most: beyond it nothing changes a face that YuNet finds in a frame
that is searched as it is (`yunet_bands.REACH` is a little less)."""
_MARGIN = 1 / 10
"""Of the frame's longer side, and at most `_REACH`: a face of up to a fifth of the frame lies whole in what is
searched."""
_GRID = 32
"""Pixels: where rectangles begin and end, so that YuNet's anchors are those of the frame (`yunet_bands.GRID`)."""
_CELLS = 8
"""Columns and rows of cells at whose edges a frame may be divided. More take longer to choose from than they save."""
_FINE = 48
"""Parts of a cell's side in which what is wanted is measured."""
_CALL = 20_000
"""Pixels whose search takes as long as another call of a network does, about."""
_WORTH = 0.95
"""Rectangles that together cost more than this share of the frame are not worth it: the frame is searched."""
_OVERLAP = 0.4
"""Boxes of two rectangles that overlap more are one face."""

_Cells = tuple[int, int, int, int]
"""Top, bottom, left, right."""


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of a frame that is searched; pixels."""

    left: int
    top: int
    right: int
    bottom: int
    core: tuple[float, float, float, float]
    """Left, top, right, bottom: without the margin."""

    def cut(self, image: Image) -> Image:
        """Its part of the frame."""
        return image[self.top : self.bottom, self.left : self.right]

    def has(self, boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which boxes of the frame, shape (n, 4), have their centres in the core, to within a pixel."""
        left, top, right, bottom = self.core
        x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2).T
        inside: NDArray[np.bool_] = (x >= left - 1) & (x <= right + 1) & (y >= top - 1) & (y <= bottom + 1)
        return inside


@lru_cache(maxsize=1024)
def areas_of(zones: Zones, width: int, height: int) -> tuple[Area, ...]:
    """What of a frame of this size is searched; the whole of it where nothing would be saved.

    Args:
        zones: of its camera.
        width: of the frame, pixels.
        height: of the frame, pixels.
    """
    margin = min(_REACH, max(width, height) * _MARGIN)
    wanted = _wanted(zones)
    areas = tuple(_area(core, width, height, margin) for core in _Division(wanted, width, height, margin).cores())
    whole = Area(0, 0, width, height, (0, 0, width, height))
    if not areas or sum(search_cost(area) for area in areas) >= _WORTH * search_cost(whole):
        return (whole,)
    return areas


def merged(
    found: list[tuple[Area, FaceBoxes]], zones: Zones, width: int, height: int, *, of_cores: bool = False
) -> FaceBoxes:
    """The faces of a frame that lie in zones, best first, from those of its areas.

    Args:
        found: areas of the frame, with boxes in pixels of what was cut out.
        zones: of its camera.
        width: of the frame, pixels.
        height: of the frame, pixels.
        of_cores: whether of a single area, too, only the faces of its core count.
    """
    kept = []
    for area, faces in found:
        moved = FaceBoxes(faces.boxes + np.array([area.left, area.top] * 2, np.float32), faces.scores)
        kept.append(moved.chosen(area.has(moved.boxes)) if len(found) > 1 or of_cores else moved)
    boxes = np.concatenate([np.empty((0, 4), np.float32), *(faces.boxes for faces in kept)])
    scores = np.concatenate([np.empty(0, np.float32), *(faces.scores for faces in kept)])
    inside = [
        place
        for place, (left, top, right, bottom) in enumerate(boxes.tolist())
        if ((left + right) / 2 / width, (top + bottom) / 2 / height) in zones
    ]
    together = FaceBoxes(boxes, scores).chosen(inside)
    if len(found) <= 1:
        return together
    together = together.chosen(np.argsort(-together.scores, kind="stable"))
    return together.chosen(suppress(np.round(together.boxes).astype(np.float64), _OVERLAP))


def _wanted(zones: Zones) -> NDArray[np.bool_]:
    """What of a frame is wanted, shape (`_CELLS` * `_FINE`, the same)."""
    side = _CELLS * _FINE
    wanted = np.zeros((side, side), np.bool_)
    for row in range(side):
        for left, right in zones.spans((row + 0.5) / side):
            wanted[row, int(left * side) : max(int(np.ceil(right * side)), int(left * side) + 1)] = True
    return wanted


class _Division:
    """The cheapest division of what is wanted by straight cuts, each through all of a rectangle."""

    def __init__(self, wanted: NDArray[np.bool_], width: int, height: int, margin: float) -> None:
        self._wanted = wanted
        self._cells: NDArray[np.bool_] = np.asarray(wanted.reshape(_CELLS, _FINE, _CELLS, _FINE).any(axis=(1, 3)))
        self._size = width, height
        self._margin = margin
        self._known: dict[_Cells, tuple[float, tuple[_Cells, ...]]] = {}

    def cores(self) -> Iterator[tuple[float, float, float, float]]:
        """The rectangles, as shares of the frame: left, top, right, bottom; none larger than it must be."""
        side = _CELLS * _FINE
        for top, bottom, left, right in self._best((0, _CELLS, 0, _CELLS))[1]:
            part = self._wanted[top * _FINE : bottom * _FINE, left * _FINE : right * _FINE]
            rows, columns = np.nonzero(part.any(axis=1))[0].tolist(), np.nonzero(part.any(axis=0))[0].tolist()
            yield (
                (left * _FINE + columns[0]) / side,
                (top * _FINE + rows[0]) / side,
                (left * _FINE + columns[-1] + 1) / side,
                (top * _FINE + rows[-1] + 1) / side,
            )

    def _best(self, cells: _Cells) -> tuple[float, tuple[_Cells, ...]]:
        """What searching the wanted cells among these costs at least, and the rectangles."""
        part = self._cells[cells[0] : cells[1], cells[2] : cells[3]]
        rows, columns = np.nonzero(part.any(axis=1))[0], np.nonzero(part.any(axis=0))[0]
        if not len(rows):
            return 0.0, ()
        top, left = cells[0] + int(rows[0]), cells[2] + int(columns[0])
        own = top, cells[0] + int(rows[-1]) + 1, left, cells[2] + int(columns[-1]) + 1
        if own not in self._known:
            self._known[own] = self._divided(own)
        return self._known[own]

    def _divided(self, own: _Cells) -> tuple[float, tuple[_Cells, ...]]:
        top, bottom, left, right = own
        core = left / _CELLS, top / _CELLS, right / _CELLS, bottom / _CELLS
        best: tuple[float, tuple[_Cells, ...]] = search_cost(_area(core, *self._size, self._margin)), (own,)
        if self._cells[top:bottom, left:right].all():
            return best
        cuts = [((top, row, left, right), (row, bottom, left, right)) for row in range(top + 1, bottom)]
        cuts += [((top, bottom, left, column), (top, bottom, column, right)) for column in range(left + 1, right)]
        for one, other in cuts:
            (cost, first), (more, second) = self._best(one), self._best(other)
            if cost + more < best[0]:
                best = cost + more, first + second
        return best


def area_around(
    core: tuple[float, float, float, float], width: int, height: int, *, margin: float, grid: int = _GRID
) -> Area:
    """What is searched for faces with their centres in a rectangle.

    Args:
        core: left, top, right, bottom of the rectangle, pixels; what lies beyond the frame counts as its edge.
        width: of the frame, pixels.
        height: of the frame, pixels.
        margin: around the rectangle, pixels.
        grid: sides are multiples of so many pixels, as far as the frame reaches; itself one of `_GRID`.
    """
    (left, right), (top, bottom) = (
        _span(core[axis] - margin, core[axis + 2] + margin, side, grid) for axis, side in ((0, width), (1, height))
    )
    return Area(left, top, right, bottom, core)


def search_cost(area: Area) -> float:
    """What searching an area takes, in pixels of a large frame."""
    return (area.right - area.left) * (area.bottom - area.top) + _CALL


def _span(start: float, end: float, side: int, grid: int) -> tuple[int, int]:
    """The first pixel of a stretch, and the one after its last."""
    first = math.floor(max(start, 0) / _GRID) * _GRID
    length = math.ceil((min(end, side) - first) / grid) * grid
    beyond = max(first + length - side, 0)
    return max(first - beyond // _GRID * _GRID, 0), min(first + length, side)


def _area(core: tuple[float, float, float, float], width: int, height: int, margin: float) -> Area:
    left, top, right, bottom = (share * side for share, side in zip(core, (width, height, width, height), strict=True))
    return area_around((left, top, right, bottom), width, height, margin=margin)
