"""FAISS on several threads that do not wait for each other.

FAISS's own threads (OpenMP) meet after every block of a search and wait for the last one in a loop that keeps its core
busy. On a machine whose cores the face engine uses too, that costs far more than the search: 12 ms instead of 0.8 for
one face, 250 instead of 22 for 256. Here each thread searches for its own part of the probes, and whoever is done lets
go of its core.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import faiss
import numpy as np
from numpy.typing import NDArray

# Below so many multiplications one thread is as fast.
_ALONE_BELOW = 20_000_000
# From so many numbers in the probes on, matrix products are faster than pair after pair. FAISS 1.14 and later wait for
# 128,000, which is for machines of 100 cores (their issue 4925; pull request 5109 measures 640 to 1,280 for one
# thread). What is at most 1,000 counts probes, in older versions, and is small enough.
PRODUCTS_FROM = 800
_COUNTS_PROBES = 1_000


class Threads:
    """Runs searches. May be used by several threads at once."""

    def __init__(self, most: int = 0) -> None:
        """Take the limit of threads for one search; 0: one a core."""
        self._most = most or len(os.sched_getaffinity(0))
        # Its threads start when first needed, and end when this object is let go.
        self._pool = ThreadPoolExecutor(self._most, thread_name_prefix="search")

    def search(
        self, probes: NDArray[np.float32], compared: int, work: Callable[[NDArray[np.float32]], NDArray[np.int64]]
    ) -> NDArray[np.int64]:
        """Call FAISS for all probes, in as many parts at once as is worth it.

        Args:
            probes: shape (m, d), m at least 1.
            compared: with how many rows each is compared.
            work: given some of the probes, returns a line for each.

        Returns:
            The lines, in order.
        """
        parts = self._parts(probes.size, len(probes), compared)
        if parts == 1:
            return _alone(work, probes)
        shares = np.array_split(probes, parts)
        return np.concatenate(list(self._pool.map(lambda share: _alone(work, share), shares)))

    def use_all(self) -> None:
        """Let FAISS use its own threads in the calling thread's next call: for training, while nobody waits."""
        faiss.omp_set_num_threads(self._most)

    def _parts(self, numbers: int, probes: int, compared: int) -> int:
        if numbers * compared < _ALONE_BELOW:
            return 1
        # Parts so small that they would lose the matrix products are no gain.
        worth = probes if numbers < PRODUCTS_FROM else numbers // PRODUCTS_FROM
        return max(1, min(self._most, worth))


def _alone(work: Callable[[NDArray[np.float32]], NDArray[np.int64]], probes: NDArray[np.float32]) -> NDArray[np.int64]:
    # OpenMP keeps this number for each thread; the threshold is the process's.
    faiss.omp_set_num_threads(1)
    if faiss.cvar.distance_compute_blas_threshold > _COUNTS_PROBES:
        faiss.cvar.distance_compute_blas_threshold = PRODUCTS_FROM
    return work(probes)
