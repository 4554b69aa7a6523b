"""Synthetic pictures that carry a number, and videos of them."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

FPS = 10
SIZE = (160, 120)
NUMBERS = 51  # pictures that can be told apart


def picture(number: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """A white bar on a gradient; it moves with the number, which can be read back from a decoded frame."""
    width, height = size
    image = np.tile(np.linspace(0, 120, width, dtype=np.uint8)[None, :, None], (height, 1, 3)).copy()
    left = number % NUMBERS * 3
    image[:, left : left + 6] = 255
    return image


def number_of(jpeg: bytes) -> int:
    """The number of a picture, from its JPEG."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    columns = np.nonzero(image.mean(axis=0) > 190)[0]
    return round(float(columns.mean() - 2.5) / 3)


def write_video(path: Path, frames: int, *, codec: str, fps: float = FPS) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, SIZE)
    assert writer.isOpened()
    for number in range(frames):
        writer.write(picture(number))
    writer.release()
    return path
