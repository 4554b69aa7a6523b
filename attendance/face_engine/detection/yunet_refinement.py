"""Faces near the limit, decided in float32 when the search ran in bfloat16.

A bfloat16 score is off by a little. A face whose score is clearly above the limit is one either way; for one that is
near it, and that no clear face covers, the network runs again in float32 on a piece of the frame around it that holds
all its score depends on.
"""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.detection.yunet_bands import GRID, REACH, WORK_PIXELS, anchors_in_bands
from attendance.face_engine.detection.yunet_decoding import (
    OVERLAP,
    YuNetFaces,
    anchor_cells,
    anchor_scores,
    best_first,
    decode,
    suppress,
)
from attendance.face_engine.models.opencv_export import STRIDES
from attendance.face_engine.runtimes.runtime import Session

MARGIN = 0.1
"""How far a bfloat16 score near the limit is taken to be off; the worst seen was 0.056 (`benchmarks.yunet_map`)."""
_WHOLE_FRAME_SHARE = 0.7
"""Pieces of more than this share of a frame's pixels cost more than the frame."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A rectangle of a frame, pixels, multiples of `GRID`."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        """Pixels."""
        return (self.right - self.left) * (self.bottom - self.top)

    def with_another(self, other: "_Piece") -> "_Piece":
        """The smallest that holds both."""
        return _Piece(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


def find_faces_exactly(
    frame: NDArray[np.uint8],
    anchors: NDArray[np.float32],
    exact: Session | None,
    *,
    limit: float,
    least_height: float = 0.0,
) -> Generator[None, None, YuNetFaces]:
    """The faces of one frame, as float32 scores decide; stops after each call of the network.

    Args:
        frame: uint8 (height, width, 3), RGB; sides are multiples of 32.
        anchors: the network's output for it, shape (16, anchors).
        exact: the network in float32; None: the output is float32's.
        limit: the score that a face reaches.
        least_height: of the faces that count, pixels; whether smaller ones reach the limit is left to the search.

    Returns:
        Faces, best first, none covered by a better one.
    """
    height, width = frame.shape[:2]
    scores = anchor_scores(anchors)
    if exact is not None:
        places = best_first(scores, limit - MARGIN)
        found = decode(anchors, scores, places, width=width, height=height)
        undecided = _undecided(found, limit)
        unclear = places[undecided & _matters(found.boxes, undecided, least_height)]
        if len(unclear):
            scores[unclear] = yield from _exact_scores(frame, unclear, exact)
    places = best_first(scores, limit)
    return suppress(decode(anchors, scores, places, width=width, height=height))


def _undecided(found: YuNetFaces, limit: float) -> NDArray[np.bool_]:
    """Which candidates are near the limit and not covered by a face that is clear of it."""
    near = found.scores < limit + MARGIN
    clear = np.nonzero(~near)[0]
    if not near.any() or not len(clear):
        return near
    certain = suppress(
        YuNetFaces(found.boxes[clear], found.scores[clear], found.points[clear], found.anchors[clear])
    ).boxes
    return near & ~(_overlaps(found.boxes, certain) > OVERLAP).any(axis=1)


def _matters(boxes: NDArray[np.float32], undecided: NDArray[np.bool_], least_height: float) -> NDArray[np.bool_]:
    """Which boxes count, or can decide, from one undecided box to the next, whether one that counts is dropped."""
    matters: NDArray[np.bool_] = boxes[:, 3] >= least_height
    while not matters.all():
        wider = matters | (_overlaps(boxes, boxes[matters & undecided]) > OVERLAP).any(axis=1)
        if (wider == matters).all():
            break
        matters = wider
    return matters


def _overlaps(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Area in common over area of both, shape (boxes, others), of boxes cut down to whole numbers."""
    boxes, others = np.trunc(boxes)[:, None], np.trunc(others)[None]
    sides = np.minimum(boxes[..., :2] + boxes[..., 2:], others[..., :2] + others[..., 2:])
    sides = np.maximum(sides - np.maximum(boxes[..., :2], others[..., :2]), 0)
    common = sides.prod(axis=-1)
    shares: NDArray[np.float32] = common / np.maximum(
        boxes[..., 2:].prod(axis=-1) + others[..., 2:].prod(axis=-1) - common, 1
    )
    return shares


def _exact_scores(
    frame: NDArray[np.uint8], places: NDArray[np.int64], exact: Session
) -> Generator[None, None, NDArray[np.float32]]:
    height, width = frame.shape[:2]
    all_cells, all_strides = anchor_cells(width, height)
    cells, strides = all_cells[places].astype(np.int64), all_strides[places].astype(np.int64)
    pieces = _pieces(cells * strides[:, None], width, height)
    if sum(piece.area for piece, _ in pieces) > _WHOLE_FRAME_SHARE * width * height:
        (anchors,) = yield from anchors_in_bands(exact, frame[None], work_pixels=WORK_PIXELS)
        return anchor_scores(anchors)[places]
    scores = np.empty(len(places), np.float32)
    for piece, members in pieces:
        cut = np.ascontiguousarray(frame[None, piece.top : piece.bottom, piece.left : piece.right])
        answers = anchor_scores(exact.run(cut)[0])
        yield
        corner = np.array([piece.left, piece.top], np.int64)
        inside = cells[members] - corner // strides[members, None]
        scores[members] = answers[_places(inside, strides[members], piece.right - piece.left, piece.bottom - piece.top)]
    return scores


def _pieces(points: NDArray[np.int64], width: int, height: int) -> list[tuple[_Piece, NDArray[np.int64]]]:
    """Pieces of the frame that hold what points need, and which points each serves."""
    pieces: list[tuple[_Piece, NDArray[np.int64]]] = []
    cells, members = np.unique(points // GRID * GRID, axis=0, return_inverse=True)
    for number, (x, y) in enumerate(cells.tolist()):
        left, top = max(x - REACH, 0), max(y - REACH, 0)
        piece = _Piece(left, top, min(x + GRID + REACH, width), min(y + GRID + REACH, height))
        served = np.flatnonzero(members.reshape(-1) == number)
        # One piece for neighbours costs no more than theirs apart, which overlap.
        while (place := _to_join(piece, pieces)) is not None:
            other, others = pieces.pop(place)
            piece, served = piece.with_another(other), np.concatenate([served, others])
        pieces.append((piece, served))
    return pieces


def _to_join(piece: _Piece, pieces: list[tuple[_Piece, NDArray[np.int64]]]) -> int | None:
    """Which of the pieces holds, together with this one, no more pixels than both apart; None: none of them."""
    return next(
        (place for place, (other, _) in enumerate(pieces) if piece.with_another(other).area <= piece.area + other.area),
        None,
    )


def _places(cells: NDArray[np.int64], strides: NDArray[np.int64], width: int, height: int) -> NDArray[np.int64]:
    """Which anchors of a piece stand in these cells."""
    starts, start = {}, 0
    for stride in STRIDES:
        starts[stride] = start
        start += (width // stride) * (height // stride)
    level_starts = np.array([starts[int(stride)] for stride in strides])
    places: NDArray[np.int64] = cells[:, 1] * (width // strides) + cells[:, 0] + level_starts
    return places
