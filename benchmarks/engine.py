"""`python -m benchmarks.engine` (`make bench`): this engine beside face_recognition on the same frames in one run.

It writes benchmarks/results.json, and the plot of docs/performance.md.
"""

import argparse
import json
import os
import statistics
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.faces import find_faces
from attendance.face_engine.interface import Image
from benchmarks import costs, small_faces
from benchmarks.pictures import two_face_frames
from benchmarks.plot import draw_costs
from benchmarks.timing import median_ratio, rounds

RESULTS = Path(__file__).with_name("results.json")
PLOT = Path(__file__).parents[1] / "docs" / "pictures" / "cost-against-size.svg"
TARGETS = {
    "pipeline_ratio_fp32": ("at least", 30.0),
    "pipeline_ratio_default": ("at least", 70.0),
    "detector_time_over_hog": ("at most", 1.0),
}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of pairs (default 5)")
    parser.add_argument("--quick", action="store_true", help="the three ratios only")
    options = parser.parse_args()
    engines = {"fp32": AcceleratedEngine(precision="fp32"), "default": AcceleratedEngine()}
    for name, engine in engines.items():
        print(f"{name}: {engine.info.runtime}, {engine.info.device}, {engine.info.precision}")
    print(f"Load of the machine before: {os.getloadavg()[0]:.2f}", flush=True)
    frames = two_face_frames(engines["fp32"])
    results = _ratios(engines, frames, options.rounds)
    if not options.quick:
        results |= _details(engines, frames)
        draw_costs(results["cost_against_size_ms"], PLOT)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        print(f"Written: {RESULTS.name}, {PLOT.name}")


def _ratios(engines: dict[str, AcceleratedEngine], frames: list[Image], count: int) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import face_recognition  # noqa: PLC0415 - warns when imported

    def theirs(frame: Image) -> None:
        places = face_recognition.face_locations(frame, number_of_times_to_upsample=0, model="cnn")
        face_recognition.face_encodings(frame, places, model="small")

    frame = frames[0]
    works: dict[str, tuple[Any, int]] = {
        "face_recognition CNN": (lambda: theirs(frame), 1),
        "fp32": (lambda: find_faces(engines["fp32"], [frame], upsample=0), 15),
        "default": (lambda: find_faces(engines["default"], [frame], upsample=0), 31),
        "HOG detector": (lambda: face_recognition.face_locations(frame, 0, model="hog"), 9),
        "default detector": (lambda: engines["default"].detect([frame], upsample=0), 31),
    }
    print(f"One decoded 640 x 480 frame with two faces, {count} rounds", flush=True)
    measured = rounds(works, count)
    times = {name: 1e3 * statistics.median(one[name] for one in measured) for name in works}
    for name, value in times.items():
        print(f"  {name:<24} {value:9.2f} ms")
    ratios = {
        "pipeline_ratio_fp32": median_ratio(measured, "face_recognition CNN", "fp32"),
        "pipeline_ratio_default": median_ratio(measured, "face_recognition CNN", "default"),
        "detector_time_over_hog": median_ratio(measured, "default detector", "HOG detector"),
    }
    for name, value in ratios.items():
        kind, target = TARGETS[name]
        held = value >= target if kind == "at least" else value <= target
        print(f"{name:<24} {value:7.2f}   {kind} {target:g}: {'reached' if held else 'NOT REACHED'}")
    return {
        **{name: round(value, 3) for name, value in ratios.items()},
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": costs.processor(),
        "load_before": round(os.getloadavg()[0], 2),
        "precision_default": engines["default"].info.precision,
        "frame_640x480_two_faces_ms": {name: round(value, 3) for name, value in times.items()},
    }


def _details(engines: dict[str, AcceleratedEngine], frames: list[Image]) -> dict[str, Any]:
    frame = frames[0]
    rate = costs.matrix_rate()
    details: dict[str, Any] = {"fp32_matrix_rate_gmac_s": rate / 1e9}
    for name, engine in engines.items():
        parts = costs.steps(engine, frame)
        share = costs.detector_operations(640, 480) / (parts["detect"] / 1e3) / rate
        details[f"steps_{name}_ms"] = parts
        details[f"detector_share_of_fp32_matrix_rate_{name}"] = share
    details["cost_against_size_ms"] = {name: costs.against_size(engine, frame) for name, engine in engines.items()}
    details["cost_against_batch_ms_a_frame"] = {
        name: costs.against_batch(engine, frame) for name, engine in engines.items()
    }
    details["cost_against_faces_720p_ms"] = costs.against_faces(engines["default"])
    details["peak_memory_1080p_mib"] = costs.peak_memory()
    details["seconds_to_first_answer"] = costs.time_to_first_answer()
    details["small_faces"] = small_faces.measure(engines["default"])
    _print(details)
    return _rounded(details)


def _print(details: dict[str, Any], indent: str = "") -> None:
    for name, value in details.items():
        if isinstance(value, dict):
            print(f"{indent}{name}")
            _print(value, indent + "  ")
        else:
            print(f"{indent}{name:<40} {value:10.2f}" if isinstance(value, float) else f"{indent}{name}: {value}")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return round(value, 3) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
