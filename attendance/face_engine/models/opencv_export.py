"""YuNet and SFace as plain float32 ONNX graphs that take bytes, of any number and (YuNet) of any size.

The Zoo's files fix the batch at one and the frame at 640 x 640. Here each network is written anew from its weights, so
that the float32 file and the block-quantised file give graphs of one shape, which is checked on the way.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from attendance.face_engine.interface import ModelError
from attendance.face_engine.models.onnx_export import GraphBuilder
from attendance.face_engine.models.onnx_reading import Graph, Node, read_graph

OPENCV_EXPORT_VERSION = 1
"""Part of the names of cached graphs: raise it whenever an export changes."""
STRIDES = (8, 16, 32)
"""Pixels between the anchors of YuNet's three levels."""
HEADS = (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
"""YuNet's outputs at each level, and how many numbers each gives an anchor; the rows of the export, in order."""
SFACE_SIDE = 112
"""Pixels; the side of SFace's input."""
SFACE_SIZE = 128
"""Numbers in one of SFace's encodings."""


def export_yunet(name: str, contents: bytes) -> bytes:
    """YuNet: frames, uint8 (n, height, width, 3) RGB, to anchors, float32 (n, 16, anchors).

    Sides must be multiples of 32. The rows of an anchor are those of `HEADS`; `cls` and `obj` are sigmoids. Anchors
    stand level by level (`STRIDES`), in each row by row.

    Args:
        name: of the file, for messages.
        contents: of either of the Zoo's files.

    Raises:
        ModelError: it is not YuNet.
    """
    source = read_graph(name, contents)
    graph = GraphBuilder("yunet-2023mar")
    values = {_only_input(name, source): _as_float(graph, "frames")}
    ends: dict[str, str] = {}
    first = True
    for node in source.nodes:
        value = values.get(node.inputs[0])
        if value is None:
            _refuse(name, node)
        if node.operator == "Conv":
            values[node.output] = _convolve(graph, source, node, value, reverse_channels=first)
            first = False
        elif node.operator in ("Transpose", "Reshape", "Sigmoid"):
            # The heads' last steps, which fix the frame's size; the export's own follow below.
            values[node.output] = ends[node.output] = value
        else:
            values[node.output] = _yunet_step(name, graph, source, node, [values.get(one, "") for one in node.inputs])
    try:
        rows = [_join_levels(graph, [ends[f"{head}_{stride}"] for stride in STRIDES], size) for head, size in HEADS]
    except KeyError as error:
        raise ModelError(f"{name}: this is not YuNet: it has no output {error}") from None
    rows[:2] = [graph.node("Sigmoid", row) for row in rows[:2]]
    graph.node("Concat", *rows, axis=1, output="anchors")
    return graph.model(
        [helper.make_tensor_value_info("frames", TensorProto.UINT8, ["n", "height", "width", 3])],
        [helper.make_tensor_value_info("anchors", TensorProto.FLOAT, ["n", sum(size for _, size in HEADS), "anchors"])],
    )


def export_sface(name: str, contents: bytes) -> bytes:
    """SFace: chips, uint8 (n, 112, 112, 3) RGB, to encodings, float32 (n, 128), not yet scaled to length one.

    Args:
        name: of the file, for messages.
        contents: of either of the Zoo's files.

    Raises:
        ModelError: it is not SFace.
    """
    source = read_graph(name, contents)
    graph = GraphBuilder("sface-2021dec")
    value = _as_float(graph, "chips")
    nodes = [node for node in source.nodes if node.operator != "Dropout"]
    for node, follower in zip(nodes, [*nodes[1:], None], strict=True):
        if node.operator in ("Sub", "Mul"):
            value = graph.node(node.operator, value, graph.constant(source.constants[node.inputs[1]].reshape(1)))
        elif node.operator == "Conv" and follower is not None and follower.operator == "BatchNormalization":
            value = _convolve(graph, source, node, value, normalisation=_normalisation(source, follower))
        elif node.operator == "PRelu":
            value = graph.node("PRelu", value, graph.constant(source.constants[node.inputs[1]].reshape(-1, 1, 1)))
        elif node.operator == "Flatten":
            value = graph.node("Flatten", value)
        elif node.operator not in ("BatchNormalization", "Gemm"):  # those go into the weights beside them
            _refuse(name, node)
    matrix, bias = _last_layer(name, source, nodes)
    graph.node("Add", graph.node("MatMul", value, graph.constant(matrix)), graph.constant(bias), output="encodings")
    return graph.model(
        [helper.make_tensor_value_info("chips", TensorProto.UINT8, ["n", SFACE_SIDE, SFACE_SIDE, 3])],
        [helper.make_tensor_value_info("encodings", TensorProto.FLOAT, ["n", SFACE_SIZE])],
    )


def _last_layer(name: str, source: Graph, nodes: list[Node]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Matrix (inputs, 128) and bias (128,), with the normalisations before and after folded in."""
    kinds = [node.operator for node in nodes[-4:]]
    if kinds != ["BatchNormalization", "Flatten", "Gemm", "BatchNormalization"]:
        raise ModelError(f"{name}: this is not SFace: it ends with {', '.join(kinds)}")
    before, _, layer, after = nodes[-4:]
    weights, bias = (source.constants[one].astype(np.float64) for one in layer.inputs[1:3])
    scale, shift = _normalisation(source, before)
    pixels = weights.shape[1] // len(scale)
    bias = bias + weights @ np.repeat(shift, pixels)
    weights = weights * np.repeat(scale, pixels)
    scale, shift = _normalisation(source, after)
    weights, bias = weights * scale[:, None], bias * scale + shift
    return np.ascontiguousarray(weights.T, np.float32), bias.astype(np.float32)


def _as_float(graph: GraphBuilder, images: str) -> str:
    """Bytes, (n, height, width, 3), to float32 (n, 3, height, width)."""
    return graph.node("Transpose", graph.node("Cast", images, to=TensorProto.FLOAT), perm=[0, 3, 1, 2])


def _convolve(
    graph: GraphBuilder,
    source: Graph,
    node: Node,
    value: str,
    *,
    normalisation: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    reverse_channels: bool = False,
) -> str:
    weights = source.constants[node.inputs[1]].astype(np.float64)
    bias = source.constants[node.inputs[2]] if len(node.inputs) > 2 else np.zeros(len(weights))
    if normalisation is not None:
        scale, shift = normalisation
        weights, bias = weights * scale[:, None, None, None], bias * scale + shift
    if reverse_channels:  # the network was trained on BGR, and is given RGB
        weights = weights[:, ::-1]
    attributes = node.attributes
    return graph.node(
        "Conv",
        value,
        graph.constant(weights.astype(np.float32)),
        graph.constant(bias.astype(np.float32)),
        kernel_shape=list(weights.shape[2:]),
        strides=list(attributes.get("strides", (1, 1))),
        pads=list(attributes.get("pads", (0, 0, 0, 0))),
        group=attributes.get("group", 1),
    )


def _normalisation(source: Graph, node: Node) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale and shift of a batch normalisation."""
    gamma, beta, mean, variance = (source.constants[one].astype(np.float64) for one in node.inputs[1:5])
    scale = gamma / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    return scale, beta - mean * scale


def _yunet_step(name: str, graph: GraphBuilder, source: Graph, node: Node, values: list[str]) -> str:
    attributes: Mapping[str, Any] = node.attributes
    if node.operator in ("Relu", "Add"):
        return graph.node(node.operator, *values)
    if node.operator == "MaxPool":
        return graph.node(
            "MaxPool", values[0], kernel_shape=list(attributes["kernel_shape"]), strides=list(attributes["strides"])
        )
    if node.operator in ("Resize", "Upsample"):
        scales = source.constants.get(node.inputs[-1], np.empty(0))
        if scales.tolist() == [1, 1, 2, 2]:
            return graph.node(
                "Resize",
                values[0],
                "",
                graph.constant(scales.astype(np.float32)),
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
    _refuse(name, node)


def _join_levels(graph: GraphBuilder, levels: list[str], size: int) -> str:
    """One head's maps of all levels as (n, size, anchors)."""
    shape = graph.constant(np.array([0, size, -1], np.int64))
    return graph.node("Concat", *(graph.node("Reshape", level, shape) for level in levels), axis=2)


def _only_input(name: str, source: Graph) -> str:
    made = {node.output for node in source.nodes}
    given = {one for node in source.nodes for one in node.inputs if one and one not in made | source.constants.keys()}
    if len(given) != 1:
        raise ModelError(f"{name}: this is not YuNet: it has the inputs {', '.join(sorted(given))}")
    return given.pop()


def _refuse(name: str, node: Node) -> NoReturn:
    raise ModelError(f"{name}: the network has {node.operator} ({node.output}), where its architecture differs")
