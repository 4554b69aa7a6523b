"""A deterministic engine for tests of the transport: faces are drawn into the picture as squares of one colour.

A square's colour is the person: `encoding_of(colour)`. Special pixels in the picture's corner make it misbehave.
"""

import os
import threading
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from face_engine.interface import AlignedFaces, EngineInfo, FaceBoxes, Image, ImageTooLargeError, ModelError

SIZE = 128
MODEL = "test-colours"
RAISE, DIE, SLEEP, TOO_LARGE = 1, 2, 3, 4
"""Grey levels of the pixel at the top left that make detection fail, the process die, wait, or refuse the picture."""
SLEEP_S = 0.3


class ColourEngine:
    """Finds at most one face a picture: the square from (8, 8) to (40, 40) when it is not black."""

    def __init__(self, *, blocks: bool = False) -> None:
        self._blocks = blocks
        self.batches: list[int] = []
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.closed = False

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(
            name="colours",
            detector="squares",
            runtime=f"test in process {os.getpid()}",
            device="CPU",
            precision="fp32",
            model=MODEL,
            encoding_size=SIZE,
            models=(),
        )

    @property
    def blocks_interpreter(self) -> bool:
        return self._blocks

    def detect(self, images: Sequence[Image], *, upsample: int | None = None) -> list[FaceBoxes]:
        self.batches.append(len(images))
        self.threads.add(threading.current_thread().name)
        for image in images:
            _misbehave(int(image[0, 0, 0]) if (image[0, 0] == image[0, 0, 0]).all() else 0)
        self.gate.wait(30)
        return [_boxes(image) for image in images]

    def align(self, images: Sequence[Image], faces: Sequence[FaceBoxes]) -> list[AlignedFaces]:
        return [
            AlignedFaces(
                chips=np.stack([image[12:36, 12:36]] * len(found.boxes))
                if len(found.boxes)
                else np.empty((0, 24, 24, 3), np.uint8),
                landmarks=np.zeros((len(found.boxes), 5, 2), np.float32),
            )
            for image, found in zip(images, faces, strict=True)
        ]

    def encode(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        colours = np.median(chips.reshape(len(chips), -1, 3), axis=1)
        return np.stack([encoding_of(tuple(colour)) for colour in colours])

    def close(self) -> None:
        self.closed = True


def encoding_of(colour: Sequence[float]) -> NDArray[np.float32]:
    """A point whose distance to another colour's grows with the difference; colours 40 apart are 0.6 apart or more."""
    encoding = np.zeros(SIZE, np.float32)
    encoding[:3] = np.asarray(colour, np.float32) / 64
    return encoding


def picture(
    colour: Sequence[int] | None = None, *, corner: int = 200, size: tuple[int, int] = (64, 96), seed: int = 0
) -> Image:
    """A dim noisy picture, with a face when a colour is given."""
    height, width = size
    image = np.random.default_rng(seed).integers(20, 40, (height, width, 3), dtype=np.uint8)
    image[4:44, 4:44] = 0 if colour is None else np.asarray(colour, np.uint8)
    image[:4, :4] = corner
    return image


def build() -> ColourEngine:
    return ColourEngine()


def build_blocking() -> ColourEngine:
    return ColourEngine(blocks=True)


def build_broken() -> ColourEngine:
    raise ModelError("the model file colours.dat is missing")


def build_dying_in_child() -> ColourEngine:
    """Builds in the test's process, and ends any other that builds it."""
    import multiprocessing  # noqa: PLC0415

    if multiprocessing.parent_process() is not None:
        os._exit(3)
    return ColourEngine(blocks=True)


def _misbehave(level: int) -> None:
    if level == RAISE:
        raise ZeroDivisionError("this frame is cursed")
    if level == DIE:
        os._exit(7)
    if level == SLEEP:
        time.sleep(SLEEP_S)
    if level == TOO_LARGE:
        raise ImageTooLargeError("image 0 of the batch is too large")


def _boxes(image: Image) -> FaceBoxes:
    if int(image[24, 24].max()) < 60:
        return FaceBoxes(boxes=np.empty((0, 4), np.float32), scores=np.empty(0, np.float32))
    return FaceBoxes(boxes=np.array([[8, 8, 40, 40]], np.float32), scores=np.array([1.5], np.float32))
