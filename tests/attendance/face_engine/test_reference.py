import hashlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from attendance.face_engine.faces import find_faces
from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import EngineError, FaceBoxes, FaceEngine, Image, ImageError, ModelError
from attendance.face_engine.models.weights import weights_file
from attendance.face_engine.reference import ReferenceEngine

SHARED = sorted((Path(__file__).parents[3] / "../shared/faces").glob("enrol/*/1.*"))


def as_css(boxes: FaceBoxes, image: Image) -> list[tuple[int, int, int, int]]:
    """Boxes in face_recognition's order (top, right, bottom, left) and cut at the image's edge as it cuts them."""
    height, width = image.shape[:2]
    return [
        (max(int(top), 0), min(int(right), width), min(int(bottom), height), max(int(left), 0))
        for left, top, right, bottom in boxes.boxes
    ]


FEW = ("obama_partial_face.jpg", "t1.jpg", "astronaut.png")
MORE = ("obama.jpg", "obama2.jpg", "obama_partial_face2.jpg")


@pytest.mark.parametrize(
    "names", [FEW, pytest.param(MORE, marks=pytest.mark.exhaustive)], ids=["few", "more, and those beside"]
)
def test_faces_are_those_of_face_recognition(
    hog_engine: ReferenceEngine, pictures: Path, face_recognition: ModuleType, names: tuple[str, ...]
) -> None:
    paths = [pictures / name for name in names] + (SHARED[:3] if names is MORE else [])
    images = [decode_image(path.read_bytes(), max_pixels=16_000_000) for path in paths]
    found = hog_engine.detect(images)
    aligned = hog_engine.align(images, found)
    encodings = hog_engine.encode(np.concatenate([cut.chips for cut in aligned]))
    theirs = face_recognition.api
    start = 0
    for path, image, boxes in zip(paths, images, found, strict=True):
        assert np.array_equal(image, face_recognition.load_image_file(path))
        assert (np.diff(boxes.scores) <= 0).all()
        raw: dict[tuple[int, ...], Any] = {
            edges(rectangle): rectangle for rectangle in theirs._raw_face_locations(image, 1, "hog")
        }
        ours = [tuple(map(int, box)) for box in boxes.boxes]
        assert sorted(ours) == sorted(raw), path.name
        assert sorted(as_css(boxes, image)) == sorted(face_recognition.face_locations(image)), path.name
        # Given uncut boxes, so that a face at the edge is aligned alike.
        places = [theirs._rect_to_css(raw[box]) for box in ours]
        expected = np.reshape(face_recognition.face_encodings(image, places, model="small"), (-1, 128))
        assert np.abs(encodings[start : start + len(ours)] - expected).max(initial=0) <= 1e-6, path.name
        start += len(ours)
    assert start == len(encodings) >= len(paths)


def edges(rectangle: Any) -> tuple[int, int, int, int]:
    return rectangle.left(), rectangle.top(), rectangle.right(), rectangle.bottom()


@pytest.mark.parametrize("upsample", [0, 1])
def test_the_cnn_finds_what_face_recognition_finds(
    cnn_engine: ReferenceEngine, six_people: Image, face_recognition: ModuleType, upsample: int
) -> None:
    # Two people out of six: the whole picture takes the CNN many seconds.
    crops = [six_people[230:450, 400:600], six_people[60:220, 840:1030]]
    found = cnn_engine.detect(crops, upsample=upsample)
    for image, boxes in zip(crops, found, strict=True):
        expected = face_recognition.face_locations(np.ascontiguousarray(image), upsample, model="cnn")
        assert len(expected) == 1
        assert as_css(boxes, image) == expected
        assert boxes.scores[0] > 0.5


def test_a_batch_answers_as_its_images_alone(hog_engine: ReferenceEngine, six_people: Image) -> None:
    images = [six_people[200:450], np.zeros((1, 1, 3), np.uint8), six_people[:, 600:], six_people[200:450]]
    together = find_faces(hog_engine, images, upsample=0)
    for image, faces in zip(images, together, strict=True):
        (alone,) = find_faces(hog_engine, [image], upsample=0)
        assert len(alone) == len(faces)
        for one, other in zip(alone, faces, strict=True):
            assert np.array_equal(one.box, other.box)
            assert one.score == other.score
            assert np.array_equal(one.landmarks, other.landmarks)
            assert np.array_equal(one.encoding, other.encoding)


def test_more_faces_with_upsampling(hog_engine: ReferenceEngine, six_people: Image) -> None:
    half = np.ascontiguousarray(six_people[::2, ::2])
    small, doubled = (len(hog_engine.detect([half], upsample=upsample)[0].boxes) for upsample in (0, 1))
    assert small < doubled == 6
    assert len(hog_engine.detect([half])[0].boxes) == doubled, "the engine's own setting is 1"


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (6, 200), (200, 8), (11, 11), (12, 12), (80, 80)])
@pytest.mark.parametrize("upsample", [0, 1, 2])
def test_tiny_images_have_no_faces(
    hog_engine: ReferenceEngine, cnn_engine: ReferenceEngine, shape: tuple[int, int], upsample: int
) -> None:
    for engine in (hog_engine, cnn_engine):
        (found,) = engine.detect([np.full((*shape, 3), 127, np.uint8)], upsample=upsample)
        assert found.boxes.shape == (0, 4)
        assert found.scores.shape == (0,)


