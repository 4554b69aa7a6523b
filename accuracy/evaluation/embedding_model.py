"""Embedding models from outside: a function of a Python module, given aligned faces or whole photos."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.interface import EngineError, Face, FaceBoxes, FaceEngine, Image

Embed = Callable[[Any], Any]


class EmbeddingError(EngineError):
    """A plugged-in model cannot be loaded, fails, or gives something else than encodings."""


class EmbeddingModel:
    """A plugged-in embedding, in the place of the engine's own.

    The function is given a batch and answers with one encoding for each, shape (n, d), d always the same. Of "chips" it
    is given the faces as the engine aligns them, uint8, shape (n, side, side, 3), RGB (150 pixels for dlib's engine);
    of "photos" a list of RGB photos of one face each, uint8, shape (height, width, 3), to align as it likes.
    """

    def __init__(self, name: str, embed: Embed, *, photos: bool = False, normalise: bool = False) -> None:
        """Use a function.

        Args:
            name: for the report.
            embed: the function.
            photos: it is given photos, not chips.
            normalise: scale its encodings to length one, so that Euclidean distance orders as the cosine does.
        """
        self.name = name
        self._embed = embed
        self._photos = photos
        self._normalise = normalise
        self._size = 0

    @classmethod
    def load(cls, name: str, *, photos: bool = False, normalise: bool = False) -> "EmbeddingModel":
        """Import "module:function".

        Raises:
            EmbeddingError: there is no such module or function.
        """
        module, _, function = name.partition(":")
        if not module or not function:
            raise EmbeddingError(f"{name!r} does not name a function as module:function")
        try:
            embed = getattr(importlib.import_module(module), function)
        except Exception as error:  # a module may raise anything while it is imported
            raise EmbeddingError(f"the embedding {name} cannot be loaded: {error}") from error
        if not callable(embed):
            raise EmbeddingError(f"{name} is no function")
        return cls(name, embed, photos=photos, normalise=normalise)

    def encode_faces(
        self, engine: FaceEngine, images: Sequence[Image], faces: Sequence[Sequence[Face]]
    ) -> list[list[Face]]:
        """The same faces with this model's encodings.

        Args:
            engine: aligned the faces.
            images: the photos.
            faces: of each photo. Whole photos are encoded only where there is one face: nobody could say whose the
                encoding is otherwise.

        Raises:
            EmbeddingError: the model fails or gives no encodings.
        """
        alone = [len(found) == 1 for found in faces]
        if self._photos:
            batch: Any = [image for image, one in zip(images, alone, strict=True) if one]
        else:
            boxes = [_boxes(found) for found in faces]
            cut = [aligned.chips for aligned in engine.align(images, boxes) if len(aligned.chips)]
            batch = np.concatenate(cut) if cut else []
        encodings = iter(self._encode(batch))
        return [
            [replace(face, encoding=next(encodings)) for face in found] if one or not self._photos else list(found)
            for found, one in zip(faces, alone, strict=True)
        ]

    def _encode(self, batch: Any) -> NDArray[np.float32]:
        count = len(batch)
        if count == 0:
            return np.empty((0, self._size), np.float32)
        try:
            rows = np.asarray(self._embed(batch), np.float32)
        except Exception as error:  # whatever the model's code raises
            raise EmbeddingError(f"the embedding {self.name} failed: {type(error).__name__}: {error}") from error
        if rows.ndim != 2 or len(rows) != count or not rows.shape[1]:  # (n, d)
            raise EmbeddingError(
                f"the embedding {self.name} gave shape {rows.shape} for {count} faces, not ({count}, d)"
            )
        if self._size not in (0, rows.shape[1]):
            raise EmbeddingError(f"the embedding {self.name} gave {rows.shape[1]} numbers, and {self._size} before")
        if not np.isfinite(rows).all():
            raise EmbeddingError(f"the embedding {self.name} gave numbers that are not finite")
        self._size = rows.shape[1]
        if self._normalise:
            lengths = np.linalg.norm(rows, axis=1, keepdims=True)
            rows = rows / np.maximum(lengths, np.finfo(np.float32).tiny)
        return rows


def _boxes(faces: Sequence[Face]) -> FaceBoxes:
    if not faces:
        return FaceBoxes(np.empty((0, 4), np.float32), np.empty(0, np.float32))
    return FaceBoxes(np.stack([face.box for face in faces]), np.array([face.score for face in faces], np.float32))
