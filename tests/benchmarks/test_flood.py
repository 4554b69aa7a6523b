"""The flood itself, small: a real service and real faces, nine honest cameras and a hostile one."""

from pathlib import Path

import pytest

from benchmarks.flood.attack import CAMERAS, KINDS, measure_flood, write_hostile_frames
from benchmarks.flood.table import tables, targets
from benchmarks.service.campus import FULL, make_campus


@pytest.mark.exhaustive
def test_honest_cameras_keep_their_frames(tmp_path: Path) -> None:
    campus = make_campus(tmp_path, cameras=CAMERAS, students=50, certificates=False)
    write_hostile_frames(campus)
    kind = next(iter(KINDS))
    results = measure_flood(campus, {kind: KINDS[kind]}, rounds=1, seconds=12)
    assert results["kinds"][kind]["saturated"]["kept"] > 0.5, "nine tenths are theirs; in turns by frames a fifth was"
    results |= {"frame": FULL, "rounds": 1, "measured_at": "2026-11-26", "processor": "P", "cores": 2, "load_before": 0}
    assert kind in tables(results)
    assert len(targets(results)) == 1
