"""Which parts of a frame are searched for faces: those that may show something new since they were searched last.

A camera hangs still, and most of its picture is a wall, desks, and people who sit. A block of 8 x 8 pixels is compared
with what it was when it was last searched, so that slow changes add up; the mean of a block has an eighth of a pixel's
noise (see `similarity`). What has changed is searched, with a margin, and with all of the faces that it touches. A face
that was found before and around which nothing has changed is where it was, and is encoded from the new frame like any
other. Every few seconds the whole picture is searched.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.detection.areas import Area, area_around, search_cost
from attendance.face_engine.interface import FaceBoxes
from attendance.zones import Zones
from recognition_service.engine.similarity import BLOCK, SAME_WITHIN, Thumbnail, masked
from recognition_service.evidence.boxes import overlaps_of

_MARGIN = 1 / 20
"""Of the frame's longer side. Unlike an edge of a zone, that of a change lies around whoever came, not across them."""
_BESIDE = 2
"""Blocks around one that has changed: a face may differ from the wall behind it only in part."""
_AROUND = 0.25
"""Of a face's box on each side: what changes there may be the face."""
_STEP = 128
"""Pixels: sides of rectangles are multiples of it, as a runtime prepares itself for each size of picture anew."""
_MOST_PARTS = 24
"""Rectangles; where more has changed, the whole picture is searched."""
_WORTH = 0.7
"""Rectangles that together cost more than this share of the frame are not worth it: the frame is searched."""
_OVERLAP = 0.4
"""Of the area of two boxes together, from which on they are one face."""


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What is known of a camera's picture as of one frame."""

    blocks: Thumbnail
    """Each as it was when it was last searched."""
    faces: FaceBoxes
    captured: datetime
    searched_whole: datetime
    size: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class RegionSearch:
    """What of one frame is to be searched."""

    areas: tuple[Area, ...] | None
    """None: all of it; empty: nothing."""
    kept: FaceBoxes
    """Faces found before, around which nothing has changed."""
    blocks: Thumbnail
    captured: datetime
    size: tuple[int, int]
    """Width and height, pixels."""
    since: _Known | None
    """What it is compared with."""
    beginning: int
    """How often all had been forgotten before."""


NOBODY = FaceBoxes(np.empty((0, 4), np.float32), np.empty(0, np.float32))


class Regions:
    """The parts of one camera's picture. Frames may be under way at the same time; each has a `Search` of its own.

    `search` may be called in another thread than the rest.
    """

    def __init__(self, longest_s: float) -> None:
        """Begin with nothing known.

        Args:
            longest_s: between two frames that are searched as a whole, seconds of their capture times.
        """
        self._longest = timedelta(seconds=longest_s)
        self._known: _Known | None = None
        self._beginning = 0

    def forget(self) -> None:
        """Search the next frame as a whole; what is found in frames that are under way is not remembered."""
        self._beginning += 1
        self._known = None

    def search(self, blocks: Thumbnail, size: tuple[int, int], *, captured: datetime, zones: Zones) -> RegionSearch:
        """What of a frame is to be searched.

        Args:
            blocks: its thumbnail, see `looks.reduced`.
            size: its width and height, pixels.
            captured: when.
            zones: where faces count; what moves elsewhere has not changed.
        """
        beginning, known, blocks = self._beginning, self._known, masked(blocks, zones)
        whole = RegionSearch(None, NOBODY, blocks, captured, size, known, beginning)
        if known is None or known.size != size or known.blocks.shape != blocks.shape:
            return whole
        if not timedelta() <= captured - known.searched_whole < self._longest or captured < known.captured:
            return whole
        changed = np.asarray(np.abs(blocks - known.blocks) > SAME_WITHIN)
        if not changed.any():
            return RegionSearch((), known.faces, blocks, captured, size, known, beginning)
        touched = np.array([bool(changed[_blocks_of(box, changed.shape)].any()) for box in known.faces.boxes], np.bool_)
        wanted = np.asarray(cv2.dilate(changed.astype(np.uint8), np.ones((2 * _BESIDE + 1,) * 2, np.uint8)), np.uint8)
        for box in known.faces.boxes[touched]:
            wanted[_blocks_of(box, changed.shape)] = 1
        areas = _areas(wanted, size)
        if areas is None:
            return whole
        return RegionSearch(areas, known.faces.chosen(~touched), blocks, captured, size, known, beginning)

    def found(self, search: RegionSearch, faces: FaceBoxes) -> FaceBoxes:
        """All faces of a frame, and remember them.

        Args:
            search: of that frame.
            faces: that were found in its areas, best first, in pixels of the frame.

        Returns:
            These and those that were kept, best first.
        """
        together, blocks, since = _with_kept(faces, search.kept), search.blocks, search.captured
        if search.areas is not None and search.since is not None:
            blocks, since = search.since.blocks.copy(), search.since.searched_whole
            for area in search.areas:
                part = _blocks_of(np.array(area.core, np.float32), blocks.shape, around=0.0)
                blocks[part] = search.blocks[part]
        newest = self._known is None or search.captured >= self._known.captured
        if newest and search.beginning == self._beginning:
            self._known = _Known(blocks, together, search.captured, since, search.size)
        return together


