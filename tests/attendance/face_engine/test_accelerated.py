import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.faces import find_faces
from attendance.face_engine.factory import create_engine
from attendance.face_engine.interface import EngineError, FaceBoxes, Image, ImageError, ModelError


@pytest.fixture(scope="module")
def engine() -> Iterator[AcceleratedEngine]:
    engine = AcceleratedEngine(precision="fp32")
    yield engine
    engine.close()


def test_what_it_runs_on(engine: AcceleratedEngine) -> None:
    info = engine.info
    assert (info.name, info.detector, info.model, info.encoding_size) == (
        "accelerated",
        "cnn",
        "dlib-resnet-v1",
        128,
    )
    assert info.runtime.startswith("OpenVINO 20")
    assert info.device.startswith("CPU")
    assert info.precision == "fp32"
    assert [len(model.sha256) for model in info.models] == [64, 64, 64]
    assert not engine.blocks_interpreter


def test_by_name() -> None:
    engine = create_engine(name="accelerated", detector="cnn", upsample=0, max_pixels=1_000_000)
    assert engine.info.name == "accelerated"
    engine.close()


def test_six_people(engine: AcceleratedEngine, six_people: Image) -> None:
    (faces,) = find_faces(engine, [six_people], upsample=0)
    assert len(faces) == 6
    assert all(0.9 < np.linalg.norm(face.encoding) < 1.8 for face in faces)


def test_a_batch_of_mixed_sizes_answers_as_its_images_alone(engine: AcceleratedEngine, six_people: Image) -> None:
    images = [six_people[200:450], np.zeros((1, 1, 3), np.uint8), six_people[:, 600:], six_people[200:450], six_people]
    together = find_faces(engine, images, upsample=0)
    assert [len(faces) for faces in together] == [len(find_faces(engine, [image])[0]) for image in images]
    for image, faces in zip(images, together, strict=True):
        (alone,) = find_faces(engine, [image], upsample=0)
        for one, other in zip(alone, faces, strict=True):
            assert np.array_equal(one.box, other.box)
            assert one.score == pytest.approx(other.score, abs=1e-4)
            assert np.allclose(one.encoding, other.encoding, atol=1e-5)


def test_a_batch_that_does_not_fit_is_split(engine: AcceleratedEngine, six_people: Image) -> None:
    image = np.ascontiguousarray(six_people[200:450, 200:700])
    narrow = AcceleratedEngine(precision="fp32", work_pixels=700_000)
    for one, other in zip(narrow.detect([image] * 3), engine.detect([image] * 3), strict=True):
        assert np.array_equal(one.boxes, other.boxes)
    narrow.close()


def test_an_empty_batch(engine: AcceleratedEngine) -> None:
    assert engine.detect([]) == []
    assert engine.align([], []) == []
    assert engine.encode(np.empty((0, 150, 150, 3), np.uint8)).shape == (0, 128)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (12, 12), (10, 20_000), (20_000, 10), (13, 500)])
@pytest.mark.parametrize("upsample", [0, 1])
def test_odd_shapes_have_no_faces(engine: AcceleratedEngine, shape: tuple[int, int], upsample: int) -> None:
    (found,) = engine.detect([np.full((*shape, 3), 90, np.uint8)], upsample=upsample)
    assert found.boxes.shape == (0, 4)


@given(height=st.integers(1, 90), width=st.integers(1, 90), upsample=st.integers(0, 1), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=40)
def test_any_shape_works(engine: AcceleratedEngine, height: int, width: int, upsample: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    (found,) = engine.detect([image], upsample=upsample)
    assert found.boxes.shape == (len(found.scores), 4)
    (cut,) = engine.align([image], [found])
    assert cut.chips.shape == (len(found.scores), 150, 150, 3)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.zeros((40, 40), np.uint8), r"uint8 of shape \(40, 40\)"),
        (np.zeros((40, 40, 1), np.uint8), r"shape \(40, 40, 1\)"),
        (np.zeros((40, 40, 4), np.uint8), r"shape \(40, 40, 4\)"),
        (np.zeros((40, 40, 3), np.uint16), "uint16"),
        (np.zeros((0, 40, 3), np.uint8), "empty"),
        (np.zeros((40_000, 1, 3), np.uint8), "40000 pixels"),
        (np.zeros((4001, 4000, 3), np.uint8), "at most 16,000,000"),
    ],
)
def test_other_images_are_named(engine: AcceleratedEngine, image: Image, reason: str) -> None:
    with pytest.raises(ImageError, match=f"image 1 of the batch .*{reason}"):
        engine.detect([np.zeros((40, 40, 3), np.uint8), image])


