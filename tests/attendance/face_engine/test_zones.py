"""Zones in the engines themselves: whom they find, what they search and encode."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.detection.areas import area_around
from attendance.face_engine.faces import find_faces, find_in_pieces, search_in_pieces
from attendance.face_engine.interface import Face, FaceBoxes, FaceEngine, Image
from attendance.face_engine.opencv_engine import OpenCvEngine
from attendance.face_engine.pieces import Known, Search, finished
from attendance.zones import EVERYWHERE, Zones

LEFT = ((0, 0), (0.5, 0), (0.5, 1), (0, 1))
MIDDLE = ((0.3, 0), (0.7, 0), (0.7, 1), (0.3, 1))
CASES = {
    "half masked": Zones(skip=(LEFT,)),
    "the middle masked": Zones(skip=(MIDDLE,)),
    "a zone": Zones(look=(MIDDLE,)),
    "a corner masked": Zones(skip=(((0, 0), (0.3, 0), (0.3, 0.3), (0, 0.3)),)),  # not worth cutting
}


BOXES_WITHIN = {"opencv": 0.01, "dlib": 0.25}
"""Of a face's width. dlib's boxes come in steps of a fifth, which of two depends on where the picture begins."""


@pytest.fixture(scope="module")
def yunet(opencv_models: Path) -> Iterator[OpenCvEngine]:
    engine = OpenCvEngine(runtime="openvino", precision="fp32", encoder_precision="fp32")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def dlib_engine() -> Iterator[AcceleratedEngine]:
    engine = AcceleratedEngine(runtime="openvino", precision="fp32")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def row(six_people: Image) -> Image:
    """A wide frame: two of the pictures side by side, so that twelve people look."""
    return np.ascontiguousarray(np.concatenate([six_people, cv2.GaussianBlur(six_people, (0, 0), 0.8)], axis=1))


def found(engine: FaceEngine, image: Image, zones: Zones) -> list[Face]:
    answers: dict[int, list[Face]] = {}
    shares: dict[int, float] = {}
    for piece in find_in_pieces(engine, [image], zones=zones):
        answers |= piece.answers
        assert sum(piece.shares.values()) == pytest.approx(1)
        shares |= piece.shares
    assert set(answers) == set(shares) == {0}
    return answers[0]


@pytest.mark.parametrize("zones", CASES.values(), ids=CASES)
def test_whoever_lies_in_zones_is_found_as_in_the_whole_frame(yunet: FaceEngine, row: Image, zones: Zones) -> None:
    _check_zones(yunet, row, zones)


def test_by_dlibs_detector_too(dlib_engine: FaceEngine, row: Image) -> None:
    _check_zones(dlib_engine, row, CASES["half masked"])


@pytest.mark.exhaustive
@pytest.mark.parametrize("zones", CASES.values(), ids=CASES)
def test_by_dlibs_detector_in_all_cases(dlib_engine: FaceEngine, row: Image, zones: Zones) -> None:
    _check_zones(dlib_engine, row, zones)


@pytest.mark.exhaustive
def test_by_dlib_itself(hog_engine: FaceEngine, row: Image) -> None:
    _check_zones(hog_engine, row, CASES["half masked"])


def _check_zones(engine: FaceEngine, row: Image, zones: Zones) -> None:
    height, width = row.shape[:2]
    (whole,) = find_faces(engine, [row])
    assert len(whole) == 12
    inside = [face for face in whole if centre(face, width, height) in zones]
    assert 0 < len(inside) < 12
    here = found(engine, row, zones)
    assert len(here) == len(inside)
    assert [face.score for face in here] == sorted((face.score for face in here), reverse=True)
    for face in inside:
        same = min(here, key=lambda other: float(np.abs(other.box - face.box).max()))
        assert np.abs(same.box - face.box).max() <= BOXES_WITHIN[engine.info.family] * (face.box[2] - face.box[0])
        assert np.linalg.norm(same.encoding - face.encoding) < 0.2
        assert np.abs(same.landmarks - face.landmarks).max() <= 3


def test_without_zones_nothing_is_different_in_a_bit(yunet: FaceEngine, row: Image) -> None:
    (whole,) = find_faces(yunet, [row])
    here = found(yunet, row, EVERYWHERE)
    assert len(here) == len(whole)
    for one, other in zip(here, whole, strict=True):
        assert one.score == other.score
        for name in ("box", "landmarks", "encoding"):
            assert np.array_equal(getattr(one, name), getattr(other, name))


class Counting(OpenCvEngine):
    """Notes what it is given."""

    searched = encoded = 0

    def _search(self, images: list[Image], scale: float, known: Known) -> Search:
        self.searched += sum(image.shape[0] * image.shape[1] for image in images)
        return super()._search(images, scale, known)

    def encode(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.encoded += len(chips)
        return super().encode(chips)


@pytest.mark.usefixtures("opencv_models")
def test_what_is_masked_is_neither_searched_nor_encoded(row: Image) -> None:
    engine = Counting(runtime="openvino", precision="fp32", encoder_precision="fp32")
    assert len(found(engine, row, Zones(skip=(LEFT,)))) == 6
    assert engine.encoded == 6
    assert engine.searched <= 0.61 * row.shape[0] * row.shape[1]
    engine.close()


def test_frames_of_a_batch_keep_their_places(yunet: FaceEngine, row: Image) -> None:
    blank = np.zeros_like(row)
    answers: dict[int, list[Face]] = {}
    for piece in find_in_pieces(yunet, [blank, row, blank], zones=CASES["the middle masked"]):
        answers |= piece.answers
    assert [len(answers[place]) for place in range(3)] == [0, 6, 0]


@pytest.mark.parametrize("zones", [EVERYWHERE, CASES["the middle masked"]])
def test_a_frame_of_a_batch_is_known_before_the_others_are_searched(
    yunet: FaceEngine, row: Image, zones: Zones
) -> None:
    known: dict[int, FaceBoxes] = {}
    order: list[int] = []
    search = search_in_pieces(yunet, [row, row[:, ::-1].copy(), row], zones=zones, known=known)
    while True:
        try:
            next(search)
        except StopIteration as over:
            found: list[FaceBoxes] = over.value
            break
        order.append(len(known))
    assert order == sorted(order)
    assert {1, 2, 3} <= set(order)
    for place, boxes in enumerate(found):
        assert np.array_equal(known[place].boxes, boxes.boxes)
        assert np.array_equal(known[place].scores, boxes.scores)


def centre(face: Face, width: int, height: int) -> tuple[float, float]:
    left, top, right, bottom = face.box.tolist()
    return (left + right) / 2 / width, (top + bottom) / 2 / height


def test_an_area_is_searched_for_those_whose_centres_lie_in_it(yunet: FaceEngine, row: Image) -> None:
    height, width = row.shape[:2]
    everybody = found(yunet, row, EVERYWHERE)
    one = min(everybody, key=lambda face: float(face.box[0]))
    left, top, right, bottom = (float(edge) for edge in one.box)
    area = area_around((left, top, right, bottom), width, height, margin=width / 20)
    assert (area.right - area.left) * (area.bottom - area.top) < 0.4 * width * height
    for zones, count in ((EVERYWHERE, 1), (CASES["half masked"], 0)):
        boxes = finished(search_in_pieces(yunet, [row], zones=zones, areas=[area]))[0].boxes
        assert len(boxes) == count
        assert np.abs(boxes - one.box).max(initial=0) < 0.02 * (one.box[2] - one.box[0])
    assert not len(finished(search_in_pieces(yunet, [row], areas=[]))[0].boxes)
