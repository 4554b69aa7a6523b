"""How many cameras a machine takes, as tables for docs/scaling.md and the terminal."""

import math
from dataclasses import fields, replace
from typing import Any

from benchmarks.scaling.hour import Beginning
from benchmarks.scaling.measured import (
    FAMILIES,
    LOADS,
    SMALLEST,
    FrameCosts,
    GpuCosts,
    GpuRun,
    Results,
    figure,
    frame_costs,
    gpu_costs,
    gpu_run,
    read_machines,
    read_results,
    rows_a_second,
    settled_share,
)
from benchmarks.scaling.stages import MACHINES, CameraKind, Limits, Machine, limits
from benchmarks.tables import markdown, measured_on

_FACES = 20
_SIZES_OF_A_CAMPUS = (10, 100, 1_000, 10_000)
_MACHINE = Machine("16 cores", 16, 10)
_ROWS_A_ROOM = 60
_MEASURED_CORES = 2
"""Of the machine on which a frame's costs were measured."""

Machines = dict[str, dict[str, Any]]
"""Of `python -m benchmarks.scaling.machine`, by name."""


class _Kinds:
    """The cameras of the tables, and what their frames cost."""

    def __init__(self, results: Results) -> None:
        """Take the figures from the results at hand.

        Args:
            results: of `python -m benchmarks.scaling`.

        Raises:
            ValueError: a figure was not measured.
        """
        self.engine, self.service = read_results(), read_results("service")
        size = {name: figure(results, "jpeg_bytes", name, written_by="python -m benchmarks.scaling") for name in LOADS}
        seats, doors = SMALLEST["1080p"], SMALLEST["720p"]
        settled = settled_share(self.service) * _FACES
        self.door = CameraKind("at a door", "720p", 4, 2, size["720p"], doors)
        self.seats = CameraKind("seats, at the hour", "1080p", 0.2, _FACES, size["1080p"], seats)
        self.settled = replace(self.seats, name="seats, later", faces=settled)
        self.unset = [replace(kind, smallest_face=None) for kind in (self.seats, self.settled)]

    def costs(self, family: str, kind: CameraKind) -> FrameCosts:
        """Of a frame of such a camera."""
        smallest = kind.smallest_face
        return frame_costs(family, kind.size, engine=self.engine, service=self.service, smallest_face=smallest)

    def measured(self, family: str, kind: CameraKind) -> str:
        """How many such cameras two cores were measured to have room for; only one load of each size was."""
        if family != self.service["models"] or kind not in (self.door, self.settled):
            return "-"
        return f"{figure(self.service, LOADS[kind.size], 'room_for'):.0f}"


def tables(results: dict[str, Any]) -> str:
    """Everything, in Markdown.

    Args:
        results: of `python -m benchmarks.scaling`; the others' are read.

    Raises:
        ValueError: a figure was not measured.
    """
    kinds = _Kinds(results)
    database = rows_a_second(read_results("register"))
    machines, with_gpu = read_machines(), read_results("gpu")
    on_gpu, services_on_gpu = gpu_costs("opencv", "1080p", with_gpu), gpu_run(machines)
    return "\n\n".join([
        f"{measured_on(results)}; the other figures are those of [performance.md](performance.md).",
        _costs(kinds),
        _two_cores(kinds, database),
        _machines(kinds, on_gpu, services_on_gpu, database, machines),
        _gpu(on_gpu, services_on_gpu),
        _measured(machines),
        _campus(kinds, database),
        _hours(results["hours"]),
    ])  # fmt: skip


def _costs(kinds: _Kinds) -> str:
    rows = [["models", "frame", "smallest face", "decoding", "search", "each face", "Python",
             f"whole frame, {_FACES} faces"]]  # fmt: skip
    for family, kind in _looks(kinds, [kinds.door, kinds.seats, kinds.unset[0]]):
        one = kinds.costs(family, kind)
        spent = (one.decode_s, one.search_s, one.face_s, one.rest_s, one.frame_s(_FACES))
        rows.append([family, kind.size, _smallest(family, kind), *map(_ms, spent)])
    return "**One frame**, not doubled, milliseconds of one core:\n\n" + markdown(rows)


def _two_cores(kinds: _Kinds, database: float) -> str:
    rows = [["camera", "models", "frames/s", "frame", "smallest face", "faces encoded", "cameras for two cores",
             "measured: room for"]]  # fmt: skip
    for family, kind in _looks(kinds, [kinds.door, kinds.seats, kinds.settled, *kinds.unset]):
        found = limits(kinds.costs(family, kind), MACHINES[0], kind, rows_a_second=database)
        rows.append([
            *(kind.name, family, f"{kind.rate:g}", kind.size, _smallest(family, kind), f"{kind.faces:.3g}"),
            *(_cameras(found.cameras), kinds.measured(family, kind)),
        ])  # fmt: skip
    return "**What two cores take**, a third left free:\n\n" + markdown(rows)


def _looks(kinds: _Kinds, some: list[CameraKind]) -> list[tuple[str, CameraKind]]:
    """Models and cameras; what a camera is set to look for counts with the models opencv alone."""
    return [(family, kind) for kind in some for family in FAMILIES if family == "opencv" or kind not in kinds.unset]


