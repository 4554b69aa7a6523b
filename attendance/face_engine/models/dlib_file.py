"""Reading dlib's .dat files: the tokens of its serialisation and the layers of its networks.

The format is dlib's own (`dlib/serialize.h`, `dlib/dnn/core.h`, `dlib/dnn/layers.h` of dlib 20.0): integers of one
control byte and up to eight little-endian bytes, floats as a mantissa and an exponent of two, tensors as raw
little-endian float32. A network is written from its loss inwards (version numbers only), then the input layer, then the
layers in order from the input.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.interface import ModelError, ModelFile

_TENSOR_VERSION = 2
_INNERMOST_LAYER_VERSION = 3
_LONGEST_NAME = 64
_LARGEST_TENSOR = 1 << 28
_SPECIAL_EXPONENTS = {32000: math.inf, 32001: -math.inf, 32002: math.nan}


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One layer of a network as its file has it."""

    kind: str
    """The name in the file, e.g. "con_4"."""
    tensors: tuple[NDArray[np.float32], ...]
    """Its parameters, each of shape (samples, k, rows, columns)."""
    numbers: tuple[int, ...]
    """Its integers: filter counts, sides, strides, paddings; empty for a layer without."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A network as its file has it, and which file that was."""

    file: ModelFile
    loss: str
    loss_numbers: tuple[float, ...]
    """For "loss_mmod_": window width, window height, and the suppression's IoU and covered share; else empty."""
    input_kind: str
    means: tuple[float, ...]
    """Mean red, green and blue that are subtracted from the pixels."""
    layers: tuple[Layer, ...]


class DatReader:
    """The tokens of a dlib file, one after the other; every mistake is a `ModelError` that names file and place."""

    def __init__(self, path: Path, data: bytes) -> None:
        self._path = path
        self._data = data
        self._position = 0

    @property
    def at_end(self) -> bool:
        """Whether all bytes have been read."""
        return self._position == len(self._data)

    def error(self, reason: str) -> ModelError:
        """The error of a file that is not what it should be, naming the place read last."""
        return ModelError(f"{self._path}: {reason} (at byte {self._position} of {len(self._data)})")

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        end = self._position + count
        if end > len(self._data):
            raise self.error("the file is cut short")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def integer(self) -> int:
        """An integer: a control byte (low four bits: how many bytes follow; 0x80: negative), then its bytes."""
        control = self.take(1)[0]
        size = control & 0x0F
        if not 1 <= size <= 8 or control & 0x70:  # dlib writes at most eight bytes
            raise self.error("no dlib integer where one should be; this is not a dlib model file of the expected kind")
        value = int.from_bytes(self.take(size), "little")
        return -value if control & 0x80 else value

    def number(self) -> float:
        """A float: integer mantissa times two to an integer exponent."""
        mantissa, exponent = self.integer(), self.integer()
        if exponent in _SPECIAL_EXPONENTS:
            return _SPECIAL_EXPONENTS[exponent]
        try:
            return math.ldexp(mantissa, exponent)
        except OverflowError:
            raise self.error("a number outside the range of floats") from None

    def boolean(self) -> bool:
        """A truth value: the character 1 or 0."""
        character = self.take(1)
        if character not in (b"0", b"1"):
            raise self.error("no truth value where one should be")
        return character == b"1"

    def text(self) -> str:
        """A short name: its length, then its bytes."""
        length = self.integer()
        if not 0 <= length <= _LONGEST_NAME:
            raise self.error("no name where one should be; this is not a dlib model file of the expected kind")
        try:
            return self.take(length).decode("ascii")
        except UnicodeDecodeError:
            raise self.error("a name that is not ASCII") from None

    def expect_version(self, *known: int) -> int:
        """A version number, one of `known`."""
        version = self.integer()
        if version not in known:
            raise self.error(f"version {version} where {' or '.join(map(str, known))} was expected")
        return version

    def tensor(self) -> NDArray[np.float32]:
        """A tensor, float32, shape (samples, k, rows, columns)."""
        self.expect_version(_TENSOR_VERSION)
        shape = tuple(self.integer() for _ in range(4))
        count = math.prod(shape)
        if min(shape) < 0 or count > _LARGEST_TENSOR:
            raise self.error(f"a tensor of impossible shape {shape}")
        return np.frombuffer(self.take(4 * count), "<f4").astype(np.float32).reshape(shape)

    def skip(self, *readers: Callable[[], object]) -> None:
        """Read and forget: what training left behind."""
        for read in readers:
            read()

    def alias(self) -> None:
        """An alias tensor: a version and four sides, which say nothing new."""
        self.expect_version(1)
        self.skip(*[self.integer] * 4)


