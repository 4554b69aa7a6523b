"""Frames too large for one pyramid: overlapping parts for the smaller faces, the whole one shrunk for the larger.

dlib would need memory for the whole pyramid at once; within the parts the answers are dlib's.
"""

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.detection.decoding import suppress
from attendance.face_engine.detection.pyramid import TileLayout, tile_layout
from attendance.face_engine.interface import FaceBoxes, Image

_MOST_BANDS = 3
"""A pyramid of up to so many times the pixels of one call is computed at once, in bands; a larger one in parts."""
_SMALLEST_SIDE = 160
"""Pixels that are searched; a smaller part would be all overlap."""
_ROOM = 1.4
"""How much larger than the smallest face of the shrunk frame a face may be and still lie whole in a part."""


@dataclass(frozen=True, slots=True)
class Part:
    """A rectangle of the frame, in its own pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How a large frame is searched."""

    parts: tuple[Part, ...]
    overview: tuple[int, int]
    """Width and height of the whole frame, shrunk."""


def in_parts(layout: TileLayout, work_pixels: int) -> bool:
    """Whether a frame with such a pyramid is searched in parts, where one call takes so many pixels."""
    return layout.width * layout.height > _MOST_BANDS * work_pixels


def search_in_parts(
    image: Image,
    upsample: int,
    search: Callable[[Image, int], Generator[object, None, FaceBoxes]],
    *,
    work_pixels: int,
    window: int,
    overlap: float,
) -> Generator[object, None, FaceBoxes]:
    """Find the faces of a large frame, stopping wherever the search of a part stops.

    Args:
        image: checked RGB.
        upsample: times each part is doubled; the shrunk frame is not.
        search: finds the faces of one image that is doubled so many times.
        work_pixels: as for `plan_parts`; so is `window`.
        window: the detector's, pixels.
        overlap: boxes that overlap more than this are one face.
    """
    height, width = image.shape[:2]
    plan = plan_parts(width, height, upsample=upsample, work_pixels=work_pixels, window=window)
    parts = []
    for part in plan.parts:
        parts.append((yield from search(cut_part(image, part), upsample)))
    overview = yield from search(shrink_whole(image, plan), 0)
    return merge_parts(plan, width, height, parts, overview, overlap=overlap)


def fits(width: int, height: int, work_pixels: int) -> bool:
    """Whether the pyramid of an image fits into so many pixels."""
    layout = tile_layout(width, height)
    return layout.width * layout.height <= work_pixels


def plan_parts(width: int, height: int, *, upsample: int, work_pixels: int, window: int) -> Plan:
    """Divide a frame so that the pyramid of each part, doubled as often, fits into so many pixels.

    Args:
        width: of the frame.
        height: of the frame.
        upsample: times each part is going to be doubled.
        work_pixels: the bound; parts are never smaller than 160 pixels after doubling.
        window: the detector's, pixels.
    """
    # A pyramid's tile has about four times its image's pixels.
    searched = max(math.isqrt(work_pixels // 4), _SMALLEST_SIDE)
    while searched > _SMALLEST_SIDE and not fits(searched + 2 * upsample, searched + 2 * upsample, work_pixels):
        searched -= 16
    side = searched >> upsample
    shrinking = max(width, height) / searched
    smallest_in_overview = window * max(shrinking, 1.0)
    overlap = min(max(side // 4, round(_ROOM * smallest_in_overview)), side // 2)
    parts = [
        Part(left, top, min(side, width), min(side, height))
        for top in _starts(height, side, overlap)
        for left in _starts(width, side, overlap)
    ]
    scale = 1 / max(shrinking, 1.0)
    return Plan(tuple(parts), (max(1, round(width * scale)), max(1, round(height * scale))))


def cut_part(image: Image, part: Part) -> Image:
    """The pixels of a part."""
    return np.ascontiguousarray(image[part.top : part.top + part.height, part.left : part.left + part.width])


def shrink_whole(image: Image, plan: Plan) -> Image:
    """The whole frame at the overview's size."""
    return np.asarray(cv2.resize(image, plan.overview, interpolation=cv2.INTER_AREA), np.uint8)


def merge_parts(
    plan: Plan, width: int, height: int, parts: list[FaceBoxes], overview: FaceBoxes, *, overlap: float
) -> FaceBoxes:
    """The faces of the frame from those of its parts and of the overview.

    A face that a part's inner edge cuts is left to the neighbour that has it whole, or to the overview.
    """
    boxes = [
        np.concatenate([_from_part(part, found, width, height) for part, found in zip(plan.parts, parts, strict=True)]),
        _scaled(overview, width / plan.overview[0], height / plan.overview[1]),
    ]
    together = np.concatenate(boxes)
    together = together[np.argsort(-together[:, 4], kind="stable")]
    kept = together[suppress(together[:, :4], overlap)]
    return FaceBoxes(kept[:, :4].astype(np.float32), kept[:, 4].astype(np.float32))


def _starts(length: int, side: int, overlap: int) -> list[int]:
    if length <= side:
        return [0]
    count = math.ceil((length - overlap) / (side - overlap))
    return [round(place * (length - side) / (count - 1)) for place in range(count)]


def _from_part(part: Part, found: FaceBoxes, width: int, height: int) -> NDArray[np.float64]:
    """Rows of box and score in the frame's pixels, without the faces that an inner edge of the part cuts."""
    left, top, right, bottom = found.boxes.T.astype(np.float64)
    whole = (
        ((left >= 0) | (part.left == 0))
        & ((top >= 0) | (part.top == 0))
        & ((right < part.width) | (part.left + part.width == width))
        & ((bottom < part.height) | (part.top + part.height == height))
    )
    rows = np.column_stack([found.boxes, found.scores]).astype(np.float64)[whole]
    shift = np.array([part.left, part.top, part.left, part.top, 0], np.float64)
    moved: NDArray[np.float64] = rows + shift
    return moved


def _scaled(found: FaceBoxes, across: float, down: float) -> NDArray[np.float64]:
    rows = np.column_stack([found.boxes, found.scores]).astype(np.float64)
    rows[:, :4] = np.round(rows[:, :4] * [across, down, across, down])
    return rows
