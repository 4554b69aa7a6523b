"""What the aiming view shows of a frame: who is made out, and what is written beside whom."""

from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import Face, Image, ImageError
from attendance.settings.families import Family
from attendance.settings.model import MatchingSettings
from recognition_service.aiming.shots import Shot, drawn, shot_of, told
from recognition_service.engine.found import FoundFaces
from recognition_service.engine.looks import measure
from tests.recognition_service.engines import encoded

RULES = MatchingSettings().rules(Family.DLIB)
NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
MOST = 10_000_000
LARGE, SMALL = (100, 60, 220, 180), (420, 120, 440, 142)


def room(height: int = 360, width: int = 640) -> Image:
    """A picture full of detail."""
    grey = np.random.default_rng(5).integers(60, 200, (height, width), dtype=np.uint8)
    return np.dstack([grey] * 3)


def face(box: tuple[float, float, float, float], sharpness: float = 20.0) -> Face:
    return Face(np.array(box, np.float32), 1.0, np.zeros((5, 2), np.float32), np.zeros(128, np.float32), sharpness)


def a_shot(picture: Image | None = None, *boxes: tuple[float, float, float, float], session: bool = True) -> Shot:
    picture = room() if picture is None else picture
    height, width = picture.shape[:2]
    found = FoundFaces([face(box) for box in boxes], width, height, picture=measure(picture))
    return shot_of(
        3,
        encoded(picture),
        found,
        captured_at=NOW,
        arrived_at=NOW,
        session=session,
        rules=RULES,
    )


def shown(shot: Shot, *, clear: bool = False) -> Image:
    return decode_image(drawn(shot, clear=clear, max_pixels=MOST), max_pixels=MOST)


def inner(picture: Image, box: tuple[int, int, int, int]) -> Image:
    """A face without the lines of its box."""
    left, top, right, bottom = box
    return picture[top + 6 : bottom - 6, left + 6 : right - 6]


def detail(picture: Image) -> float:
    return float(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def test_a_face_is_a_few_even_squares_and_the_rest_stays() -> None:
    picture = shown(a_shot(None, LARGE))
    before = detail(inner(room(), LARGE))
    assert detail(inner(picture, LARGE)) < before / 50
    assert len(np.unique(inner(picture, LARGE).reshape(-1, 3) // 16, axis=0)) <= 4 * 6 * 6
    assert detail(picture[220:350, 300:600]) > before / 2
    # Chin, ears and hair, which lie outside of the box.
    assert detail(picture[70:170, 76:96]) < before / 5


def test_a_face_that_reaches_over_the_edge_is_pixelated_too() -> None:
    picture = shown(a_shot(None, (-30, -20, 90, 100), (600, 300, 700, 400)))
    assert detail(picture[8:90, 8:80]) < detail(room()[8:90, 8:80]) / 50
    assert detail(picture[320:350, 610:630]) < detail(room()[320:350, 610:630]) / 50
    assert shown(a_shot(None, (700, 400, 800, 500))).shape == (360, 640, 3)  # a box beyond the picture hides nothing


@pytest.mark.parametrize(
    ("session", "clear", "made_out"), [(False, True, True), (False, False, False), (True, True, False)]
)
def test_faces_are_shown_only_where_no_session_counts_and_the_ticket_says_so(
    session: bool, clear: bool, made_out: bool
) -> None:
    shot = a_shot(None, LARGE, session=session)
    before = detail(inner(room(), LARGE))
    assert (detail(inner(shown(shot, clear=clear), LARGE)) > before / 2) is made_out
    assert told(shot, clear=clear).clear is made_out


def test_what_is_too_small_to_be_named_is_red() -> None:
    def hue_at(picture: Image, box: tuple[int, int, int, int]) -> str:
        red, green, _ = picture[box[1] : box[3], box[0]].mean(axis=0)
        return "red" if red > 2 * green else "green" if green > 2 * red else "yellow" if red > 150 < green else "?"

    middle = (300, 200, 340, 240)
    picture = shown(a_shot(np.full((360, 640, 3), 90, np.uint8), LARGE, middle, SMALL))
    assert [hue_at(picture, box) for box in (LARGE, middle, SMALL)] == ["green", "yellow", "red"]


def test_says_sizes_from_left_to_right_and_how_bright_it_is() -> None:
    said = told(a_shot(None, SMALL, LARGE), clear=False)
    assert [(one.width, one.height) for one in said.faces] == [(120, 120), (20, 22)]
    assert (said.number, said.width, said.height, said.session) == (3, 640, 360, True)
    assert 120 < said.brightness < 140
    assert (said.smallest_named, said.clear_width) == (RULES.smallest_named, RULES.clear_width)


def test_a_large_picture_is_made_smaller_and_its_boxes_with_it() -> None:
    picture = np.full((1500, 4000, 3), 90, np.uint8)
    small = shown(a_shot(picture, (2000, 500, 2400, 900)))
    assert small.shape == (600, 1600, 3)
    assert small[200:360, 800].mean(axis=0)[1] > 150  # the left edge of the box, green


def test_nothing_that_the_camera_wrote_beside_the_picture_goes_on(tmp_path: Path) -> None:
    exif = Pillow.Exif()
    exif[0x010E] = "Hall 2, serial number 4711"
    file = tmp_path / "frame.jpg"
    Pillow.fromarray(room()).save(file, exif=exif)
    jpeg = file.read_bytes()
    shot = Shot(jpeg, a_shot(session=False).said)
    assert b"4711" in jpeg
    assert b"4711" not in drawn(shot, clear=True, max_pixels=MOST)


def test_a_damaged_frame_is_none() -> None:
    with pytest.raises(ImageError):
        drawn(Shot(encoded(room())[:900], a_shot().said), clear=False, max_pixels=MOST)
