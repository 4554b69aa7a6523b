"""The benchmark of the service: what its aims say of results, and its loads, small and for real."""

from pathlib import Path
from typing import Any

import pytest

from attendance.settings.families import Family
from benchmarks.service import loads
from benchmarks.service.aims import aims
from benchmarks.service.campus import FULL, make_campus
from benchmarks.service.program import LOOP, OTHERS, Fleet, stage_of
from benchmarks.service.table import tables, targets
from recognition_service.evidence import timetable
from recognition_service.outbox import committer


def of_many(**changes: Any) -> dict[str, Any]:
    one = {"cameras": 60, "held_back": 0, "outcomes": {"recognized": 700}, "free": 0.4, "room_for": 66.0}
    return one | changes


@pytest.mark.parametrize(
    ("name", "one", "reached"),
    [
        ("seats", of_many(), True),
        ("seats", of_many(free=0.3), False),
        ("seats", of_many(held_back=1), False),
        ("seats", of_many(outcomes={"recognized": 700, "overloaded": 1}), False),
        ("seats", of_many(outcomes={"recognized": 70, "unchanged": 630}), True),
        ("seats", of_many(cameras=59), False),
        ("doors", of_many(cameras=8), True),
        ("saturation", {"ratio": 0.7, "ratio_apart": 0.8}, True),
        ("saturation", {"ratio": 0.7, "ratio_apart": 0.79}, False),
        ("overload", {"seconds": 3600, "memory_first_mib": 1000, "memory_last_mib": 1050}, True),
        ("overload", {"seconds": 600, "memory_first_mib": 1000, "memory_last_mib": 1051}, False),
        ("fairness", {"share": 0.9}, True),
        ("fairness", {"share": 0.89}, False),
    ],
)
def test_an_aim_is_reached_or_not(name: str, one: dict[str, Any], reached: bool) -> None:
    (aim,) = aims({name: one})
    assert aim.reached is reached
    assert aim.verdict == ("yes" if reached else "**no**")


@pytest.mark.parametrize(
    ("thread", "stage"),
    [
        ("face-engine", "engine"),
        ("flow", "matching and storing"),
        (committer.NAME, "database"),
        (timetable.NAME, "database"),
        ("cameras", "database"),
        ("event_engine", OTHERS),
    ],
)
def test_what_threads_cost_is_counted_where_they_work(thread: str, stage: str) -> None:
    assert stage_of(thread) == stage


def test_latency_is_judged_against_one_frame_alone() -> None:
    results = {"alone": {"p50": 50.0}, "latency": [{"p99": 100.0}, {"p99": 301.0}]}
    (aim,) = aims(results)
    assert not aim.reached
    assert aim.figure == "6.0 (301 ms, alone 50 ms)"
    assert not list(aims(results | {"alone": {}})), "nothing was recognized"


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
def test_loads_are_measured_at_two_services(tmp_path: Path, opencv_models: Path) -> None:
    campus = make_campus(
        tmp_path, cameras=12, doors=2, students=50, certificates=False, family=Family.OPENCV, halls=True
    )
    with Fleet(campus.environ, tmp_path, 2) as fleet:
        bench = loads.Bench(campus, fleet, 4.0, 1.0)
        saturation = loads.saturation(bench, 1, 4)
        seats = loads.many(bench, 2, kind="camera", settles_s=6, seconds=6)
        doors = loads.many(bench, 2, kind="door", settles_s=1, seconds=4)
        results: dict[str, Any] = {"saturation": saturation, "seats": seats, "doors": doors}
        results["alone"] = loads.alone(bench)
        results["fairness"] = loads.fairness(bench, saturation["service_rate"], 10)
    results |= {"frame": FULL, "services": 2, "models": "opencv", "encodings": campus.encodings, "batch": loads.BATCH}
    results |= {"measured_at": "2026-11-26", "processor": "P", "cores": 2, "load_before": 0.0}
    assert 19 <= seats["faces_a_frame"] <= 21, "twenty are seated"
    assert 1 <= doors["faces_a_frame"] <= 3
    assert {LOOP, "engine", "decoding"} <= seats["stages_cpu_ms"].keys()
    assert sum(seats["stages_cpu_ms"].values()) == pytest.approx(seats["cpu_ms"], rel=0.2)
    assert results["fairness"]["slowest"] > 0
    assert "By stage: engine" in tables(results)
    assert len(targets(results)) == 4
