"""Landmarks and chips as dlib makes them."""

from pathlib import Path
from typing import Any, Protocol

import dlib
import numpy as np
from numpy.typing import NDArray

from face_engine.interface import AlignedFaces, Image, ModelError

LANDMARKS = 5


class Aligner(Protocol):
    """Cuts faces out of an image, upright."""

    def align(self, image: Image, boxes: NDArray[np.float32]) -> AlignedFaces:
        """The landmarks and chips of the faces in `boxes`, shape (n, 4), of one checked image."""


class DlibAligner:
    """dlib's five-point predictor and its face chips."""

    def __init__(self, landmarks: Path, *, side: int, padding: float) -> None:
        """Load the predictor.

        Args:
            landmarks: the predictor's file.
            side: of the chips, pixels.
            padding: room around the face, as a share of it.

        Raises:
            ModelError: the file is damaged or something else.
        """
        try:
            self._predictor: Any = dlib.shape_predictor(str(landmarks))
        except RuntimeError as error:
            raise ModelError(f"{landmarks} is not the landmark model it should be, or is damaged: {error}") from None
        self._side = side
        self._padding = padding

    def find_landmarks(self, image: Image, boxes: NDArray[np.float32]) -> list[Any]:
        """Find the landmarks of each box; dlib's full_object_detection."""
        return [self._predictor(image, dlib.rectangle(*(round(float(edge)) for edge in box))) for box in boxes]

    def align(self, image: Image, boxes: NDArray[np.float32]) -> AlignedFaces:
        """The landmarks and chips of the faces of one image; see `Aligner.align`."""
        chips = np.empty((len(boxes), self._side, self._side, 3), np.uint8)
        landmarks = np.empty((len(boxes), LANDMARKS, 2), np.float32)
        for place, points in enumerate(self.find_landmarks(image, boxes)):
            landmarks[place] = [(point.x, point.y) for point in points.parts()]
            chips[place] = dlib.get_face_chip(image, points, size=self._side, padding=self._padding)
        return AlignedFaces(chips, landmarks)
