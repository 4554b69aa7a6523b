"""dlib's search where YuNet proposes, against dlib's own."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.factory import create_engine
from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import Image, ModelError
from attendance.settings.engine import EngineSettings


@pytest.fixture(scope="module")
def exact() -> Iterator[AcceleratedEngine]:
    engine = AcceleratedEngine(precision="fp32")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def proposed(opencv_models: Path) -> Iterator[AcceleratedEngine]:
    engine = create_engine(**EngineSettings(search="proposed", precision="fp32").arguments())
    assert isinstance(engine, AcceleratedEngine)
    yield engine
    engine.close()


def shrunk(path: Path, scale: float) -> Image:
    image = decode_image(path.read_bytes(), max_pixels=16_000_000)
    return np.ascontiguousarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize("name", ["t1.jpg", "obama3.jpg", "astronaut.png", "obama_partial_face2.jpg", "biden.jpg"])
@pytest.mark.parametrize("look", [(0.6, 0), (0.35, 0), (0.35, 1), (0.2, 1), (0.1, 2)])
def test_boxes_and_scores_are_those_of_the_exact_search(
    exact: AcceleratedEngine, proposed: AcceleratedEngine, pictures: Path, name: str, look: tuple[float, int]
) -> None:
    scale, upsample = look
    image = shrunk(pictures / name, scale)
    (expected,), (found,) = (engine.detect([image], upsample=upsample) for engine in (exact, proposed))
    assert np.array_equal(found.boxes, expected.boxes)
    assert found.scores == pytest.approx(expected.scores, abs=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (9, 400), (12, 12), (40, 40), (300, 13)])
def test_frames_without_faces(proposed: AcceleratedEngine, shape: tuple[int, int]) -> None:
    (found,) = proposed.detect([np.full((*shape, 3), 90, np.uint8)], upsample=1)
    assert found.boxes.shape == (0, 4)


def test_a_small_frame_that_a_face_fills(exact: AcceleratedEngine, proposed: AcceleratedEngine, pictures: Path) -> None:
    whole = shrunk(pictures / "obama.jpg", 0.15)
    (face,) = exact.detect([whole], upsample=1)[0].boxes.astype(int)[:1]
    image = np.ascontiguousarray(whole[max(face[1] - 8, 0) : face[3] + 8, max(face[0] - 8, 0) : face[2] + 8])
    (expected,), (found,) = (engine.detect([image], upsample=1) for engine in (exact, proposed))
    assert len(expected.boxes) == 1
    assert np.array_equal(found.boxes, expected.boxes)


def test_what_it_is_and_what_it_needs(proposed: AcceleratedEngine, tmp_path: Path) -> None:
    assert proposed.info.family == "dlib"
    with pytest.raises(ModelError, match="attendance models fetch"):
        AcceleratedEngine(search="proposed", precision="fp32", cache=tmp_path)  # measures nothing first
    with pytest.raises(ValueError, match="no search 'quick'; there are exact, proposed"):
        AcceleratedEngine(search="quick")
