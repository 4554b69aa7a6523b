"""What a frame costs, stage by stage, from what the other benchmarks measured last."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attendance.face_engine.scaling import scale_for
from attendance.settings.families import OPENCV
from benchmarks.service.scenes import DOOR_FACE, SEAT_FACE

_BENCHMARKS = Path(__file__).parents[1]
_MADE_ON = 2
"""Cores on which older results were measured that do not say it."""
_BATCH = "8"
"""Frames in one call on a GPU: the service's usual batch."""
SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
"""Width and height of frames."""
LOADS = {"720p": "doors", "1080p": "seats"}
"""The load of `benchmarks.service` that has frames of that size."""
SMALLEST = {"720p": DOOR_FACE, "1080p": SEAT_FACE}
"""Pixels: the smallest face that its cameras are set to look for."""
FAMILIES = ("opencv", "dlib")
_DECODING, _ENGINE = "decoding", "engine"

Results = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameCosts:
    """Processor time of one frame, seconds of one core."""

    decode_s: float
    """Decoding, and a glance at what it gave."""
    search_s: float
    """Finding faces."""
    face_s: float
    """Each face: landmarks, its chip, its encoding, and with dlib the patches that decide."""
    rest_s: float
    """What Python does around them, one frame at a time in a process: reading, matching, storing, answering."""

    def engine_s(self, faces: float) -> float:
        """Of the face engine, for a frame of which so many faces are encoded."""
        return self.search_s + faces * self.face_s

    def frame_s(self, faces: float) -> float:
        """Of all stages."""
        return self.decode_s + self.engine_s(faces) + self.rest_s


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuCosts:
    """What a frame costs whose networks run on a GPU, seconds."""

    search_s: float
    """Of one core, beside the GPU: scaling the frame, choosing boxes, and waiting, which the driver does busily."""
    face_s: float
    """The same of each face: landmarks and its chip."""
    gpu_search_s: float
    """Of the GPU: the networks, and the way there and back."""
    gpu_face_s: float

    def gpu_s(self, faces: float) -> float:
        """Of the GPU, for a frame of which so many faces are encoded."""
        return self.gpu_search_s + faces * self.gpu_face_s


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuRun:
    """Services that were measured on one machine with one GPU."""

    rate: float
    """Frames a second that they answered."""
    rate_without: float
    """The same of as many services on as many cores without a GPU."""
    services: int
    cores: int
    gpu: str
    frame: tuple[int, int]
    """Width and height of the frames, pixels."""

    @property
    def gain(self) -> float:
        """How many times the frames of the same cores the GPU made of them; less than 1: fewer."""
        return self.rate / self.rate_without

    def rate_of(self, cores: int, gpus: int) -> float:
        """Frames a second of so many such machines as these cores and GPUs make, or of a part of one."""
        return self.rate * min(cores / self.cores, gpus)


def read_results(folder: str = "") -> Results:
    """What a benchmark wrote last; without a folder, `make bench`."""
    results: Results = json.loads((_BENCHMARKS / folder / "results.json").read_text(encoding="utf-8"))
    return results


def read_machines() -> dict[str, Any]:
    """What `python -m benchmarks.scaling.machine` wrote last, by the machines' names."""
    path = _BENCHMARKS / "scaling" / "machines.json"
    machines: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return machines


def frame_costs(
    family: str, size: str, *, engine: Results, service: Results, smallest_face: int | None = None
) -> FrameCosts:
    """What a frame costs with the models of a family, not doubled.

    Args:
        family: one of `FAMILIES`.
        size: one of `SIZES`.
        engine: results of `make bench`: milliseconds of all cores.
        service: results of `python -m benchmarks.service`, with milliseconds of one core.
        smallest_face: pixels that a camera is set to; None: the family's. It counts with the models opencv. Where the
            service was measured with it, the search is what it took there.

    Raises:
        ValueError: the service's results lack a figure.
    """
    cores = int(engine.get("cores", _MADE_ON))
    search_ms, face_ms = _opencv(engine, size, smallest_face) if family == "opencv" else _dlib(engine, size)
    if family == figure(service, "models") and smallest_face == SMALLEST[size]:
        search_ms = _searched_ms(service, size, cores * face_ms) / cores
    stages = figure(service, LOADS[size], "stages_cpu_ms")
    beside = {name: spent for name, spent in stages.items() if name not in (_DECODING, _ENGINE)}
    return FrameCosts(
        decode_s=figure(service, LOADS[size], "stages_cpu_ms", _DECODING) / 1e3,
        search_s=cores * search_ms / 1e3,
        face_s=cores * face_ms / 1e3,
        rest_s=sum(beside.values()) / 1e3,
    )


