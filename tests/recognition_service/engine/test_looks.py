import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from recognition_service.engine.looks import picture_digest, shows_nothing

_random = np.random.default_rng(5)
Picture = NDArray[np.uint8]


def noisy(level: float, sigma: float = 4.0, size: tuple[int, int] = (240, 320)) -> Picture:
    """A sensor's noise about one level."""
    return np.clip(_random.normal(level, sigma, (*size, 3)), 0, 255).astype(np.uint8)


def lit_wall() -> Picture:
    """A wall that is brighter by the lamp."""
    shade = np.linspace(90, 130, 320)[np.newaxis, :, np.newaxis]
    return np.clip(shade + _random.normal(0, 3, (240, 320, 3)), 0, 255).astype(np.uint8)


def with_patch(picture: Picture, share: float, level: int) -> Picture:
    side = round((share * picture.shape[0] * picture.shape[1]) ** 0.5)
    picture[:side, :side] = level
    return picture


def jpeg(picture: Picture, quality: int = 85, **options: object) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(picture).save(file, "JPEG", quality=quality, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((240, 320, 3), np.uint8),
        np.full((240, 320, 3), 255, np.uint8),
        noisy(6),  # the light is off
        noisy(251),  # the sun is in it
        noisy(120, 12),  # a hand before the lens, and the gain turned up
        with_patch(noisy(4), 0.01, 255),  # a lamp of a machine in a dark room
        np.zeros((1, 1, 3), np.uint8),
    ],
    ids=["black", "white", "dark", "blinded", "covered", "lamp", "one pixel"],
)
def test_knows_a_picture_that_shows_nothing(picture: Picture) -> None:
    assert shows_nothing(picture)


@pytest.mark.parametrize(
    "picture",
    [lit_wall(), with_patch(noisy(8), 0.2, 200), with_patch(noisy(252), 0.2, 60), noisy(100, 120)],
    ids=["wall", "projector in the dark", "window", "anything"],
)
def test_knows_a_picture_that_shows_something(picture: Picture) -> None:
    assert not shows_nothing(picture)


def test_judges_a_thumbnail_alike() -> None:
    grey = lit_wall()[::8, ::8, 0].astype(np.int16)
    assert not shows_nothing(grey)
    assert shows_nothing(np.full_like(grey, 90))


def test_the_digest_is_that_of_the_picture_alone() -> None:
    picture = lit_wall()
    same = picture_digest(jpeg(picture))
    assert picture_digest(jpeg(picture)) == same
    assert picture_digest(jpeg(picture, comment=b"09:20:31")) == same
    exif = Pillow.Exif()
    exif[0x0132] = "2026:11:23 09:20:31"
    assert picture_digest(jpeg(picture, exif=exif)) == same
    assert picture_digest(jpeg(picture, quality=70)) != same
    other = picture.copy()
    other[100:108, 100:108] += 40
    assert picture_digest(jpeg(other)) != same


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"\xff\xd8", b"\xff\xd8\xff\xe0\xff\xff", b"no picture", b"\xff\xd8\xff\xe1\x00\x00"]
)
def test_a_digest_of_what_is_no_picture_is_one_too(data: bytes) -> None:
    assert len(picture_digest(data)) == 16
