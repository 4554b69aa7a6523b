"""A deterministic engine for tests of the transport: faces are drawn into the picture as squares of one colour.

A square's colour is the person: `encoding_of(colour)`. The grey of the picture's top right corner can make it
misbehave. Both survive JPEG.
"""

import io
import os
import threading
import time
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from attendance.face_engine.interface import AlignedFaces, EngineInfo, FaceBoxes, Image, ImageTooLargeError, ModelError
from tests.recognition_service.living import FEATURES, expression

SIZE = 128
MODEL = "dlib-resnet-v1"
"""Its encodings lie as far apart as those of dlib, whose distances are then decided by."""
RAISE, DIE, SLEEP, TOO_LARGE, GOOD = 40, 80, 160, 195, 240
"""Levels of the corner with which detection fails, the process dies, waits, refuses the picture, or just works."""
SLEEP_S = 0.3
_NEAR = 12
_OTHER_LIGHT = 9.0
"""Levels by which a living face differs from its photo, as colours: the encodings are then about 0.3 apart."""


class ColourEngine:
    """Finds at most one face a picture: the square from (8, 8) to (72, 72) when it is not black."""

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

    def detect(
        self, images: Sequence[Image], *, upsample: int | None = None, smallest_face: int | None = None
    ) -> list[FaceBoxes]:
        self.batches.append(len(images))
        self.threads.add(threading.current_thread().name)
        for image in images:
            _misbehave(float(image[4:12, -12:-4].mean()))
        self.gate.wait(30)
        return [_boxes(image) for image in images]

    def align(self, images: Sequence[Image], faces: Sequence[FaceBoxes]) -> list[AlignedFaces]:
        return [
            AlignedFaces(
                chips=np.stack([_chip(image)] * len(found.boxes))
                if len(found.boxes)
                else np.empty((0, 24, 24, 3), np.uint8),
                # In the middle, which stays where it is when a picture is turned around it: the face is upright.
                landmarks=np.repeat((found.boxes[:, None, :2] + found.boxes[:, None, 2:]) / 2, 5, axis=1),
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
    colour: Sequence[int] | None = None, *, corner: int = GOOD, size: tuple[int, int] = (96, 128), seed: int = 0
) -> Image:
    """A dim noisy picture, with a face when a colour is given."""
    height, width = size
    image = np.random.default_rng(seed).integers(20, 40, (height, width, 3), dtype=np.uint8)
    image[:80, :80] = 0 if colour is None else np.asarray(colour, np.uint8)
    image[:16, -16:] = corner
    return image


def alive(image: Image, moment: int) -> Image:
    """The picture as it is at a moment: a face in it moves its eyes and mouth, and is not quite that of its photo.

    Pictures without a face stay what they are.
    """
    if not len(_boxes(image).boxes):
        return image
    side = image.shape[0] * 64 // 96
    corner = image.shape[0] * 8 // 96
    change = cv2.resize(24 * FEATURES + 48 * expression(moment), (side, side), interpolation=cv2.INTER_LINEAR)
    living = image.copy()
    face = living[corner : corner + side, corner : corner + side]
    face[:] = np.clip(face + _OTHER_LIGHT + change[:, :, np.newaxis], 1, 255)
    return living


def encoded(image: Image, file_format: str = "JPEG") -> bytes:
    """The picture as a file."""
    file = io.BytesIO()
    Pillow.fromarray(image).save(file, file_format, **({"quality": 95} if file_format == "JPEG" else {}))
    return file.getvalue()


def build() -> ColourEngine:
    return ColourEngine()


def build_blocking() -> ColourEngine:
    return ColourEngine(blocks=True)


def build_broken() -> ColourEngine:
    raise ModelError("the model file colours.dat is missing")


def build_of_unfit_settings() -> ColourEngine:
    raise ValueError("the engine has no detector 'hog'")


def build_with_a_bug() -> ColourEngine:
    raise TypeError("unexpected argument")


def build_dying_in_child() -> ColourEngine:
    """Builds in the test's process, and ends any other that builds it."""
    import multiprocessing  # noqa: PLC0415

    if multiprocessing.parent_process() is not None:
        os._exit(3)
    return ColourEngine(blocks=True)


def _misbehave(level: float) -> None:
    if abs(level - RAISE) < _NEAR:
        raise ZeroDivisionError("this frame is cursed")
    if abs(level - DIE) < _NEAR:
        os._exit(7)
    if abs(level - SLEEP) < _NEAR:
        time.sleep(SLEEP_S)
    if abs(level - TOO_LARGE) < _NEAR:
        raise ImageTooLargeError("image 0 of the batch is too large")


def _chip(image: Image) -> Image:
    """A part of the face, striped: one colour would be a blurred face, which counts less."""
    chip = image[24:48, 24:48].copy()
    chip[::4] = 255 - chip[::4]
    return chip


def _boxes(image: Image) -> FaceBoxes:
    if int(image[40, 40].max()) < 60:
        return FaceBoxes(boxes=np.empty((0, 4), np.float32), scores=np.empty(0, np.float32))
    return FaceBoxes(boxes=np.array([[8, 8, 72, 72]], np.float32), scores=np.array([1.5], np.float32))
