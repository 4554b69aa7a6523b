from concurrent.futures import ThreadPoolExecutor

import numpy as np

from attendance.gallery.rosters import RosterCache
from attendance.gallery.search import ExactSearch
from attendance.gallery.threads import Threads


class Searches:
    def __init__(self, most_bytes: int) -> None:
        self.made: list[frozenset[str]] = []
        self._cache = RosterCache(most_bytes=most_bytes)

    def search(self, roster: frozenset[str]) -> ExactSearch:
        return self._cache.search(roster, self._make)

    def _make(self, roster: frozenset[str]) -> ExactSearch:
        self.made.append(roster)
        return ExactSearch(np.zeros((len(roster), 4), np.float32), np.arange(len(roster)), Threads(1))


def test_rosters_used_last_are_kept() -> None:
    # Three rosters of one student with an encoding of four numbers of four bytes.
    cache = Searches(48)
    one, two, three, four = (frozenset(name) for name in "1234")
    for roster in (one, two, three, one, four, one):
        cache.search(roster)
    assert cache.made == [one, two, three, four]
    cache.search(two)
    assert cache.made[4:] == [two], "the one that was not used for longest had to go"


def test_a_roster_larger_than_all_that_is_kept() -> None:
    cache = Searches(48)
    large = frozenset("12345")
    assert len(cache.search(large).rows) == len(cache.search(large).rows) == 5
    assert cache.made == [large, large]
    cache.search(frozenset("1"))
    cache.search(frozenset("1"))
    assert cache.made[2:] == [frozenset("1")]


def test_threads_at_once() -> None:
    cache = Searches(10_000)
    rosters = [frozenset(str(number) for number in range(size)) for size in range(1, 40)] * 5
    with ThreadPoolExecutor(8) as pool:
        assert [len(found.rows) for found in pool.map(cache.search, rosters)] == [len(roster) for roster in rosters]
