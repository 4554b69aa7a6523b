"""Chips against dlib's `get_face_chip`."""

from functools import cache
from pathlib import Path
from typing import Any

import cv2
import dlib
import numpy as np
import pytest

from attendance.face_engine.encoding.alignment import arcface_template, dlib_template
from attendance.face_engine.encoding.chips import cut_chips
from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import Image
from attendance.face_engine.models.weights import LANDMARKS, weights_file


@cache
def found_by_dlib(path: Path) -> tuple[Image, list[Any]]:
    """A picture and its faces."""
    image = decode_image(path.read_bytes(), max_pixels=16_000_000)
    return image, list(dlib.get_frontal_face_detector()(image))


@cache
def landmarks_of_dlib() -> Any:
    return dlib.shape_predictor(str(weights_file(LANDMARKS)))


@pytest.mark.parametrize("name", ["t1.jpg", "obama2.jpg", "obama_partial_face.jpg"])
@pytest.mark.parametrize("scale", [0.1, 0.4, 1.0, 2.3, 4.0])
@pytest.mark.parametrize("side", [150, 96])
def test_they_are_those_of_dlib(name: str, scale: float, side: int, pictures: Path) -> None:
    image, faces = found_by_dlib(pictures / name)
    assert faces
    image = np.ascontiguousarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    predictor = landmarks_of_dlib()
    edges: list[tuple[float, ...]] = [(face.left(), face.top(), face.right(), face.bottom()) for face in faces]
    width = image.shape[1]
    # Beside the faces: over the picture's edges, outside it, and of a single pixel.
    edges += [tuple(edge / scale for edge in box) for box in ((-30, -40, 60, 50), (width - 20, 5, width + 80, 105))]
    edges += [(-5000, -5000, -4900, -4900), (5 / scale, 5 / scale, 5 / scale, 5 / scale)]
    shapes = [predictor(image, dlib.rectangle(*(round(edge * scale) for edge in box))) for box in edges]
    points = np.array([[(point.x, point.y) for point in shape.parts()] for shape in shapes], np.float64)
    theirs = np.array([dlib.get_face_chip(image, shape, size=side, padding=0.25) for shape in shapes])
    (ours,) = cut_chips([image], [points], dlib_template(side, 0.25), side, exact=True)
    # A face of a single pixel is no face: a hundredth of a pixel is spread over the chip, and the last bit decides.
    assert np.array_equal(ours[:-1], theirs[:-1])
    assert np.abs(ours[-1].astype(int) - theirs[-1]).max() <= 1
    (near,) = cut_chips([image], [points], dlib_template(side, 0.25), side, exact=False)
    apart = np.abs(near.astype(int) - theirs)
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-3


def test_the_points_of_a_face_come_to_their_places() -> None:
    template = arcface_template()
    angle, scale = 0.4, 0.6
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = template @ turn.T + [150, 120]
    image = np.zeros((400, 400, 3), np.uint8)
    for x, y in points:
        cv2.circle(image, (round(x * 16), round(y * 16)), 3 * 16, (255, 255, 255), -1, cv2.LINE_AA, 4)
    (chips,) = cut_chips([image], [points[None]], template, 112, exact=False)
    assert chips.shape == (1, 112, 112, 3)
    count, _, _, centres = cv2.connectedComponentsWithStats((chips[0, :, :, 0] > 100).astype(np.uint8))
    assert count == 6
    apart = np.linalg.norm(centres[1:, None] - template[None], axis=2)
    assert apart.min(axis=0).max() < 1
    assert apart.min(axis=1).max() < 1


def test_no_faces(six_people: Image) -> None:
    (chips,) = cut_chips([six_people], [np.empty((0, 5, 2))], dlib_template(150, 0.25), 150, exact=True)
    assert chips.shape == (0, 150, 150, 3)
    assert cut_chips([], [], dlib_template(150, 0.25), 150, exact=True) == []
