"""Attacks, made from real pictures: what is held before the camera, and how it is moved."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.interface import Image
from benchmarks.presentation.camera import SIZE, Conditions, filmed, placed, recompressed, room

_MOST_TURNED = 20.0
"""Degrees out of the picture's plane."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """What an attacker has: pictures of one face, and where the face is in them."""

    name: str
    frames: tuple[Image, ...]
    """One of a photo, several of a video, of which each is shown for `step` seconds."""
    step: float
    face: tuple[float, float, float]
    """Middle of the face, across and down, and its width; pixels of the frames."""


Show = Callable[[Instrument, Conditions, np.random.Generator, int], Iterator[Image]]
"""Makes so many frames, as the service gets them."""


def sent_again(one: Instrument, how: Conditions, chance: np.random.Generator, count: int) -> Iterator[Image]:
    """One frame, filmed once and sent for ever."""
    frame = next(still(one, how, chance, 1))
    for _ in range(count):
        yield frame


def still(one: Instrument, how: Conditions, chance: np.random.Generator, count: int) -> Iterator[Image]:
    """A print that stands before the camera."""
    scene, path = room(chance), _Path(chance, wander=0.0)
    for _ in range(count):
        yield filmed(_held(scene, _print(one), path, how), how, chance)


def moved(one: Instrument, how: Conditions, chance: np.random.Generator, count: int) -> Iterator[Image]:
    """A print that is moved about, upright, its distance the same."""
    scene, path = room(chance), _Path(chance, wander=0.7)
    for _ in range(count):
        path.go_on(turn=0.0, scale=0.0)
        yield filmed(_held(scene, _print(one), path, how), how, chance)


def turned(one: Instrument, how: Conditions, chance: np.random.Generator, count: int) -> Iterator[Image]:
    """A print that is moved, brought nearer, tilted in its plane and out of it."""
    scene, path = room(chance), _Path(chance, wander=0.5)
    for _ in range(count):
        path.go_on(turn=_MOST_TURNED, scale=0.2)
        yield filmed(_held(scene, _print(one), path, how), how, chance)


def bent(one: Instrument, how: Conditions, chance: np.random.Generator, count: int) -> Iterator[Image]:
    """A print that is bent and straightened while it is held."""
    scene, path = room(chance), _Path(chance, wander=0.3)
    for number in range(count):
        path.go_on(turn=8.0, scale=0.1)
        curve = 0.5 * (1 + np.sin(1.3 * number + 0.4))
        yield filmed(_held(scene, _curved(_print(one), float(curve)), path, how), how, chance)


def on_screen(one: Instrument, how: Conditions, chance: np.random.Generator, count: int) -> Iterator[Image]:
    """A photo or video on a tablet in somebody's hands, its border in view."""
    scene, path = room(chance), _Path(chance, wander=0.15)
    sheen = float(chance.uniform(0.1, 0.5)), float(chance.uniform(-0.5, 0.5)), float(chance.uniform(-0.5, 0.5))
    frame = float(chance.uniform(12, 60))
    for number in range(count):
        path.go_on(turn=6.0, scale=0.05)
        shown = _cut(one, number / how.rate, across=2.3, down=2.6)
        device = _device(_displayed(shown, chance), sheen, frame)
        yield filmed(_held(scene, device, path, how, boxes=2.3 * 1.12), how, chance)


def screen_fills_the_view(one: Instrument, how: Conditions, chance: np.random.Generator, count: int) -> Iterator[Image]:
    """A screen so near that no border is in view."""
    path = _Path(chance, wander=0.1)
    for number in range(count):
        path.go_on(turn=4.0, scale=0.03)
        shown = _displayed(_whole(one, number / how.rate), chance)
        scale = how.face / one.face[2]
        size = round(shown.shape[1] * scale), round(shown.shape[0] * scale)
        fitted = np.asarray(cv2.resize(shown, size, interpolation=cv2.INTER_AREA), np.uint8)
        shift = np.array([[1, 0, path.across * 4], [0, 1, path.down * 4]], np.float32)
        yield filmed(
            np.asarray(cv2.warpAffine(fitted, shift, size, borderMode=cv2.BORDER_REPLICATE), np.uint8), how, chance
        )


def video_sent(one: Instrument, how: Conditions, chance: np.random.Generator, count: int) -> Iterator[Image]:
    """The frames of a video, sent in a loop in place of a camera's."""
    del chance
    for number in range(count):
        whole = _whole(one, number / how.rate)
        scale = how.face / one.face[2]
        size = round(whole.shape[1] * scale), round(whole.shape[0] * scale)
        yield recompressed(np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), np.uint8), how.quality)


