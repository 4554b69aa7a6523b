"""Searching rows of encodings for the nearest students: exactly, or exactly among what an index proposes.

FAISS finds rows; how near they are is computed again, pair by pair, in double precision. So a distance is the same in
any batch and with any index, and what an approximate index misses can only make a face look stranger than it is.
"""

from collections.abc import Callable
from typing import Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from attendance.gallery.threads import Threads

Nearest = tuple[NDArray[np.int64], NDArray[np.float64]]
"""For each probe the numbers of the nearest students, shape (m, count), -1 where there are no more, and their distances
(infinite there)."""

# Numbers gathered at once to compute distances again: 32 MB in double precision.
_GATHERED = 4_000_000
# Rows of one student that the first search reckons with; it is repeated deeper for probes that meet more.
_USUAL_MOST = 8


class Search(Protocol):
    """What a gallery asks."""

    def nearest(self, probes: NDArray[np.float32], count: int) -> Nearest:
        """The `count` students nearest to each probe, nearest first."""


class ExactSearch:
    """Every row is compared."""

    def __init__(self, rows: NDArray[np.float32], owners: NDArray[np.int64], threads: Threads) -> None:
        """Take rows over.

        Args:
            rows: encodings, shape (n, d), contiguous; may be mapped from a file.
            owners: the number of each row's student, shape (n,).
            threads: what FAISS may use.
        """
        self.rows = rows
        self.owners = owners
        self._threads = threads
        self._most = int(np.unique(owners, return_counts=True)[1].max(initial=0))

    def nearest(self, probes: NDArray[np.float32], count: int) -> Nearest:
        """See `Search`."""
        students = np.full((len(probes), count), -1, np.int64)
        distances = np.full((len(probes), count), np.inf)
        # However the rows of the nearest students crowd together, so many reach `count` students.
        deepest = min(len(self.rows), (count - 1) * self._most + 1)
        depth = min(deepest, (count - 1) * _USUAL_MOST + 1)
        left = np.arange(len(probes))
        while len(left) and deepest:
            found = self._knn(probes[left], depth)
            students[left], distances[left] = _by_student(probes[left], self.rows, found, self.owners, count)
            if depth == deepest:
                break
            left = left[students[left, -1] < 0]
            depth = min(deepest, depth * _USUAL_MOST)
        return students, distances

    def _knn(self, probes: NDArray[np.float32], depth: int) -> NDArray[np.int64]:
        def search(part: NDArray[np.float32]) -> NDArray[np.int64]:
            places: NDArray[np.int64] = faiss.knn(part, self.rows, depth, metric=faiss.METRIC_L2)[1]
            return places

        return self._threads.search(probes, len(self.rows), search)


class ProposedSearch:
    """An index over groups of rows proposes groups; their rows are compared."""

    def __init__(
        self,
        exact: ExactSearch,
        starts: NDArray[np.int64],
        propose: Callable[[NDArray[np.float32]], NDArray[np.int64]],
    ) -> None:
        """Take rows and groups over.

        Args:
            exact: of all rows; asked for the probes for which too few students are proposed.
            starts: the first row of each group and, last, how many rows there are. A group's rows lie together and are
                of one student.
            propose: for probes of shape (m, d) the numbers of groups that may be nearest, shape (m, p); -1 for none.
        """
        self._exact = exact
        self._starts = starts
        self._propose = propose
        self._width = int(np.diff(starts).max(initial=1))

    def nearest(self, probes: NDArray[np.float32], count: int) -> Nearest:
        """See `Search`."""
        rows, owners = self._exact.rows, self._exact.owners
        places = self._nearest_rows(probes, self._propose(probes))
        students, distances = _by_student(probes, rows, places, owners, count)
        # A student with very many photos may take all proposals.
        short = np.flatnonzero(students[:, -1] < 0)
        if len(short) and count > 1:
            students[short], distances[short] = self._exact.nearest(probes[short], count)
        return students, distances

    def _nearest_rows(self, probes: NDArray[np.float32], groups: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each proposed group that is nearest to the probe, shape (m, p); -1 for none."""
        found = np.empty_like(groups)
        within = np.arange(self._width)
        step = max(1, 2 * _GATHERED // (groups.shape[1] * self._width * probes.shape[1]))
        for start in range(0, len(probes), step):
            part = groups[start : start + step]
            # A group shorter than others repeats its last row, which changes nothing.
            places = np.minimum(self._starts[part][..., None] + within, self._starts[part + 1][..., None] - 1)
            apart = self._exact.rows[places]
            apart -= probes[start : start + step, None, None]
            nearest = np.einsum("mpwd,mpwd->mpw", apart, apart).argmin(axis=2)
            found[start : start + step] = np.take_along_axis(places, nearest[..., None], axis=2)[..., 0]
        found[groups < 0] = -1
        return found


def _by_student(
    probes: NDArray[np.float32],
    rows: NDArray[np.float32],
    places: NDArray[np.int64],
    owners: NDArray[np.int64],
    count: int,
) -> Nearest:
    """The nearest students among the rows found for each probe (shape (m, k), -1 for none)."""
    students = np.empty((len(probes), count), np.int64)
    distances = np.empty((len(probes), count))
    step = max(1, _GATHERED // max(1, places.shape[1] * rows.shape[1]))
    for start in range(0, len(probes), step):
        part = slice(start, start + step)
        # By row, so that ties fall alike in every batch.
        ordered = np.sort(places[part], axis=1)
        apart = _distances(probes[part], rows, ordered)
        order = np.argsort(apart, axis=1, kind="stable")
        owner = np.where(ordered < 0, -1, owners[ordered])
        students[part], distances[part] = _distinct(
            np.take_along_axis(owner, order, axis=1), np.take_along_axis(apart, order, axis=1), count
        )
    return students, distances


def _distances(
    probes: NDArray[np.float32], rows: NDArray[np.float32], places: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Euclidean distances from each probe to its rows, shape (m, k); infinite where there is none."""
    apart = rows[places].astype(np.float64)
    apart -= probes[:, None]
    np.square(apart, out=apart)
    found: NDArray[np.float64] = np.sqrt(apart.sum(axis=2))
    found[places < 0] = np.inf
    return found


def _distinct(owners: NDArray[np.int64], distances: NDArray[np.float64], count: int) -> Nearest:
    """The first `count` different owners of each line and their distances; -1 is nobody."""
    lines = np.arange(len(owners))
    students = np.full((len(owners), count), -1, np.int64)
    nearest = np.full((len(owners), count), np.inf)
    free = owners >= 0
    for place in range(count):
        first = free.argmax(axis=1)
        there = free[lines, first]
        students[there, place] = owners[lines, first][there]
        nearest[there, place] = distances[lines, first][there]
        free &= owners != students[:, place, None]
    return students, nearest
