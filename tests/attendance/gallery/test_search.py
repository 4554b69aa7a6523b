import numpy as np
import pytest
from numpy.typing import NDArray

from attendance.gallery.search import ExactSearch, ProposedSearch
from attendance.gallery.threads import Threads

RANDOM = np.random.default_rng(17)
ROWS = RANDOM.normal(size=(400, 16)).astype(np.float32)
OWNERS = np.sort(RANDOM.integers(0, 60, 400))
PROBES = RANDOM.normal(size=(25, 16)).astype(np.float32)
EXACT = ExactSearch(ROWS, OWNERS, Threads())


def brute_force(probe: NDArray[np.float32], count: int) -> list[int]:
    apart = np.linalg.norm(ROWS.astype(np.float64) - probe, axis=1)
    return list(dict.fromkeys(OWNERS[np.argsort(apart)].tolist()))[:count]


def test_every_row_is_compared() -> None:
    students, distances = EXACT.nearest(PROBES, 3)
    assert students.tolist() == [brute_force(probe, 3) for probe in PROBES]
    assert (np.diff(distances, axis=1) >= 0).all()


def test_where_there_are_fewer_students_nobody_is_named() -> None:
    few = ExactSearch(ROWS[:3], np.array([7, 7, 9]), Threads(1))
    students, distances = few.nearest(PROBES, 4)
    assert set(map(frozenset, students[:, :2].tolist())) == {frozenset((7, 9))}
    assert (students[:, 2:] == -1).all()
    assert np.isinf(distances[:, 2:]).all()
    nobody = ExactSearch(ROWS[:0], OWNERS[:0], Threads(1))
    assert (nobody.nearest(PROBES, 2)[0] == -1).all()


def groups_of(width: int) -> NDArray[np.int64]:
    """Groups of at most `width` rows of one student."""
    starts = [0]
    for row in range(1, len(ROWS)):
        if OWNERS[row] != OWNERS[row - 1] or row - starts[-1] == width:
            starts.append(row)
    return np.array([*starts, len(ROWS)])


@pytest.mark.parametrize("width", [1, 3, 8])
def test_what_is_proposed_is_compared_exactly(width: int) -> None:
    starts = groups_of(width)
    everything = np.tile(np.arange(len(starts) - 1), (len(PROBES), 1))
    search = ProposedSearch(EXACT, starts, lambda _: everything)
    for found, exact in zip(search.nearest(PROBES, 3), EXACT.nearest(PROBES, 3), strict=True):
        assert np.array_equal(found, exact)


def test_where_too_few_students_are_proposed_the_search_is_exact() -> None:
    starts = groups_of(8)
    # The groups of one student, and none.
    proposed = np.tile(np.array([0, 0, -1, -1]), (len(PROBES), 1))
    search = ProposedSearch(EXACT, starts, lambda _: proposed)
    assert np.array_equal(search.nearest(PROBES, 2)[0], EXACT.nearest(PROBES, 2)[0])
    assert (search.nearest(PROBES, 1)[0] == OWNERS[0]).all(), "one student was asked for, and one proposed"
