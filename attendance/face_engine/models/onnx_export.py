"""dlib's two networks as ONNX graphs, batch normalisation folded into the convolutions.

Batches are of any length and the detector's tile of any sides, so one file of each serves every resolution.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from attendance.face_engine.interface import ModelError
from attendance.face_engine.models.dlib_file import Layer, Network
from attendance.face_engine.models.weights import CHIP_SIDE, ENCODING_SIZE

EXPORT_VERSION = 1
"""Part of the names of cached graphs: raise it whenever an export changes."""
EXPORT_SHA256 = {
    "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6": (
        "98c72db57dee7e0b3e0c2b2762221263e2498a6d1640b19990c5315d7af01110"
    ),
    "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30": (
        "f8635aac2fc44f118691a83db5385b305e014bf64b0325ede90106d01fde6d52"
    ),
}
"""What the exports give for the weights that face_recognition_models carries, by the SHA-256 of those."""
OPSET = 17
"""ONNX operator set of all graphs; every runtime the engine knows reads it."""
IR_VERSION = 10
_BATCH_NORM_EPSILON = 1e-4
"""`DEFAULT_BATCH_NORM_EPS` of dlib."""
_BLOCK_PADDING = 1

DETECTOR_CONVOLUTIONS = ((16, 5, 2, 0), (32, 5, 2, 0), (32, 5, 2, 0), *((45, 5, 1, 2),) * 3, (1, 9, 1, 4))
"""Filters, side, stride and padding of the detector's convolutions, in order from the input."""
ENCODER_BLOCKS: tuple[tuple[int, int], ...] = (
    *((32, 1),) * 3,
    (64, 2),
    *((64, 1),) * 3,
    (128, 2),
    *((128, 1),) * 2,
    (256, 2),
    *((256, 1),) * 2,
    (256, 2),
)
"""Filters and first stride of the encoder's residual blocks, in order from the input."""
PIXEL_SCALE = 256
"""dlib divides pixel values by this after taking their means away."""


