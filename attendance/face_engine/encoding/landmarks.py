"""dlib's five-point landmarks of many faces at once.

dlib looks at one face a call and holds Python's global lock for it. Here the trees of a cascade are evaluated for all
faces together, in numpy, with dlib's own arithmetic (`dlib/image_processing/shape_predictor.h`): the same points to the
last bit wherever the order of sums does not matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.interface import Image
from attendance.face_engine.models.landmark_file import MOST_SPLITS, LandmarkModel

_TOGETHER = 8
"""Faces in one pass; more fall out of the processor's cache."""
_LONGEST_SIDE = 32_766
"""Pixels of an image that OpenCV looks up; what lies beyond in longer ones counts as outside."""
_WHOLE = np.empty(0, np.uint16)
"""OpenCV's table of what lies between pixels: nothing."""
_THIRD = np.array([[1 / 3, 1 / 3, 1 / 3, -1 / 3]])
"""Red, green and blue to their third, which OpenCV rounds to the nearest whole number: less a third, that is down."""


@dataclass(frozen=True, slots=True, eq=False)
class _Cascade:
    """One cascade's trees, laid out for looking at all splits of all trees at once."""

    nearest: NDArray[np.intp]
    """Shape (2 * pixels,): for x and y of each pixel, where in a shape those of its landmark are."""
    offsets: NDArray[np.float32]
    """Shape (2 * pixels,): right and down of each."""
    turned: NDArray[np.float32]
    """The same turned by a quarter: -down and right."""
    compared: NDArray[np.intp]
    """Shape (2 * trees * 16,): the first pixels of all splits, tree by tree, then the second ones."""
    thresholds: NDArray[np.int16]
    """Shape (trees * 16, 1): pixels are whole numbers, so that thresholds may be. No difference exceeds those of the
    splits that fill a tree up to 16."""
    leaves: NDArray[np.float32]
    """Shape (trees * leaves, 2 * landmarks)."""
    starts: NDArray[np.intp]
    """Shape (trees, 1): the first leaf of each tree."""


@dataclass(frozen=True, slots=True, eq=False)
class _Members:
    """The faces of a pass that lie in one image."""

    image: Image
    faces: slice


