"""Liveness models: what they are given, and what is no model."""

from pathlib import Path

import numpy as np
import pytest

from attendance.face_engine.interface import ModelError
from attendance.face_engine.liveness import LivenessModel, crop_for
from tests.attendance.face_engine.liveness_models import write_model


def test_bright_is_alive_and_dark_is_not(tmp_path: Path) -> None:
    model = LivenessModel(write_model(tmp_path / "model.onnx"))
    assert model.live(np.full((80, 80, 3), 220, np.uint8)) > 0.9
    assert model.live(np.full((80, 80, 3), 30, np.uint8)) < 0.1


def test_the_crop_is_the_box_and_what_is_around_it_in_bgr() -> None:
    image = np.zeros((300, 400, 3), np.uint8)
    image[:, :] = (10, 20, 30)
    image[100:200, 150:250] = (200, 0, 0)
    crop = crop_for(image, (150, 100, 250, 200))
    assert crop.shape == (80, 80, 3)
    assert crop[40, 40].tolist() == [0, 0, 200]
    assert crop[2, 2].tolist() == [30, 20, 10]
    red = (crop[40, :, 2] > 100).sum()
    assert red == pytest.approx(80 / 2.7, abs=2)


@pytest.mark.parametrize("box", [(0, 0, 60, 60), (350, 250, 420, 330), (-20, -20, 500, 400), (5, 5, 5, 5)])
def test_a_face_at_the_edge_is_cut_all_the_same(box: tuple[float, float, float, float]) -> None:
    image = np.random.default_rng(1).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    assert crop_for(image, box).shape == (80, 80, 3)


def test_what_is_no_model_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere\.onnx cannot be read"):
        LivenessModel(tmp_path / "nowhere.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ModelError, match=r"text\.onnx"):
        LivenessModel(tmp_path / "text.onnx")
    with pytest.raises(ModelError, match="does not take one input of 1 x 3 x 80 x 80"):
        LivenessModel(write_model(tmp_path / "large.onnx", side=112))
    with pytest.raises(ModelError, match="two classes or more"):
        LivenessModel(write_model(tmp_path / "one.onnx", classes=1))


def test_what_a_model_gives_that_is_no_number_decides_nothing(tmp_path: Path) -> None:
    model = LivenessModel(write_model(tmp_path / "model.onnx"))
    broken = LivenessModel(write_model(tmp_path / "infinite.onnx", levels=3e38 / 200))
    assert model.live(np.full((80, 80, 3), 128, np.uint8)) == pytest.approx(0.5, abs=0.05)
    assert broken.live(np.full((80, 80, 3), 255, np.uint8)) in (0.5, 1.0)
