import threading
from collections.abc import Iterator

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from attendance.gallery.threads import PRODUCTS_FROM, Threads


def seen(most: int, probes: int, compared: int) -> list[tuple[int, int, int]]:
    """For each part of a search: probes, FAISS's threads, this process's name for the thread."""
    calls = []

    def work(part: NDArray[np.float32]) -> NDArray[np.int64]:
        calls.append((len(part), faiss.omp_get_max_threads(), threading.get_ident()))
        return part[:, :1].astype(np.int64)

    rows = np.repeat(np.arange(probes, dtype=np.float32)[:, None], 128, axis=1)
    assert Threads(most).search(rows, compared, work)[:, 0].tolist() == list(range(probes)), "in order"
    return sorted(calls)


@pytest.fixture(autouse=True)
def threads_before() -> Iterator[None]:
    before = faiss.omp_get_max_threads()
    yield
    faiss.omp_set_num_threads(before)


def test_little_work_is_done_at_once() -> None:
    assert seen(4, 10, 1_000) == [(10, 1, threading.get_ident())]


def test_much_work_is_shared() -> None:
    parts = seen(4, 256, 50_000)
    assert [(probes, threads) for probes, threads, _ in parts] == [(64, 1)] * 4
    assert threading.get_ident() not in {thread for _, _, thread in parts}


def test_few_probes_are_not_shared_so_far_that_they_lose_the_matrix_products() -> None:
    assert [probes for probes, _, _ in seen(4, 16, 1_000_000)] == [8, 8]
    assert [probes for probes, _, _ in seen(4, 8, 1_000_000)] == [8]
    assert [probes for probes, _, _ in seen(4, 3, 1_000_000)] == [1, 1, 1]
    assert [probes for probes, _, _ in seen(1, 256, 1_000_000)] == [256]


def test_matrix_products_begin_early() -> None:
    before = faiss.cvar.distance_compute_blas_threshold
    try:
        faiss.cvar.distance_compute_blas_threshold = 128_000
        seen(1, 2, 10)
        assert faiss.cvar.distance_compute_blas_threshold == PRODUCTS_FROM
        # What older versions of FAISS have: a number of probes.
        faiss.cvar.distance_compute_blas_threshold = 20
        seen(1, 2, 10)
        assert faiss.cvar.distance_compute_blas_threshold == 20
    finally:
        faiss.cvar.distance_compute_blas_threshold = before


def test_faiss_may_train_with_all() -> None:
    Threads(3).use_all()
    assert faiss.omp_get_max_threads() == 3
