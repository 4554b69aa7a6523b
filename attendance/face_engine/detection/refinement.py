"""Exact decisions from inexact scores: a fast pass proposes, exact arithmetic decides.

bfloat16 or 8-bit scores are off by a little. That is enough to take the neighbouring window for the better one, or to
lose a face that is barely one. So the fast pass only narrows the choice: every window that could be a winner, given the
most that a score is off, is computed again in float32 from its own patch of the tile, and the suppression uses the
exact scores. What comes out is what float32 gives for the whole tile, at a fraction of its cost.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.detection.bands import FIRST_CELL, REACH, scores_in_bands
from attendance.face_engine.detection.decoding import CELL_STRIDE, Candidates, suppressed_by
from attendance.face_engine.runtimes.runtime import Session

CLEAR_SCORE = 0.8
"""Raw score from which a window is clearly a face."""
_WINDOW = 3
"""Cells a side that one patch makes exact."""
_PATCH_CELLS = 2 * REACH + _WINDOW
PATCH_SIDE = CELL_STRIDE * (_PATCH_CELLS - 1) + FIRST_CELL
"""Pixels."""
_MOST_PATCHES = 16
"""In one call of the network; more gain nothing and cost memory."""
_WHOLE_TILE_SHARE = 0.7
"""Patches of more than this share of a tile's pixels cost more than the tile itself."""


@dataclass(frozen=True, slots=True)
class _Patch:
    """A square of cells of one tile, in whose middle some are made exact."""

    tile: int
    top: int
    left: int
    """Its first cell."""
    members: tuple[int, ...]
    """Which candidates of the tile those are."""


@dataclass(frozen=True, slots=True)
class Margins:
    """The most by which inexact scores may be off; clear faces' scores, near 1, are off by less."""

    unclear: float
    """Of scores below `CLEAR_SCORE`."""
    clear: float
    """Of the others."""

    def of(self, scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """The margin of each score."""
        return np.where(scores >= CLEAR_SCORE, self.clear, self.unclear)


class Refiner:
    """Makes exact whatever could change a decision."""

    def __init__(self, exact: Session, margins: Margins) -> None:
        """Use an exact session.

        Args:
            exact: the detector in float32: tile to scores, of any size.
            margins: of the inexact scores.
        """
        self._exact = exact
        self.margins = margins

    def refine_in_pieces(
        self,
        tiles: NDArray[np.float32],
        shape: tuple[int, ...],
        candidates: Sequence[Candidates],
        *,
        threshold: float,
        work_pixels: int,
    ) -> Generator[None, None, None]:
        """Make the scores of all candidates that matter exact, in place; stop after each call of the network.

        Args:
            tiles: float32, shape (n, height, width, 3).
            shape: rows and columns of the score map of such a tile.
            candidates: of each tile: the cells with inexact scores above `threshold` - `margins.unclear`.
            threshold: exact scores must be above it.
            work_pixels: how many pixels a call of the network takes at most.
        """
        while True:
            wanted = [undecided(one, self.margins, threshold=threshold) for one in candidates]
            patches: list[_Patch] = []
            for place, members in enumerate(wanted):
                if len(members) == 0:
                    continue
                own = _patches(place, candidates[place], members, shape)
                if len(own) * PATCH_SIDE**2 > _WHOLE_TILE_SHARE * tiles[0].size / 3 or min(shape) < _PATCH_CELLS:
                    yield from self._refine_whole(tiles[place], candidates[place], work_pixels)
                else:
                    patches += own
            if not patches:
                return
            for start in range(0, len(patches), _MOST_PATCHES):
                self._refine_patches(tiles, candidates, patches[start : start + _MOST_PATCHES])
                yield

    def _refine_whole(
        self, tile: NDArray[np.float32], candidates: Candidates, work_pixels: int
    ) -> Generator[None, None, None]:
        (scores,) = yield from scores_in_bands(self._exact, tile[None], work_pixels=work_pixels)
        candidates.scores[:] = scores[candidates.rows, candidates.columns]
        candidates.exact[:] = True

    def _refine_patches(
        self, tiles: NDArray[np.float32], candidates: Sequence[Candidates], patches: list[_Patch]
    ) -> None:
        cut = np.empty((len(patches), PATCH_SIDE, PATCH_SIDE, 3), np.float32)
        for pixels, patch in zip(cut, patches, strict=True):
            top, left = patch.top * CELL_STRIDE, patch.left * CELL_STRIDE
            pixels[:] = tiles[patch.tile, top : top + PATCH_SIDE, left : left + PATCH_SIDE]
        for scores, patch in zip(self._exact.run(cut), patches, strict=True):
            own = candidates[patch.tile]
            for member in patch.members:
                own.scores[member] = scores[0, own.rows[member] - patch.top, own.columns[member] - patch.left]
                own.exact[member] = True


def undecided(candidates: Candidates, margins: Margins, *, threshold: float) -> NDArray[np.int64]:
    """The candidates whose exact scores could change what the suppression keeps.

    It walks as the suppression walks. The best of what is left is decided once it is exact and no window that overlaps
    it could, being off by its margin, be better.

    Returns:
        Indices, int64; empty when all is decided.
    """
    highest = candidates.scores + margins.of(candidates.scores)
    waiting = np.argsort(-candidates.scores, kind="stable")
    wanted: list[NDArray[np.int64]] = []
    while len(waiting):
        best, waiting = waiting[0], waiting[1:]
        if candidates.exact[best] and candidates.scores[best] <= threshold:
            continue
        overlapping = suppressed_by(candidates.boxes, best, waiting, candidates.overlap)
        if candidates.exact[best]:
            rivals = waiting[overlapping & ~candidates.exact[waiting]]
            wanted.append(rivals[highest[rivals] >= candidates.scores[best]])
        else:
            # Its rivals' turn comes when it is exact: then fewer are near enough.
            wanted.append(np.array([best]))
        waiting = waiting[~overlapping]
    return np.concatenate(wanted) if wanted else np.empty(0, np.int64)


def _patches(tile: int, candidates: Candidates, members: NDArray[np.int64], shape: tuple[int, ...]) -> list[_Patch]:
    """Windows around the members' cells, the best first; what else lies in a window is made exact with them."""
    rows, columns = candidates.rows, candidates.columns
    left_over = members[np.argsort(-candidates.scores[members], kind="stable")]
    patches = []
    while len(left_over):
        row, column = (int(cells[left_over[0]]) - _WINDOW // 2 for cells in (rows, columns))
        inside = (rows >= row) & (rows < row + _WINDOW) & (columns >= column) & (columns < column + _WINDOW)
        top, left = (
            int(np.clip(first - REACH, 0, side - _PATCH_CELLS))
            for first, side in zip((row, column), shape, strict=True)
        )
        patches.append(_Patch(tile, top, left, tuple(np.nonzero(inside & ~candidates.exact)[0].tolist())))
        left_over = left_over[~inside[left_over]]
    return patches
