"""How many cameras a machine takes, as tables for docs/scaling.md and the terminal."""

import math
from dataclasses import fields, replace
from typing import Any

from benchmarks.scaling.hour import Beginning
from benchmarks.scaling.measured import (
    FAMILIES,
    FrameCosts,
    GpuCosts,
    frame_costs,
    gpu_costs,
    read_machines,
    read_results,
    rows_a_second,
)
from benchmarks.scaling.stages import MACHINES, CameraKind, Limits, Machine, limits
from benchmarks.tables import markdown, measured_on

_SETTLED = 0.1
"""Share of the faces that are encoded once everybody is confirmed, where only what can change a decision is."""
_FACES = 20
_SEATS = CameraKind("seats, at the hour", "1080p", 0.2, _FACES, 400_000)
_DOOR = CameraKind("at a door", "720p", 4, 2, 180_000)
_SIZES_OF_A_CAMPUS = (10, 100, 1_000, 10_000)
_MACHINE = Machine("16 cores", 16, 10)
_ROWS_A_ROOM = 60
_MEASURED_CORES = 2
"""Of the machine on which a frame's costs were measured."""

Machines = dict[str, dict[str, Any]]
"""Of `python -m benchmarks.scaling.machine`, by name."""


def tables(results: dict[str, Any]) -> str:
    """Everything, in Markdown.

    Args:
        results: of `python -m benchmarks.scaling`; the others' are read.
    """
    jpeg = results["jpeg"]
    every = {
        (family, size): frame_costs(
            family, size, engine=read_results(), service=read_results("service"),
            decode_s_a_pixel=jpeg["decode_s_a_pixel"],
        )
        for family in FAMILIES
        for size in ("720p", "1080p")
    }  # fmt: skip
    database = rows_a_second(read_results("register"))
    machines, with_gpu = read_machines(), read_results("gpu")
    on_gpu = gpu_costs("opencv", "1080p", with_gpu)
    return "\n\n".join([
        f"{measured_on(results)}; the other figures are those of [performance.md](performance.md).",
        _costs(every),
        _kinds(every, database),
        _machines(every["opencv", "1080p"], on_gpu, database, machines),
        _gpu(on_gpu, with_gpu["gpu"]),
        _measured(machines),
        _campus(every["opencv", "1080p"], database),
        _hours(results["hours"]),
    ])  # fmt: skip


def _costs(every: dict[tuple[str, str], FrameCosts]) -> str:
    rows = [["models", "frame", "decoding", "search", "each face", "Python", f"whole frame, {_FACES} faces"]]
    rows += [
        [family, size, *map(_ms, (one.decode_s, one.search_s, one.face_s, one.rest_s, one.frame_s(_FACES)))]
        for (family, size), one in every.items()
    ]
    return "**One frame**, not doubled, milliseconds of one core:\n\n" + markdown(rows)


def _kinds(every: dict[tuple[str, str], FrameCosts], database: float) -> str:
    rows = [["camera", "models", "frames/s", "frame", "faces encoded", "cameras for two cores"]]
    for kind in (_DOOR, _SEATS, _settled(_SEATS)):
        for family in FAMILIES:
            found = limits(every[family, kind.size], MACHINES[0], kind, rows_a_second=database)
            rows.append([kind.name, family, f"{kind.rate:g}", kind.size, f"{kind.faces:g}", _cameras(found.cameras)])
    return "**What two cores take**, a third left free:\n\n" + markdown(rows)


def _machines(of_frame: FrameCosts, on_gpu: GpuCosts, database: float, machines: Machines) -> str:
    rows = [["machine", "everybody is new", "ends first", "everybody is settled", "ends first", "services",
             "what it rests on"]]  # fmt: skip
    for machine in MACHINES:
        new, settled = (
            limits(of_frame, machine, kind, rows_a_second=database, gpu=on_gpu if machine.gpus else None)
            for kind in (_SEATS, _settled(_SEATS))
        )
        rows.append([
            machine.name, *_limit(new), *_limit(settled), str(settled.processes), _rests_on(machine, machines),
        ])  # fmt: skip
    return (
        "**Which stage ends first**: cameras that look at seats, models opencv, a third left free. The numbers of"
        " cameras are calculated from what a frame costs on two cores:\n\n" + markdown(rows)
    )


def _rests_on(machine: Machine, machines: Machines) -> str:
    if machine.gpus:
        return "a frame's costs beside a GPU were measured; calculated from them"
    if machine.cores == _MEASURED_CORES:
        return "measured: a frame's costs"
    growth = [_growth(run, one["runs"]) for one in machines.values() for run in one["runs"] if not one["gpu"]
              and run["used"] == machine.cores]  # fmt: skip
    found = [one for one in growth if one is not None]
    if not found:
        return "calculated: so many times two cores"
    return f"measured: {max(found):.1f} times the frames of two cores, calculated {machine.cores / _MEASURED_CORES:g}"


