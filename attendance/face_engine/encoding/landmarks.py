"""dlib's five-point landmarks of many faces at once.

dlib looks at one face a call and holds Python's global lock for it. Here the trees of a cascade are evaluated for all
faces together, in numpy, with dlib's own arithmetic (`dlib/image_processing/shape_predictor.h`): the same points to the
last bit wherever the order of sums does not matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.interface import Image
from attendance.face_engine.models.landmark_file import LandmarkModel

_TOGETHER = 8
"""Faces in one pass; more fall out of the processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class _Cascade:
    """One cascade's trees in the order in which they are evaluated."""

    landmarks: NDArray[np.intp]
    """Shape (pixels,)."""
    across: NDArray[np.float32]
    """Shape (pixels,): offsets to the right."""
    down: NDArray[np.float32]
    """Shape (pixels,)."""
    first: NDArray[np.intp]
    """Shape (splits * trees,), split by split."""
    second: NDArray[np.intp]
    thresholds: NDArray[np.int16]
    """Shape (splits * trees, 1): pixels are whole numbers, so that thresholds may be."""
    leaves: NDArray[np.float32]
    """Shape (trees * leaves, 2 * landmarks)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Pixels:
    """Where the pixels of a pass come from."""

    images: Sequence[NDArray[np.uint8]]
    """Flat."""
    members: Sequence[NDArray[np.intp]]
    """Which faces lie in each image."""
    widths: NDArray[np.int64]
    """Shape (faces, 1), of each face's image."""
    heights: NDArray[np.int64]