def _smallest(family: str, kind: CameraKind) -> str:
    return f"{kind.smallest_face} px" if family == "opencv" and kind.smallest_face else "not set"


def _machines(kinds: _Kinds, on_gpu: GpuCosts, services_on_gpu: GpuRun, database: float, machines: Machines) -> str:
    rows = [["machine", "everybody is new", "ends first", "everybody is settled", "ends first", "services",
             "what it rests on"]]  # fmt: skip
    for machine in MACHINES:
        new, settled = (
            limits(
                kinds.costs("opencv", kind), machine, kind, rows_a_second=database, gpu=on_gpu, gpu_run=services_on_gpu
            )
            for kind in (kinds.seats, kinds.settled)
        )
        rests_on = _rests_on(machine, machines, services_on_gpu)
        rows.append([machine.name, *_limit(new), *_limit(settled), str(settled.processes), rests_on])
    return (
        f"**Which stage ends first**: cameras that look at seats, smallest face {kinds.seats.smallest_face} px, models"
        " opencv, a third left free. The numbers of cameras are calculated from what a frame costs on two cores; with a"
        f" GPU they are no more than what services there were measured to answer:\n\n{markdown(rows)}"
    )


def _rests_on(machine: Machine, machines: Machines, run: GpuRun) -> str:
    if machine.gpus:
        rate, (width, height) = run.rate_of(machine.cores, machine.gpus), run.frame
        measured = (machine.cores, machine.gpus) == (run.cores, 1)
        how = "measured" if measured else f"{rate / run.rate:g} times the measured {run.rate:.0f}"
        return (
            f"at most {rate:.0f} frames/s of {width} x {height}, {how}, and {run.gain:.2f} times the same cores alone:"
            f" {run.rate:.0f} frames/s with the GPU, {run.rate_without:.0f} without, measured"
        )
    if machine.cores == _MEASURED_CORES:
        return "measured: a frame's costs"
    growth = [_growth(run, one["runs"]) for one in machines.values() for run in one["runs"] if not one["gpu"]
              and run["used"] == machine.cores]  # fmt: skip
    found = [one for one in growth if one is not None]
    if not found:
        return "calculated: so many times two cores"
    return f"measured: {max(found):.1f} times the frames of two cores, calculated {machine.cores / _MEASURED_CORES:g}"


def _gpu(on_gpu: GpuCosts, run: GpuRun) -> str:
    return (
        f"With a GPU the networks leave the processor, and no more. {run.services} services on {run.cores} cores and"
        f" one {run.gpu} answered {run.rate:.1f} frames a second of {run.frame[0]} x {run.frame[1]}, in their first"
        f" seconds, where as many services on as many cores without one answered {run.rate_without:.1f}: nobody has"
        " measured more, nor larger frames, so the rows above are bounded by both rates. There a 1080p frame takes"
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


def _campus(kinds: _Kinds, database: float) -> str:
    rows = [["cameras", "frames/s", "cores", "network in", "machines of 16 cores", "the same, settled", "rows an hour"]]
    new, settled = (
        limits(kinds.costs("opencv", kind), _MACHINE, kind, rows_a_second=database)
        for kind in (kinds.seats, kinds.settled)
    )
    seats = kinds.seats
    for count in _SIZES_OF_A_CAMPUS:
        mbit = count * seats.rate * seats.frame_bytes * 8 / 1e6
        rows.append([
            f"{count:,}", f"{count * seats.rate:,.0f}", f"{math.ceil(_MACHINE.cores * count / new.processor):,}",
            f"{mbit:,.0f} Mbit/s", str(math.ceil(count / new.cameras)), str(math.ceil(count / settled.cameras)),
            f"{count * _ROWS_A_ROOM:,}",
        ])  # fmt: skip
    return (
        f"**From ten to ten thousand cameras** at seats, {_ROWS_A_ROOM} students a room, a third left free:\n\n"
        + markdown(rows)
    )


def _hours(hours: list[dict[str, Any]]) -> str:
    rows = [["cameras", "every face encoded", "frames/s", "of what was offered", "faces encoded", "confirmed in time",
             "half within", "95 % within", "camera with fewest frames"]]  # fmt: skip
    for hour in hours:
        one = Beginning(**{field.name: hour[field.name] for field in fields(Beginning)})
        rows.append([
            *(str(one.cameras), "yes" if hour["every_face"] else "no"),
            *(f"{one.frames_a_second:.1f}", f"{one.of_offered:.0%}", f"{one.encoded_share:.0%}", f"{one.in_time:.1%}"),
            *(_seconds(one.median_s), _seconds(one.p95_s), f"{one.slowest_camera:.2f} of the mean"),
        ])  # fmt: skip
    return (
        "**The first ten minutes of the hour**, one service process with two cores, frames as of the cameras before"
        " seats, simulated:\n\n" + markdown(rows)
    )


def _limit(found: Limits) -> list[str]:
    return [_cameras(found.cameras), found.ends_first]


def _cameras(count: int) -> str:
    return f"{count:,}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} s"
