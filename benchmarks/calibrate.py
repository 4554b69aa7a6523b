"""`python -m benchmarks.calibrate`: the ranges of the detector's activations, for its 8-bit form.

It measures them on a few of the demo's pictures, which no test of 8-bit decisions uses; then how far 8-bit and bfloat16
scores are from float32's on all the others: the margins of `attendance.face_engine.accelerated` are about twice that.
"""

import json

import numpy as np
import onnx
from onnx import TensorProto, helper

from attendance.face_engine.detection.pyramid import tile_layout
from attendance.face_engine.detection.refinement import CLEAR_SCORE
from attendance.face_engine.detection.tile_detector import DetectorGeometry
from attendance.face_engine.detection.tiles import fill_tile
from attendance.face_engine.interface import Image
from attendance.face_engine.models.dlib_file import Network, read_network
from attendance.face_engine.models.onnx_export import export_detector
from attendance.face_engine.models.quantisation import RANGES, export_int8_detector
from attendance.face_engine.models.weights import CNN_DETECTOR, weights_file
from attendance.face_engine.runtimes.runtime import start_runtime
from benchmarks.pictures import face_pictures, shrink

CALIBRATION_PICTURES = ("biden.jpg", "obama2.jpg", "Tom_Hanks_54745.png")
_PIXELS = (300_000, 120_000, 50_000)
_NEAR = -0.4


def main() -> None:
    """Measure ranges, write them, measure errors, print them."""
    network = read_network(weights_file(CNN_DETECTOR))
    pictures = face_pictures()
    chosen = [shrink(pictures[name], pixels) for name in CALIBRATION_PICTURES for pixels in _PIXELS]
    ranges = measure_ranges(network, chosen)
    written = {"weights_sha256": network.file.sha256, "pictures": CALIBRATION_PICTURES, "ranges": ranges}
    RANGES.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    # Copies of the chosen pictures beside the repository are recognised by their size.
    sizes = {pictures[name].shape for name in CALIBRATION_PICTURES}
    others = [image for image in pictures.values() if image.shape not in sizes]
    _print_errors(network, [shrink(image, pixels) for image in others for pixels in _PIXELS])


def measure_ranges(network: Network, images: list[Image]) -> list[list[float]]:
    """Smallest and largest value that goes into each quantised convolution."""
    model = onnx.load_model_from_string(export_detector(network))
    inputs = [node.input[0] for node in model.graph.node if node.op_type == "Conv"][:-1]
    ranges = [[0.0, 0.0] for _ in inputs]
    for place, name in enumerate(inputs):
        del model.graph.output[:]
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "c", "h", "w"]))
        session = start_runtime("openvino").load(model.SerializeToString(), precision="fp32")
        for image in images:
            values = session.run(_tile(network, image))
            low, high = ranges[place]
            ranges[place] = [min(low, float(values.min())), max(high, float(values.max()))]
    return ranges


def _print_errors(network: Network, images: list[Image]) -> None:
    runtime = start_runtime("openvino")
    graph = export_detector(network)
    exact = runtime.load(graph, precision="fp32")
    inexact = {
        "bf16": runtime.load(graph, precision="bf16"),
        "int8": runtime.load(export_int8_detector(network), precision="int8"),
    }
    exact_scores: list[np.ndarray] = []
    apart: dict[str, list[np.ndarray]] = {name: [] for name in inexact}
    for image in images:
        tile = _tile(network, image)
        scores = exact.run(tile)
        exact_scores.append(scores[scores > _NEAR])
        for name, session in inexact.items():
            apart[name].append(np.abs(session.run(tile) - scores)[scores > _NEAR])
    clear = np.concatenate(exact_scores) > CLEAR_SCORE
    for name, parts in apart.items():
        errors = np.concatenate(parts)
        print(
            f"{name}: {len(errors)} windows; worst error of unclear scores {errors[~clear].max():.4f}, "
            f"of clear ones {errors[clear].max():.4f}"
        )


def _tile(network: Network, image: Image) -> np.ndarray:
    layout = tile_layout(image.shape[1], image.shape[0])
    tile = np.zeros((1, layout.height, layout.width, 3), np.float32)
    fill_tile(image, layout, DetectorGeometry.of(network).means, tile[0])
    return tile


if __name__ == "__main__":
    main()
