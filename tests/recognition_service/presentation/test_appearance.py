"""Two views of one face: what a flat picture explains, and what it does not."""

import itertools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from recognition_service.presentation.appearance import Appearance, difference
from recognition_service.presentation.check import NO_PLANE
from recognition_service.presentation.views import PATCH_SIDE
from tests.recognition_service.living import living_view, picture_view


def moved(patch: NDArray[np.uint8], turn: float, scale: float, shift: float) -> NDArray[np.uint8]:
    matrix = cv2.getRotationMatrix2D((PATCH_SIDE / 2, PATCH_SIDE / 2), turn, scale)
    matrix[:, 2] += np.array([shift, shift])
    size = PATCH_SIDE, PATCH_SIDE
    return np.asarray(cv2.warpAffine(patch, matrix, size, borderMode=cv2.BORDER_REFLECT), np.uint8)


def test_a_picture_filmed_anew_is_the_same_picture() -> None:
    views = [Appearance(picture_view(seed=seed).patch) for seed in range(4)]
    assert max(difference(one, other) for one, other in itertools.combinations(views, 2)) < NO_PLANE / 5


@pytest.mark.parametrize(("turn", "scale", "shift"), [(0, 1, 3), (10, 1, 0), (-8, 1.1, 2), (20, 0.9, -2)])
def test_so_it_is_moved_turned_and_nearer(turn: float, scale: float, shift: float) -> None:
    patch = picture_view().patch
    other = Appearance(moved(patch, turn, scale, shift))
    assert difference(Appearance(patch), other, enough=NO_PLANE) < NO_PLANE


@pytest.mark.parametrize(("gain", "offset"), [(0.5, 20), (1.3, -30)])
def test_so_it_is_in_another_light(gain: float, offset: float) -> None:
    patch = picture_view().patch
    lit = np.clip(gain * patch.astype(np.float64) + offset, 0, 255).astype(np.uint8)
    assert difference(Appearance(patch), Appearance(lit)) < NO_PLANE / 2


def test_a_living_face_is_not() -> None:
    views = [Appearance(living_view(second / 2).patch) for second in range(6)]
    assert min(difference(*pair, enough=NO_PLANE) for pair in itertools.pairwise(views)) > NO_PLANE


def test_a_face_without_contrast_shows_nothing() -> None:
    assert not Appearance(np.full((PATCH_SIDE, PATCH_SIDE), 90, np.uint8)).shows_something
    assert Appearance(picture_view().patch).shows_something