def read_network(path: Path) -> Network:
    """Read a network file.

    Raises:
        ModelError: the file cannot be read, is cut short, goes on after its end, or is no dlib network; the message
            names the file.
    """
    reader, file = open_dat(path)
    reader.expect_version(1)
    loss = reader.text()
    loss_numbers = _read_loss(reader, loss)
    # From the loss inwards each layer writes its version first and its contents after those of the layers below it;
    # tag and skip layers (version 1) have no contents. The innermost one holds the input layer.
    while reader.expect_version(1, 2, 3) != _INNERMOST_LAYER_VERSION:
        pass
    input_kind, means = _read_input(reader)
    layers: list[Layer] = []
    while not reader.at_end:
        layers.append(_read_layer(reader, innermost=not layers))
    return Network(file, loss, loss_numbers, input_kind, means, tuple(layers))


def open_dat(path: Path) -> tuple[DatReader, ModelFile]:
    """The tokens of a file, and its name and hash.

    Raises:
        ModelError: the file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model file: {error.strerror}") from error
    return DatReader(path, data), ModelFile(path.name, hashlib.sha256(data).hexdigest())


def _read_loss(reader: DatReader, loss: str) -> tuple[float, ...]:
    if loss == "loss_metric_":
        return ()
    if loss == "loss_metric_2":
        reader.skip(reader.number, reader.number)
        return ()
    if loss != "loss_mmod_":
        raise reader.error(f"a network with the loss {loss!r}, which is neither dlib's detector nor its encoder")
    reader.expect_version(1)
    width, height = reader.integer(), reader.integer()
    reader.skip(reader.number, reader.number, reader.number)
    iou, covered = reader.number(), reader.number()
    reader.skip(reader.number, reader.number)
    return width, height, iou, covered


def _read_input(reader: DatReader) -> tuple[str, tuple[float, ...]]:
    kind = reader.text()
    if kind not in ("input_rgb_image_pyramid", "input_rgb_image_sized"):
        raise reader.error(f"a network with the input {kind!r}, which is neither dlib's detector's nor its encoder's")
    means = (reader.number(), reader.number(), reader.number())
    if kind == "input_rgb_image_sized":
        reader.skip(reader.integer, reader.integer)
    return kind, means


def _read_layer(reader: DatReader, *, innermost: bool) -> Layer:
    kind = reader.text()
    if kind not in _CONTENTS:
        raise reader.error(f"a layer of unknown kind {kind!r}")
    contents = _Contents(reader)
    _CONTENTS[kind](contents)
    reader.skip(*[reader.boolean] * 3, *[reader.tensor] * 3)
    if innermost:
        reader.skip(reader.integer)  # the sample expansion factor
    return Layer(kind, tuple(contents.tensors), tuple(contents.numbers))


@dataclass(slots=True)
class _Contents:
    reader: DatReader
    tensors: list[NDArray[np.float32]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def keep_tensor(self) -> None:
        self.tensors.append(self.reader.tensor())

    def keep_numbers(self, count: int) -> None:
        self.numbers.extend(self.reader.integer() for _ in range(count))


def _read_convolution(contents: _Contents) -> None:
    contents.keep_tensor()
    contents.keep_numbers(7)  # filters, rows, columns, stride y, stride x, padding y, padding x
    reader = contents.reader
    reader.skip(reader.alias, reader.alias, *[reader.number] * 4)


def _read_affine(contents: _Contents) -> None:
    contents.keep_tensor()
    reader = contents.reader
    reader.skip(reader.alias, reader.alias, reader.integer)


def _read_batch_norm(contents: _Contents) -> None:
    reader = contents.reader
    contents.keep_tensor()
    reader.skip(reader.alias, reader.alias)
    for _ in range(4):  # batch means, batch inverse deviations, running means, running variances
        contents.keep_tensor()
    reader.skip(reader.integer, reader.integer, *[reader.number] * 5)


def _read_matrix(contents: _Contents) -> None:
    contents.keep_numbers(2)  # outputs, inputs
    contents.keep_tensor()
    reader = contents.reader
    reader.skip(reader.alias, reader.alias)
    contents.keep_numbers(1)  # bias mode
    reader.skip(*[reader.number] * 4)


_CONTENTS: dict[str, Callable[[_Contents], None]] = {
    "con_4": _read_convolution,
    "affine_": _read_affine,
    "bn_con2": _read_batch_norm,
    "fc_2": _read_matrix,
    "max_pool_2": lambda contents: contents.keep_numbers(6),
    "avg_pool_2": lambda contents: contents.keep_numbers(6),
    "relu_": lambda contents: None,
    "add_prev_": lambda contents: None,
}
