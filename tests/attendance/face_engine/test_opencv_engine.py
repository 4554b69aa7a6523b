from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from attendance.face_engine.faces import detect_faces, encode_faces, find_faces
from attendance.face_engine.factory import create_engine
from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import EngineError, FaceBoxes, FaceEngine, Image, ImageError, ModelError
from attendance.face_engine.models.cache import default_cache_folder
from attendance.face_engine.opencv_engine import OpenCvEngine
from attendance.face_engine.reference import ReferenceEngine
from attendance.face_engine.scaling import scale_for
from attendance.settings.engine import EngineSettings


@pytest.fixture(scope="module")
def engine(opencv_models: Path) -> Iterator[OpenCvEngine]:
    engine = OpenCvEngine(precision="fp32", encoder_precision="fp32")
    yield engine
    engine.close()


def test_what_it_runs_on(engine: OpenCvEngine) -> None:
    info = engine.info
    assert (info.family, info.name, info.detector) == ("opencv", "accelerated", "yunet")
    assert (info.model, info.encoding_size, info.precision) == ("sface-2021dec", 128, "fp32")
    assert [model.name.split("_2")[0] for model in info.models] == [
        "shape_predictor_5_face_landmarks.dat",
        "face_recognition_sface",
        "face_detection_yunet",
    ]
    assert not engine.blocks_interpreter


def test_the_other_family_says_so(cnn_engine: ReferenceEngine) -> None:
    assert cnn_engine.info.family == "dlib"


def test_by_settings(opencv_models: Path) -> None:
    engine: FaceEngine = create_engine(**EngineSettings(models="opencv").arguments())
    assert engine.info.family == "opencv"
    engine.close()
    engine = create_engine(**EngineSettings(models="auto").arguments())
    assert engine.info.family == "dlib"
    engine.close()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"detector": "hog"}, ValueError, "detector is 'hog'; the models opencv have one of their own"),
        ({"name": "reference"}, ValueError, "the engine reference has the models dlib only"),
        ({"embedding": Path("arc.onnx")}, ValueError, "the models opencv have SFace"),
        ({"precision": "int8"}, ModelError, "no precision int8"),
        ({"precision": "fp64"}, ValueError, "no precision 'fp64'"),
        ({"models": "tensorflow"}, ValueError, "no models 'tensorflow'; there are auto, dlib, opencv"),
        ({"runtime": "onnxruntime", "encoder_precision": "bf16"}, ModelError, "precision bf16 was asked for"),
    ],
)
def test_what_is_not_there_is_named(
    opencv_models: Path, options: dict[str, object], error: type[Exception], words: str
) -> None:
    given = EngineSettings(models="opencv").arguments() | options
    with pytest.raises(error, match=words):
        create_engine(**given)


def test_missing_files_are_named_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=rf"detector of the models opencv is not in {tmp_path}.*attendance models fetch"
    ):
        OpenCvEngine(cache=tmp_path)


def test_people_are_told_apart(engine: OpenCvEngine, pictures: Path) -> None:
    def face(name: str) -> np.ndarray:
        (found,) = find_faces(engine, [decode_image((pictures / name).read_bytes(), max_pixels=16_000_000)])
        return max(found, key=lambda face: face.box[2] - face.box[0] if face.score > 0.6 else 0).encoding

    obama = [face(name) for name in ("obama.jpg", "obama2.jpg", "obama3.jpg", "obama_partial_face.jpg")]
    others = [face(name) for name in ("biden.jpg", "astronaut.png", "Tom_Hanks_54745.png")]
    for one in obama:
        assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
        assert max(np.linalg.norm(one - other) for other in obama) < 1.0
        assert min(np.linalg.norm(one - other) for other in others) > 1.15


def test_two_calls_with_a_decision_between_them(engine: OpenCvEngine, six_people: Image) -> None:
    images = [six_people, np.ascontiguousarray(six_people[:, :640])]
    found = detect_faces(engine, images)
    assert [len(one.scores) for one in found] == [6, 3]
    wanted = [found[0].chosen([4, 1]), found[1].chosen(np.array([False, True, False]))]
    some = encode_faces(engine, images, wanted)
    every = encode_faces(engine, images, found)
    assert [len(one) for one in some] == [2, 1]
    for chosen, whole in ((some[0][0], every[0][4]), (some[0][1], every[0][1]), (some[1][0], every[1][1])):
        assert np.array_equal(chosen.box, whole.box)
        assert np.allclose(chosen.encoding, whole.encoding, atol=1e-5)
    assert encode_faces(engine, images, [found[0].chosen([]), found[1].chosen([])]) == [[], []]


