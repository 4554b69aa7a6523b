"""dlib's five-point landmark predictor as arrays: an ensemble of regression trees.

Kazemi and Sullivan, "One millisecond face alignment with an ensemble of regression trees", CVPR 2014. The file's
layout is dlib's own (`dlib/image_processing/shape_predictor.h` of dlib 20.0): the mean shape, the trees of each
cascade, and for each cascade the pixels that its trees compare, as offsets from the nearest landmark. All of it is
integers of dlib's serialisation (`dlib_file`), floats being two; there are millions, so they are decoded together.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.interface import ModelError, ModelFile
from attendance.face_engine.models.cache import read_model

_LARGEST_TOKEN = 8
"""Bytes of an integer, after the one that says how many."""
_TOKEN = re.compile(
    b"|".join(b"[\\x%02x\\x%02x].{%d}" % (size, 0x80 | size, size) for size in range(1, _LARGEST_TOKEN + 1)), re.DOTALL
)
_NEGATIVE = 0x80
MOST_SPLITS = 15
"""Of one tree: dlib's files have trees of depth four."""
_MOST = 1 << 20
"""Bounds every count in the file, so that a damaged one does not ask for the whole memory."""


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkModel:
    """The predictor: c cascades of t trees with s splits and s + 1 leaves each, over p pixels and k landmarks."""

    file: ModelFile
    mean_shape: NDArray[np.float32]
    """Shape (k, 2), x and y in the box, whose sides are one."""
    pixel_landmarks: NDArray[np.int64]
    """Shape (c, p): the landmark that each pixel goes with."""
    pixel_offsets: NDArray[np.float32]
    """Shape (c, p, 2): how far from it the pixel lies in the mean shape."""
    first: NDArray[np.int64]
    """Shape (c, t, s): one of the two pixels that a split compares; splits in the order of a binary heap."""
    second: NDArray[np.int64]
    """The same: the other."""
    thresholds: NDArray[np.float32]
    """Shape (c, t, s): a tree goes left where the first is brighter than the second by more than this."""
    leaves: NDArray[np.float32]
    """Shape (c, t, s + 1, 2k): what the shape moves by."""


def read_landmark_model(path: Path) -> LandmarkModel:
    """Read a predictor's file.

    Raises:
        ModelError: the file cannot be read, is cut short, goes on after its end, or is no landmark predictor; the
            message names the file.
    """
    contents = read_model(path)
    tokens = _Tokens(path, _decode(path, contents))
    if tokens.next() != 1:
        raise tokens.error("another version than 1")
    mean_shape = tokens.matrix()
    forests = [tokens.forest(mean_shape.size) for _ in range(tokens.count())]
    landmarks = [tokens.take(tokens.count()) for _ in range(tokens.count())]
    offsets = [tokens.floats(2 * tokens.count()).reshape(-1, 2) for _ in range(tokens.count())]
    tokens.finish()
    try:
        model = LandmarkModel(
            ModelFile(path.name, hashlib.sha256(contents).hexdigest()),
            mean_shape.reshape(-1, 2),
            np.stack(landmarks),
            np.stack(offsets),
            *(np.stack(parts) for parts in zip(*forests, strict=True)),
        )
    except (ValueError, TypeError):  # numpy's for rows of different lengths; no cascade at all
        raise tokens.error("cascades of different sizes, or none") from None
    _check(tokens, model)
    return model


def _decode(path: Path, contents: bytes) -> NDArray[np.int64]:
    """All integers of a file: a control byte (low four bits: how many bytes follow; 0x80: negative), then its bytes."""
    tokens = _TOKEN.findall(contents)
    lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
    if not tokens or lengths.sum() != len(contents):
        raise ModelError(f"{path}: this is no landmark model of dlib, or it is cut short")
    starts = np.cumsum(lengths) - lengths
    data = np.frombuffer(contents + bytes(_LARGEST_TOKEN), np.uint8)
    controls = data[starts]
    sizes = controls & 0x0F
    values = np.zeros(len(starts), np.int64)
    for byte in range(int(sizes.max())):
        longer = sizes > byte
        values[longer] |= data[starts[longer] + 1 + byte].astype(np.int64) << (8 * byte)
    return np.where(controls & _NEGATIVE, -values, values)


