"""Pictures of the demo: enrolment photos cut from the pictures, and what a camera in the lecture room sees."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from operations.demo.people import (
    ENROLLED,
    FRAMES_PER_SECOND,
    LENGTH_S,
    VISIBLE,
    Person,
    Portrait,
)

FRAME_SIZE = (960, 540)
_SEATS_A_ROW = 5
_TILE = 176
"""Width and height of one person in the frame, pixels."""


def write_photos(pictures: Path, folder: Path) -> None:
    """Write the enrolment photos: a folder for each student, named by index number.

    Args:
        pictures: the folder that `fetch_pictures` gave.
        folder: made if it is missing.
    """
    for person in ENROLLED:
        own = folder / person.index_number
        own.mkdir(parents=True, exist_ok=True)
        for number, portrait in enumerate(person.photos, start=1):
            photo = _enlarged(cut_portrait(pictures, portrait), 320)
            _write(own / f"{number}.jpg", photo, quality=95)


def write_frames(
    pictures: Path,
    folder: Path,
    *,
    people: Sequence[Person] = VISIBLE,
    length_s: float = LENGTH_S,
    frames_per_second: float = FRAMES_PER_SECOND,
) -> int:
    """Write what the camera sees as JPEG frames.

    Args:
        pictures: the folder that `fetch_pictures` gave.
        folder: made if it is missing.
        people: who comes, each on a seat of their own.
        length_s: seconds that the frames cover.
        frames_per_second: of the class, not of how fast it is played.

    Returns:
        The number of frames.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    seconds = [number / frames_per_second for number in range(int(length_s * frames_per_second))]
    for count, frame in enumerate(_frames(pictures, people, seconds), start=1):
        _write(folder / f"{count:05d}.jpg", frame, quality=90)
    return count


def _frames(pictures: Path, people: Sequence[Person], seconds: Sequence[float]) -> Iterator[NDArray[np.uint8]]:
    # Seeded: everybody's demo sees the same frames.
    noise = np.random.default_rng(20261123)
    room = _room()
    tiles = [_enlarged(cut_portrait(pictures, person.seen), _TILE) for person in people if person.seen is not None]
    for second in seconds:
        frame = room.astype(np.float32)
        _seat(frame, people, tiles, second)
        frame *= 1 + 0.04 * np.sin(second / 3)  # daylight comes and goes
        frame += noise.normal(0, 3, frame.shape)
        yield np.clip(frame, 0, 255).astype(np.uint8)


def _seat(frame: NDArray[np.float32], people: Sequence[Person], tiles: list[NDArray[np.uint8]], second: float) -> None:
    """Put everybody who has arrived on a seat, swaying a little, with soft edges."""
    mask = _soft_edges(_TILE)
    for place, (person, tile) in enumerate(zip(people, tiles, strict=True)):
        if not person.arrives_s <= second < person.leaves_s:
            continue
        row, column = divmod(place, _SEATS_A_ROW)
        sway = 4 * np.sin(second / 2 + place)
        nod = 3 * np.cos(second / 3 + 2 * place)
        left = int(12 + column * 188 + row * 40 + sway)
        top = int(60 + row * 225 + nod)
        area = frame[top : top + _TILE, left : left + _TILE]
        part = tile[: area.shape[0], : area.shape[1]]
        soft = mask[: area.shape[0], : area.shape[1]]
        area += soft * (part - area)


def cut_portrait(pictures: Path, portrait: Portrait) -> NDArray[np.uint8]:
    """The head and shoulders of somebody in a picture, BGR, uint8, a square of `portrait.width` pixels."""
    image = cv2.imread(str(pictures / portrait.picture), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(pictures / portrait.picture)
    half = portrait.width // 2
    x, y = portrait.centre
    # The border repeats where the cut reaches outside the picture.
    padded = cv2.copyMakeBorder(image, half, half, half, half, cv2.BORDER_REPLICATE)
    return np.asarray(padded[y : y + 2 * half, x : x + 2 * half], dtype=np.uint8)


def _enlarged(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    shrinks = side < image.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (side, side), interpolation=method), dtype=np.uint8)


def _room() -> NDArray[np.uint8]:
    width, height = FRAME_SIZE
    wall = np.linspace((196, 205, 210), (150, 165, 178), height)[:, np.newaxis, :]
    room = np.repeat(wall, width, axis=1).astype(np.uint8)
    for top in (222, 447):
        cv2.rectangle(room, (0, top), (width, top + 34), (72, 98, 132), -1)  # a row of desks
        cv2.line(room, (0, top), (width, top), (52, 72, 100), 2)
    return room


def _soft_edges(side: int) -> NDArray[np.float32]:
    ramp = np.clip(np.minimum(np.arange(side), np.arange(side)[::-1]) / 14, 0, 1)
    return np.asarray(np.outer(ramp, ramp)[:, :, np.newaxis], dtype=np.float32)


def _write(path: Path, image: NDArray[np.uint8], *, quality: int) -> None:
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise OSError(f"OpenCV could not encode {path}")
    path.write_bytes(data.tobytes())
