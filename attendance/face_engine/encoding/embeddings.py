"""What turns aligned faces into encodings: dlib's ResNet, SFace, or an ONNX model of the ArcFace family."""

import hashlib
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray

from attendance.face_engine.encoding.alignment import ARCFACE_SIDE
from attendance.face_engine.interface import ModelError, ModelFile
from attendance.face_engine.models.cache import read_model
from attendance.face_engine.models.opencv_export import SFACE_SIDE, SFACE_SIZE
from attendance.face_engine.models.opencv_files import SFACE_MODEL
from attendance.face_engine.models.weights import CHIP_SIDE, ENCODER_MODEL, ENCODING_SIZE
from attendance.face_engine.runtimes.runtime import Runtime, Session, at_once, run_each

MOST_CHIPS = 64
"""Faces in one call of a network; more gain nothing and cost memory."""
_MOST_SFACE_CHIPS = 8
"""The same for SFace on a CPU: measured, 4 to 8 are the cheapest a face."""
_FIRST_NODES = 8
"""Where insightface's `ArcFaceONNX` looks for a normalisation inside the model."""
_PIXEL_CENTRE = 127.5
_FOUR = 4


class Embedder(Protocol):
    """Encodes aligned faces."""

    @property
    def name(self) -> str:
        """The model's name, which galleries remember."""

    @property
    def side(self) -> int:
        """Of the chips, pixels."""

    @property
    def size(self) -> int:
        """Length of an encoding."""

    def encode(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encodings, float32 (n, size), of checked chips, uint8 (n, side, side, 3)."""


class DlibEmbedder:
    """dlib's ResNet: 150 x 150 pixels to 128 numbers."""

    name = ENCODER_MODEL
    side = CHIP_SIDE
    size = ENCODING_SIZE

    def __init__(self, session: Session) -> None:
        """Use a session of `onnx_export.export_encoder`."""
        self._session = session

    def encode(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode; see `Embedder.encode`."""
        return _in_parts(self._session, chips, self.size, together=MOST_CHIPS)


class SFaceEmbedder:
    """SFace: 112 x 112 pixels to 128 numbers of length one (Zhong et al., "SFace", IEEE TIP 2021)."""

    name = SFACE_MODEL
    side = SFACE_SIDE
    size = SFACE_SIZE

    def __init__(self, session: Session, *, together: int = _MOST_SFACE_CHIPS) -> None:
        """Use a session of `opencv_export.export_sface`; `together`: most faces in one call of it."""
        self._session = session
        self._together = together

    def encode(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode; see `Embedder.encode`."""
        return _of_length_one(_in_parts(self._session, chips, self.size, together=self._together))


class ArcFaceEmbedder:
    """An ONNX model of the ArcFace family: 112 x 112 pixels to (mostly) 512 numbers of length one."""

    side = ARCFACE_SIDE

    def __init__(self, path: Path, runtime: Runtime, *, precision: str) -> None:
        """Load the model.

        Args:
            path: the ONNX file.
            runtime: runs it.
            precision: one of the runtime's.

        Raises:
            ModelError: the file is missing, no ONNX model, or has other inputs and outputs than the family's.
        """
        contents = read_model(path)
        digest = hashlib.sha256(contents).hexdigest()
        self.file = ModelFile(path.name, digest)
        self.name = f"{path.stem}-{digest[:12]}"
        self._batches, self.size, self._normalise = _inspect(path, contents)
        self._session = runtime.load(contents, precision=precision)

    def encode(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode; see `Embedder.encode`. Encodings are scaled to length one, so that distances mean the same."""
        together = MOST_CHIPS if self._batches else 1
        encodings = _in_parts(self._session, chips, self.size, together=together, prepare=self._prepared)
        return _of_length_one(encodings)

    def _prepared(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = chips.astype(np.float32)
        if self._normalise:
            pixels = (pixels - _PIXEL_CENTRE) / _PIXEL_CENTRE
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def _in_parts(
    session: Session,
    chips: NDArray[np.uint8],
    size: int,
    *,
    together: int,
    prepare: Callable[[NDArray[np.uint8]], NDArray[Any]] = lambda chips: chips,
) -> NDArray[np.float32]:
    """A network's answers, float32 (n, size), for chips; as even parts as the session computes at once.

    Args:
        session: the network.
        chips: uint8 (n, side, side, 3).
        size: of an answer.
        together: most chips in one call.
        prepare: makes the network's input of a part.
    """
    count, abreast = len(chips), at_once(session)
    if together > 1 and count:
        together = math.ceil(count / (abreast * math.ceil(count / (abreast * together))))
    starts = range(0, count, together)
    parts = run_each(session, [partial(_part, chips, start, together, prepare) for start in starts], small=True)
    return np.concatenate([np.empty((0, size), np.float32), *parts])


def _part(
    chips: NDArray[np.uint8], start: int, together: int, prepare: Callable[[NDArray[np.uint8]], NDArray[Any]]
) -> NDArray[Any]:
    return prepare(chips[start : start + together])


def _of_length_one(encodings: NDArray[np.float32]) -> NDArray[np.float32]:
    """The encodings scaled, so that Euclidean distance orders as the cosine does; in place."""
    lengths = np.linalg.norm(encodings, axis=1, keepdims=True)
    encodings /= np.maximum(lengths, np.finfo(np.float32).tiny)
    return encodings


def _inspect(path: Path, contents: bytes) -> tuple[bool, int, bool]:
    """Whether a model takes batches, the length of its encodings, and whether pixels must be normalised for it."""
    try:
        model = onnx.load_model_from_string(contents)
        graph = onnx.shape_inference.infer_shapes(model).graph
    except Exception as error:  # protobuf's and ONNX's errors have no common root
        raise ModelError(f"{path}: this is no ONNX model, or it is cut short: {error}") from error
    constants = {constant.name for constant in graph.initializer}
    inputs = [_sides(value) for value in graph.input if value.name not in constants]
    outputs = [_sides(value) for value in graph.output]
    if len(inputs) != 1 or len(inputs[0]) != _FOUR or inputs[0][1:] != [3, ARCFACE_SIDE, ARCFACE_SIDE]:
        raise ModelError(f"{path}: a face embedding model takes (n, 3, {ARCFACE_SIDE}, {ARCFACE_SIDE}), not {inputs}")
    if len(outputs) != 1 or len(outputs[0]) != 2 or outputs[0][1] <= 0:  # (n, size)
        raise ModelError(f"{path}: a face embedding model gives (n, size), not {outputs}")
    operators = {node.op_type for node in graph.node[:_FIRST_NODES]}
    return inputs[0][0] <= 0, outputs[0][1], not {"Sub", "Mul"} <= operators


def _sides(value: onnx.ValueInfoProto) -> list[int]:
    """The sides of a tensor; 0 for one that is free."""
    return [side.dim_value for side in value.type.tensor_type.shape.dim]
