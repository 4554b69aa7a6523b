"""What an engine is: the types that every engine takes and gives, batches first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from attendance.errors import AttendanceError

Image: TypeAlias = NDArray[np.uint8]
"""RGB, uint8, shape (height, width, 3)."""


class EngineError(AttendanceError):
    """The root of what an engine raises; the message is for people."""


class ImageError(EngineError):
    """An image that the engine cannot take: not uint8 RGB, empty, or larger than `max_pixels`. The caller's fault."""


class ImageTooLargeError(ImageError):
    """An image with more pixels, or a longer side, than the engine works on.

    Attributes:
        pixels: how many it declares, where they were the reason and nothing was decoded; None otherwise.
    """

    def __init__(self, message: str, *, pixels: int | None = None) -> None:
        super().__init__(message)
        self.pixels = pixels


class ModelError(EngineError):
    """A model file is missing, cut short or not what it should be, or a runtime cannot start. The operator's fault."""


class EngineChoiceError(EngineError, ValueError):
    """There is no such engine, runtime or precision, or the engine has no such detector. The operator's fault."""


@dataclass(frozen=True, slots=True)
class FaceBoxes:
    """The faces of one image, best first."""

    boxes: NDArray[np.float32]
    """Shape (n, 4): left, top, right, bottom in pixels of the image given; may reach outside it."""
    scores: NDArray[np.float32]
    """Shape (n,): the detector's own scores. dlib's are raw, with 0 as threshold; YuNet's lie between 0 and 1."""

    def chosen(self, places: Sequence[int] | NDArray[np.generic]) -> "FaceBoxes":
        """Some of the faces: by their indices, or by a mask of bool (n,)."""
        which = np.asarray(places, None if len(places) else np.intp)
        return FaceBoxes(self.boxes[which], self.scores[which])

    def at_least(self, width: float) -> NDArray[np.bool_]:
        """Which of the faces are so wide, pixels: shape (n,); those whose width is no number are not."""
        return np.asarray((self.boxes[:, 2] - self.boxes[:, 0]).astype(np.float64) >= width)

    def faces(self) -> "list[DetectedFace]":
        """The faces one by one, in their order."""
        return [DetectedFace(box, float(score)) for box, score in zip(self.boxes, self.scores, strict=True)]


@dataclass(frozen=True, slots=True)
class AlignedFaces:
    """The faces of one image, cut out and turned upright, in the order of their boxes."""

    chips: NDArray[np.uint8]
    """Shape (n, side, side, 3), RGB; the side is the encoder's (150 for dlib's)."""
    landmarks: NDArray[np.float32]
    """Shape (n, 5, 2): x, y in pixels of the image, in the order of dlib's five-point predictor."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file in use."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a candidate took on this machine, where runtime and precision were left open."""

    part: str
    """search or encoding."""
    runtime: str
    """As in the settings, e.g. "openvino"."""
    precision: str
    milliseconds: float
    """Of a 640 x 480 frame, or of its faces."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine runs on, for GetStatus, the log and `attendance engine info`."""

    name: str
    """As in the settings, e.g. "reference"."""
    detector: str
    """cnn or hog (dlib's), or yunet."""
    runtime: str
    """With its version, e.g. "dlib 20.0.1"."""
    device: str
    """E.g. "CPU"."""
    precision: str
    """E.g. "fp32"."""
    model: str
    """Name of the embedding model, which galleries remember, e.g. "dlib-resnet-v1"."""
    encoding_size: int
    """Length of an encoding, 128 for dlib's."""
    models: tuple[ModelFile, ...]
    family: str = "dlib"
    """Which models: dlib, opencv (YuNet and SFace), or custom (an encoder of the operator's own). Encodings of two
    families must never be compared."""
    timings: tuple[Timing, ...] = ()
    """What the choice of runtime and precisions rests on; empty where the settings decided."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face of an image, through all three steps."""

    box: NDArray[np.float32]
    """Shape (4,): left, top, right, bottom, pixels."""
    score: float
    landmarks: NDArray[np.float32]
    """Shape (5, 2), pixels."""
    encoding: NDArray[np.float32]
    """Shape (encoding_size,)."""
    sharpness: float
    """Variance of the Laplacian of the grey chip; larger is sharper (Pech-Pacheco et al., ICPR 2000)."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectedFace:
    """One face of an image that was found and not encoded."""

    box: NDArray[np.float32]
    """Shape (4,): left, top, right, bottom, pixels."""
    score: float


class FaceEngine(Protocol):
    """Detect, align and encode. Every method takes a batch and answers in its order.

    An engine is used by one thread at a time.
    """

    @property
    def info(self) -> EngineInfo:
        """What this engine runs on."""

    @property
    def blocks_interpreter(self) -> bool:
        """Whether calls hold Python's global lock, so that a server should run the engine in a process of its own."""

    def detect(
        self, images: Sequence[Image], *, upsample: int | None = None, smallest_face: int | None = None
    ) -> list[FaceBoxes]:
        """Find the faces of each image.

        Args:
            images: RGB; sizes may differ; an empty batch gives an empty list.
            upsample: times each image is doubled first, to find faces below the detector's size; None: the engine's
                setting and, where that says nothing, what `smallest_face` asks for.
            smallest_face: width in pixels of the smallest face wanted; None: the engine's setting.

        Raises:
            ImageError: an image is not uint8 RGB, is empty, or has more than `max_pixels` pixels; the message names
                its place in the batch.
        """

    def align(self, images: Sequence[Image], faces: Sequence[FaceBoxes]) -> list[AlignedFaces]:
        """Find five landmarks of every face and cut its chip.

        Raises:
            ValueError: there are not as many `faces` as `images`.
            ImageError: as for `detect`.
        """

    def encode(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode aligned faces, whatever images they came from.

        Args:
            chips: uint8, shape (n, side, side, 3), RGB.

        Returns:
            Encodings, float32, shape (n, encoding_size).

        Raises:
            ImageError: `chips` is not uint8 of that shape.
        """

    def close(self) -> None:
        """Give back what the engine holds. Calling it again does nothing."""
