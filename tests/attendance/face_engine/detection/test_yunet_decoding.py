"""Decoding against `cv2.FaceDetectorYN` on real pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from attendance.face_engine.detection.yunet_decoding import YuNetFaces, anchor_cells, suppress
from attendance.face_engine.detection.yunet_detector import YuNetDetector
from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import Image
from attendance.face_engine.models.opencv_files import load_opencv_graph
from attendance.face_engine.runtimes.runtime import start_runtime
from benchmarks.opencv_reference import OpenCvPipeline

PICTURES = ["t1.jpg", "obama3.jpg", "astronaut.png", "obama_partial_face.jpg", "Tom_Hanks_54745.png"]


@pytest.fixture(scope="module", params=[0.3, 0.6])
def limit(request: pytest.FixtureRequest) -> float:
    return float(request.param)


@pytest.fixture(scope="module")
def theirs(opencv_models: Path, limit: float) -> OpenCvPipeline:
    return OpenCvPipeline(opencv_models, limit=limit)


@pytest.fixture(scope="module", params=["openvino", "onnxruntime"])
def ours(request: pytest.FixtureRequest, opencv_models: Path, limit: float) -> YuNetDetector:
    graph, _ = load_opencv_graph(opencv_models, "detector")
    return YuNetDetector(start_runtime(request.param).load(graph, precision="fp32"), limit=limit)


@pytest.mark.parametrize("scale", [1.0, 0.61, 0.25])
@pytest.mark.parametrize("name", PICTURES)
def test_boxes_scores_and_points_are_those_of_opencv(
    name: str, scale: float, ours: YuNetDetector, theirs: OpenCvPipeline, pictures: Path
) -> None:
    image = load(pictures / name, scale)
    expected = theirs.detect(image)
    (found,) = ours.search_once([image], 1.0)
    assert found is not None
    assert len(expected) >= 1
    assert found.boxes == pytest.approx(expected[:, :4], abs=0.01)
    assert found.points.reshape(-1, 10) == pytest.approx(expected[:, 4:14], abs=0.01)
    assert found.scores == pytest.approx(expected[:, 14], abs=1e-5)


def load(path: Path, scale: float) -> Image:
    image = decode_image(path.read_bytes(), max_pixels=16_000_000)
    return np.ascontiguousarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def test_cells_stand_level_by_level_and_row_by_row() -> None:
    cells, strides = anchor_cells(64, 32)
    assert strides.tolist() == [8] * 32 + [16] * 8 + [32] * 2
    assert cells[:9].tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [5, 0], [6, 0], [7, 0], [0, 1]]
    assert cells[-2:].tolist() == [[0, 0], [1, 0]]


def test_the_best_of_faces_that_overlap_stays() -> None:
    boxes = np.array([[0, 0, 20, 20], [2, 2, 20, 20], [14, 0, 20, 20], [100, 5, 9, 9]], np.float32)
    found = YuNetFaces(boxes, np.array([0.9, 0.8, 0.7, 0.4], np.float32), np.zeros((4, 5, 2), np.float32), np.arange(4))
    kept = suppress(found)
    assert kept.anchors.tolist() == [0, 2, 3], "a fifth in common is two faces, two thirds are one"
    assert kept.scores.tolist() == pytest.approx([0.9, 0.7, 0.4])
