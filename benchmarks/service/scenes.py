"""What cameras see: a lecture hall with twenty students on their seats, a door with two who walk, and one huge frame.

Twenty people are more than the demo's pictures show. The others are blends of two of them each, laid over one another
by their landmarks: faces like any other to the engine, and nearer to themselves than to anybody else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.encoding.chips import similarity
from attendance.face_engine.faces import find_faces
from attendance.face_engine.interface import Face, FaceEngine, Image
from operations.demo.classroom import cut_portrait
from operations.demo.people import ENROLLED, STRANGERS

HALL_SIZE, DOOR_SIZE, LARGE_SIDE = (1920, 1080), (1280, 720), 4_000
SEATED = 20
"""Faces in the hall."""
DOOR_FACE, SEAT_FACE = 36, 24
"""Pixels: the smallest face that a camera at a door, or one before seats, is set to look for; those who walk through
have some 100, and those who sit 50 to 110."""
_COLUMNS, _ROWS = 5, 4
_SIDES = tuple(round(side) for side in np.linspace(110, 240, SEATED))
"""Of the heads and shoulders, pixels, from the last row to the first; faces are a little less than half as wide."""
_TILE = 240
_HALL_FRAMES, _DOOR_FRAMES = 12, 20
_NOISE, _QUALITY = 2.0, 90
_LARGE_QUALITY = 60


@dataclass(frozen=True, slots=True, eq=False)
class Seated:
    """Somebody in the hall."""

    index_number: str
    tile: Image
    """Head and shoulders, shape (_TILE, _TILE, 3)."""
    encoding: NDArray[np.float32]


def cast(engine: FaceEngine, pictures: Path) -> list[Seated]:
    """Twenty people: those of the demo's pictures, and blends of neighbours.

    Args:
        engine: finds and encodes them.
        pictures: the folder that `fetch_pictures` gave.
    """
    portraits = [person.seen or person.photos[0] for person in (*ENROLLED, *STRANGERS)]
    tiles = [
        np.ascontiguousarray(cv2.resize(cut_portrait(pictures, one), (_TILE, _TILE), interpolation=cv2.INTER_AREA))
        for one in portraits
    ]
    tiles = [np.ascontiguousarray(tile[:, :, ::-1]) for tile in tiles]
    faces = [_clearest(engine, tile) for tile in tiles]
    pairs = [(place, (place + step) % len(tiles)) for step in range(1, len(tiles)) for place in range(len(tiles))]
    for one, other in pairs[: SEATED - len(tiles)]:
        tiles.append(_blended(tiles[one], tiles[other], faces[one], faces[other]))
    return [
        Seated(f"25{place:04d}", tile, _clearest(engine, tile).encoding) for place, tile in enumerate(tiles[:SEATED])
    ]


def gallery_of(people: Sequence[Seated]) -> dict[str, NDArray[np.float32]]:
    """Their encodings by index number, one each."""
    return {one.index_number: one.encoding[np.newaxis] for one in people}


def write_hall(
    people: Sequence[Seated], folder: Path, *, frames: int = _HALL_FRAMES, sway: float = 2.0, arriving: bool = False
) -> None:
    """Frames in which everybody sits.

    Args:
        people: twenty of them.
        folder: made here.
        frames: how many.
        sway: by how many pixels every third one moves to either side.
        arriving: whether they come in one after the other, one a frame; else all are there.
    """
    folder.mkdir()
    room = _room(HALL_SIZE)
    for number in range(frames):
        frame = room.copy()
        for place, (person, side) in enumerate(zip(people, _SIDES, strict=True)):
            if arriving and number < place:
                break
            row, column = divmod(place, _COLUMNS)
            moved = round(sway * np.sin(number + place)) if place % 3 == 0 else 0
            left = column * (HALL_SIZE[0] // _COLUMNS) + 60 + moved
            top = row * (HALL_SIZE[1] // _ROWS) + (HALL_SIZE[1] // _ROWS - side) // 2
            _put(frame, person.tile, left, top, side)
        _write(folder, number, frame)


def write_door(people: Sequence[Seated], folder: Path) -> None:
    """Frames in which two people walk past each other, about a face's width between two frames."""
    folder.mkdir()
    room = _room(DOOR_SIZE)
    for number in range(_DOOR_FRAMES):
        frame = room.copy()
        way = number / _DOOR_FRAMES
        _put(frame, people[0].tile, round(20 + 980 * way), 60, 220)
        _put(frame, people[1].tile, round(1040 - 1000 * way), 400, 240)
        _write(folder, number, frame)


def write_large(frame: Image, folder: Path) -> None:
    """One frame as large as the service takes.

    Args:
        frame: what it shows, RGB.
        folder: made here.
    """
    folder.mkdir()
    large = cv2.resize(frame, (LARGE_SIDE, LARGE_SIDE), interpolation=cv2.INTER_CUBIC)
    _save(folder / "frame.jpg", np.asarray(large, np.uint8), _LARGE_QUALITY)


def _clearest(engine: FaceEngine, tile: Image) -> Face:
    (found,) = find_faces(engine, [tile], upsample=0)
    if not found:
        raise SystemExit("a head of the benchmark's hall shows no face")
    return found[0]


def _blended(one: Image, other: Image, face: Face, another: Face) -> Image:
    """Half of each, the second brought over the first by the landmarks."""
    transform = similarity(another.landmarks.astype(np.float64), face.landmarks.astype(np.float64))
    moved = cv2.warpAffine(other, transform, (_TILE, _TILE), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.addWeighted(one, 0.5, moved, 0.5, 0), np.uint8)


def _put(frame: Image, tile: Image, left: int, top: int, side: int) -> None:
    """Put heads and shoulders into the frame, with soft edges, as far as they are within it."""
    scaled = cv2.resize(tile, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    ramp = np.clip(np.minimum(np.arange(side), np.arange(side)[::-1]) / 12, 0, 1)
    part = frame[max(top, 0) : top + side, max(left, 0) : left + side]
    height, width = part.shape[:2]
    rows, columns = slice(max(-top, 0), max(-top, 0) + height), slice(max(-left, 0), max(-left, 0) + width)
    soft = np.outer(ramp, ramp)[rows, columns, np.newaxis]
    part[:] = np.clip(part + soft * (scaled[rows, columns] - part), 0, 255)


def _room(size: tuple[int, int]) -> Image:
    """A wall that grows darker to one side, with the edges of rows of desks."""
    width, height = size
    wall = np.linspace((210, 205, 196), (178, 165, 150), height)[:, np.newaxis, :]
    room = np.repeat(wall, width, axis=1) * np.linspace(1, 0.8, width)[np.newaxis, :, np.newaxis]
    for top in range(height // _ROWS - 30, height, height // _ROWS):
        room[top : top + 22] = (132, 98, 72)
    return np.clip(room, 0, 255).astype(np.uint8)


def _write(folder: Path, number: int, frame: Image) -> None:
    """With a camera's noise, the same at each run."""
    noise = np.random.default_rng([20261126, number]).normal(0, _NOISE, frame.shape)
    _save(folder / f"{number:05d}.jpg", np.clip(frame + noise, 0, 255).astype(np.uint8), _QUALITY)


def _save(path: Path, frame: Image, quality: int) -> None:
    done, data = cv2.imencode(".jpg", frame[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise SystemExit("no JPEG can be made")
    path.write_bytes(data.tobytes())
