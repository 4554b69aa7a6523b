"""Faces scaled down as a camera would send them."""

from pathlib import Path

import numpy as np
import pytest

from accuracy.comparison.small_faces import MOST_PHOTOS, SmallFaces, draw_photos, scale_down
from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import Face


def face(left: float, top: float, side: float) -> Face:
    box = np.array([left, top, left + side, top + side], np.float32)
    return Face(box, 1.0, np.zeros((5, 2), np.float32), np.zeros(128, np.float32), 0.0)


@pytest.mark.parametrize("width", [16, 40])
@pytest.mark.parametrize("corner", [(300, 200), (0, 0)])
def test_the_face_is_as_wide_as_asked_and_where_it_says(width: int, corner: tuple[int, int]) -> None:
    image = np.full((600, 800, 3), 60, np.uint8)
    left, top = corner
    image[top : top + 100, left : left + 100] = 250
    small = scale_down(image, face(left, top, 100), width, np.random.default_rng(0))
    assert small is not None
    bright = np.argwhere(decode_image(small.jpeg, max_pixels=10**6)[:, :, 1] > 180)
    height, wide = np.ptp(bright, axis=0) + 1
    assert abs(height - width) <= 2
    assert abs(wide - width) <= 2
    y, x = bright.mean(axis=0)
    assert np.allclose(small.middle, (x, y), atol=1.5)


def test_nothing_is_scaled_up() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    assert scale_down(image, face(10, 10, 30), 32, np.random.default_rng(0)) is None
    taken = SmallFaces({Path("a")})
    taken.take(Path("a"), image, face(10, 10, 30))
    taken.take(Path("b"), image, face(10, 10, 90))
    assert {width: list(faces) for width, faces in taken.by_width.items() if faces} == {
        width: [Path("a")] for width in (16, 20, 24)
    }


def test_of_many_photos_some_are_drawn() -> None:
    paths = [Path(f"{place}.jpg") for place in range(2 * MOST_PHOTOS)]
    assert draw_photos(paths[:10], seed=1) == frozenset(paths[:10])
    drawn = draw_photos(paths, seed=1)
    assert len(drawn) == MOST_PHOTOS
    assert drawn == draw_photos(paths, seed=1) != draw_photos(paths, seed=2)
