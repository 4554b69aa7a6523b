"""The reference engine: dlib itself, with the weights and the steps of the `face_recognition` package."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import dlib
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.checks import check_chips, check_faces, check_images
from attendance.face_engine.interface import (
    AlignedFaces,
    EngineChoiceError,
    EngineError,
    EngineInfo,
    FaceBoxes,
    Image,
    ModelError,
)
from attendance.face_engine.models.weights import (
    CHIP_PADDING,
    CHIP_SIDE,
    CNN_DETECTOR,
    ENCODER,
    ENCODER_MODEL,
    ENCODING_SIZE,
    LANDMARKS,
    model_file,
    weights_file,
)
from attendance.face_engine.scaling import doublings_for, fitted

# Below this dlib's CNN refuses to run: its filters do not fit into the picture. No face fits there either.
_SMALLEST_CNN_SIDE = 12
_LANDMARKS = 5

_Loaded = TypeVar("_Loaded")


class ReferenceEngine:
    """dlib's CNN or HOG detector, five-point landmarks and ResNet encoder; a `FaceEngine`.

    It answers as `face_recognition.face_locations` and `face_recognition.face_encodings(model="small")` do, batch by
    batch. Boxes are dlib's own: whole numbers, right and bottom edges inside the box, and not cut at the image's edge.
    """

    def __init__(
        self,
        *,
        detector: str = "hog",
        upsample: int | None = None,
        smallest_face: int | None = None,
        max_pixels: int = 16_000_000,
    ) -> None:
        """Load the models; takes under a second.

        Args:
            detector: "cnn" or "hog".
            upsample: times an image is doubled before detection when a call does not say; None: `smallest_face` says.
            smallest_face: width in pixels of the smallest face wanted, which images are doubled by; None: once.
            max_pixels: the largest image accepted.

        Raises:
            ModelError: a model file is missing or damaged.
            EngineChoiceError: `detector` is neither.
        """
        if detector not in ("cnn", "hog"):
            raise EngineChoiceError(f"detector is {detector!r}; the reference engine has cnn and hog")
        self._upsample = upsample
        self._smallest_face = smallest_face
        self._max_pixels = max_pixels
        files = [weights_file(LANDMARKS), weights_file(ENCODER)]
        self._predictor: Any = _load(dlib.shape_predictor, files[0])
        self._encoder: Any = _load(dlib.face_recognition_model_v1, files[1])
        self._detector: Any
        if detector == "cnn":
            files.append(weights_file(CNN_DETECTOR))
            self._detector = _load(dlib.cnn_face_detection_model_v1, files[2])
        else:  # HOG's weights are compiled into dlib: it needs no file.
            self._detector = dlib.get_frontal_face_detector()
        self._info = EngineInfo(
            name="reference",
            detector=detector,
            runtime=f"dlib {dlib.__version__}",
            device="CUDA" if dlib.DLIB_USE_CUDA else "CPU",
            precision="fp32",
            model=ENCODER_MODEL,
            encoding_size=ENCODING_SIZE,
            models=tuple(model_file(path) for path in files),
        )

    @property
    def info(self) -> EngineInfo:
        """What this engine runs on."""
        return self._info

    @property
    def blocks_interpreter(self) -> bool:
        """True: dlib's Python module computes with Python's global lock held."""
        return True

    def detect(
        self, images: Sequence[Image], *, upsample: int | None = None, smallest_face: int | None = None
    ) -> list[FaceBoxes]:
        """Find the faces of each image; see `FaceEngine.detect`.

        One image after the other: on a CPU dlib gains nothing from a batch, and it wants all of one size.
        """
        doublings = self._upsample if upsample is None else upsample
        checked = check_images(images, max_pixels=self._max_pixels, upsample=doublings or 0)
        self._require_open()
        if doublings is None:
            wanted = self._smallest_face if smallest_face is None else smallest_face
            scale = fitted(2.0 ** doublings_for(wanted), checked, max_pixels=self._max_pixels)
            doublings = round(math.log2(scale))
        find = self._find_with_cnn if self._info.detector == "cnn" else self._find_with_hog
        return [_sorted_boxes(*find(image, doublings)) for image in checked]

    def _find_with_cnn(self, image: Image, upsample: int) -> tuple[list[Any], list[float]]:
        if min(image.shape[:2]) << upsample < _SMALLEST_CNN_SIDE:
            return [], []
        found = self._detector(image, upsample)
        return [face.rect for face in found], [face.confidence for face in found]

    def _find_with_hog(self, image: Image, upsample: int) -> tuple[list[Any], list[float]]:
        rectangles, scores, _ = self._detector.run(image, upsample, 0.0)
        return list(rectangles), list(scores)

    def align(self, images: Sequence[Image], faces: Sequence[FaceBoxes]) -> list[AlignedFaces]:
        """Find five landmarks of every face and cut its chip; see `FaceEngine.align`."""
        check_faces(images, faces)
        checked = check_images(images, max_pixels=self._max_pixels)
        self._require_open()
        return [self._align_one(image, found.boxes) for image, found in zip(checked, faces, strict=True)]

    def _align_one(self, image: Image, boxes: NDArray[np.float32]) -> AlignedFaces:
        chips = np.empty((len(boxes), CHIP_SIDE, CHIP_SIDE, 3), np.uint8)
        landmarks = np.empty((len(boxes), _LANDMARKS, 2), np.float32)
        for place, box in enumerate(boxes):
            left, top, right, bottom = (round(float(edge)) for edge in box)
            points = self._predictor(image, dlib.rectangle(left, top, right, bottom))
            landmarks[place] = [(point.x, point.y) for point in points.parts()]
            chips[place] = dlib.get_face_chip(image, points, size=CHIP_SIDE, padding=CHIP_PADDING)
        return AlignedFaces(chips, landmarks)

    def encode(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode aligned faces; see `FaceEngine.encode`."""
        checked = check_chips(chips, CHIP_SIDE)
        self._require_open()
        if len(checked) == 0:
            return np.empty((0, ENCODING_SIZE), np.float32)
        return np.array(self._encoder.compute_face_descriptor(list(checked)), np.float32)

    def close(self) -> None:
        """Let go of the models; every later call but this one raises EngineError."""
        self._detector = self._predictor = self._encoder = None

    def _require_open(self) -> None:
        if self._encoder is None:
            raise EngineError("the engine is closed")


def _load(build: Callable[[str], _Loaded], path: Path) -> _Loaded:
    try:
        return build(str(path))
    except RuntimeError as error:
        raise ModelError(f"{path} is not the model it should be, or is damaged: {error}") from None


def _sorted_boxes(rectangles: list[Any], scores: list[float]) -> FaceBoxes:
    boxes = np.array(
        [(face.left(), face.top(), face.right(), face.bottom()) for face in rectangles], np.float32
    ).reshape(-1, 4)
    best_first = np.argsort(-np.array(scores, np.float64), kind="stable")
    return FaceBoxes(boxes[best_first], np.array(scores, np.float32)[best_first])
