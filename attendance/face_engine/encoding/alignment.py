"""Landmarks and chips: where each encoder wants the face's points, and the aligner that brings them there."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.encoding.chips import cut_chips, similarity
from attendance.face_engine.encoding.landmarks import LandmarkPredictor
from attendance.face_engine.interface import AlignedFaces, FaceBoxes, Image

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
ARCFACE_SIDE = 112
"""Pixels; the input of the ArcFace family (Deng et al., "ArcFace", CVPR 2019, section 3.1), and of SFace."""


_SFACE_SCALE, _SFACE_SHIFT = 0.96, (0.0, 3.0)


class Aligner(Protocol):
    """Cuts faces out of images, upright."""

    def align(self, images: Sequence[Image], faces: Sequence[FaceBoxes]) -> list[AlignedFaces]:
        """The landmarks and chips of the faces of each image; checked RGB images, contiguous."""


class TemplateAligner:
    """Brings dlib's five landmarks as near as a turn, a scale and a shift can to their places in a template."""

    def __init__(
        self, predictor: LandmarkPredictor, template: NDArray[np.float64], *, side: int, whole_pixels: bool
    ) -> None:
        """Use a predictor and a template.

        Args:
            predictor: finds the landmarks.
            template: shape (5, 2): where they should be in the chip, pixels.
            side: of the chips, pixels.
            whole_pixels: round boxes and landmarks to whole pixels, and give dlib's chips to the last step.
        """
        self._predictor = predictor
        self._template = template
        self._side = side
        self._whole_pixels = whole_pixels

    def align(self, images: Sequence[Image], faces: Sequence[FaceBoxes]) -> list[AlignedFaces]:
        """The landmarks and chips of the faces of each image; see `Aligner.align`."""
        boxes = [found.boxes for found in faces]
        points = self._predictor.predict(images, boxes, whole_pixels=self._whole_pixels)
        chips = cut_chips(images, points, self._template, self._side, exact=self._whole_pixels)
        return [AlignedFaces(cut, own.astype(np.float32)) for cut, own in zip(chips, points, strict=True)]


def dlib_template(side: int, padding: float) -> NDArray[np.float64]:
    """Where dlib has its five points in a chip (`get_face_chip_details`).

    Args:
        side: of the chip, pixels.
        padding: room around the face, as a share of it.
    """
    template: NDArray[np.float64] = (padding + DLIB_FACE) / (2 * padding + 1) * side
    return template


def arcface_template(side: int = ARCFACE_SIDE) -> NDArray[np.float64]:
    """Where dlib's five points belong in a chip of the ArcFace family.

    Its template has the mouth's corners, which dlib's five points have not. So dlib's mean face is laid over the
    template by its eyes.

    Args:
        side: of the chip, pixels.
    """
    eyes = np.array([DLIB_FACE[0:2].mean(axis=0), DLIB_FACE[2:4].mean(axis=0)])
    transform = similarity(eyes, ARCFACE_EYES * side / ARCFACE_SIDE)
    template: NDArray[np.float64] = DLIB_FACE @ transform[:, :2].T + transform[:, 2]
    return template


def sface_template() -> NDArray[np.float64]:
    """Where dlib's five points belong in SFace's chip of 112 x 112 pixels.

    The ArcFace family's places for them, a little smaller and lower: of those that `benchmarks.sface_template` tries,
    encodings of one person lie nearest with these, at every size of face, and those of others no nearer.
    """
    middle = (ARCFACE_SIDE / 2, ARCFACE_SIDE / 2)
    template: NDArray[np.float64] = (arcface_template() - middle) * _SFACE_SCALE + middle + _SFACE_SHIFT
    return template
