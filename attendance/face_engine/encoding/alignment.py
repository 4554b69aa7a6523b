"""Landmarks and chips: as dlib makes them, or turned for models of the ArcFace family."""

from pathlib import Path
from typing import Any, Protocol

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.interface import AlignedFaces, Image, ModelError

LANDMARKS = 5

DLIB_FACE = np.array(
    [
        (0.8595674595992, 0.2134981538014),
        (0.6460604764104, 0.2289674387677),
        (0.1205750620789, 0.2137274526848),
        (0.3340850613712, 0.2290642403242),
        (0.4901123135679, 0.6277975316475),
    ]
)
"""dlib's five points on its mean face (`get_face_chip_details`): the corners of both eyes, the base of the nose."""
ARCFACE_EYES = np.array([(73.5318, 51.5014), (38.2946, 51.6963)])
"""Where the ArcFace family has the centres of the eyes in its 112 x 112 pixels (insightface, `face_align.py`)."""


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


class ArcFaceAligner:
    """Turns and scales faces into the 112 x 112 pixels of the ArcFace family.

    Its template has the mouth's corners, which dlib's five points have not. So dlib's mean face is laid over the
    template by its eyes, and a face's five points are brought to where the mean face then has them.
    """

    def __init__(self, landmarks: DlibAligner, *, side: int) -> None:
        """Use the landmarks of another aligner; `side` of the chips in pixels."""
        self._landmarks = landmarks
        self._side = side
        eyes = np.array([DLIB_FACE[0:2].mean(axis=0), DLIB_FACE[2:4].mean(axis=0)])
        transform = similarity(eyes, ARCFACE_EYES * side / 112)
        self._template = DLIB_FACE @ transform[:, :2].T + transform[:, 2]

    def align(self, image: Image, boxes: NDArray[np.float32]) -> AlignedFaces:
        """The landmarks and chips of the faces of one image; see `Aligner.align`."""
        chips = np.empty((len(boxes), self._side, self._side, 3), np.uint8)
        landmarks = np.empty((len(boxes), LANDMARKS, 2), np.float32)
        for place, points in enumerate(self._landmarks.find_landmarks(image, boxes)):
            landmarks[place] = [(point.x, point.y) for point in points.parts()]
            transform = similarity(landmarks[place].astype(np.float64), self._template)
            chips[place] = cv2.warpAffine(image, transform, (self._side, self._side), flags=cv2.INTER_LINEAR)
        return AlignedFaces(chips, landmarks)


def similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The turn, scale and shift that bring points nearest to others (Umeyama, PAMI 1991, equations 34 to 43).

    Args:
        source: shape (n, 2), two points or more.
        target: the same.

    Returns:
        Shape (2, 3): the matrix, and the shift in the last column. Points that are all one get no turn and no scale.
    """
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    centred, wanted = source - source_mean, target - target_mean
    left, strengths, right = np.linalg.svd(wanted.T @ centred / len(source))
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right)) or 1.0])
    spread = (centred**2).sum() / len(source)
    scale = (strengths * signs).sum() / spread if spread > 0 else 1.0
    matrix = scale * (left * signs) @ right
    return np.column_stack([matrix, target_mean - matrix @ source_mean])
