"""How many cameras a machine takes: the arithmetic follows the measurements, and the simulation the service."""

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.scaling.hour import EARLY_S, Hour, simulate
from benchmarks.scaling.measured import FAMILIES, SIZES, FrameCosts, frame_costs, read_results, rows_a_second
from benchmarks.scaling.stages import GIGABIT, MACHINES, CameraKind, Machine, limits
from benchmarks.scaling.table import tables

COSTS = FrameCosts(decode_s=0.004, search_s=0.04, face_s=0.007, rest_s=0.012)
SEATS = CameraKind("seats", "1080p", 0.2, 20, 400_000)
ENGINE = {
    "cores": 4,
    "frame_640x480_two_faces_ms": {"default detector": 3.0},
    "hall_ms": {"default": 160.25},
    "hall_faces_found": {"default": {"faces": 38, "others": 2}},
    "cost_against_size_ms": {"dlib": {"720p": 48.0, "1080p": 93.0}},
    "cost_against_faces_720p_ms": {
        "0": {"detect": 30.0, "align": 0.0, "encode": 0.0}, "8": {"detect": 38.0, "align": 8.0, "encode": 16.0},
    },
}  # fmt: skip
SERVICE = {"frame": [1000, 500], "saturation": {"service_cpu_ms": 80.0, "engine_cpu_ms": 67.0}}


def test_costs_are_those_that_were_measured() -> None:
    given: dict[str, Any] = {"engine": ENGINE, "service": SERVICE, "decode_s_a_pixel": 2e-9}
    opencv = frame_costs("opencv", "1080p", **given)
    assert opencv.search_s == pytest.approx(4 * 0.003 * 1.5**2 * (1920 * 1080) / (640 * 480)), "half as large again"
    assert opencv.face_s == pytest.approx(4 * (160.25 - 1.5**2 * 20.25) / 40 / 1e3), (
        "the hall's other time is its faces'"
    )
    assert opencv.decode_s == pytest.approx(2e-9 * 1920 * 1080)
    assert opencv.rest_s == pytest.approx(0.013 - 2e-9 * 500_000)
    newer = {"frame": [1000, 500], "saturation": {"service_cpu_ms": 80.0, "bare_cpu_ms": 71.0}}
    assert frame_costs("opencv", "1080p", **(given | {"service": newer})).rest_s == pytest.approx(0.009)
    dlib = frame_costs("dlib", "720p", **given)
    assert dlib.face_s == pytest.approx(4 * (62 - 30) / 8 / 1e3)
    assert dlib.search_s == pytest.approx(4 * (48 - 2 * 4) / 1e3)
    assert dlib.frame_s(10) == pytest.approx(dlib.decode_s + dlib.search_s + 10 * dlib.face_s + dlib.rest_s)


def test_the_measurements_at_hand_give_costs_that_can_be() -> None:
    given: dict[str, Any] = {"engine": read_results(), "service": read_results("service"), "decode_s_a_pixel": 2e-9}
    for family in FAMILIES:
        for size in SIZES:
            costs = frame_costs(family, size, **given)
            assert all(0 < one < 1 for one in (costs.decode_s, costs.search_s, costs.face_s, costs.rest_s))
    assert rows_a_second(read_results("register")) > 1_000


def test_a_third_of_everything_is_left_free_and_the_scarcest_decides() -> None:
    plenty = Machine("m", 12, 1_000)
    found = limits(COSTS, plenty, SEATS, rows_a_second=1e9)
    tls_s = SEATS.frame_bytes * 8 / GIGABIT * 2
    assert found.processor == pytest.approx(8 / (0.2 * (COSTS.frame_s(20) + tls_s)))
    assert found.cameras == int(found.processor)
    assert found.ends_first == "processor: encoding"
    assert limits(COSTS, plenty, replace(SEATS, faces=1), rows_a_second=1e9).ends_first == "processor: search"
    assert limits(COSTS, replace(plenty, gpu=True), SEATS, rows_a_second=1e9).ends_first == "processor: Python"
    narrow = limits(COSTS, replace(plenty, gigabits=0.01), SEATS, rows_a_second=1e9)
    assert narrow.ends_first == "network"
    assert narrow.cameras == int(1e7 * 2 / 3 / (8 * 400_000 * 0.2))
    assert limits(COSTS, plenty, SEATS, rows_a_second=1).ends_first == "database"


def test_one_process_has_one_interpreter() -> None:
    with_gpu = limits(COSTS, Machine("m", 24, 100, gpu=True), SEATS, rows_a_second=1e9)
    assert with_gpu.interpreter == pytest.approx(2 / 3 / (0.2 * 0.012))
    assert (
        with_gpu.interpreter * (with_gpu.processes - 1) < with_gpu.cameras <= with_gpu.interpreter * with_gpu.processes
    )


def test_where_there_is_time_for_all_everybody_is_confirmed_in_time() -> None:
    few = simulate(Hour(cameras=4, costs=COSTS))
    assert few.of_offered == pytest.approx(1, abs=0.01)
    assert few.frames_a_second == pytest.approx(4 * 0.2, rel=0.02)
    assert few.in_time > 0.99
    assert few.median_s is not None
    assert 10 < few.median_s < 60, "three frames that face the camera, five seconds apart"


def test_cameras_beyond_the_engine_share_it_alike_and_people_are_confirmed_later() -> None:
    costs = FrameCosts(decode_s=0.1, search_s=3, face_s=0.5, rest_s=0.2)
    few, many = (simulate(Hour(cameras=cameras, costs=costs, students=6, every_face=True)) for cameras in (2, 24))
    assert many.of_offered < 0.2
    assert many.slowest_camera > 0.75, "fairness is the batcher's"
    assert many.frames_a_second == pytest.approx(2 / costs.frame_s(6 * 0.6), rel=0.15), "the engine never idles"
    assert few.median_s is not None
    assert many.median_s is None or many.median_s > 3 * few.median_s
    assert many.in_time < few.in_time


def test_encoding_only_what_can_change_a_decision_leaves_more_for_others() -> None:
    costs = FrameCosts(decode_s=0.1, search_s=0.5, face_s=1, rest_s=0.1)
    every, needed = (simulate(Hour(cameras=10, costs=costs, students=4, every_face=face)) for face in (True, False))
    assert needed.of_offered > 1.3 * every.of_offered
    assert needed.in_time >= every.in_time


def test_the_same_seed_is_the_same_hour() -> None:
    hour = Hour(cameras=2, costs=COSTS, students=3)
    assert simulate(hour) == simulate(hour) != simulate(replace(hour, seed=7))
    assert EARLY_S > 0


def test_the_tables_have_a_row_for_each_machine_and_each_simulated_hour() -> None:
    hours = [
        {"every_face": True, **simulate(Hour(cameras=2, costs=COSTS, students=2)).as_dict()},
        {"every_face": False, **simulate(Hour(cameras=2, costs=COSTS)).as_dict(), "median_s": None},
    ]
    circumstances = {"measured_at": "2026-11-26", "processor": "P", "cores": 2, "load_before": 0.0}
    text = tables({**circumstances, "jpeg": {"bytes": 4e5, "decode_s_a_pixel": 2e-9}, "hours": hours})
    assert all(f"| {machine.name} |" in text for machine in MACHINES)
    assert "| 10,000 |" in text
    assert text.count("of the mean |") == 2