class _Path:
    """Where a hand holds something: it wanders and comes back, and trembles."""

    def __init__(self, chance: np.random.Generator, *, wander: float) -> None:
        self._chance = chance
        self._wander = wander
        self.across = self.down = self.roll = self.yaw = self.pitch = 0.0
        self.scale = 1.0

    def go_on(self, *, turn: float, scale: float) -> None:
        """Half a second later."""
        reach = self._wander * 2.0
        self.across = float(np.clip(self.across + self._chance.normal(0, self._wander), -reach, reach))
        self.down = float(np.clip(self.down + self._chance.normal(0, self._wander / 2), -reach / 2, reach / 2))
        self.roll = float(self._chance.uniform(-turn, turn)) / 2
        self.yaw, self.pitch = (float(value) for value in self._chance.uniform(-turn, turn, 2))
        self.scale = 1 + float(self._chance.uniform(-scale, scale))


def _corners(middle: NDArray[np.float64], width: float, height: float, path: _Path) -> NDArray[np.float64]:
    """The corners of a rectangle that is turned before a camera three of its widths away."""
    roll, yaw, pitch = np.radians([path.roll, path.yaw, path.pitch])
    turn_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    turn_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    turn_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    flat = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * (width / 2, height / 2, 0)
    solid = flat @ (turn_z @ turn_y @ turn_x).T
    away = 3.0 * max(width, height)
    corners: NDArray[np.float64] = middle + solid[:, :2] * (away / (away + solid[:, 2:]))
    return corners


def _held(scene: Image, plane: Image, path: _Path, how: Conditions, *, boxes: float = 2.3) -> Image:
    """The scene with the plane in it, which is so many faces wide."""
    width = boxes * how.face * path.scale
    height = width * plane.shape[0] / plane.shape[1]
    middle = np.array([SIZE[0] / 2 + path.across * how.face, SIZE[1] / 2 + path.down * how.face])
    return placed(scene, plane, _corners(middle, width, height, path), shadow=True)


def _whole(one: Instrument, second: float) -> Image:
    return one.frames[int(second / one.step) % len(one.frames)]


def _cut(one: Instrument, second: float, *, across: float, down: float) -> Image:
    """Head and shoulders: so many widths of the face."""
    whole = _whole(one, second)
    x, y, width = one.face
    half_x, half_y = int(across * width / 2), int(down * width / 2)
    reach = max(half_x, half_y)
    wide = cv2.copyMakeBorder(whole, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    left, top = int(x) + reach - half_x, int(y) + reach - half_y
    return np.ascontiguousarray(wide[top : top + 2 * half_y, left : left + 2 * half_x]).astype(np.uint8)


def _print(one: Instrument) -> Image:
    """A sheet of paper with a white edge."""
    photo = _cut(one, 0.0, across=2.3, down=2.6)
    edge = max(2, photo.shape[1] // 30)
    return np.asarray(
        cv2.copyMakeBorder(photo, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=(235, 235, 230)), np.uint8
    )


def _curved(plane: Image, curve: float) -> Image:
    """A sheet bent around an upright axis, seen from the front: its middle is nearer, its sides are foreshortened."""
    height, width = plane.shape[:2]
    at = np.linspace(-1, 1, width, dtype=np.float32)
    angle = np.float32(0.9 * curve + 1e-3)
    source = np.arcsin(np.clip(at * np.sin(angle), -1, 1)) / angle
    columns = np.broadcast_to((source + 1) / 2 * (width - 1), (height, width)).astype(np.float32)
    bulge = 1 + 0.06 * curve * (1 - at**2)
    lines = np.linspace(-1, 1, height, dtype=np.float32)[:, np.newaxis] / bulge[np.newaxis]
    rows = ((lines + 1) / 2 * (height - 1)).astype(np.float32)
    return np.asarray(cv2.remap(plane, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _displayed(picture: Image, chance: np.random.Generator) -> Image:
    """As a screen shows it and a lens sees that: compressed twice, brighter and bluer, with moire."""
    shown = recompressed(recompressed(picture, int(chance.integers(35, 70))), 85).astype(np.float32)
    down, across = np.mgrid[0 : shown.shape[0], 0 : shown.shape[1]].astype(np.float32)
    waves = np.sin(across * chance.uniform(0.2, 0.9) + down * chance.uniform(-0.3, 0.3) + chance.uniform(0, 6))
    shown = shown * np.array([1.05, 1.08, 1.15]) + 12 + chance.uniform(2, 7) * waves[:, :, np.newaxis]
    return np.asarray(np.clip(shown, 0, 255), np.uint8)


def _device(picture: Image, sheen: tuple[float, float, float], frame: float) -> Image:
    """The picture in a tablet's frame, of a grey level, with the reflection of a lamp."""
    height, width = picture.shape[:2]
    strength, across, down = sheen
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    lamp = np.exp(-(((x - across) / 0.35) ** 2 + ((y - down) / 0.2) ** 2))[:, :, np.newaxis]
    lit = np.clip(picture.astype(np.float32) + 160 * strength * lamp, 0, 255).astype(np.uint8)
    edge = max(2, round(0.06 * width))
    return np.asarray(
        cv2.copyMakeBorder(lit, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=(frame, frame, frame)), np.uint8
    )
