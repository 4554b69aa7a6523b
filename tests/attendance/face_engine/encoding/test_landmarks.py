"""Landmarks of many faces at once against dlib's, one at a time."""

from pathlib import Path

import dlib
import numpy as np
import pytest

from attendance.face_engine.encoding.landmarks import LandmarkPredictor
from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import Image
from attendance.face_engine.models.landmark_file import read_landmark_model
from attendance.face_engine.models.weights import LANDMARKS, weights_file


@pytest.fixture(scope="module")
def predictor() -> LandmarkPredictor:
    return LandmarkPredictor(read_landmark_model(weights_file(LANDMARKS)))


@pytest.fixture(scope="module")
def theirs() -> "dlib.shape_predictor":
    return dlib.shape_predictor(str(weights_file(LANDMARKS)))


def points_of(theirs: "dlib.shape_predictor", image: Image, boxes: np.ndarray) -> np.ndarray:
    shapes = [theirs(image, dlib.rectangle(*(round(float(edge)) for edge in box))) for box in boxes]
    return np.array([[(point.x, point.y) for point in shape.parts()] for shape in shapes]).reshape(-1, 5, 2)


def boxes_in(image: Image, count: int, seed: int) -> np.ndarray:
    """Squares anywhere, also outside, from 4 to 500 pixels, whole and not."""
    generator = np.random.default_rng(seed)
    height, width = image.shape[:2]
    corners = np.stack([generator.uniform(-60, width, count), generator.uniform(-60, height, count)], axis=1)
    sides = generator.uniform(4, 500, (count, 1))
    boxes = np.concatenate([corners, corners + sides], axis=1)
    boxes[::2] = np.round(boxes[::2])
    return boxes.astype(np.float32)


@pytest.mark.parametrize("name", ["t1.jpg", "obama.jpg", "astronaut.png", "Tom_Hanks_54745.png"])
def test_they_are_those_of_dlib(
    name: str, pictures: Path, predictor: LandmarkPredictor, theirs: "dlib.shape_predictor"
) -> None:
    image = decode_image((pictures / name).read_bytes(), max_pixels=16_000_000)
    found = [(face.left(), face.top(), face.right(), face.bottom()) for face in dlib.get_frontal_face_detector()(image)]
    odd = [(-500, -500, -400, -400), (5, 5, 5, 5), (-9, -9, 3, 3)]
    boxes = np.concatenate([np.array([*found, *odd], np.float32), boxes_in(image, 150, len(name))])
    (ours,) = predictor.predict([image], [boxes], whole_pixels=True)
    assert len(ours) == len(boxes)
    assert np.abs(ours - points_of(theirs, image, boxes)).max() <= 0.01


def test_without_rounding_they_lie_within_half_a_pixel(
    six_people: Image, predictor: LandmarkPredictor, theirs: "dlib.shape_predictor"
) -> None:
    boxes = np.round(boxes_in(six_people, 40, 7))
    (ours,) = predictor.predict([six_people], [boxes], whole_pixels=False)
    apart = ours - points_of(theirs, six_people, boxes)
    assert np.abs(apart).max() <= 0.501
    assert np.abs(apart).mean() > 0.1


def test_a_batch_of_images_answers_as_each_alone(six_people: Image, predictor: LandmarkPredictor) -> None:
    images = [six_people, np.ascontiguousarray(six_people[100:400, 200:900]), np.zeros((1, 1, 3), np.uint8), six_people]
    boxes = [
        boxes_in(six_people, 11, 1),
        boxes_in(images[1], 6, 2),
        np.empty((0, 4), np.float32),
        boxes_in(images[3], 1, 3),
    ]
    together = predictor.predict(images, boxes, whole_pixels=False)
    assert [len(one) for one in together] == [11, 6, 0, 1]
    for image, own, points in zip(images, boxes, together, strict=True):
        for box, one in zip(own, points, strict=True):
            assert np.array_equal(predictor.predict([image], [box[None]], whole_pixels=False)[0][0], one)
    assert predictor.predict([], [], whole_pixels=True) == []
