"""dlib's network over tiles too large for one call: bands of rows, which change nothing in the scores."""

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.detection.decoding import CELL_STRIDE
from attendance.face_engine.runtimes.runtime import Session

REACH = 10
"""Cells of the third convolution's output around a cell that its score depends on: paddings 2 + 2 + 2 + 4."""
FIRST_CELL = 29
"""Pixels that one cell of the third convolution sees: 5 + 4 * 2 + 4 * 4."""


def scores_in_bands(
    session: Session, tiles: NDArray[np.float32], *, work_pixels: int
) -> Generator[None, None, NDArray[np.float32]]:
    """The score maps of tiles, stopping after each band.

    A band has the rows on both sides that its scores depend on, so that it gives what the whole tile gives.

    Args:
        session: tiles, float32 (n, height, width, 3), to scores, float32 (n, 1, rows, columns).
        tiles: what it takes.
        work_pixels: most pixels in one call of the session, as far as a row and what it depends on allow.

    Returns:
        float32, shape (n, rows, columns).
    """
    count, height, width, _ = tiles.shape
    if count * height * width <= work_pixels:
        scores: NDArray[np.float32] = session.run(tiles)[:, 0]
        yield
        return scores
    rows = (height - FIRST_CELL) // CELL_STRIDE + 1
    step = max(1, work_pixels // (width * CELL_STRIDE) - 2 * REACH - FIRST_CELL // CELL_STRIDE)
    bands = []
    for first in range(0, rows, step):
        last = min(first + step, rows)
        above, below = max(first - REACH, 0), min(last + REACH, rows)
        band = np.ascontiguousarray(tiles[:, above * CELL_STRIDE : (below - 1) * CELL_STRIDE + FIRST_CELL])
        bands.append(session.run(band)[:, 0, first - above : last - above])
        yield
    return np.concatenate(bands, axis=1)
