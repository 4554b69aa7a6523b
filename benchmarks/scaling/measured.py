"""What a frame costs, stage by stage, from what the other benchmarks measured last."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attendance.face_engine.scaling import scale_for
from attendance.settings.families import OPENCV

_BENCHMARKS = Path(__file__).parents[1]
_MADE_ON = 2
"""Cores on which older results were measured that do not say it."""
_BATCH = "8"
"""Frames in one call on a GPU: the service's usual batch."""
SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
"""Width and height of frames."""
FAMILIES = ("opencv", "dlib")

Results = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameCosts:
    """Processor time of one frame, seconds of one core."""

    decode_s: float
    search_s: float
    """Finding faces."""
    face_s: float
    """Each face: landmarks, its chip, its encoding, and with dlib the patches that decide."""
    rest_s: float
    """What Python does around them, one frame at a time in a process: reading, matching, tracking, answering."""

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


def read_results(folder: str = "") -> Results:
    """What a benchmark wrote last; without a folder, `make bench`."""
    results: Results = json.loads((_BENCHMARKS / folder / "results.json").read_text(encoding="utf-8"))
    return results


def read_machines() -> dict[str, Any]:
    """What `python -m benchmarks.scaling.machine` wrote last, by the machines' names."""
    path = _BENCHMARKS / "scaling" / "machines.json"
    machines: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return machines


def frame_costs(family: str, size: str, *, engine: Results, service: Results, decode_s_a_pixel: float) -> FrameCosts:
    """What a frame costs with the models of a family, not doubled.

    Args:
        family: one of `FAMILIES`.
        size: one of `SIZES`.
        engine: results of `make bench`: milliseconds of all cores.
        service: results of `python -m benchmarks.service`, with milliseconds of one core.
        decode_s_a_pixel: of JPEG, seconds of one core.
    """
    width, height = SIZES[size]
    cores = int(engine.get("cores", _MADE_ON))
    search_ms, face_ms = (_opencv if family == "opencv" else _dlib)(engine, size)
    return FrameCosts(
        decode_s=decode_s_a_pixel * width * height,
        search_s=cores * search_ms / 1e3,
        face_s=cores * face_ms / 1e3,
        rest_s=max(_beside_s(service, decode_s_a_pixel), 0.0),
    )


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


def _beside_s(service: Results, decode_s_a_pixel: float) -> float:
    """What a frame costs in the service beside decoding and the engine."""
    saturation = service["saturation"]
    if "bare_cpu_ms" in saturation:  # of both, measured beside it
        return float(saturation["service_cpu_ms"] - saturation["bare_cpu_ms"]) / 1e3
    width, height = service["frame"]
    beside_s = (saturation["service_cpu_ms"] - saturation["engine_cpu_ms"]) / 1e3
    return float(beside_s - decode_s_a_pixel * width * height)


def _opencv(engine: Results, size: str) -> tuple[float, float]:
    """Of the search and of a face: the search costs what its pixels cost, and the hall's other time is its faces'.

    Frames are searched larger than they are, as the hall was; the frame of two faces was not.
    """
    searched = scale_for(OPENCV.smallest_sought) ** 2
    search_a_pixel = searched * engine["frame_640x480_two_faces_ms"]["default detector"] / (640 * 480)
    hall_width, hall_height = SIZES["1080p"]
    found = engine["hall_faces_found"]["default"]
    faces = found["faces"] + found["others"]
    face_ms = (engine["hall_ms"]["default"] - search_a_pixel * hall_width * hall_height) / faces
    width, height = SIZES[size]
    return search_a_pixel * width * height, face_ms


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
