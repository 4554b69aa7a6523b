"""Tiles too large for one call of the network."""

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.detection.bands import scores_in_bands
from attendance.face_engine.detection.tile_detector import DetectorGeometry, TileDetector
from attendance.face_engine.interface import Image
from attendance.face_engine.models.dlib_file import read_network
from attendance.face_engine.models.onnx_export import export_detector
from attendance.face_engine.models.weights import CNN_DETECTOR, weights_file
from attendance.face_engine.pieces import finished
from attendance.face_engine.runtimes.runtime import Session, start_runtime


class Counted:
    """A session that notes the sizes it was given."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.pixels: list[int] = []

    def run(self, values: NDArray[Any]) -> NDArray[np.float32]:
        self.pixels.append(values.shape[0] * values.shape[1] * values.shape[2])
        return self.session.run(values)


@pytest.fixture(scope="module")
def network() -> tuple[Session, DetectorGeometry]:
    network = read_network(weights_file(CNN_DETECTOR))
    return start_runtime("openvino").load(export_detector(network), precision="fp32"), DetectorGeometry.of(network)


@pytest.mark.parametrize("height", [700, 701, 707, 1200])
def test_bands_give_what_the_whole_tile_gives(network: tuple[Session, DetectorGeometry], height: int) -> None:
    session, _ = network
    tile = np.random.default_rng(height).uniform(-120, 130, (1, height, 300, 3)).astype(np.float32)
    whole = session.run(tile)[:, 0]
    counted = Counted(session)
    banded = finished(scores_in_bands(counted, tile, work_pixels=120_000))
    assert len(counted.pixels) >= 3
    assert max(counted.pixels) <= 120_000
    assert banded.shape == whole.shape
    assert np.abs(banded - whole).max() < 1e-4


def test_a_frame_somewhat_too_large_has_the_faces_of_the_whole(
    network: tuple[Session, DetectorGeometry], six_people: Image
) -> None:
    session, geometry = network
    image = np.ascontiguousarray(cv2.resize(six_people, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    counted = Counted(session)
    (whole,) = TileDetector(session, geometry, work_pixels=60_000_000).detect([image], 1)
    (banded,) = TileDetector(counted, geometry, work_pixels=2_000_000).detect([image], 1)
    assert len(whole.boxes) == 6
    assert len(counted.pixels) >= 3
    assert max(counted.pixels) <= 2_000_000
    assert np.array_equal(whole.boxes, banded.boxes)
    assert banded.scores == pytest.approx(whole.scores, abs=1e-4)


def test_a_doubled_1080p_frame_is_not_searched_in_parts_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TileDetector, "_detect_in_parts", lambda *_: pytest.fail("in parts"))
    engine = AcceleratedEngine(precision="fp32")
    (found,) = engine.detect([np.full((1080, 1920, 3), 90, np.uint8)], upsample=1)
    assert len(found.boxes) == 0
    engine.close()