@pytest.mark.parametrize("shape", [(10, 20_000), (20_000, 10)])
def test_long_images_have_no_faces(
    hog_engine: ReferenceEngine, cnn_engine: ReferenceEngine, shape: tuple[int, int]
) -> None:
    for engine in (hog_engine, cnn_engine):
        assert len(engine.detect([np.zeros((*shape, 3), np.uint8)], upsample=0)[0].boxes) == 0


def test_strides_do_not_matter(hog_engine: ReferenceEngine, six_people: Image) -> None:
    view = np.asfortranarray(six_people[200:450])[:, ::-1]
    (seen,) = find_faces(hog_engine, [view], upsample=0)
    (copied,) = find_faces(hog_engine, [np.ascontiguousarray(view)], upsample=0)
    assert len(seen) == len(copied) > 0
    assert np.array_equal(seen[0].encoding, copied[0].encoding)


def test_read_only_images_will_do(hog_engine: ReferenceEngine, six_people: Image) -> None:
    image = six_people[200:450].copy()
    image.flags.writeable = False
    assert find_faces(hog_engine, [image], upsample=0)[0]


def test_nothing_gives_nothing(hog_engine: ReferenceEngine) -> None:
    assert hog_engine.detect([]) == []
    assert hog_engine.align([], []) == []
    encodings = hog_engine.encode(np.empty((0, 150, 150, 3), np.uint8))
    assert encodings.shape == (0, 128)
    assert encodings.dtype == np.float32
    empty = FaceBoxes(np.empty((0, 4), np.float32), np.empty(0, np.float32))
    (aligned,) = hog_engine.align([np.zeros((9, 9, 3), np.uint8)], [empty])
    assert aligned.chips.shape == (0, 150, 150, 3)
    assert aligned.landmarks.shape == (0, 5, 2)


def test_boxes_outside_the_image_can_be_aligned(hog_engine: ReferenceEngine, six_people: Image) -> None:
    outside = FaceBoxes(np.array([[-500, -500, -400, -400], [5, 5, 5, 5]], np.float32), np.zeros(2, np.float32))
    (aligned,) = hog_engine.align([six_people], [outside])
    assert hog_engine.encode(aligned.chips).shape == (2, 128)


def test_bad_arguments_are_refused(hog_engine: ReferenceEngine) -> None:
    grey = np.zeros((10, 10), np.uint8)
    with pytest.raises(ImageError, match="image 0"):
        hog_engine.detect([grey])
    with pytest.raises(ImageError, match="image 0"):
        hog_engine.align([grey], [FaceBoxes(np.empty((0, 4), np.float32), np.empty(0, np.float32))])
    with pytest.raises(ValueError, match="1 images"):
        hog_engine.align([np.zeros((10, 10, 3), np.uint8)], [])
    with pytest.raises(ImageError, match="chips"):
        hog_engine.encode(np.zeros((1, 149, 150, 3), np.uint8))
    with pytest.raises(ValueError, match="upsample"):
        hog_engine.detect([], upsample=9)


def test_it_says_what_it_runs_on(hog_engine: ReferenceEngine, cnn_engine: ReferenceEngine) -> None:
    info = cnn_engine.info
    assert (info.name, info.detector, info.precision) == ("reference", "cnn", "fp32")
    assert (info.model, info.encoding_size) == ("dlib-resnet-v1", 128)
    assert info.runtime.startswith("dlib 20.")
    assert len(info.models) == 3
    assert len(hog_engine.info.models) == 2
    for model in info.models:
        assert model.sha256 == hashlib.sha256(weights_file(model.name).read_bytes()).hexdigest()
    assert cnn_engine.blocks_interpreter
    engine: FaceEngine = cnn_engine
    assert engine.info is info


def test_closed_it_says_so() -> None:
    engine = ReferenceEngine()
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.detect([np.zeros((9, 9, 3), np.uint8)])


def test_unknown_detector() -> None:
    with pytest.raises(ValueError, match="'haar'"):
        ReferenceEngine(detector="haar")


@pytest.mark.parametrize("content", [b"", b"no model", None], ids=["empty", "other", "missing"])
def test_damaged_weights_are_named(content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "face_recognition_models"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "models" / "dlib_face_recognition_resnet_model_v1.dat").touch()
    if content is not None:
        (package / "models" / "shape_predictor_5_face_landmarks.dat").write_bytes(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "face_recognition_models", raising=False)
    with pytest.raises(ModelError, match="shape_predictor_5_face_landmarks"):
        ReferenceEngine()
