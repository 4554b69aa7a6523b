from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.faces import find_faces, find_in_pieces, measure_sharpness
from attendance.face_engine.interface import (
    AlignedFaces,
    EngineError,
    EngineInfo,
    Face,
    FaceBoxes,
    FaceEngine,
    Image,
)
from attendance.face_engine.opencv_engine import OpenCvEngine
from attendance.face_engine.reference import ReferenceEngine


def test_every_image_gets_its_own_faces(hog_engine: ReferenceEngine, six_people: Image) -> None:
    blank = np.zeros((100, 100, 3), np.uint8)
    faces = find_faces(hog_engine, [blank, six_people, blank, six_people[:, :400]])
    assert [len(found) for found in faces] == [0, 6, 0, 2]
    for face in faces[1]:
        assert face.box.shape == (4,)
        assert face.landmarks.shape == (5, 2)
        assert face.encoding.shape == (128,)
        assert face.encoding.dtype == np.float32
        assert face.sharpness > 0
        left, top, right, bottom = face.box
        assert ((face.landmarks > (left, top)) & (face.landmarks < (right, bottom))).all()
    # The two people of the crop are two of the six, and everybody differs from everybody.
    rows = np.array([face.encoding for face in faces[1]])
    for face in faces[3]:
        distances = np.linalg.norm(rows - face.encoding, axis=1)
        assert np.sum(distances < 0.3) == 1
    apart = np.linalg.norm(rows[:, None] - rows, axis=2)[np.triu_indices(6, 1)]
    assert apart.min() > 0.6


def test_no_images_and_no_faces(hog_engine: ReferenceEngine) -> None:
    assert find_faces(hog_engine, []) == []
    assert find_faces(hog_engine, [np.zeros((90, 90, 3), np.uint8)] * 2) == [[], []]


def test_sharpness_is_the_laplacians_variance(six_people: Image) -> None:
    chip = np.ascontiguousarray(six_people[270:420, 60:210])
    blurred = cv2.GaussianBlur(chip, (0, 0), 3)
    flat = np.full_like(chip, 99)
    sharp, soft, none = measure_sharpness(np.stack([chip, blurred, flat]))
    assert sharp > 10 * soft > 0
    assert none == pytest.approx(0, abs=1e-6)
    grey = chip.astype(np.float64) @ [0.299, 0.587, 0.114]
    expected = cv2.Laplacian(grey, cv2.CV_64F)[1:-1, 1:-1].var()
    assert sharp == pytest.approx(expected, rel=1e-4)


