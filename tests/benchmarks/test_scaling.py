"""How many cameras a machine takes: the arithmetic follows the measurements, and the simulation the service."""

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.scaling.hour import EARLY_S, Hour, simulate
from benchmarks.scaling.machine import services_for, usual_runs
from benchmarks.scaling.measured import (
    FAMILIES,
    SIZES,
    FrameCosts,
    GpuCosts,
    frame_costs,
    gpu_costs,
    read_machines,
    read_results,
    rows_a_second,
)
from benchmarks.scaling.stages import GIGABIT, MACHINES, CameraKind, Machine, limits
from benchmarks.scaling.table import tables

COSTS = FrameCosts(decode_s=0.004, search_s=0.04, face_s=0.007, rest_s=0.012)
ON_GPU = GpuCosts(search_s=0.002, face_s=0.0003, gpu_search_s=0.0005, gpu_face_s=0.00005)
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
    with_gpu = limits(COSTS, replace(plenty, gpus=1), SEATS, rows_a_second=1e9, gpu=ON_GPU)
    assert with_gpu.ends_first == "processor: Python"
    beside_s = COSTS.decode_s + COSTS.rest_s + tls_s + 0.002 + 20 * 0.0003
    assert with_gpu.processor == pytest.approx(8 / (0.2 * beside_s)), "what is beside the GPU stays on the processor"
    assert with_gpu.gpu == pytest.approx(2 / 3 / (0.2 * 0.0015))
    narrow = limits(COSTS, replace(plenty, gigabits=0.01), SEATS, rows_a_second=1e9)
    assert narrow.ends_first == "network"
    assert narrow.cameras == int(1e7 * 2 / 3 / (8 * 400_000 * 0.2))
    assert limits(COSTS, plenty, SEATS, rows_a_second=1).ends_first == "database"


def test_a_gpu_ends_first_where_there_are_cores_enough_and_landmarks_where_faces_are_many() -> None:
    slow = replace(ON_GPU, gpu_search_s=0.1)
    one, four = (limits(COSTS, Machine("m", 64, 100, gpus=gpus), SEATS, rows_a_second=1e9, gpu=slow) for gpus in (1, 4))
    assert one.ends_first == "GPU"
    assert four.gpu == pytest.approx(4 * one.gpu)
    many_faces = replace(ON_GPU, face_s=0.003)
    found = limits(COSTS, Machine("m", 16, 100, gpus=1), SEATS, rows_a_second=1e9, gpu=many_faces)
    assert found.ends_first == "processor: landmarks and chips"
    with pytest.raises(ValueError, match="what does a frame cost with a GPU"):
        limits(COSTS, Machine("m", 16, 100, gpus=1), SEATS, rows_a_second=1e9)


def test_costs_beside_a_gpu_are_those_that_were_measured() -> None:
    took = {
        "faces": 10, "detect": {"processor_ms": 30.0, "network_ms": 4.0},
        "whole": {"processor_ms": 50.0, "network_ms": 6.0},
    }  # fmt: skip
    found = gpu_costs("opencv", "1080p", {"models": {"opencv": {"sizes": {"1080p": {"8": took}}}}})
    assert found.search_s == pytest.approx(0.03)
    assert found.face_s == pytest.approx(0.002)
    assert found.gpu_s(10) == pytest.approx(0.006)
    at_hand = gpu_costs("opencv", "1080p", read_results("gpu"))
    assert 0 < at_hand.gpu_s(20) < at_hand.search_s + 20 * at_hand.face_s < 1


def test_a_service_has_two_cores_and_other_numbers_are_measured_beside() -> None:
    assert [services_for(cores) for cores in (1, 2, 3, 16, 64)] == [1, 1, 1, 8, 32]
    assert limits(COSTS, MACHINES[1], SEATS, rows_a_second=1e9).processes == 8
    assert usual_runs(16) == [(2, 1), (4, 2), (8, 4), (16, 8), (16, 1), (16, 2), (16, 4), (16, 16)]
    assert usual_runs(2) == [(2, 1), (2, 2)]


def test_the_machines_at_hand_say_that_throughput_follows_the_cores_where_services_are_small() -> None:
    runs = {(run["used"], run["services"]): run["service_rate"] for run in read_machines()["16 cores"]["runs"]}
    assert runs[16, 8] > 0.95 * 8 * runs[2, 1]
    assert runs[16, 1] < runs[16, 2] < runs[16, 4] < 0.8 * runs[16, 8]


def test_one_process_has_one_interpreter() -> None:
    machine = Machine("m", 24, 100, gpus=100)
    with_gpu = limits(replace(COSTS, rest_s=0.1), machine, SEATS, rows_a_second=1e9, gpu=ON_GPU)
    assert with_gpu.interpreter == pytest.approx(2 / 3 / (0.2 * 0.1))
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
