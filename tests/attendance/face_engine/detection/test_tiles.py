import dlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance.face_engine.detection.pyramid import tile_layout
from attendance.face_engine.detection.tiles import fill_tile, upsample_image, upsampled_size

MEANS = np.array([122.782, 117.001, 104.298], np.float32)


# Levels of images narrower than 60 pixels lie over one another, in dlib as here.
@given(st.integers(64, 140), st.integers(40, 110), st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_levels_are_interpolated_from_one_another(width: int, height: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    layout = tile_layout(width, height)
    tile = np.zeros((layout.height, layout.width, 3), np.float32)
    fill_tile(image, layout, MEANS, tile)
    between = np.ones(tile.shape[:2], bool)
    above = image.astype(np.float32) - MEANS
    for place, level in enumerate(layout.levels):
        pixels = tile[level.top : level.bottom + 1, level.left : level.right + 1]
        between[level.top : level.bottom + 1, level.left : level.right + 1] = False
        if place:
            expected = np.stack(
                [dlib_resize(above[:, :, channel], level.height, level.width) for channel in range(3)], -1
            )
            assert np.abs(pixels - expected).max() < 0.02
        else:
            assert np.array_equal(pixels, above)
        above = pixels
    assert not tile[between].any()


def dlib_resize(channel: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """dlib's own bilinear resizing of floats."""
    return np.asarray(dlib.resize_image(np.ascontiguousarray(channel), rows, columns))


def test_used_again_a_tile_holds_nothing_of_the_last_image() -> None:
    layout = tile_layout(64, 48)
    first, second = (np.full((48, 64, 3), value, np.uint8) for value in (255, 7))
    used = np.zeros((layout.height, layout.width, 3), np.float32)
    fresh = used.copy()
    fill_tile(first, layout, MEANS, used)
    fill_tile(second, layout, MEANS, used)
    fill_tile(second, layout, MEANS, fresh)
    assert np.array_equal(used, fresh)


@pytest.mark.parametrize("times", [0, 1, 2])
def test_doubling(times: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (13, 21, 3), dtype=np.uint8)
    doubled = upsample_image(image, times)
    assert doubled.shape[:2] == upsampled_size(13, 21, times)
    assert doubled.dtype == np.uint8
    if times == 0:
        assert doubled is image


def test_sizes_after_doubling_are_dlib_s() -> None:
    # pyramid_down<2>::rect_up of a 640 x 480 image, as dlib 20.0.1 has it.
    assert upsampled_size(480, 640, 1) == (961, 1282)
    assert upsampled_size(480, 640, 2) == (1923, 2566)
