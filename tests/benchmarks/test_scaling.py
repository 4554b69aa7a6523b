"""How many cameras a machine takes: the arithmetic follows the measurements, and the simulation the service."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from attendance.settings.families import Family
from attendance.settings.matching import MatchingSettings
from benchmarks.scaling import hour, table
from benchmarks.scaling.hour import EARLY_S, Hour, Simulation, simulate
from benchmarks.scaling.machine import services_for, usual_runs
from benchmarks.scaling.measured import (
    FAMILIES,
    LOADS,
    SIZES,
    SMALLEST,
    FrameCosts,
    GpuCosts,
    GpuRun,
    frame_costs,
    gpu_costs,
    gpu_run,
    read_machines,
    read_results,
    rows_a_second,
    settled_share,
)
from benchmarks.scaling.room import Room, Student
from benchmarks.scaling.stages import GIGABIT, MACHINES, CameraKind, Machine, limits
from benchmarks.scaling.table import tables
from benchmarks.scaling.virtual_time import run
from recognition_service import app
from recognition_service.engine.batcher import Batcher

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
SERVICE = {
    "models": "opencv",
    "seats": {
        "encoded_share": 0.25, "faces_a_frame": 20.0,
        "stages_cpu_ms": {"event loop": 4.0, "gRPC and others": 2.0, "database": 16.0, "engine": 450.0,
                          "matching and storing": 8.0, "decoding": 9.0},
    },
    "doors": {
        "encoded_share": 1.0, "faces_a_frame": 2.0,
        "stages_cpu_ms": {"event loop": 2.0, "engine": 60.0, "matching and storing": 1.0, "decoding": 4.0},
    },
}  # fmt: skip
GIVEN: dict[str, Any] = {"engine": ENGINE, "service": SERVICE}
RULES = MatchingSettings().rules(Family.OPENCV)
ON_MEASURED_GPU = GpuRun(rate=1e6, rate_without=1e3, services=8, cores=16, gpu="G", frame=(960, 540))


def test_costs_are_those_that_were_measured() -> None:
    opencv = frame_costs("opencv", "1080p", **GIVEN)
    assert opencv.search_s == pytest.approx(4 * 0.003 * 1.5**2 * (1920 * 1080) / (640 * 480)), "half as large again"
    assert opencv.face_s == pytest.approx(4 * (160.25 - 1.5**2 * 20.25) / 40 / 1e3), (
        "the hall's other time is its faces'"
    )
    dlib = frame_costs("dlib", "720p", **GIVEN)
    assert dlib.face_s == pytest.approx(4 * (62 - 30) / 8 / 1e3)
    assert dlib.search_s == pytest.approx(4 * (48 - 2 * 4) / 1e3)
    assert dlib.frame_s(10) == pytest.approx(dlib.decode_s + dlib.search_s + 10 * dlib.face_s + dlib.rest_s)


def test_what_the_service_adds_is_that_of_the_load_with_such_frames() -> None:
    seats, door = (frame_costs("opencv", size, **GIVEN) for size in ("1080p", "720p"))
    assert (seats.decode_s, seats.rest_s) == pytest.approx((0.009, 0.030)), "seats"
    assert (door.decode_s, door.rest_s) == pytest.approx((0.004, 0.003)), "doors"
    assert settled_share(SERVICE) == 0.25


def test_where_the_service_was_measured_with_such_cameras_their_search_is_what_it_took_there() -> None:
    seats = frame_costs("opencv", "1080p", **GIVEN, smallest_face=SMALLEST["1080p"])
    assert seats.search_s == pytest.approx(0.450 - 0.25 * 20 * seats.face_s)
    assert seats.frame_s(5) == pytest.approx(0.450 + 0.009 + 0.030), "a settled frame is that of the load"
    smaller = frame_costs("opencv", "1080p", **GIVEN, smallest_face=36)
    assert smaller.search_s == pytest.approx(4 * 0.003 * 0.5**2 * (1920 * 1080) / (640 * 480)), "calculated"


@pytest.mark.parametrize("missing", ["stages_cpu_ms", "encoded_share", "faces_a_frame"])
def test_a_figure_that_is_not_there_is_named(missing: str) -> None:
    seats = {name: value for name, value in SERVICE["seats"].items() if name != missing}  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=rf"no seats\.{missing}.*python -m benchmarks\.service"):
        frame_costs("opencv", "1080p", engine=ENGINE, service=SERVICE | {"seats": seats}, smallest_face=24)
    with pytest.raises(ValueError, match=r"no jpeg_bytes\.720p.*python -m benchmarks\.scaling"):
        tables({"jpeg_bytes": {}, "hours": []})
    with pytest.raises(ValueError, match="take longer than the engine did"):
        frame_costs("opencv", "1080p", engine=ENGINE | {"cores": 4000}, service=SERVICE, smallest_face=24)


def test_the_measurements_at_hand_give_costs_that_can_be() -> None:
    given: dict[str, Any] = {"engine": read_results(), "service": read_results("service")}
    for family in FAMILIES:
        for size in SIZES:
            for smallest in (None, SMALLEST[size]):
                costs = frame_costs(family, size, **given, smallest_face=smallest)
                assert all(0 < one < 1 for one in (costs.decode_s, costs.search_s, costs.face_s, costs.rest_s))
    assert rows_a_second(read_results("register")) > 1_000


def test_what_two_cores_take_of_settled_seats_is_what_was_measured_of_them() -> None:
    service = read_results("service")
    costs = frame_costs("opencv", "1080p", engine=read_results(), service=service, smallest_face=SMALLEST["1080p"])
    faces = settled_share(service) * service["seats"]["faces_a_frame"]
    kind = CameraKind("seats", "1080p", 0.2, faces, 1.0)
    found = limits(costs, MACHINES[0], kind, rows_a_second=1e9)
    assert found.processor == pytest.approx(service["seats"]["room_for"], rel=0.1)


def test_a_third_of_everything_is_left_free_and_the_scarcest_decides() -> None:
    plenty = Machine("m", 12, 1_000)
    found = limits(COSTS, plenty, SEATS, rows_a_second=1e9)
    tls_s = SEATS.frame_bytes * 8 / GIGABIT * 2
    assert found.processor == pytest.approx(8 / (0.2 * (COSTS.frame_s(20) + tls_s)))
    assert found.cameras == int(found.processor)
    assert found.ends_first == "processor: encoding"
    assert limits(COSTS, plenty, replace(SEATS, faces=1), rows_a_second=1e9).ends_first == "processor: search"
    with_gpu = limits(COSTS, replace(plenty, gpus=1), SEATS, rows_a_second=1e9, gpu=ON_GPU, gpu_run=ON_MEASURED_GPU)
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
    given: dict[str, Any] = {"rows_a_second": 1e9, "gpu_run": ON_MEASURED_GPU}
    one, four = (limits(COSTS, Machine("m", 64, 100, gpus=gpus), SEATS, gpu=slow, **given) for gpus in (1, 4))
    assert one.ends_first == "GPU"
    assert four.gpu == pytest.approx(4 * one.gpu)
    many_faces = replace(ON_GPU, face_s=0.003)
    found = limits(COSTS, Machine("m", 16, 100, gpus=1), SEATS, gpu=many_faces, **given)
    assert found.ends_first == "processor: landmarks and chips"
    with pytest.raises(ValueError, match="what does a frame cost with a GPU"):
        limits(COSTS, Machine("m", 16, 100, gpus=1), SEATS, rows_a_second=1e9)


def test_services_on_a_gpu_are_said_to_take_no_more_than_they_were_measured_to() -> None:
    slow = replace(ON_MEASURED_GPU, rate=60.0, rate_without=30.0)
    given: dict[str, Any] = {"rows_a_second": 1e9, "gpu": ON_GPU}
    one, four = (Machine("m", 16 * gpus, 100, gpus=gpus) for gpus in (1, 4))
    found = limits(COSTS, one, SEATS, gpu_run=slow, **given)
    assert found.ends_first == "services, as measured"
    assert found.cameras == int(60 * 2 / 3 / 0.2), "by their rate"
    assert limits(COSTS, four, SEATS, gpu_run=slow, **given).services_on_gpu == pytest.approx(4 * 60 * 2 / 3 / 0.2)
    assert limits(COSTS, replace(four, cores=16), SEATS, gpu_run=slow, **given).cameras == found.cameras
    worse = replace(slow, rate=1e6, rate_without=2e6)
    alone = limits(COSTS, replace(one, gpus=0), SEATS, rows_a_second=1e9)
    assert limits(COSTS, one, SEATS, gpu_run=worse, **given).services_on_gpu == pytest.approx(alone.processor / 2)


def test_the_run_on_a_gpu_is_held_against_the_same_services_without() -> None:
    def machine(gpu: str | None, rate: float, services: int = 8) -> dict[str, Any]:
        runs = [{"used": 16, "services": services, "service_rate": rate}]
        return {"gpu": gpu, "frame": [960, 540], "runs": runs}

    found = gpu_run({"cores": machine(None, 100.0), "GPU": machine("G", 50.0)})
    assert (found.rate, found.gain, found.frame) == (50.0, 0.5, (960, 540))
    for alone in ({"cores": machine(None, 100.0)}, {"cores": machine(None, 9.0, 4), "GPU": machine("G", 50.0)}):
        with pytest.raises(ValueError, match=r"no services were measured on a GPU.*scaling\.machine"):
            gpu_run(alone)


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
    slow = replace(COSTS, rest_s=0.1)
    with_gpu = limits(slow, machine, SEATS, rows_a_second=1e9, gpu=ON_GPU, gpu_run=ON_MEASURED_GPU)
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
    every, needed = (
        simulate(Hour(cameras=4, costs=costs, students=4, facing=1.0, every_face=face)) for face in (True, False)
    )
    assert needed.of_offered > 1.3 * every.of_offered
    assert needed.in_time >= every.in_time
    assert every.encoded_share == 1
    assert needed.encoded_share < 0.7


def test_who_looks_away_is_encoded_again() -> None:
    always, often = (simulate(Hour(cameras=2, costs=COSTS, facing=facing)) for facing in (1.0, 0.6))
    assert always.encoded_share < 0.2, "once a minute, and until they are settled"
    assert often.encoded_share > 2 * always.encoded_share


def look(room: Room, at: float, seats: list[int]) -> list[int] | None:
    """Take a frame in; who of those visible is encoded, None: all, without a choice."""
    choice = room.choose(at, seats) if room.follows else None
    room.count(at, seats, choice)
    return None if choice is None else [seats[place] for place in choice.to_encode]


def test_a_room_follows_those_who_stay_in_view_and_encodes_whom_it_missed() -> None:
    room = make_room(3)
    looked = {at: look(room, at, [0, 1, 2]) for at in range(0, 30, 5)}
    confirmed_at = RULES.confirm_frames - 1
    assert looked[5 * confirmed_at] is None, "following does not begin with the confirmation"
    assert looked[5 * (confirmed_at + RULES.confirm_frames)] == [], "but when they were named as often again"
    assert look(room, 30, [0, 2]) == []
    assert look(room, 35, [0, 1, 2]) == [1], "missed in one frame"
    assert look(room, 40, [0, 1, 2]) == []


def test_whoever_sits_by_a_place_left_for_two_frames_is_encoded() -> None:
    room = make_room(3)
    for at in range(0, 30, 5):
        look(room, at, [0, 1, 2])
    assert look(room, 30, [0, 2]) == []
    assert look(room, 35, [0, 2]) == [0, 2]


def test_a_camera_slower_than_following_allows_has_every_face_encoded() -> None:
    usual, slow = make_room(2), make_room(2)
    for number in range(6):
        look(usual, 15.0 * number, [0, 1])
        look(slow, 16.0 * number, [0, 1])
    assert look(usual, 90.0, [0, 1]) == []
    assert look(slow, 96.0, [0, 1]) is None, "nobody is ever settled there"


def make_room(students: int) -> Room:
    class Sure:
        """Everybody faces the camera and looks like their photos."""

        def random(self, count: int) -> Any:
            return np.zeros(count)

        def normal(self, mean: float, _: float) -> float:
            return mean

    seated = [Student(f"s{seat}", 0.0) for seat in range(students)]
    clock: Callable[[], float] = lambda: 0.0  # noqa: E731
    return Room(seated, RULES, Sure(), clock, facing=1.0)  # type: ignore[arg-type]


class Watched(Batcher[Any, Any]):
    """A batcher that notes how it was made and what was submitted."""

    made: dict[str, Any]
    submitted: list[str]

    def __init__(self, *arguments: Any, **values: Any) -> None:
        super().__init__(*arguments, **values)
        Watched.made, Watched.submitted = values, []

    def enqueue(self, place: Any) -> None:
        Watched.submitted.append(place.bucket)
        super().enqueue(place)


def test_a_frame_has_one_turn_while_nobody_is_settled_and_then_a_search_and_what_must_be_encoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hour, "Batcher", Watched)
    simulate(Hour(cameras=1, costs=COSTS, students=4, every_face=True))
    assert set(Watched.submitted) == {"find"}
    simulate(Hour(cameras=1, costs=COSTS, students=4))
    first = Watched.submitted.index("search")
    assert set(Watched.submitted[:first]) == {"find"}
    assert "find" not in Watched.submitted[first + 40 :]
    searched, encoded = (Watched.submitted.count(bucket) for bucket in ("search", "encode"))
    assert 0 < encoded < searched, "where nobody must be encoded, there is no second turn"


def test_the_batcher_is_made_as_the_service_makes_it_and_the_engine_does_one_piece_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hour, "Batcher", Watched)
    at_work = most = 0

    class Counted(Simulation):
        async def _piece(self, seconds: float) -> None:
            nonlocal at_work, most
            async with self._engine:
                at_work += 1
                most = max(most, at_work)
                await asyncio.sleep(seconds)
                at_work -= 1

    run(Counted(Hour(cameras=12, costs=replace(COSTS, search_s=1.0), students=2)).begin())
    assert most == 1
    assert Watched.made["hand_over_s"] == app.HAND_OVER_S > 0
    assert Watched.made["large"] == app.LARGE_S


def test_all_that_a_frame_takes_is_taken_of_the_cores() -> None:
    costs = FrameCosts(decode_s=0.8, search_s=0.8, face_s=0.4, rest_s=0.8)
    found = simulate(Hour(cameras=10, costs=costs, students=3, facing=1.0, every_face=True))
    assert found.frames_a_second == pytest.approx(2 / costs.frame_s(3), rel=0.1)


def test_the_same_seed_is_the_same_hour() -> None:
    hour = Hour(cameras=2, costs=COSTS, students=3)
    assert simulate(hour) == simulate(hour) != simulate(replace(hour, seed=7))
    assert EARLY_S > 0


def test_the_tables_have_a_row_for_each_machine_and_each_simulated_hour() -> None:
    hours = [
        {"every_face": True, **simulate(Hour(cameras=2, costs=COSTS, students=2)).as_dict()},
        {"every_face": False, **simulate(Hour(cameras=1, costs=COSTS, students=2)).as_dict(), "median_s": None},
    ]
    circumstances = {"measured_at": "2026-11-26", "processor": "P", "cores": 2, "load_before": 0.0}
    text = tables({**circumstances, "jpeg_bytes": {"720p": 1e5, "1080p": 2e5}, "hours": hours})
    assert all(f"| {machine.name} |" in text for machine in MACHINES)
    assert "| 10,000 |" in text
    assert text.count("of the mean |") == 2
    assert "at most 94 frames/s of 960 x 540, measured" in text, "what bounds the rows of GPUs"
    assert "| 10,000 | 2,000 |" in text
    assert "| 3,200 Mbit/s |" in text, "the bytes that were measured"


def test_the_tables_follow_what_the_service_was_measured_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    service = dict(read_results("service"))
    results = {"measured_at": "2026-11-26", "processor": "P", "cores": 2, "load_before": 0.0, "hours": [],
               "jpeg_bytes": {"720p": 1e5, "1080p": 2e5}}  # fmt: skip
    before = tables(results)
    for load in LOADS.values():
        other = service | {
            load: service[load] | {"room_for": 4321.0, "encoded_share": 0.5 * service[load]["encoded_share"]}
        }
        monkeypatch.setattr(
            table, "read_results", lambda folder="", other=other: other if folder == "service" else read_results(folder)
        )
        assert tables(results) != before
        assert "| 4321 |" in tables(results)
