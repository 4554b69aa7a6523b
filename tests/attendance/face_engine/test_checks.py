from typing import Any

import numpy as np
import pytest

from attendance.face_engine.checks import check_chips, check_faces, check_images
from attendance.face_engine.interface import FaceBoxes, ImageError, ImageTooLargeError


def test_what_may_be_given() -> None:
    assert check_images([], max_pixels=100) == []
    picture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    for image in (picture, picture[:, ::-1], picture[::2], np.asfortranarray(picture), picture[:1, :1]):
        (checked,) = check_images([image], max_pixels=100)
        assert checked.flags.c_contiguous
        assert np.array_equal(checked, image)
    assert len(check_images([np.zeros((10, 20_000, 3), np.uint8)], max_pixels=200_000, upsample=1)) == 1


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (None, "is a NoneType, not a numpy array"),
        ([[[1, 2, 3]]], "is a list, not a numpy array"),
        (np.zeros((4, 4), np.uint8), "is uint8 of shape"),
        (np.zeros((4, 4, 4), np.uint8), "is uint8 of shape"),
        (np.zeros((4, 4, 3), np.float32), "is float32 of shape"),
        (np.zeros((0, 4, 3), np.uint8), "has 4 x 0 pixels: it is empty"),
        (np.zeros((4, 0, 3), np.uint8), "has 0 x 4 pixels: it is empty"),
    ],
)
def test_what_may_not(image: object, words: str) -> None:
    fine = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ImageError, match="image 1 of the batch") as raised:
        check_images([fine, image], max_pixels=100)  # type: ignore[list-item]
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("shape", "upsample", "words"),
    [
        ((11, 10), 0, "10 x 11 pixels; at most 100 in all"),
        ((10, 10), 2, "doubled 2 times that is more than the 400"),
        ((1, 40_000), 0, "a side has at most"),
    ],
)
def test_what_is_too_large(shape: tuple[int, int], upsample: int, words: str) -> None:
    limit = 100_000 if max(shape) > 100 else 100
    with pytest.raises(ImageTooLargeError, match=words):
        check_images([np.zeros((*shape, 3), np.uint8)], max_pixels=limit, upsample=upsample)


@pytest.mark.parametrize("upsample", [-1, 4])
def test_upsampling_has_bounds(upsample: int) -> None:
    with pytest.raises(ValueError, match="upsample"):
        check_images([], max_pixels=100, upsample=upsample)


def test_faces_must_fit_their_images() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    none = FaceBoxes(np.empty((0, 4), np.float32), np.empty(0, np.float32))
    check_faces([image], [none])
    with pytest.raises(ValueError, match="0 lists of boxes for 1 images"):
        check_faces([image], [])
    for boxes in (np.zeros(4, np.float32), np.zeros((1, 3), np.float32), np.full((1, 4), np.nan, np.float32)):
        with pytest.raises(ValueError, match="boxes of image 0"):
            check_faces([image], [FaceBoxes(boxes, np.zeros(1, np.float32))])


def test_chips_must_be_chips() -> None:
    assert check_chips(np.zeros((0, 150, 150, 3), np.uint8), 150).shape == (0, 150, 150, 3)
    assert check_chips(np.zeros((2, 300, 300, 3), np.uint8)[:, ::2, ::2], 150).flags.c_contiguous
    wrong: tuple[Any, ...] = (
        np.zeros((150, 150, 3), np.uint8),
        np.zeros((1, 100, 150, 3), np.uint8),
        np.zeros((1, 150, 150, 3)),
        [],
    )
    for chips in wrong:
        with pytest.raises(ImageError, match="chips"):
            check_chips(chips, 150)
