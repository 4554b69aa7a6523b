"""What the engines on inference runtimes share: the steps over batches, checked."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.checks import check_chips, check_faces, check_images
from attendance.face_engine.encoding.alignment import Aligner
from attendance.face_engine.encoding.embeddings import Embedder
from attendance.face_engine.encoding.landmarks import LandmarkPredictor
from attendance.face_engine.interface import (
    AlignedFaces,
    EngineError,
    EngineInfo,
    FaceBoxes,
    Image,
    ModelFile,
)
from attendance.face_engine.models.landmark_file import read_landmark_model
from attendance.face_engine.models.weights import LANDMARKS, weights_file
from attendance.face_engine.pieces import Known, Search, finished
from attendance.face_engine.scaling import fitted


@dataclass(frozen=True, slots=True)
class Steps:
    """What follows detection."""

    aligner: Aligner
    embedder: Embedder


class NetworkEngine(ABC):
    """An engine of `attendance.face_engine.interface` whose networks an inference runtime runs."""

    def __init__(
        self, steps: Steps, info: EngineInfo, *, max_pixels: int, upsample: int | None, smallest_face: int | None
    ) -> None:
        """Use what a family is made of.

        Args:
            steps: its alignment and encoding.
            info: what the engine runs on.
            max_pixels: the largest image accepted.
            upsample: times an image is doubled before detection when a call does not say; None: `smallest_face` says.
            smallest_face: width in pixels of the smallest face wanted when a call does not say; None: the family's own.
        """
        self._upsample = upsample
        self._smallest_face = smallest_face
        self._steps: Steps | None = steps
        self._info = info
        self._max_pixels = max_pixels

    @property
    def info(self) -> EngineInfo:
        """What this engine runs on."""
        return self._info

    @property
    def blocks_interpreter(self) -> bool:
        """False: networks, landmarks and chips are computed with Python's global lock released."""
        return False

    def detect(
        self, images: Sequence[Image], *, upsample: int | None = None, smallest_face: int | None = None
    ) -> list[FaceBoxes]:
        """Find the faces of each image; see `FaceEngine.detect`."""
        return finished(self.detect_in_pieces(images, upsample=upsample, smallest_face=smallest_face, known={}))

    def detect_in_pieces(
        self,
        images: Sequence[Image],
        *,
        upsample: int | None = None,
        smallest_face: int | None = None,
        known: Known,
    ) -> Search:
        """The same; stops after each call of a network; see `EngineInPieces`."""
        doublings = self._upsample if upsample is None else upsample
        checked = check_images(images, max_pixels=self._max_pixels, upsample=doublings or 0)
        self._open()
        if doublings is not None:
            return (yield from self._search(checked, 2.0**doublings, known))
        wanted = self._smallest_face if smallest_face is None else smallest_face
        scale = fitted(self._scale_for(wanted), checked, max_pixels=self._max_pixels)
        return (yield from self._search(checked, scale, known))

    def align(self, images: Sequence[Image], faces: Sequence[FaceBoxes]) -> list[AlignedFaces]:
        """Find five landmarks of every face and cut its chip; see `FaceEngine.align`. All faces are one call."""
        check_faces(images, faces)
        checked = check_images(images, max_pixels=self._max_pixels)
        return self._open().aligner.align(checked, faces)

    def encode(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode aligned faces; see `FaceEngine.encode`."""
        embedder = self._open().embedder
        return embedder.encode(check_chips(chips, embedder.side))

    def close(self) -> None:
        """Let go of the models; every later call but this one raises EngineError."""
        self._steps = None

    @abstractmethod
    def _search(self, images: list[Image], scale: float, known: Known) -> Search:
        """Find the faces of checked images, whose sides are multiplied by `scale` first; `known` is given them too."""

    @abstractmethod
    def _scale_for(self, smallest_face: int | None) -> float:
        """What the sides of images are multiplied by, so that the smallest face wanted is found; None: nobody says."""

    def _open(self) -> Steps:
        if self._steps is None:
            raise EngineError("the engine is closed")
        return self._steps


def load_landmarks() -> tuple[LandmarkPredictor, ModelFile]:
    """The five-point predictor of dlib, which both families align with, and its file.

    Raises:
        ModelError: the file is missing or damaged.
    """
    model = read_landmark_model(weights_file(LANDMARKS))
    return LandmarkPredictor(model), model.file


def describe_precisions(search: str, encoding: str) -> str:
    """The arithmetic in words: what is searched in a faster one than float32 is decided in float32."""
    if search == encoding == "fp32":
        return "fp32"
    return f"{search} search, fp32 decisions, {encoding} encodings"