class LandmarkPredictor:
    """Finds the landmarks of faces in boxes."""

    def __init__(self, model: LandmarkModel) -> None:
        """Put the trees in order."""
        self._mean = model.mean_shape
        self._cascades = [_ordered(model, place) for place in range(len(model.first))]
        _, self._trees, splits = model.first.shape
        self._levels = splits.bit_length()
        centred = model.mean_shape.astype(np.float64)
        self._centred = centred - centred.mean(axis=0)
        self._repeated: dict[int, list[NDArray[np.int16]]] = {}

    def predict(
        self, images: Sequence[Image], boxes: Sequence[NDArray[np.float32]], *, whole_pixels: bool
    ) -> list[NDArray[np.float64]]:
        """The landmarks of the faces of each image.

        Args:
            images: RGB, uint8, contiguous.
            boxes: of each image, shape (n, 4): left, top, right, bottom, pixels; may reach outside.
            whole_pixels: round boxes and landmarks to whole pixels, as dlib does; without it faces of few pixels are
                placed more exactly.

        Returns:
            For each image float64 (n, landmarks, 2), x and y in pixels.
        """
        owners = np.repeat(np.arange(len(images)), [len(one) for one in boxes])
        together = np.concatenate([np.empty((0, 4)), *(np.asarray(one, np.float64).reshape(-1, 4) for one in boxes)])
        if whole_pixels:
            together = np.rint(together)
        found = np.empty((len(together), len(self._mean), 2))
        for start in range(0, len(together), _TOGETHER):
            part = slice(start, start + _TOGETHER)
            found[part] = self._pass(_gather(images, owners[part]), together[part])
        if whole_pixels:
            found = np.floor(found + 0.5)
        ends = np.cumsum([len(one) for one in boxes], dtype=np.intp)
        return [found[end - len(one) : end] for one, end in zip(boxes, ends, strict=True)]

    def _pass(self, pixels: _Pixels, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        count = len(boxes)
        left, top = boxes[:, 0:1], boxes[:, 1:2]
        width, height = boxes[:, 2:3] - left, boxes[:, 3:4] - top
        shapes = np.repeat(self._mean.reshape(1, -1), count, axis=0)
        tree_starts = np.repeat(np.arange(self._trees)[:, None] * (1 << self._levels), count, axis=1)
        lanes = np.arange(self._trees * count).reshape(self._trees, count)
        for cascade, thresholds in zip(self._cascades, self._thresholds(count), strict=True):
            x, y = self._pixel_places(cascade, shapes)
            columns = np.floor(x * width + (left + 0.5)).astype(np.int64)
            rows = np.floor(y * height + (top + 0.5)).astype(np.int64)
            values = np.ascontiguousarray(_brightness(pixels, columns, rows).T)
            differences = values.take(cascade.first, axis=0)
            differences -= values.take(cascade.second, axis=0)
            goes_left = (differences > thresholds).view(np.int8).reshape(-1)
            nodes = np.zeros((self._trees, count), np.intp)
            for _ in range(self._levels):
                answers = goes_left.take(nodes * lanes.size + lanes)
                nodes += nodes
                nodes += 2
                nodes -= answers
            nodes += tree_starts - ((1 << self._levels) - 1)
            moves = cascade.leaves.take(nodes, axis=0)
            # Tree by tree, in float32, as dlib adds them up.
            shapes = np.add.reduce(np.concatenate([shapes[None], moves]), axis=0)
        points = shapes.reshape(count, -1, 2).astype(np.float64)
        return np.stack([points[..., 0] * width + left, points[..., 1] * height + top], axis=-1)

    def _pixel_places(
        self, cascade: _Cascade, shapes: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Where the pixels are that the cascade compares, as shares of the box; x and y, shape (faces, pixels)."""
        points = shapes.reshape(len(shapes), -1, 2).astype(np.float64)
        points = points - points.mean(axis=1, keepdims=True)
        # Turn and scale from the mean shape to this one: the least squares of a similarity, in closed form.
        spread = (self._centred**2).sum()
        cosine = ((points * self._centred).sum(axis=(1, 2)) / spread).astype(np.float32)[:, None]
        crossed = points[..., 1] @ self._centred[:, 0] - points[..., 0] @ self._centred[:, 1]
        sine = (crossed / spread).astype(np.float32)[:, None]
        x = cosine * cascade.across
        x -= sine * cascade.down
        x += shapes[:, 0::2].take(cascade.landmarks, axis=1)
        y = sine * cascade.across
        y += cosine * cascade.down
        y += shapes[:, 1::2].take(cascade.landmarks, axis=1)
        return x, y

    def _thresholds(self, count: int) -> list[NDArray[np.int16]]:
        """The thresholds of all cascades, once for each face: comparing equal shapes is ten times as fast."""
        if count not in self._repeated:
            self._repeated[count] = [np.repeat(one.thresholds, count, axis=1) for one in self._cascades]
        return self._repeated[count]


def _ordered(model: LandmarkModel, place: int) -> _Cascade:
    first, second, thresholds = (
        np.ascontiguousarray(one[place].T).reshape(-1) for one in (model.first, model.second, model.thresholds)
    )
    offsets = model.pixel_offsets[place]
    leaves = model.leaves[place]
    return _Cascade(
        model.pixel_landmarks[place].astype(np.intp),
        np.ascontiguousarray(offsets[:, 0]),
        np.ascontiguousarray(offsets[:, 1]),
        first.astype(np.intp),
        second.astype(np.intp),
        np.clip(np.floor(thresholds), -256, 255).astype(np.int16)[:, None],
        np.ascontiguousarray(leaves.reshape(-1, leaves.shape[-1])),
    )


def _gather(images: Sequence[Image], owners: NDArray[np.intp]) -> _Pixels:
    used = np.unique(owners)
    sizes = np.array([images[owner].shape[:2] for owner in owners], np.int64)
    return _Pixels(
        [images[owner].reshape(-1) for owner in used],
        [np.nonzero(owners == owner)[0] for owner in used],
        sizes[:, 1:2],
        sizes[:, 0:1],
    )


def _brightness(pixels: _Pixels, columns: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int16]:
    """A third of red, green and blue, rounded down (`get_pixel_intensity`), shape (faces, pixels); 0 outside."""
    # Seen as unsigned, what is negative is large.
    inside = (columns.view(np.uint64) < pixels.widths.view(np.uint64)) & (
        rows.view(np.uint64) < pixels.heights.view(np.uint64)
    )
    places = ((rows * pixels.widths + columns) * 3) * inside
    values = np.empty(places.shape, np.int16)
    for image, members in zip(pixels.images, pixels.members, strict=True):
        own = places if len(pixels.images) == 1 else places[members]
        red, green, blue = (image.take(own + channel) for channel in range(3))
        values[members] = red.astype(np.int16) + green + blue
    values //= 3
    values *= inside
    return values
