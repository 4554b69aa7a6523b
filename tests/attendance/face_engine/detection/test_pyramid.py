import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.face_engine.detection.pyramid import Level, boxes_in_image, nearest_levels, tile_layout

sides = st.integers(12, 3000)


def test_the_layout_of_a_camera_frame() -> None:
    layout = tile_layout(640, 480)
    # Computed by dlib 20.0.1's compute_tiled_image_pyramid_details for a 640 x 480 image.
    assert (layout.width, layout.height, len(layout.levels)) == (662, 1782, 24)
    assert layout.levels[:3] == (Level(11, 11, 640, 480), Level(11, 501, 533, 400), Level(11, 911, 444, 333))


@given(sides, sides)
def test_levels_lie_in_the_tile_and_apart(width: int, height: int) -> None:
    layout = tile_layout(width, height)
    covered = np.zeros((layout.height, layout.width), bool) if width * height < 300_000 else None
    for level in layout.levels:
        assert 11 <= level.left <= level.right <= layout.width - 12
        assert 11 <= level.top <= level.bottom <= layout.height - 12
        if covered is not None and level.left == 11:
            place = covered[level.top : level.bottom + 1, level.left : level.right + 1]
            assert not place.any()
            place[:] = True


@given(st.integers(60, 2000), st.integers(60, 2000))
def test_a_window_comes_back_to_its_place_and_size(width: int, height: int) -> None:
    layout = tile_layout(width, height)
    centres = np.array([(level.left + level.width / 2, level.top + level.height / 2) for level in layout.levels])
    boxes = boxes_in_image(layout, centres, 80, 80)
    levels = nearest_levels(layout, centres)
    for place, level in enumerate(levels):
        assert level <= place
        expected = 79 * (6 / 5) ** level
        assert boxes[place, 2] - boxes[place, 0] == pytest.approx(expected)
        assert boxes[place, 3] - boxes[place, 1] == pytest.approx(expected)


def test_a_point_between_levels_belongs_to_the_nearest() -> None:
    layout = tile_layout(640, 480)
    points = np.array([[300.0, 10.0], [300, 493], [300, 499], [600, 700]])
    assert nearest_levels(layout, points)[:3].tolist() == [0, 0, 1]
    assert nearest_levels(layout, points[3:])[0] not in (0, 3)
