"""How the workers of a run share the tests: how many there are, and which files they take first. A pytest plugin.

pytest-xdist gives out the files with the most tests first. Those are quick; what starts a whole installation would come
last, and the other workers would wait for it.
"""

import gc
import os
from collections import defaultdict

import pytest

_SECONDS = {"exhaustive": 30.0, "long": 20.0, "quick": 0.1}
"""About how long a test with such a mark takes on two cores."""
_BROWSER_S = 3.0
_REAL_S = 1.0


def pytest_configure(config: pytest.Config) -> None:
    """Let xdist give out the files in the order of the tests."""
    config.option.loadscopereorder = False


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker more than there are processors: tests of what is real wait for programs a third of their time."""
    processors = len(os.sched_getaffinity(0))
    return processors if config.option.markexpr == "quick" else processors + 1


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first; the tests of a file stay together and in their order."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for item in items:
        seconds[_file(item)] += expected_seconds(item)
    items.sort(key=lambda item: (-seconds[_file(item)], _file(item)))


def pytest_collection_finish() -> None:
    """Look for garbage among what the tests make, not again and again among the tests themselves."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


def expected_seconds(item: pytest.Item) -> float:
    """About how long a test takes."""
    marked = [length for mark, length in _SECONDS.items() if item.get_closest_marker(mark)]
    if marked:
        return max(marked)
    return _BROWSER_S if "browser" in getattr(item, "fixturenames", ()) else _REAL_S


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]