def _blocks_of(box: NDArray[np.float32], shape: tuple[int, ...], *, around: float = _AROUND) -> tuple[slice, slice]:
    """The blocks on which a box lies, with what is around it, as a share of its sides."""
    (left, top, right, bottom), (rows, columns) = box.tolist(), shape
    # What reaches beyond the frame without end has nothing around it.
    across, down = (around * (right - left), around * (bottom - top)) if around else (0.0, 0.0)
    edges = (top - down, bottom + down, rows), (left - across, right + across, columns)
    first_row, last_row, first_column, last_column = (
        int(min(max(at, 0), count * BLOCK) / BLOCK + extra)
        for start, end, count in edges
        for at, extra in ((start, 0.0), (end, 1 - 1e-6))
    )
    return slice(first_row, last_row), slice(first_column, last_column)


def _areas(wanted: NDArray[np.uint8], size: tuple[int, int]) -> tuple[Area, ...] | None:
    """Rectangles around all that is wanted, together as cheap as can be seen at once; None where the whole is cheaper.

    Args:
        wanted: blocks, not 0 where they are.
        size: of the frame, pixels.
    """
    count, _, found, _ = cv2.connectedComponentsWithStats(wanted, connectivity=8)
    if count - 1 > _MOST_PARTS:
        return None
    cores = [(left, top, left + width, top + height) for left, top, width, height, _ in found[1:].tolist()]
    areas = _joined([_area(core, size, wanted.shape) for core in cores], size)
    whole = Area(0, 0, *size, core=(0, 0, *size))
    if sum(map(search_cost, areas)) >= _WORTH * search_cost(whole):
        return None
    return tuple(areas)


def _area(core: Sequence[int], size: tuple[int, int], shape: tuple[int, ...]) -> Area:
    """What is searched for faces with their centres in these blocks: left, top, right, bottom."""
    left, top, right, bottom = (float(edge * BLOCK) for edge in core)
    # A face at the frame's edge may have its centre beyond it.
    inner = (
        -np.inf if core[0] == 0 else left,
        -np.inf if core[1] == 0 else top,
        np.inf if core[2] >= shape[1] else right,
        np.inf if core[3] >= shape[0] else bottom,
    )
    return area_around(inner, *size, margin=_MARGIN * max(size), grid=_STEP)


def _joined(areas: list[Area], size: tuple[int, int]) -> list[Area]:
    """Areas of which no two cost less as one."""
    joined: list[Area] = []
    for area in areas:
        one: Area | None = area
        while one is not None:
            other, both = _cheapest_with(one, joined, size)
            if other is not None:
                joined.remove(other)
            else:
                joined.append(one)
            one = both
    return joined


def _cheapest_with(one: Area, others: Sequence[Area], size: tuple[int, int]) -> tuple[Area | None, Area | None]:
    """One of the others that costs no more together with this one, and both as one; None where there is none."""
    for other in others:
        both = area_around(_around_both(one, other), *size, margin=_MARGIN * max(size), grid=_STEP)
        if search_cost(both) <= search_cost(one) + search_cost(other):
            return other, both
    return None, None


def _around_both(one: Area, other: Area) -> tuple[float, float, float, float]:
    (a, b, c, d), (e, f, g, h) = one.core, other.core
    return min(a, e), min(b, f), max(c, g), max(d, h)


def _with_kept(found: FaceBoxes, kept: FaceBoxes) -> FaceBoxes:
    """What was found, and what was kept and not found again."""
    if not len(kept.scores):
        return found
    again = np.asarray(np.any(overlaps_of(kept.boxes, found.boxes) > _OVERLAP, axis=1), np.bool_)
    new = kept.chosen(~again)
    boxes, scores = np.concatenate([found.boxes, new.boxes]), np.concatenate([found.scores, new.scores])
    return FaceBoxes(boxes, scores).chosen(np.argsort(-scores, kind="stable"))