class _Tokens:
    """The integers of a file, one after the other; every mistake is a `ModelError` that names file and place."""

    def __init__(self, path: Path, values: NDArray[np.int64]) -> None:
        self._path = path
        self._values = values
        self._next = 0

    def error(self, reason: str) -> ModelError:
        """The error of a file that is not what it should be."""
        return ModelError(f"{self._path}: no landmark model of dlib: {reason} (at number {self._next})")

    def take(self, count: int) -> NDArray[np.int64]:
        """The next integers."""
        taken = self._values[self._next : self._next + count]
        if len(taken) < count:
            raise self.error("the file is cut short")
        self._next += count
        return taken

    def next(self) -> int:
        """The next integer."""
        return int(self.take(1)[0])

    def count(self) -> int:
        """The next integer, which must be a sensible count."""
        count = self.next()
        if not 0 <= count <= _MOST:
            raise self.error(f"an impossible count of {count}")
        return count

    def floats(self, count: int) -> NDArray[np.float32]:
        """Floats, each a mantissa and an exponent of two."""
        return _floats(self.take(2 * count).reshape(-1, 2))

    def matrix(self) -> NDArray[np.float32]:
        """A matrix, flat; dlib writes its sides as negative numbers."""
        rows, columns = abs(self.next()), abs(self.next())
        if rows * columns > _MOST:
            raise self.error(f"a matrix of {rows} x {columns}")
        return self.floats(rows * columns)

    def forest(
        self, moves: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
        """The trees of one cascade: first pixels, second pixels, thresholds and leaves; all trees are of one size."""
        trees, start = self.count(), self._next
        splits = self.count()
        self._next = start
        size = 1 + 4 * splits + 1 + (splits + 1) * (2 + 2 * moves)
        if trees * size > len(self._values):
            raise self.error("the file is cut short")
        rows = self.take(trees * size).reshape(trees, size)
        decisions = rows[:, 1 : 1 + 4 * splits].reshape(trees, splits, 4)
        leaves = rows[:, 2 + 4 * splits :].reshape(trees, splits + 1, 2 + 2 * moves)
        same = (rows[:, 0] == splits) & (rows[:, 1 + 4 * splits] == splits + 1)
        if not same.all() or (np.abs(leaves[..., 0] * leaves[..., 1]) != moves).any():
            raise self.error("trees of different sizes")
        values = leaves[..., 2:].reshape(trees, splits + 1, moves, 2)
        return decisions[..., 0], decisions[..., 1], _floats(decisions[..., 2:]), _floats(values)

    def finish(self) -> None:
        """Check that nothing is left."""
        if self._next != len(self._values):
            raise self.error("the file goes on after its end")


def _floats(pairs: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mantissas and exponents, shape (..., 2), as numbers (...)."""
    exponents = np.clip(pairs[..., 1], -2000, 2000).astype(np.int32)
    return np.ldexp(pairs[..., 0].astype(np.float64), exponents).astype(np.float32)


def _check(tokens: _Tokens, model: LandmarkModel) -> None:
    cascades, trees, splits = model.first.shape
    pixels, points = model.pixel_landmarks.shape[1], len(model.mean_shape)
    if splits > MOST_SPLITS:
        raise tokens.error(f"trees of {splits} splits, more than {MOST_SPLITS}")
    if not trees or not splits or (splits + 1) & splits or model.pixel_offsets.shape != (cascades, pixels, 2):
        raise tokens.error("no full trees, or no offset for each pixel")
    looked_at = np.concatenate([model.first, model.second], axis=2)
    if looked_at.min() < 0 or looked_at.max() >= pixels:
        raise tokens.error("a tree that looks at a pixel which is not there")
    if model.pixel_landmarks.min() < 0 or model.pixel_landmarks.max() >= points:
        raise tokens.error("a pixel of a landmark which is not there")
    if not all(np.isfinite(one).all() for one in (model.mean_shape, model.pixel_offsets, model.leaves)):
        raise tokens.error("numbers that are not finite")
