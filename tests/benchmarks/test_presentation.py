"""The benchmark of attacks: one of each kind through the service, and what its table says."""

from typing import Any

import pytest

from benchmarks.presentation.__main__ import measure
from benchmarks.presentation.table import tables, targets


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
def test_prints_are_held_and_the_living_are_not() -> None:
    results = measure("opencv", photos=1, each=1, windows=1)
    attacks: Any = results["attacks"]
    for kind in ("one frame, sent again", "a print that stands", "a print, moved", "a print, moved, nearer, tilted"):
        assert attacks[kind]["confirmed"] == 0, kind
    living: Any = results["living"]
    assert sum(one["held"] for one in living.values()) <= 1
    assert len(targets(results)) == 7
    assert "APCER" in tables(results)
