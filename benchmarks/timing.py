"""Timing: pairs measured in turn, so that a load from elsewhere falls on both sides of a ratio."""

import statistics
import time
from collections.abc import Callable, Mapping


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def best(work: Callable[[], object], times: int = 5, warm_up: int = 2) -> float:
    """The shortest of several calls, after some that do not count."""
    for _ in range(warm_up):
        work()
    return min(seconds(work) for _ in range(times))


def rounds(works: Mapping[str, tuple[Callable[[], object], int]], count: int) -> list[dict[str, float]]:
    """Each piece of work in turn, `count` rounds of them; seconds a call.

    Args:
        works: the work, and how many calls of it one round takes the median of: quick work has many, so that it meets
            the same moments of the machine as slow work.
        count: of rounds.
    """
    for work, _ in works.values():
        work()
    return [
        {name: statistics.median(seconds(work) for _ in range(calls)) for name, (work, calls) in works.items()}
        for _ in range(count)
    ]


def median_ratio(measured: list[dict[str, float]], over: str, under: str) -> float:
    """The median over the rounds of one time over another of the same round."""
    return statistics.median(one[over] / one[under] for one in measured)
