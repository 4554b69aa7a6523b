"""`python -m benchmarks.gpu`: frames a second on an NVIDIA GPU, and where the time goes.

It needs onnxruntime-gpu in place of onnxruntime. Without a GPU it runs the same graph on the CPU provider, compares it
with the engine's own answers, and says so.
"""

import argparse
import importlib
import time

import numpy as np

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.detection.frame_detector import FrameDetector
from attendance.face_engine.detection.pyramid_graph import export_frame_detector
from attendance.face_engine.faces import find_faces
from attendance.face_engine.interface import ModelError
from attendance.face_engine.models.dlib_file import read_network
from attendance.face_engine.models.onnx_export import export_encoder
from attendance.face_engine.models.weights import CNN_DETECTOR, ENCODER, weights_file
from attendance.face_engine.runtimes.runtime import Runtime, start_runtime
from benchmarks.pictures import two_face_frames
from benchmarks.timing import best

TARGET = 5000.0
BATCHES = (1, 8, 32, 64, 128)


def main() -> None:
    """Measure on the GPU, or prove the graph on the CPU."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runtime", default="cuda", choices=["cuda", "tensorrt"])
    options = parser.parse_args()
    own = AcceleratedEngine(precision="fp32", runtime="openvino")
    frames = two_face_frames(own)
    try:
        runtime = start_runtime(options.runtime)
        network = read_network(weights_file(CNN_DETECTOR))
        runtime.load(export_frame_detector(network, 640, 480), precision="fp32")
    except ModelError as error:
        print(f"No GPU to measure on: {error}")
        _prove(own, frames)
        return
    _measure(runtime, frames, own)


def _prove(own: AcceleratedEngine, frames: list[np.ndarray]) -> None:
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


def _measure(runtime: Runtime, frames: list[np.ndarray], own: AcceleratedEngine) -> None:
    precision = runtime.precisions[-1]
    print(f"{runtime.title}, {runtime.device}, {precision}")
    engine = AcceleratedEngine(runtime=runtime.device.rpartition(" ")[2], precision=precision, work_pixels=10**9)
    found = find_faces(engine, frames, upsample=0)
    expected = find_faces(own, frames, upsample=0)
    same = all(
        len(one) == len(other) and all(np.array_equal(a.box, b.box) for a, b in zip(one, other, strict=True))
        for one, other in zip(found, expected, strict=True)
    )
    print(f"The same boxes as on the CPU: {same}")
    session = runtime.load(
        export_frame_detector(read_network(weights_file(CNN_DETECTOR)), 640, 480), precision=precision
    )
    encoder = runtime.load(export_encoder(read_network(weights_file(ENCODER))), precision=precision)
    for count in BATCHES:
        batch = np.stack([frames[place % len(frames)] for place in range(count)])
        chips = np.zeros((2 * count, 150, 150, 3), np.uint8)
        parts = {
            "whole pipeline": best(lambda batch=batch: find_faces(engine, list(batch), upsample=0), times=3),
            "detect": best(lambda batch=batch: engine.detect(list(batch), upsample=0), times=3),
            "network of detect": best(lambda batch=batch: session.run(batch), times=3),
            "network of encode": best(lambda chips=chips: encoder.run(chips), times=3),
        }
        figures = ", ".join(f"{name} {1e3 * value:.1f} ms" for name, value in parts.items())
        print(
            f"batch {count:>4}: {count / parts['whole pipeline']:8.0f} frames/s (aim {TARGET:.0f}); {figures}",
            flush=True,
        )
    _profile_bus(batch)


def _profile_bus(batch: np.ndarray) -> None:
    """How long the frames take to the GPU by themselves."""
    onnxruntime = importlib.import_module("onnxruntime")
    start = time.perf_counter()
    onnxruntime.OrtValue.ortvalue_from_numpy(batch, "cuda", 0)
    print(f"copy of the last batch to the GPU: {1e3 * (time.perf_counter() - start):.1f} ms")


if __name__ == "__main__":
    main()
