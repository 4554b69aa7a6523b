from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from attendance.face_engine.detection import yunet_refinement
from attendance.face_engine.detection.yunet_bands import anchors_in_bands
from attendance.face_engine.detection.yunet_decoding import anchor_cells, anchor_scores
from attendance.face_engine.detection.yunet_detector import YuNetDetector, fit_frame, to_squares
from attendance.face_engine.detection.yunet_refinement import find_faces_exactly
from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import Image
from attendance.face_engine.models.opencv_files import load_opencv_graph
from attendance.face_engine.pieces import finished
from attendance.face_engine.runtimes.runtime import Session, start_runtime

LIMITS = (0.3, 0.5, 0.7)


class Counted:
    """A session that notes the shapes it was given."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.shapes: list[tuple[int, ...]] = []

    def run(self, values: NDArray[Any]) -> NDArray[np.float32]:
        self.shapes.append(values.shape)
        return self.session.run(values)


class Blurred:
    """The exact session with its scores moved by up to 0.05 at random, as coarse arithmetic moves them."""

    def __init__(self, session: Session, seed: int) -> None:
        self._session = session
        self._generator = np.random.default_rng(seed)

    def run(self, values: NDArray[Any]) -> NDArray[np.float32]:
        anchors = self._session.run(values)
        scores = np.sqrt(anchors[:, 0] * anchors[:, 1])
        moved = np.clip(scores + self._generator.uniform(-0.05, 0.05, scores.shape), 0, 1)
        # Where there is nothing at all, coarse arithmetic sees nothing either.
        anchors[:, 0] = anchors[:, 1] = np.where(scores > 0.05, moved, scores)
        return anchors


@pytest.fixture(scope="module")
def exact(opencv_models: Path) -> Session:
    graph, _ = load_opencv_graph(opencv_models, "detector")
    return start_runtime("openvino").load(graph, precision="fp32")


@pytest.fixture(scope="module")
def crowd(pictures: Path) -> Image:
    return decode_image((pictures / "t1.jpg").read_bytes(), max_pixels=16_000_000)


def shrunk(image: Image, scale: float) -> Image:
    return np.ascontiguousarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("scale", [1.0, 0.7, 0.5, 0.25])
def test_faces_near_the_limit_are_decided_in_float32(exact: Session, crowd: Image, limit: float, scale: float) -> None:
    image = shrunk(crowd, scale)
    (expected,) = YuNetDetector(exact, limit=limit).detect([image], 1.0)
    for seed in range(4):
        coarse = YuNetDetector(Blurred(exact, seed), exact=exact, limit=limit)
        (found,) = coarse.search([image], 1.0)
        assert found is not None
        assert len(found.scores) == len(expected.scores)
        boxes = to_squares(found.boxes)
        middles, wanted = ((one[:, :2] + one[:, 2:]) / 2 for one in (boxes, expected.boxes))
        # Of two anchors on one face the other may be the better one now; the face is the same.
        apart = np.linalg.norm(middles[:, None] - wanted[None], axis=2).min(axis=0)
        assert (apart < 0.3 * (expected.boxes[:, 2] - expected.boxes[:, 0])).all()


def test_of_a_coarser_search_only_faces_that_count_are_decided(exact: Session, crowd: Image) -> None:
    frame = fit_frame(shrunk(crowd, 0.5), 1.0)
    anchors = Blurred(exact, 1).run(frame[None])[0]
    largest = max(to_squares(finished(find_faces_exactly(frame, anchors, exact, limit=0.3)).boxes)[:, 3])
    looks = []
    for least_height in (0.0, 10.0 * float(largest)):
        counted = Counted(exact)
        finished(find_faces_exactly(frame, anchors.copy(), counted, limit=0.3, least_height=least_height))
        looks.append(len(counted.shapes))
    assert looks[0] > looks[1] == 0


@pytest.mark.parametrize("scale", [0.3, *(pytest.param(scale, marks=pytest.mark.exhaustive) for scale in (0.7, 0.15))])
def test_bfloat16_finds_what_float32_finds(opencv_models: Path, exact: Session, pictures: Path, scale: float) -> None:
    graph, _ = load_opencv_graph(opencv_models, "detector")
    runtime = start_runtime("openvino")
    coarse = runtime.load(graph, precision="bf16")
    for path in sorted(pictures.glob("*.*g")):
        image = shrunk(decode_image(path.read_bytes(), max_pixels=16_000_000), scale)
        for limit in LIMITS:
            (expected,) = YuNetDetector(exact, limit=limit).detect([image], 1.0)
            (found,) = YuNetDetector(coarse, exact=exact, limit=limit).detect([image], 1.0)
            assert len(found.scores) == len(expected.scores), (path.name, limit)


def test_a_piece_of_a_frame_gives_the_scores_of_the_frame(exact: Session, crowd: Image) -> None:
    frame = fit_frame(crowd, 1.0)
    scores = anchor_scores(exact.run(frame[None])[0])
    places = np.concatenate([np.argsort(-scores)[:3], np.random.default_rng(1).integers(0, len(scores), 4)])
    for place in places:
        counted = Counted(exact)
        found = finished(yunet_refinement._exact_scores(frame, np.array([place]), counted))
        assert found == pytest.approx(scores[place], abs=1e-5)
        ((_, height, width, _),) = counted.shapes
        assert height * width < 0.7 * frame.shape[0] * frame.shape[1]
        assert height % 32 == width % 32 == 0


def test_neighbours_share_a_piece_that_costs_no_more_than_theirs_apart(exact: Session, crowd: Image) -> None:
    frame = np.tile(fit_frame(crowd, 1.0), (1, 2, 1))
    scores = anchor_scores(exact.run(frame[None])[0])
    cells, strides = anchor_cells(frame.shape[1], frame.shape[0])
    points = cells * strides[:, None]
    chosen = [(0.1, 0.3), (0.1, 0.4), (0.16, 0.35), (0.9, 0.9)]
    places = np.array([np.abs(points - np.multiply(one, frame.shape[1::-1])).sum(axis=1).argmin() for one in chosen])
    together = Counted(exact)
    found = finished(yunet_refinement._exact_scores(frame, places, together))
    assert found == pytest.approx(scores[places], abs=1e-5)
    assert len(together.shapes) == 2
    apart = Counted(exact)
    for place in places:
        finished(yunet_refinement._exact_scores(frame, np.array([place]), apart))
    pixels = [sum(int(np.prod(shape)) for shape in counted.shapes) for counted in (together, apart)]
    assert pixels[0] < pixels[1]


def test_a_small_box_is_decided_where_a_large_one_hangs_on_it() -> None:
    boxes = np.array([[0, 0, 40, 100], [0, 0, 30, 60], [0, 0, 20, 40], [200, 0, 20, 40]], np.float32)
    undecided = np.array([True, True, True, True])
    matters = yunet_refinement._matters(boxes, undecided, 90.0)
    assert matters.tolist() == [True, True, True, False]
    undecided[0] = False
    assert yunet_refinement._matters(boxes, undecided, 90.0).tolist() == [True, False, False, False]
    assert yunet_refinement._matters(boxes, undecided, 0.0).all()


def test_many_unclear_faces_are_one_look_at_the_whole_frame(exact: Session, crowd: Image) -> None:
    frame = fit_frame(crowd, 1.0)
    scores = anchor_scores(exact.run(frame[None])[0])
    counted = Counted(exact)
    places = np.arange(0, len(scores), 211)
    assert finished(yunet_refinement._exact_scores(frame, places, counted)) == pytest.approx(scores[places], abs=1e-5)
    assert counted.shapes == [(1, *frame.shape)]


@pytest.mark.parametrize("size", [(12, 12), (31, 33), (32, 32), (33, 640), (1080, 1920), (99, 12)])
def test_any_size(exact: Session, size: tuple[int, int]) -> None:
    frame = fit_frame(np.full((*size, 3), 9, np.uint8), 1.0)
    assert (frame.shape[0] % 32, frame.shape[1] % 32) == (0, 0)
    assert frame[: size[0], : size[1]].min() == 9
    assert not frame[size[0] :].any()
    assert not frame[:, size[1] :].any()
    (found,) = YuNetDetector(exact).detect([np.full((*size, 3), 90, np.uint8)], 1.0)
    assert found.boxes.shape == (0, 4)


@pytest.mark.parametrize("scale", [0.5, 1.5, 2.0])
def test_boxes_are_those_of_the_image_whatever_its_scale(exact: Session, crowd: Image, scale: float) -> None:
    image = shrunk(crowd, 0.6)
    detector = YuNetDetector(exact, limit=0.7)
    (whole,), (scaled,) = detector.detect([image], 1.0), detector.detect([image], scale)
    assert len(whole.scores) == len(scaled.scores) == 6
    order = [np.argsort(one.boxes[:, 0]) for one in (whole, scaled)]
    sides = whole.boxes[:, 2] - whole.boxes[:, 0]
    assert np.abs(whole.boxes[order[0]] - scaled.boxes[order[1]]).max() < 0.12 * sides.max()


def test_frames_of_one_size_go_together_only_where_that_pays(exact: Session, crowd: Image) -> None:
    images = [shrunk(crowd, 0.5), np.zeros((8, 400, 3), np.uint8), shrunk(crowd, 0.25), shrunk(crowd, 0.5)]
    one_by_one, batched = Counted(exact), Counted(exact)
    alone = YuNetDetector(one_by_one).detect(images, 1.0)
    together = YuNetDetector(batched, together=True).detect(images, 1.0)
    assert [shape[0] for shape in one_by_one.shapes] == [1, 1, 1]
    assert sorted(shape[0] for shape in batched.shapes) == [1, 2]
    for one, other in zip(alone, together, strict=True):
        assert one.boxes == pytest.approx(other.boxes, abs=0.01)
    assert len(together[1].scores) == 0
    assert YuNetDetector(exact).detect([], 1.0) == []


@pytest.mark.parametrize("width", [300, 700, 1100])
def test_a_face_that_fills_the_frame_is_one_face(exact: Session, pictures: Path, width: int) -> None:
    image = decode_image((pictures / "obama.jpg").read_bytes(), max_pixels=16_000_000)
    detector = YuNetDetector(exact, limit=0.6)
    (found,) = detector.detect([shrunk(image, 0.5)], 1.0)
    assert len(found.scores) == 1
    box = found.boxes[0] * 2
    scale = width / (box[2] - box[0])
    large = np.ascontiguousarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR), np.uint8)
    (enlarged,) = detector.detect([large], 1.0)
    assert enlarged.boxes[0] / scale == pytest.approx(box, abs=0.08 * float(box[2] - box[0]))
    if width > 400:
        (once,) = detector.search_once([large], 1.0)
        assert once is not None
        assert len(once.scores) > 1 or abs(once.boxes[0, 2] / scale / (box[2] - box[0]) - 1) > 0.2, "why it is needed"
        middles = (enlarged.boxes[1:, :2] + enlarged.boxes[1:, 2:]) / 2
        face = enlarged.boxes[0]
        assert not ((middles > face[:2]) & (middles < face[2:])).all(axis=1).any(), "parts of the face are no faces"


def test_squares() -> None:
    squares = to_squares(np.array([[100, 200, 80, 100]], np.float32))
    left, top, right, bottom = squares[0]
    assert right - left == pytest.approx(bottom - top)
    assert right - left == pytest.approx(80, rel=0.1), "about four fifths of the box's height"
    assert abs((left + right) / 2 - 140) < 10
    assert abs((top + bottom) / 2 - 250) < 10


@pytest.mark.parametrize("size", [(640, 1344), (1344, 640)], ids=["wide", "high"])
def test_bands_give_the_anchors_of_the_whole_frame(exact: Session, crowd: Image, size: tuple[int, int]) -> None:
    height, width = size
    frame = fit_frame(np.ascontiguousarray(np.resize(crowd, (height, width, 3))), 1.0)
    counted = Counted(exact)
    banded = finished(anchors_in_bands(counted, frame[None], work_pixels=1))
    whole = exact.run(frame[None])
    assert len(counted.shapes) == 3
    assert all(shape[1] * shape[2] < height * width for shape in counted.shapes)
    assert banded.shape == whole.shape
    assert np.abs(banded - whole).max() < 1e-4


def test_a_frame_too_large_for_one_call_has_the_faces_of_the_whole(
    exact: Session, crowd: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = np.asarray(cv2.resize(crowd, None, fx=2, fy=2), np.uint8)
    (whole,) = YuNetDetector(exact).detect([large], 1.0)
    monkeypatch.setattr("attendance.face_engine.detection.yunet_detector.WORK_PIXELS", 2_000_000)
    counted = Counted(exact)
    (banded,) = YuNetDetector(counted).detect([large], 1.0)
    assert len(counted.shapes) >= 4
    assert len(whole.scores) >= 5
    assert banded.boxes == pytest.approx(whole.boxes, abs=1e-2)
    assert banded.scores == pytest.approx(whole.scores, abs=1e-4)
