"""Borders around faces, and backgrounds that move with them."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from attendance.face_engine.interface import Face
from recognition_service.presentation.surroundings import has_border, moves_as_plane
from recognition_service.presentation.views import FaceView, views_of

WIDTH, HEIGHT, SIDE = 640, 360, 60


def room(seed: int = 1) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).normal(0, 1, (HEIGHT // 10, WIDTH // 10))
    wall = 120 + 25 * cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.repeat(np.clip(wall, 0, 255).astype(np.uint8)[:, :, np.newaxis], 3, axis=2)


def seen(image: NDArray[np.uint8], x: int, y: int) -> FaceView:
    """The view of a face whose middle is there."""
    box = np.array([x - SIDE / 2, y - SIDE / 2, x + SIDE / 2, y + SIDE / 2], np.float32)
    face = Face(box, 1.0, np.zeros((5, 2), np.float32), np.zeros(3, np.float32), 50.0)
    [view] = views_of(image, [face])
    return view


def with_person(image: NDArray[np.uint8], x: int, y: int) -> NDArray[np.uint8]:
    """A head on shoulders."""
    cv2.ellipse(image, (x, y + 110), (75, 75), 0, 0, 360, (60, 60, 70), -1)
    cv2.ellipse(image, (x, y), (24, 32), 0, 0, 360, (190, 150, 130), -1)
    return image


def with_sheet(image: NDArray[np.uint8], x: int, y: int, angle: float = 0.0) -> NDArray[np.uint8]:
    """A print with its own background, held before the room."""
    sheet = np.full((150, 140, 3), 235, np.uint8)
    sheet[5:-5, 5:-5] = with_person(room(7), 300, 180)[105:245, 235:365]
    turn = cv2.getRotationMatrix2D((70, 75), angle, 1.0)
    turn[:, 2] += (x - 70, y - 75)
    cv2.warpAffine(sheet, turn, (WIDTH, HEIGHT), dst=image, borderMode=cv2.BORDER_TRANSPARENT)
    return image


@pytest.mark.parametrize("angle", [0.0, -7.0, 11.0])
def test_a_sheet_of_paper_closes_around_the_face(angle: float) -> None:
    assert has_border(seen(with_sheet(room(), 320, 160, angle), 320, 160))


def test_so_does_a_dark_tablet() -> None:
    image = room()
    cv2.rectangle(image, (250, 80), (390, 250), (15, 15, 15), -1)
    image[90:240, 260:380] = with_person(room(7), 300, 180)[105:255, 240:360]
    assert has_border(seen(image, 320, 165))


@pytest.mark.parametrize("board", [(200, 40, 440, 300), (255, 60, 385, 355), (100, 20, 540, 230)])
def test_a_board_behind_a_person_does_not(board: tuple[int, int, int, int]) -> None:
    image = room()
    cv2.rectangle(image, board[:2], board[2:], (240, 240, 240), -1)
    assert not has_border(seen(with_person(image, 320, 160), 320, 160))


def test_nothing_closes_around_a_person_in_a_room() -> None:
    assert not has_border(seen(with_person(room(), 320, 160), 320, 160))


def test_a_print_takes_its_background_along() -> None:
    before, after = (seen(with_sheet(room(), x, 160), x, 160) for x in (280, 330))
    assert moves_as_plane(before, after) is True


def test_a_person_leaves_the_wall_where_it_is() -> None:
    before, after = (seen(with_person(room(), x, 160), x, 160) for x in (280, 330))
    assert moves_as_plane(before, after) is False


def test_a_camera_that_moves_proves_nothing() -> None:
    wide = np.concatenate([with_person(room(), 280, 160), room(3)], axis=1)
    before, after = (seen(np.ascontiguousarray(wide[:, at : at + WIDTH]), 280 - at, 160) for at in (0, 50))
    assert moves_as_plane(before, after) is None


def test_nor_does_a_face_that_stays() -> None:
    one = seen(with_sheet(room(), 300, 160), 300, 160)
    assert moves_as_plane(one, one) is None