class ForgetfulEngine(ReferenceEngine):
    """Loses the last answer of one step."""

    step = ""

    def detect(
        self, images: Sequence[Image], *, upsample: int | None = None, smallest_face: int | None = None
    ) -> list[FaceBoxes]:
        found = super().detect(images, upsample=upsample)
        return found[:-1] if self.step == "detection" else found

    def align(self, images: Sequence[Image], faces: Sequence[FaceBoxes]) -> list[AlignedFaces]:
        aligned = super().align(images, faces)
        if self.step == "alignment of one image":
            return [AlignedFaces(cut.chips[:-1], cut.landmarks[:-1]) for cut in aligned]
        return aligned[:-1] if self.step == "alignment" else aligned

    def encode(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        return super().encode(chips)[:-1]


@pytest.mark.parametrize("step", ["detection", "alignment", "alignment of one image", "encoding"])
def test_an_engine_that_loses_answers_is_found_out(step: str, six_people: Image) -> None:
    engine = ForgetfulEngine(upsample=0)
    engine.step = step
    with pytest.raises(EngineError, match=f"the engine's {step} gave"):
        find_faces(engine, [six_people[200:450]])


@pytest.fixture(params=["dlib", "dlib in bands", "opencv"])
def engine_in_pieces(request: pytest.FixtureRequest) -> Iterator[FaceEngine]:
    if request.param == "opencv":
        request.getfixturevalue("opencv_models")
        engine: FaceEngine = OpenCvEngine(runtime="openvino", precision="fp32", encoder_precision="fp32")
    else:
        # Every frame in one call, or in bands and parts.
        work_pixels = 16_000_000 if request.param == "dlib" else 1_500_000
        engine = AcceleratedEngine(runtime="openvino", precision="fp32", work_pixels=work_pixels)
    yield engine
    engine.close()


def test_pieces_give_what_one_go_gives_whoever_comes_between(engine_in_pieces: FaceEngine, six_people: Image) -> None:
    """Bit for bit, while another frame of the same size is searched between any two pieces."""
    whole = [np.ascontiguousarray(six_people[::2, ::2]), six_people, np.zeros((90, 90, 3), np.uint8)]
    expected = find_faces(engine_in_pieces, whole)
    (mirrored,) = find_faces(engine_in_pieces, [np.ascontiguousarray(six_people[:, ::-1])])
    assert len(expected[1]) == 6
    answers: dict[int, list[Face]] = {}
    shares = {0: 0.0, 1: 0.0, 2: 0.0}
    pieces = 0
    for piece in find_in_pieces(engine_in_pieces, whole):
        pieces += 1
        assert not answers.keys() & piece.answers.keys(), "answered once"
        answers |= piece.answers
        for place, share in piece.shares.items():
            shares[place] += share
        assert sum(piece.shares.values()) == pytest.approx(1)
        (between,) = find_faces(engine_in_pieces, [np.ascontiguousarray(six_people[:, ::-1])])
        assert _same(between, mirrored)
    assert pieces >= 3
    assert shares[1] > shares[2]
    assert all(_same(answers[place], expected[place]) for place in range(3))


def test_images_with_few_faces_are_finished_before_those_with_many(six_people: Image) -> None:
    answered = []
    blank = np.zeros((100, 100, 3), np.uint8)
    for piece in find_in_pieces(Crowded([130, 0, 70, 1]), [blank] * 4):
        answered.append(sorted((place, len(faces)) for place, faces in piece.answers.items()))
    assert answered == [[], [(1, 0), (3, 1)], [(2, 70)], [], [(0, 130)]]


def test_narrow_faces_are_found_and_not_encoded(six_people: Image) -> None:
    blank = np.zeros((100, 100, 3), np.uint8)
    engine = Crowded([2, 3, 0], widths=[30.0, 19.99, 20.0])
    pieces = list(find_in_pieces(engine, [blank] * 3, narrowest=20.0))
    encoded = {place: [face.score for face in faces] for piece in pieces for place, faces in piece.answers.items()}
    narrow = {place: [face.score for face in faces] for piece in pieces for place, faces in piece.narrow.items()}
    assert encoded == {0: [0.0], 1: [0.0, 2.0], 2: []}
    assert narrow == {0: [1.0], 1: [1.0], 2: []}
    assert engine.encoded == 3
    everybody = list(find_in_pieces(engine, [blank] * 3))
    assert {place: len(faces) for piece in everybody for place, faces in piece.answers.items()} == {0: 2, 1: 3, 2: 0}


class Crowded:
    """Finds as many faces in images as it was told to."""

    blocks_interpreter = False

    def __init__(self, counts: Sequence[int], *, widths: Sequence[float] = ()) -> None:
        self._counts = counts
        self._widths = widths
        self.encoded = 0

    @property
    def info(self) -> EngineInfo:
        raise NotImplementedError

    def detect(
        self, images: Sequence[Image], *, upsample: int | None = None, smallest_face: int | None = None
    ) -> list[FaceBoxes]:
        found = []
        for count in self._counts:
            boxes = np.zeros((count, 4), np.float32)
            if self._widths:
                boxes[:, 2] = self._widths[:count]
            found.append(FaceBoxes(boxes, np.arange(count, dtype=np.float32)))
        return found

    def align(self, images: Sequence[Image], faces: Sequence[FaceBoxes]) -> list[AlignedFaces]:
        return [
            AlignedFaces(
                np.zeros((len(found.scores), 8, 8, 3), np.uint8), np.zeros((len(found.scores), 5, 2), np.float32)
            )
            for found in faces
        ]

    def encode(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert len(chips) <= 64
        self.encoded += len(chips)
        return np.zeros((len(chips), 128), np.float32)

    def close(self) -> None:
        pass


def _same(one: Sequence[Face], other: Sequence[Face]) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(a.box, b.box) and np.array_equal(a.encoding, b.encoding) and a.score == b.score
        for a, b in zip(one, other, strict=True)
    )