def gpu_run(machines: Mapping[str, Any]) -> GpuRun:
    """The run of services on a GPU that answered most.

    Args:
        machines: of `python -m benchmarks.scaling.machine`, by name.

    Raises:
        ValueError: none was measured, or none without a GPU beside it.
    """
    without = {
        (run["used"], run["services"], tuple(one["frame"])): run["service_rate"]
        for one in machines.values()
        if not one["gpu"]
        for run in one["runs"]
    }
    runs = [
        GpuRun(
            rate=run["service_rate"],
            rate_without=without[run["used"], run["services"], tuple(one["frame"])],
            services=run["services"],
            cores=run["used"],
            gpu=one["gpu"],
            frame=(one["frame"][0], one["frame"][1]),
        )
        for one in machines.values()
        if one["gpu"]
        for run in one["runs"]
        if (run["used"], run["services"], tuple(one["frame"])) in without
    ]
    if not runs:
        raise ValueError(
            "no services were measured on a GPU, and as many on the same cores without: measure both with"
            " `python -m benchmarks.scaling.machine`"
        )
    return max(runs, key=lambda run: run.rate)


def _searched_ms(service: Results, size: str, face_ms: float) -> float:
    """What the search took of one core in the service: all of its engine's time but that of the faces encoded.

    Raises:
        ValueError: a figure was not measured, or they do not go together.
    """
    load = LOADS[size]
    faces = figure(service, load, "encoded_share") * figure(service, load, "faces_a_frame")
    search_ms = float(figure(service, load, "stages_cpu_ms", _ENGINE) - faces * face_ms)
    if search_ms <= 0:
        raise ValueError(f"{load}: {faces:.1f} faces of {face_ms:.1f} ms take longer than the engine did; measure anew")
    return search_ms


def figure(results: Results, *keys: str, written_by: str = "python -m benchmarks.service") -> Any:
    """A figure of a benchmark's results.

    Args:
        results: all of them.
        keys: the way to it, from the outside in.
        written_by: the command that measures it.

    Raises:
        ValueError: it is not there; the message names it.
    """
    found: Any = results
    for key in keys:
        if not isinstance(found, Mapping) or key not in found:
            raise ValueError(f"the results have no {'.'.join(keys)}: measure it with `{written_by}`")
        found = found[key]
    return found


def settled_share(service: Results) -> float:
    """Of the faces before cameras that look at seats, those that are encoded once all are settled.

    Raises:
        ValueError: as for `figure`.
    """
    return float(figure(service, LOADS["1080p"], "encoded_share"))


def gpu_costs(family: str, size: str, results: Results) -> GpuCosts:
    """What a frame costs with its networks on the GPU that was measured.

    Args:
        family: one of `FAMILIES`.
        size: one of `SIZES`.
        results: of `python -m benchmarks.gpu`.
    """
    took = results["models"][family]["sizes"][size][_BATCH]
    search, whole, faces = took["detect"], took["whole"], took["faces"]
    return GpuCosts(
        search_s=search["processor_ms"] / 1e3,
        face_s=(whole["processor_ms"] - search["processor_ms"]) / faces / 1e3,
        gpu_search_s=search["network_ms"] / 1e3,
        gpu_face_s=(whole["network_ms"] - search["network_ms"]) / faces / 1e3,
    )


def _opencv(engine: Results, size: str, smallest_face: int | None) -> tuple[float, float]:
    """Of the search and of a face: the search costs what its pixels cost, and the hall's other time is its faces'.

    Frames are searched larger than they are, as the hall was, or smaller, as the smallest face wanted asks for; the
    frame of two faces was searched as it was.
    """
    plain = engine["frame_640x480_two_faces_ms"]["default detector"] / (640 * 480)
    search_a_pixel = scale_for(OPENCV.smallest_sought) ** 2 * plain
    hall_width, hall_height = SIZES["1080p"]
    found = engine["hall_faces_found"]["default"]
    faces = found["faces"] + found["others"]
    face_ms = (engine["hall_ms"]["default"] - search_a_pixel * hall_width * hall_height) / faces
    width, height = SIZES[size]
    return scale_for(smallest_face or OPENCV.smallest_sought) ** 2 * plain * width * height, face_ms


def _dlib(engine: Results, size: str) -> tuple[float, float]:
    """Of the search and of a face: the slope of frames with more and more faces, and a frame without its two."""
    by_faces = {int(count): one for count, one in engine["cost_against_faces_720p_ms"].items()}
    whole = {count: one["detect"] + one["align"] + one["encode"] for count, one in by_faces.items()}
    most = max(whole)
    face_ms = (whole[most] - whole[0]) / most
    return engine["cost_against_size_ms"]["dlib"][size] - 2 * face_ms, face_ms


def rows_a_second(register: Results, database: str = "MariaDB") -> float:
    """Rows of a register that the database takes a second, in transactions of 500."""
    one = register["databases"][database]["changes"]["closing a session of 500"]
    return float(one["rows"] / one["ms"] * 1e3)
