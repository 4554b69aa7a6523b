"""The detector in 8-bit integers, for processors that multiply those faster than anything else.

Weights are rounded by filter and activations by layer, with the ranges that `python -m benchmarks.calibrate` found and
wrote to int8_ranges.json. The last convolution stays in float32: it costs little and makes the score.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from attendance.face_engine.interface import ModelError
from attendance.face_engine.models.dlib_file import Network
from attendance.face_engine.models.onnx_export import DETECTOR_CONVOLUTIONS, GraphBuilder, detector_parameters

RANGES = Path(__file__).with_name("int8_ranges.json")
_LEVELS = 255
_LARGEST_WEIGHT = 127


def export_int8_detector(network: Network) -> bytes:
    """The detector with quantised convolutions; inputs and outputs as those of `onnx_export.export_detector`.

    Raises:
        ModelError: the network is not dlib's face detector, or not the one the ranges were measured on.
    """
    known = json.loads(RANGES.read_text(encoding="utf-8"))
    if known["weights_sha256"] != network.file.sha256:
        raise ModelError(
            f"{network.file.name}: the 8-bit ranges were measured on other weights: choose another precision, "
            "or run `python -m benchmarks.calibrate`"
        )
    graph = GraphBuilder("dlib-mmod-detector-int8")
    value = graph.node("Transpose", "tile", perm=[0, 3, 1, 2])
    parameters = detector_parameters(network)
    for index, ((weights, bias), (_, side, stride, padding)) in enumerate(
        zip(parameters, DETECTOR_CONVOLUTIONS, strict=True)
    ):
        last = index == len(parameters) - 1
        attributes: dict[str, Any] = {"kernel_shape": [side, side], "strides": [stride, stride], "pads": [padding] * 4}
        if last:
            graph.node("Conv", value, graph.constant(weights), graph.constant(bias), output="scores", **attributes)
            break
        value = _round_activations(graph, value, *known["ranges"][index])
        rounded = _round_weights(graph, weights)
        value = graph.node("Relu", graph.node("Conv", value, rounded, graph.constant(bias), **attributes))
    return graph.model(
        [helper.make_tensor_value_info("tile", TensorProto.FLOAT, ["n", "height", "width", 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 1, "rows", "columns"])],
    )


def _round_activations(graph: GraphBuilder, value: str, low: float, high: float) -> str:
    """Round to 256 levels between two bounds, of which zero is one exactly."""
    scale = (high - low) / _LEVELS
    zero = round(-low / scale)
    constants = (graph.constant(np.array(scale, np.float32)), graph.constant(np.array(zero, np.uint8)))
    return graph.node("DequantizeLinear", graph.node("QuantizeLinear", value, *constants), *constants)


def _round_weights(graph: GraphBuilder, weights: NDArray[np.float32]) -> str:
    """Round each filter to -127 to 127 times a scale of its own."""
    scales = np.abs(weights).reshape(len(weights), -1).max(axis=1) / _LARGEST_WEIGHT
    rounded = np.rint(weights / scales[:, None, None, None]).astype(np.int8)
    return graph.node(
        "DequantizeLinear",
        graph.constant(rounded),
        graph.constant(scales.astype(np.float32)),
        graph.constant(np.zeros(len(scales), np.int8)),
        axis=0,
    )
