"""Frames that show the same: which are, and what the service does with them when it is set to skip them."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from attendance.face_engine.interface import Image, ImageError
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.engine.similarity import LastExamined, Thumbnail, thumbnail
from tests.recognition_service.campus import Campus, face_of
from tests.recognition_service.engines import alive, encoded, picture

Start = Callable[..., Any]
OpenStream = Callable[..., Any]

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MOST = 16_000_000


@pytest.fixture(scope="module")
def room(pictures: Path) -> Image:
    """A still picture of 1280 x 720 pixels."""
    scene = cv2.imread(str(pictures / "t1.jpg"), cv2.IMREAD_COLOR)
    assert scene is not None
    return np.asarray(cv2.resize(scene, (1280, 720)), np.uint8)


def seen(image: Image, *, noise: float = 0, seed: int = 0, quality: int = 85) -> Thumbnail:
    """As the service sees it."""
    noisy = image + np.random.default_rng(seed).normal(0, noise, image.shape)
    file = io.BytesIO()
    Pillow.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return thumbnail(file.getvalue(), max_pixels=MOST)


def shows_same(first: Thumbnail, second: Thumbnail, *, apart_s: float = 1) -> bool:
    last = LastExamined(5)
    last.examined(first, NOON)
    return last.shows(second, NOON + timedelta(seconds=apart_s))


def test_noise_and_compression_change_nothing(room: Image) -> None:
    assert shows_same(seen(room, noise=3), seen(room, noise=3, seed=1))
    assert shows_same(seen(room, quality=92), seen(room, quality=70))


@pytest.mark.parametrize("side", [24, 40, 80])
def test_a_face_that_appears_in_a_corner_is_a_change(room: Image, pictures: Path, side: int) -> None:
    face = cv2.imread(str(pictures / "obama.jpg"), cv2.IMREAD_COLOR)
    assert face is not None
    other = room.copy()
    other[8 : 8 + side, 8 : 8 + side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    assert not shows_same(seen(room, noise=3), seen(other, noise=3, seed=1))


def test_a_light_switched_on_is_a_change(room: Image) -> None:
    assert not shows_same(seen((room // 8).astype(np.uint8)), seen(room))


def test_slow_changes_add_up(room: Image) -> None:
    last = LastExamined(1e6)
    last.examined(seen(room), NOON)
    shown = [last.shows(seen((room * (1 - step / 100)).astype(np.uint8)), NOON) for step in range(0, 20, 2)]
    assert shown[0]
    assert not shown[-1]
    assert shown == sorted(shown, reverse=True)


def test_after_a_while_every_frame_is_examined(room: Image) -> None:
    assert shows_same(seen(room), seen(room), apart_s=4.9)
    assert shows_same(seen(room), seen(room), apart_s=-4.9)
    assert not shows_same(seen(room), seen(room), apart_s=5)
    assert not shows_same(seen(room), seen(room), apart_s=-5)


def test_another_size_is_a_change_and_a_first_frame_is_one(room: Image) -> None:
    assert not shows_same(seen(room), seen(np.ascontiguousarray(room[:360])))
    assert not LastExamined(5).shows(seen(room), NOON)


def test_what_is_no_frame_is_said_as_ever() -> None:
    with pytest.raises(ImageError):
        thumbnail(b"no frame", max_pixels=MOST)


async def test_frames_that_show_the_same_are_answered_and_not_examined(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    call = await open_stream(await start(skip_unchanged_s=2.0))
    now = datetime.now(UTC)
    ats = [now + timedelta(seconds=second) for second in (0, 0.5, 1, 2.5, 3, 5)]
    lives = [encoded(alive(face_of("red"), moment)) for moment in (0, 0, 0, 1, 1, 2)]
    results = [await call.ask(jpeg, at=at) for jpeg, at in zip(lives, ats, strict=True)]
    skipped, examined = pb.FRAME_OUTCOME_UNCHANGED, pb.FRAME_OUTCOME_RECOGNIZED
    assert [one.outcome for one in results] == [examined, skipped, skipped, examined, skipped, examined]
    assert results[1].detail
    assert results[-1].faces[0].confirmed  # the frames examined suffice
    assert (await call.ask(face_of("green"), at=ats[-1])).faces[0].student == "green"


async def test_a_frame_that_could_not_be_examined_is_not_the_last_one(
    campus: Campus, start: Start, open_stream: OpenStream
) -> None:
    call = await open_stream(await start(skip_unchanged_s=30.0))
    damaged = encoded(picture())[:-200]
    assert (await call.ask(damaged)).outcome == pb.FRAME_OUTCOME_INVALID_IMAGE
    assert (await call.ask(picture())).outcome == pb.FRAME_OUTCOME_RECOGNIZED
    assert (await call.ask(b"")).outcome == pb.FRAME_OUTCOME_INVALID_IMAGE
    assert (await call.ask(picture())).outcome == pb.FRAME_OUTCOME_UNCHANGED
