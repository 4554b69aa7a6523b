"""What is seen at a face's place: the same for who stays, another for whoever comes."""

import numpy as np
import pytest

from recognition_service.engine.layouts import GRID, apart, layouts_of

BOX = np.array([[60, 60, 100, 100]], np.float32)


def scene(seed: int) -> np.ndarray:
    """Blotches of colour, as hair and clothes are."""
    coarse = np.random.default_rng(seed).integers(30, 220, (20, 20, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((10, 10, 1), np.uint8)).astype(np.uint8)


def test_the_same_scene_in_another_light_with_noise_is_hardly_apart() -> None:
    noise = np.random.default_rng(9).normal(0, 3, (200, 200, 3))
    [one], [same] = layouts_of(scene(1), BOX), layouts_of(np.clip(scene(1) + noise + 20, 0, 255).astype(np.uint8), BOX)
    assert one.shape == (GRID, GRID, 3)
    assert apart(one, one) == 0
    assert apart(one, same) < 2


def test_somebody_else_is_far_apart() -> None:
    [one], [other] = layouts_of(scene(1), BOX), layouts_of(scene(2), BOX)
    assert apart(one, other) == apart(other, one) > 15


@pytest.mark.parametrize("box", [[-30, -30, 10, 10], [180, 180, 260, 260], [500, 500, 540, 540], [50, 50, 50, 50]])
def test_a_face_at_the_edge_or_beyond_has_a_layout_too(box: list[float]) -> None:
    [layout] = layouts_of(scene(1), np.array([box], np.float32))
    assert layout.shape == (GRID, GRID, 3)
    assert np.isfinite(layout).all()


def test_a_large_face_is_sampled_and_looks_as_a_small_one_does() -> None:
    large = np.kron(scene(1), np.ones((10, 10, 1), np.uint8)).astype(np.uint8)
    [small], [sampled], [other] = layouts_of(scene(1), BOX), layouts_of(large, BOX * 10), layouts_of(scene(2), BOX)
    assert apart(small, sampled) < apart(small, other) / 2
