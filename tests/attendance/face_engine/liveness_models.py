"""A small liveness model for tests: what is brighter than 128 is alive, and what is darker a picture."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_model(path: Path, *, classes: int = 3, side: int = 80, levels: float = 0.1) -> Path:
    """Write the model.

    Args:
        path: of the file.
        classes: of its scores; the second grows with brightness, the first falls with it.
        side: pixels of its input.
        levels: what a grey level adds to a score.
    """
    weights = np.zeros((1, classes), np.float32)
    weights[0, :2] = (-levels, levels)[: min(2, classes)]
    bias = -128 * weights[0]
    bias[2:] = -10
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "shape"], ["column"]),
        helper.make_node("MatMul", ["column", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["scores"]),
    ]
    constants = {"shape": np.array([1, 1], np.int64), "weights": weights, "bias": bias.astype(np.float32)}
    graph = helper.make_graph(
        nodes,
        "liveness",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, classes])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))
    return path