class GraphBuilder:
    """Collects the nodes and constants of an ONNX graph; names are made up."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, values: NDArray[np.generic]) -> str:
        """A constant; returns its name."""
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """A node with one output; returns the output's name."""
        output = output or f"v{len(self._nodes)}"
        self._nodes.append(
            helper.make_node(operator, list(inputs), [output], name=f"n{len(self._nodes)}", **attributes)
        )
        return output

    def model(self, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]) -> bytes:
        """The finished graph, checked by ONNX and serialised."""
        graph = helper.make_graph(self._nodes, self.name, inputs, outputs, self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(model)
        serialised: bytes = model.SerializeToString()
        return serialised


def export_detector(network: Network) -> bytes:
    """The detector: tile, float32 (n, height, width, 3), to raw scores, float32 (n, 1, rows, columns).

    The tile holds pixel values less their means; dlib's division by 256 is in the first weights, where it is exact.

    Raises:
        ModelError: the network is not dlib's face detector.
    """
    graph = GraphBuilder("dlib-mmod-detector")
    append_detector(graph, network, graph.node("Transpose", "tile", perm=[0, 3, 1, 2]))
    return graph.model(
        [helper.make_tensor_value_info("tile", TensorProto.FLOAT, ["n", "height", "width", 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 1, "rows", "columns"])],
    )


def append_detector(graph: GraphBuilder, network: Network, tile: str) -> None:
    """Add the detector's layers to a graph, from a tile in NCHW order to the output "scores".

    Raises:
        ModelError: the network is not dlib's face detector.
    """
    value = tile
    parameters = detector_parameters(network)
    for index, (weights, (_, _, stride, padding)) in enumerate(zip(parameters, DETECTOR_CONVOLUTIONS, strict=True)):
        last = index == len(parameters) - 1
        value = _convolve(graph, value, weights, stride, padding, output="scores" if last else None)
        if not last:
            value = graph.node("Relu", value)


def detector_parameters(network: Network) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Weights and bias of the detector's convolutions for pixel values less their means, normalisation folded in.

    Raises:
        ModelError: the network is not dlib's face detector.
    """
    _require(network, "loss_mmod_", "input_rgb_image_pyramid", "face detector (mmod_human_face_detector.dat)")
    layers = _Layers(network)
    parameters = []
    for index, shape in enumerate(DETECTOR_CONVOLUTIONS):
        last = index == len(DETECTOR_CONVOLUTIONS) - 1
        weights, bias = layers.convolution(*shape, normalised=not last)
        parameters.append((weights / np.float32(PIXEL_SCALE) if index == 0 else weights, bias))
        if not last:
            layers.next("relu_")
    layers.finish()
    return parameters


def export_encoder(network: Network) -> bytes:
    """The encoder: chips, uint8 (n, 150, 150, 3) RGB, to encodings, float32 (n, 128).

    Raises:
        ModelError: the network is not dlib's face encoder.
    """
    title = "face encoder (dlib_face_recognition_resnet_model_v1.dat)"
    _require(network, "loss_metric_2", "input_rgb_image_sized", title)
    layers = _Layers(network)
    graph = GraphBuilder("dlib-resnet-v1")
    value = normalise(graph, "chips", network.means)
    value = graph.node("Relu", _convolve(graph, value, layers.convolution(32, 7, 2, 0), 2, 0))
    layers.next("relu_")
    layers.next("max_pool_2")
    value = graph.node("MaxPool", value, kernel_shape=[3, 3], strides=[2, 2])
    # 150 pixels: 72 after the first convolution, 35 after the pool.
    side, channels = 35, 32
    for filters, stride in ENCODER_BLOCKS:
        value, side = _residual_block(graph, layers, value, (side, channels), (filters, stride))
        channels = filters
    layers.next("avg_pool_2")
    value = graph.node("Flatten", graph.node("GlobalAveragePool", value))
    matrix = layers.next("fc_2").tensors[0].reshape(channels, ENCODING_SIZE)
    graph.node("MatMul", value, graph.constant(matrix), output="encodings")
    layers.finish()
    return graph.model(
        [helper.make_tensor_value_info("chips", TensorProto.UINT8, ["n", CHIP_SIDE, CHIP_SIDE, 3])],
        [helper.make_tensor_value_info("encodings", TensorProto.FLOAT, ["n", ENCODING_SIZE])],
    )


def normalise(graph: GraphBuilder, images: str, means: tuple[float, ...]) -> str:
    """Pixels, uint8 (n, height, width, 3), to (value - mean) / 256, float32 (n, 3, height, width)."""
    value = graph.node("Cast", images, to=TensorProto.FLOAT)
    value = graph.node("Transpose", value, perm=[0, 3, 1, 2])
    value = graph.node("Sub", value, graph.constant(np.array(means, np.float32).reshape(1, 3, 1, 1)))
    return graph.node("Mul", value, graph.constant(np.array(1 / PIXEL_SCALE, np.float32)))


def _residual_block(
    graph: GraphBuilder, layers: "_Layers", value: str, shape: tuple[int, int], block: tuple[int, int]
) -> tuple[str, int]:
    """One block on a value of (side, channels); returns its output and the output's side."""
    (side, channels), (filters, stride) = shape, block
    padding = _BLOCK_PADDING if stride == 1 else 0
    inner = graph.node(
        "Relu", _convolve(graph, value, layers.convolution(filters, 3, stride, padding), stride, padding)
    )
    layers.next("relu_")
    inner = _convolve(graph, inner, layers.convolution(filters, 3, 1, _BLOCK_PADDING), 1, _BLOCK_PADDING)
    inner_side = side
    shortcut, shortcut_side = value, side
    if stride != 1:
        layers.next("avg_pool_2")
        shortcut = graph.node("AveragePool", value, kernel_shape=[2, 2], strides=[2, 2])
        inner_side, shortcut_side = (side - 3) // 2 + 1, (side - 2) // 2 + 1
    layers.next("add_prev_")
    layers.next("relu_")
    # Where sides or channels differ dlib takes the larger and counts what is missing as zero.
    larger = max(inner_side, shortcut_side)
    inner = _pad(graph, inner, 0, larger - inner_side)
    shortcut = _pad(graph, shortcut, filters - channels, larger - shortcut_side)
    return graph.node("Relu", graph.node("Add", inner, shortcut)), larger


def _pad(graph: GraphBuilder, value: str, channels: int, sides: int) -> str:
    if channels == 0 and sides == 0:
        return value
    amounts = np.array([0, 0, 0, 0, 0, channels, sides, sides], np.int64)
    return graph.node("Pad", value, graph.constant(amounts))


def _convolve(
    graph: GraphBuilder,
    value: str,
    parameters: tuple[NDArray[np.float32], NDArray[np.float32]],
    stride: int,
    padding: int,
    *,
    output: str | None = None,
) -> str:
    weights, bias = parameters
    return graph.node(
        "Conv",
        value,
        graph.constant(weights),
        graph.constant(bias),
        output=output,
        kernel_shape=list(weights.shape[2:]),
        strides=[stride, stride],
        pads=[padding] * 4,
    )


def _require(network: Network, loss: str, input_kind: str, title: str) -> None:
    if (network.loss, network.input_kind) != (loss, input_kind):
        raise ModelError(f"{network.file.name}: this is not dlib's {title}: it has {network.loss}/{network.input_kind}")


class _Layers:
    """The layers of a network in order, each checked to be what the architecture says."""

    def __init__(self, network: Network) -> None:
        self._file = network.file.name
        self._layers = network.layers
        self._next = 0

    def next(self, *kinds: str) -> Layer:
        """The next layer, which must be of one of `kinds`."""
        if self._next >= len(self._layers):
            raise self._error("ends")
        layer = self._layers[self._next]
        if layer.kind not in kinds:
            raise self._error(f"has {layer.kind}")
        self._next += 1
        return layer

    def convolution(
        self, filters: int, side: int, stride: int, padding: int, *, normalised: bool = True
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weights (filters, channels, side, side) and bias (filters,) with the normalisation that follows folded in."""
        layer = self.next("con_4")
        if layer.numbers != (filters, side, side, stride, stride, padding, padding):
            raise self._error(f"has a convolution of {layer.numbers}")
        parameters = layer.tensors[0].reshape(-1).astype(np.float64)
        weights, bias = parameters[:-filters].reshape(filters, -1, side, side), parameters[-filters:]
        if normalised:
            scale, shift = self._scale_and_shift(filters)
            weights, bias = weights * scale[:, None, None, None], bias * scale + shift
        return weights.astype(np.float32), bias.astype(np.float32)

    def finish(self) -> None:
        """Check that no layer is left."""
        if self._next != len(self._layers):
            raise self._error(f"goes on with {self._layers[self._next].kind}")

    def _scale_and_shift(self, filters: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        layer = self.next("affine_", "bn_con2")
        gamma, beta = layer.tensors[0].reshape(2, filters).astype(np.float64)
        if layer.kind == "affine_":
            return gamma, beta
        means, variances = (tensor.reshape(filters).astype(np.float64) for tensor in layer.tensors[3:5])
        scale = gamma / np.sqrt(variances + _BATCH_NORM_EPSILON)
        return scale, beta - means * scale

    def _error(self, what: str) -> ModelError:
        return ModelError(f"{self._file}: the network {what} at layer {self._next + 1}, where its architecture differs")
