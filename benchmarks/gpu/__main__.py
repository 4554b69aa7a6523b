"""`python -m benchmarks.gpu`: what the face engine does on an NVIDIA GPU, and whether it decides as on the processor.

It needs onnxruntime-gpu in place of onnxruntime. It writes results.json beside this file, from which
`python -m benchmarks.document` fills docs/performance.md, and which docs/scaling.md reckons with. Without a GPU it runs
the GPU's graph of dlib's detector on the CPU provider, compares it with the engine's own answers, and says so.
"""

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.detection.frame_detector import FrameDetector
from attendance.face_engine.interface import Image, ModelError
from attendance.face_engine.models.dlib_file import read_network
from attendance.face_engine.models.weights import CNN_DETECTOR, weights_file
from attendance.face_engine.runtimes.runtime import start_runtime
from attendance.settings.families import Family
from benchmarks import costs
from benchmarks.gpu.device import driver, gpu_in_use
from benchmarks.gpu.measuring import FACES, SIZES, engine_of, measure
from benchmarks.gpu.table import tables
from benchmarks.pictures import crowd, face_pictures, shrink, two_face_frames

RESULTS = Path(__file__).with_name("results.json")
FAMILIES = (Family.OPENCV, Family.DLIB)
_PIXELS = 2_000_000
"""Of the largest picture on which decisions are compared."""


def main() -> None:
    """Measure on the GPU, or prove the graph on the CPU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtime", default="cuda", choices=["cuda", "tensorrt"])
    parser.add_argument("--processor", default="openvino", choices=["openvino", "onnxruntime"], help="beside it")
    parser.add_argument("--json", type=Path, default=RESULTS, help="write here")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="face_recognition_models")
    try:
        start_runtime(options.runtime)
    except ModelError as error:
        print(f"No GPU to measure on: {error}")
        own = AcceleratedEngine(precision="fp32", runtime=options.processor)
        prove(own, two_face_frames(own))
        return
    results = _measured(options.runtime, options.processor)
    options.json.write_text(json.dumps(rounded(results), indent=1) + "\n", encoding="utf-8")
    print(tables(results))


def _measured(runtime: str, processor: str) -> dict[str, Any]:
    own = AcceleratedEngine(precision="fp32", runtime=processor)
    width, height = SIZES["1080p"]
    frame = crowd(own, FACES, width=width, height=height)
    pictures = [*(shrink(one, _PIXELS) for one in face_pictures().values()), *two_face_frames(own), frame]
    title = start_runtime(runtime).title
    results: dict[str, Any] = {
        **costs.circumstances(), "gpu": gpu_in_use(), "driver": driver(), "runtime": f"{title}, {runtime}",
        "beside": processor, "faces_a_frame": FACES, "models": {},
    }  # fmt: skip
    for family in FAMILIES:
        print(f"models {family}", flush=True)
        results["models"][str(family)] = measure(family, runtime, engine_of(family, processor), pictures, frame)
    return results


def prove(own: AcceleratedEngine, frames: list[Image]) -> None:
    """Compare the GPU's graph of dlib's detector, run on ONNX Runtime's CPU provider, with the engine's own answers."""
    runtime = start_runtime("onnxruntime")
    network = read_network(weights_file(CNN_DETECTOR))
    detector = FrameDetector(lambda model: runtime.load(model, precision="fp32"), network, work_pixels=20_000_000)
    for upsample in (0, 1):
        ours, theirs = own.detect(frames, upsample=upsample), detector.detect(frames, upsample)
        same = all(np.array_equal(one.boxes, other.boxes) for one, other in zip(ours, theirs, strict=True))
        apart = max(float(np.abs(a.scores - b.scores).max()) for a, b in zip(ours, theirs, strict=True))
        print(
            f"The GPU's graph on {runtime.title}, CPU, upsample {upsample}: the same boxes: {same}; scores: {apart:.1e}"
        )
        if not same:
            raise SystemExit("the graph decides otherwise")


def rounded(value: Any) -> Any:
    """Numbers to six digits that count."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