def test_strides_do_not_matter(engine: AcceleratedEngine, six_people: Image) -> None:
    view = np.asfortranarray(six_people[200:450])[:, ::-1]
    (seen,) = find_faces(engine, [view], upsample=0)
    (copied,) = find_faces(engine, [np.ascontiguousarray(view)], upsample=0)
    assert len(seen) == len(copied) > 0
    assert np.array_equal(seen[0].encoding, copied[0].encoding)


def test_boxes_for_each_image(engine: AcceleratedEngine) -> None:
    with pytest.raises(ValueError, match="0 lists of boxes for 1 images"):
        engine.align([np.zeros((40, 40, 3), np.uint8)], [])


def test_chips_of_another_size(engine: AcceleratedEngine) -> None:
    with pytest.raises(ImageError, match="chips are uint8 of shape"):
        engine.encode(np.zeros((1, 112, 112, 3), np.uint8))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"detector": "hog"}, ValueError, "reference engine has hog"),
        ({"precision": "fp64"}, ValueError, "no precision 'fp64'"),
        ({"runtime": "abacus"}, ValueError, "no runtime 'abacus'"),
        ({"runtime": "cuda"}, ModelError, "no CUDAExecutionProvider: a GPU needs the package onnxruntime-gpu"),
        ({"runtime": "tensorrt"}, ModelError, "no TensorrtExecutionProvider: .*TensorRT"),
        ({"runtime": "onnxruntime", "precision": "bf16"}, ModelError, "precision bf16 was asked for, but ONNX Runtime"),
    ],
)
def test_what_is_not_there_is_named(options: dict[str, str], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        AcceleratedEngine(**options)  # type: ignore[arg-type]


def test_onnx_runtime_gives_the_same_faces(engine: AcceleratedEngine, six_people: Image) -> None:
    image = np.ascontiguousarray(six_people[200:450])
    other = AcceleratedEngine(runtime="onnxruntime", precision="fp32")
    assert other.info.runtime.startswith("ONNX Runtime 1.")
    (theirs,), (ours,) = find_faces(other, [image]), find_faces(engine, [image])
    assert len(theirs) == len(ours) > 0
    for one, another in zip(theirs, ours, strict=True):
        assert np.array_equal(one.box, another.box)
        assert np.allclose(one.encoding, another.encoding, atol=1e-5)
    other.close()


def test_a_first_use_exports_and_a_second_finds_the_exports(tmp_path: Path, six_people: Image) -> None:
    image = np.ascontiguousarray(six_people[200:450, 200:700])
    answers = []
    for _ in range(2):
        engine = AcceleratedEngine(precision="fp32", cache=tmp_path)
        answers.append(engine.detect([image])[0].scores)
        engine.close()
    assert np.array_equal(answers[0], answers[1])
    assert len(list(tmp_path.iterdir())) == 2


def test_closed_it_says_so(six_people: Image) -> None:
    engine = AcceleratedEngine(precision="fp32")
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="the engine is closed"):
        engine.detect([six_people])
    with pytest.raises(EngineError, match="the engine is closed"):
        engine.align([six_people], [FaceBoxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))])


def test_two_engines_in_one_process(six_people: Image) -> None:
    image = np.ascontiguousarray(six_people[200:450])
    engines = [AcceleratedEngine(precision="fp32", threads=1) for _ in range(2)]
    found: list[list[int]] = [[], []]

    def work(place: int) -> None:
        for _ in range(3):
            found[place].append(len(engines[place].detect([image])[0].boxes))

    threads = [threading.Thread(target=work, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]
    assert len(set(found[0])) == 1
    for engine in engines:
        engine.close()
