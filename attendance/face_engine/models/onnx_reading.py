"""Reading ONNX files whose weights may be block-quantised: their nodes, and every constant in float32.

The OpenCV Zoo's "int8bq" files hold 8-bit weights with a scale and a zero point for each block of values
(`DequantizeLinear` with `block_size`, ONNX operator set 21), which inference runtimes refuse. Undone, they are ordinary
weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from attendance.face_engine.interface import ModelError


@dataclass(frozen=True, slots=True)
class Node:
    """One step of a network that computes something of its input, not of constants alone."""

    operator: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Graph:
    """A network: its steps in order, and its constants by name."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, NDArray[Any]]


def read_graph(name: str, contents: bytes) -> Graph:
    """Read an ONNX file.

    Args:
        name: of the file, for messages.
        contents: its bytes.

    Raises:
        ModelError: it is no ONNX model, or its weights are packed in a way that is not known here.
    """
    try:
        graph = onnx.load_model_from_string(contents).graph
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        nodes: list[Node] = []
        for entry in graph.node:
            node = _node(entry)
            if all(one in constants for one in node.inputs if one):
                constants[node.output] = _constant(node, constants)
            else:
                nodes.append(node)
    except ModelError:
        raise
    except Exception as error:  # protobuf's, ONNX's and numpy's errors have no common root
        raise ModelError(f"{name}: this is no ONNX model, or it is cut short: {error}") from error
    return Graph(tuple(nodes), constants)


def _node(entry: onnx.NodeProto) -> Node:
    attributes = {one.name: helper.get_attribute_value(one) for one in entry.attribute}
    return Node(entry.op_type, tuple(entry.input), entry.output[0], attributes)


def _constant(node: Node, constants: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    given = [constants[one] for one in node.inputs]
    if node.operator == "Constant":
        return np.asarray(numpy_helper.to_array(node.attributes["value"]))
    if node.operator == "Reshape":
        return given[0].reshape(given[1])
    if node.operator == "DequantizeLinear":
        return dequantise(*given, axis=node.attributes.get("axis", 1), block=node.attributes.get("block_size", 0))
    raise ModelError(f"weights made by {node.operator} are not known here")


def dequantise(
    quantised: NDArray[Any], scales: NDArray[np.float32], zeros: NDArray[Any], *, axis: int, block: int
) -> NDArray[np.float32]:
    """Undo block quantisation: (value - zero) * scale (ONNX, operator DequantizeLinear, version 21).

    Args:
        quantised: any shape.
        scales: the same shape, but as many along `axis` as there are blocks.
        zeros: the shape of `scales`.
        axis: along which the blocks lie.
        block: how many values share a scale; the last block may be shorter.
    """
    if block:
        scales, zeros = (
            np.repeat(one, block, axis=axis).take(range(quantised.shape[axis]), axis=axis) for one in (scales, zeros)
        )
    return ((quantised.astype(np.float32) - zeros.astype(np.float32)) * scales).astype(np.float32)
