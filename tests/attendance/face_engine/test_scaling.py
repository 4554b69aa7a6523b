"""The scale that follows from the smallest face wanted."""

from collections.abc import Callable

import numpy as np
import pytest

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.faces import detect_faces
from attendance.face_engine.factory import create_engine
from attendance.face_engine.interface import FaceEngine, Image
from attendance.face_engine.reference import ReferenceEngine
from attendance.face_engine.scaling import doublings_for, fitted


def test_dlib_doubles_what_is_too_small_for_its_detector() -> None:
    wanted = {width: doublings_for(width) for width in (9, 17, 18, 35, 36, 71, 72, 500)}
    assert wanted == {9: 3, 17: 3, 18: 2, 35: 2, 36: 1, 71: 1, 72: 0, 500: 0}
    assert doublings_for(None) == 1


@pytest.mark.parametrize(
    ("scale", "side", "expected"),
    [(4.0, 1000, 4.0), (4.0, 3000, 2.0), (3.0, 3000, 1.5), (2.0, 4000, 2.0), (0.5, 9, 0.5)],
)
def test_no_picture_becomes_too_large(scale: float, side: int, expected: float) -> None:
    images = [np.zeros((10, 10, 3), np.uint8), np.zeros((side, side, 3), np.uint8)]
    assert fitted(scale, images, max_pixels=16_000_000) == expected
    assert fitted(scale, [], max_pixels=16_000_000) == scale


@pytest.fixture(scope="module", params=["accelerated", "reference"])
def unset(request: pytest.FixtureRequest) -> FaceEngine:
    """An engine of dlib's models whose settings say nothing of doubling."""
    return create_engine(name=request.param, detector="cnn", upsample=None, max_pixels=200_000)


@pytest.fixture(scope="module")
def face(six_people: Image) -> Image:
    """One person, 140 x 160 pixels, whose face of about 50 pixels dlib finds when they are doubled."""
    return np.ascontiguousarray(six_people[::2, ::2][120:260, 200:360])


def boxes(engine: FaceEngine, image: Image, **how: int) -> list[list[float]]:
    (found,) = detect_faces(engine, [image], **how)
    return found.boxes.tolist()


def test_the_smallest_face_wanted_says_how_often_dlib_doubles(unset: FaceEngine, face: Image) -> None:
    once, twice = (boxes(unset, face, upsample=times) for times in (1, 2))
    assert len(once) == len(twice) == 1
    assert once != twice
    assert boxes(unset, face) == boxes(unset, face, smallest_face=36) == once
    assert boxes(unset, face, smallest_face=20) == twice
    assert boxes(unset, face, smallest_face=80) == boxes(unset, face, upsample=0) == []
    assert boxes(unset, face, upsample=1, smallest_face=80) == once


def test_a_picture_is_doubled_no_more_than_the_engine_accepts(face: Image) -> None:
    engine = AcceleratedEngine(upsample=None, max_pixels=200_000)
    wide = np.zeros((420, 470, 3), np.uint8)
    wide[: face.shape[0], : face.shape[1]] = face
    assert boxes(engine, wide, smallest_face=20) == boxes(engine, wide, upsample=1)


@pytest.mark.parametrize("build", [AcceleratedEngine, ReferenceEngine])
def test_what_is_set_for_doubling_comes_first(build: Callable[..., FaceEngine], face: Image) -> None:
    fixed = build(detector="cnn", upsample=0, smallest_face=36)
    assert boxes(fixed, face, smallest_face=36) == []
    own = build(detector="cnn", upsample=None, smallest_face=36)
    assert boxes(own, face) == boxes(own, face, upsample=1) != []
    assert boxes(own, face, smallest_face=100) == []