def test_bfloat16_encodings_are_near(opencv_models: Path, engine: OpenCvEngine, six_people: Image) -> None:
    try:
        other = OpenCvEngine(precision="bf16", encoder_precision="bf16")
    except ModelError:
        pytest.skip("no bfloat16 here")
    assert other.info.precision == "bf16 search, fp32 decisions, bf16 encodings"
    found = engine.detect([six_people])
    (exact,), (near,) = encode_faces(engine, [six_people], found), encode_faces(other, [six_people], found)
    for one, another in zip(exact, near, strict=True):
        assert np.linalg.norm(one.encoding - another.encoding) < 0.06
    other.close()


def test_onnx_runtime_gives_the_same_faces(opencv_models: Path, engine: OpenCvEngine, six_people: Image) -> None:
    other = OpenCvEngine(runtime="onnxruntime")
    assert other.info.runtime.startswith("ONNX Runtime 1.")
    (theirs,), (ours,) = find_faces(other, [six_people]), find_faces(engine, [six_people])
    assert len(theirs) == len(ours) == 6
    for one, another in zip(theirs, ours, strict=True):
        assert one.box == pytest.approx(another.box, abs=0.05)
        assert np.allclose(one.encoding, another.encoding, atol=1e-3)
    other.close()


def test_many_faces_are_encoded_as_one_by_one(engine: OpenCvEngine) -> None:
    chips = np.random.default_rng(1).integers(0, 256, (19, 112, 112, 3), dtype=np.uint8)
    together = engine.encode(chips)
    assert together.shape == (19, 128)
    for chip, one in zip(chips, together, strict=True):
        assert np.allclose(engine.encode(chip[None])[0], one, atol=1e-4)
    assert engine.encode(np.empty((0, 112, 112, 3), np.uint8)).shape == (0, 128)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (12, 12), (10, 20_000), (13, 500)])
@pytest.mark.parametrize("upsample", [None, 0, 1])
def test_odd_shapes_have_no_faces(engine: OpenCvEngine, shape: tuple[int, int], upsample: int | None) -> None:
    (found,) = engine.detect([np.full((*shape, 3), 90, np.uint8)], upsample=upsample)
    assert found.boxes.shape == (0, 4)
    (cut,) = engine.align([np.full((*shape, 3), 90, np.uint8)], [found])
    assert cut.chips.shape == (0, 112, 112, 3)


def test_bad_images_are_refused(engine: OpenCvEngine) -> None:
    with pytest.raises(ImageError, match="image 0 of the batch is float64"):
        engine.detect([np.zeros((40, 40, 3))])  # type: ignore[list-item]
    with pytest.raises(ImageError, match="chips are uint8 of shape"):
        engine.encode(np.zeros((1, 150, 150, 3), np.uint8))
    with pytest.raises(ValueError, match="0 lists of boxes for 1 images"):
        engine.align([np.zeros((40, 40, 3), np.uint8)], [])


def test_the_smallest_face_wanted_sets_the_scale() -> None:
    assert scale_for(None) == 1.0
    scales = {width: scale_for(width) for width in (4, 8, 12, 16, 20, 32, 48, 64, 130, 500)}
    assert scales == {4: 4.0, 8: 2.0, 12: 1.5, 16: 1.0, 20: 1.0, 32: 0.5, 48: 1 / 3, 64: 0.25, 130: 0.125, 500: 0.125}


def test_a_call_and_a_setting_come_before_the_smallest_face(opencv_models: Path, six_people: Image) -> None:
    small = np.ascontiguousarray(cv2.resize(six_people, None, fx=0.06, fy=0.06, interpolation=cv2.INTER_AREA), np.uint8)
    whole = OpenCvEngine(smallest_face=6, precision="fp32")
    assert len(whole.detect([small])[0].scores) >= 6
    assert len(whole.detect([small], upsample=0)[0].scores) == 0
    fixed = OpenCvEngine(smallest_face=6, upsample=0, precision="fp32")
    assert len(fixed.detect([small])[0].scores) == 0
    for engine in (whole, fixed):
        engine.close()


def test_closed_it_says_so(opencv_models: Path, six_people: Image) -> None:
    engine = OpenCvEngine()
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="the engine is closed"):
        engine.detect([six_people])
    with pytest.raises(EngineError, match="the engine is closed"):
        engine.align([six_people], [FaceBoxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))])


def test_files_swapped_while_it_runs_change_nothing(opencv_models: Path, tmp_path: Path, six_people: Image) -> None:
    for path in opencv_models.glob("*int8bq.onnx"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    engine = OpenCvEngine(cache=tmp_path)
    before = find_faces(engine, [six_people])[0]
    for path in tmp_path.iterdir():
        path.write_bytes(b"swapped")
    after = find_faces(engine, [six_people])[0]
    assert [np.array_equal(one.encoding, other.encoding) for one, other in zip(before, after, strict=True)] == [
        True
    ] * 6
    with pytest.raises(ModelError, match="or is damaged"):
        OpenCvEngine(cache=tmp_path)
    assert default_cache_folder() == opencv_models
    engine.close()