class LandmarkPredictor:
    """Finds the landmarks of faces in boxes."""

    def __init__(self, model: LandmarkModel) -> None:
        """Put the trees in order."""
        self._mean = model.mean_shape
        self._cascades = [_ordered(model, place) for place in range(len(model.first))]
        self._leaf_of = _leaves_of_answers(model.first.shape[2])
        centred = model.mean_shape.astype(np.float64)
        centred = centred - centred.mean(axis=0)
        # The cosine and sine, times the scale, of the similarity that brings the mean shape nearest to a shape: the
        # least squares in closed form. The shape's own centre drops out, as the mean shape is centred.
        crossed = np.stack([-centred[:, 1], centred[:, 0]], axis=1)
        self._similarity = np.stack([centred.reshape(-1), crossed.reshape(-1)], axis=1) / (centred**2).sum()
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
            found[part] = self._pass(_members(images, owners[part]), together[part])
        if whole_pixels:
            found = np.floor(found + 0.5)
        ends = np.cumsum([len(one) for one in boxes], dtype=np.intp)
        return [found[end - len(one) : end] for one, end in zip(boxes, ends, strict=True)]

    def _pass(self, members: list[_Members], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        count = len(boxes)
        corners, sides = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
        pixels = len(self._cascades[0].offsets) // 2
        # Repeated for each pixel, as numpy is slow where the innermost axis has two numbers. A pixel's middle is meant.
        scales, middles = np.tile(sides, pixels), np.tile(corners + 0.5, pixels)
        # Indices are right, so that none is ever clipped; this mode is the fastest, and fills an array without a copy.
        moves = np.empty((len(self._cascades[0].starts) + 1, count, self._mean.size), np.float32)
        shapes = np.repeat(self._mean.reshape(1, -1), count, axis=0)
        for cascade, thresholds in zip(self._cascades, self._thresholds(count), strict=True):
            places = self._pixel_places(cascade, shapes) * scales
            places += middles
            values = _brightness(members, places).take(cascade.compared, axis=0, mode="clip")
            splits = len(thresholds)
            brighter = values[:splits] - values[splits:] > thresholds
            answers = np.packbits(np.ascontiguousarray(brighter.T), axis=1, bitorder="little").view(np.uint16)
            nodes = self._leaf_of.take(answers, mode="clip").T + cascade.starts
            moves[0] = shapes
            cascade.leaves.take(nodes, axis=0, out=moves[1:], mode="clip")
            # Tree by tree, in float32, as dlib adds them up.
            shapes = np.add.reduce(moves, axis=0)
        points = shapes.reshape(count, -1, 2).astype(np.float64)
        return np.asarray(points * sides[:, None] + corners[:, None])

    def _pixel_places(self, cascade: _Cascade, shapes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Where the pixels that are compared lie, as shares of the box; shape (faces, 2 * pixels): x and y in turns."""
        turns = (shapes.astype(np.float64) @ self._similarity).astype(np.float32)
        places: NDArray[np.float32] = turns[:, 0:1] * cascade.offsets
        places += turns[:, 1:2] * cascade.turned
        places += shapes.take(cascade.nearest, axis=1, mode="clip")
        return places

    def _thresholds(self, count: int) -> list[NDArray[np.int16]]:
        """The thresholds of all cascades, once for each face: comparing equal shapes is ten times as fast."""
        if count not in self._repeated:
            self._repeated[count] = [np.repeat(one.thresholds, count, axis=1) for one in self._cascades]
        return self._repeated[count]


def _ordered(model: LandmarkModel, place: int) -> _Cascade:
    first, second, thresholds = model.first[place], model.second[place], model.thresholds[place]
    trees, splits = first.shape
    filled = ((0, 0), (0, MOST_SPLITS + 1 - splits))
    whole = np.clip(np.floor(thresholds), -256, 255).astype(np.int16)
    leaves = model.leaves[place]
    offsets = model.pixel_offsets[place]
    landmarks = 2 * model.pixel_landmarks[place]
    return _Cascade(
        np.stack([landmarks, landmarks + 1], axis=1).astype(np.intp).reshape(-1),
        offsets.reshape(-1),
        np.stack([-offsets[:, 1], offsets[:, 0]], axis=1).reshape(-1),
        np.concatenate([np.pad(first, filled).ravel(), np.pad(second, filled).ravel()]).astype(np.intp),
        np.pad(whole, filled, constant_values=255).reshape(-1, 1),
        np.ascontiguousarray(leaves.reshape(-1, leaves.shape[-1])),
        np.arange(trees)[:, None] * leaves.shape[1],
    )


def _leaves_of_answers(splits: int) -> NDArray[np.intp]:
    """The leaf of a tree for every way in which its splits can answer; bit s is set where split s goes left.

    Splits stand in the order of a binary heap: the two below split s are 2 s + 1 and, where it goes right, 2 s + 2.
    """
    answers = np.arange(1 << (MOST_SPLITS + 1))
    nodes = np.zeros(len(answers), np.intp)
    for _ in range(splits.bit_length()):
        nodes = 2 * nodes + 2 - ((answers >> nodes) & 1)
    return nodes - splits


def _members(images: Sequence[Image], owners: NDArray[np.intp]) -> list[_Members]:
    used, starts, counts = np.unique(owners, return_index=True, return_counts=True)
    return [
        _Members(images[owner][:_LONGEST_SIDE, :_LONGEST_SIDE], slice(start, start + count))
        for owner, start, count in zip(used, starts, counts, strict=True)
    ]


def _brightness(members: list[_Members], places: NDArray[np.float64]) -> NDArray[np.int16]:
    """How bright pixels are, 0 outside the image.

    Args:
        members: the faces of each image.
        places: shape (faces, 2 * pixels): x and y in turns, of which the whole part counts; written to.

    Returns:
        Shape (pixels, faces): a third of red, green and blue, rounded down (dlib's `get_pixel_intensity`).
    """
    np.floor(places, out=places)
    np.maximum(places, -1, out=places)
    np.minimum(places, _LONGEST_SIDE, out=places)
    whole = places.astype(np.int16).reshape(len(places), -1, 2)
    grey = np.empty(whole.shape[:2], np.uint8)
    for one in members:
        # Looked up by OpenCV: all three channels at once, black outside.
        colours = cv2.remap(one.image, whole[one.faces], _WHOLE, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
        cv2.transform(colours, _THIRD, dst=grey[one.faces])
    return grey.T.astype(np.int16)