def _gpu(on_gpu: GpuCosts, name: str) -> str:
    return (
        f"With a GPU the networks leave the processor, and no more. On the machine with one {name} a 1080p frame takes"
        f" {_ms(on_gpu.search_s)} ms of a core beside the GPU (it is scaled, boxes are chosen, and the driver waits"
        f" busily) and each face {_ms(on_gpu.face_s)} ms (landmarks and its chip); of the GPU"
        f" {_ms(on_gpu.gpu_search_s)} ms and {_ms(on_gpu.gpu_face_s)} ms."
    )


def _measured(machines: Machines) -> str:
    """Throughput by cores and services."""
    rows = [["machine", "cores used", "services", "frames/s", "of two cores", "decoding and engine alone",
             "faces encoded", "a frame, ms of a core", "its engine", "Python", "memory"]]  # fmt: skip
    for name, one in machines.items():
        for run in one["runs"]:
            growth = _growth(run, one["runs"])
            rows.append([
                name, str(run["used"]), str(run["services"]), f"{run['service_rate']:.1f}",
                "-" if growth is None else f"{growth:.1f} times", f"{run['bare_rate']:.1f}",
                f"{run['encoded_share']:.0%}", f"{run['service_cpu_ms']:.0f}", f"{run['stage engine']:.0f}",
                f"{run['stage event loop'] + run['stage matching and storing']:.1f}", f"{run['memory_mib']:,.0f} MiB",
            ])  # fmt: skip
    made_on = "; ".join(
        f"{name}: {one['measured_at'][:10]}, {one['processor']}{_beside(one['gpu'])}" for name, one in machines.items()
    )
    width, height = next(iter(machines.values()))["frame"]
    return (
        f"**Measured on larger machines** at saturation (`python -m benchmarks.scaling.machine`), frames of {width} x"
        f" {height}, cameras and database on the same machine ({made_on}):\n\n{markdown(rows)}"
    )


def _beside(gpu: str | None) -> str:
    return f" and one {gpu}" if gpu else ""


def _growth(run: dict[str, Any], runs: list[dict[str, Any]]) -> float | None:
    """How many times the frames of two cores it does, if those were measured beside it."""
    base = [one["service_rate"] for one in runs if one["used"] == _MEASURED_CORES]
    return float(run["service_rate"] / base[0]) if base and base[0] else None


def _campus(of_frame: FrameCosts, database: float) -> str:
    rows = [["cameras", "frames/s", "cores", "network in", "machines of 16 cores", "the same, settled", "rows an hour"]]
    new, settled = (limits(of_frame, _MACHINE, kind, rows_a_second=database) for kind in (_SEATS, _settled(_SEATS)))
    for count in _SIZES_OF_A_CAMPUS:
        mbit = count * _SEATS.rate * _SEATS.frame_bytes * 8 / 1e6
        rows.append([
            f"{count:,}", f"{count * _SEATS.rate:,.0f}", f"{math.ceil(_MACHINE.cores * count / new.processor):,}",
            f"{mbit:,.0f} Mbit/s", str(math.ceil(count / new.cameras)), str(math.ceil(count / settled.cameras)),
            f"{count * _ROWS_A_ROOM:,}",
        ])  # fmt: skip
    return (
        f"**From ten to ten thousand cameras** at seats, {_ROWS_A_ROOM} students a room, a third left free:\n\n"
        + markdown(rows)
    )


def _hours(hours: list[dict[str, Any]]) -> str:
    rows = [["cameras", "every face encoded", "frames/s", "of what was offered", "confirmed in time",
             "half within", "95 % within", "camera with fewest frames"]]  # fmt: skip
    for hour in hours:
        one = Beginning(**{field.name: hour[field.name] for field in fields(Beginning)})
        rows.append([
            *(str(one.cameras), "yes" if hour["every_face"] else "no"),
            *(f"{one.frames_a_second:.1f}", f"{one.of_offered:.0%}", f"{one.in_time:.1%}"),
            *(_seconds(one.median_s), _seconds(one.p95_s), f"{one.slowest_camera:.2f} of the mean"),
        ])  # fmt: skip
    return "**The first ten minutes of the hour**, one service process with two cores, simulated:\n\n" + markdown(rows)


def _settled(kind: CameraKind) -> CameraKind:
    return replace(kind, name="seats, later", faces=_SETTLED * kind.faces)


def _limit(found: Limits) -> list[str]:
    return [_cameras(found.cameras), found.ends_first]


def _cameras(count: int) -> str:
    return f"{count:,}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} s"
