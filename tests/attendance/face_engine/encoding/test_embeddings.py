from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.encoding.alignment import ARCFACE_EYES
from attendance.face_engine.encoding.chips import similarity
from attendance.face_engine.faces import find_faces
from attendance.face_engine.interface import Image, ImageError, ModelError
from attendance.face_engine.models.onnx_export import GraphBuilder


def write_model(
    path: Path, *, batch: str | int = "n", side: int = 112, size: int = 512, normalised: bool = False
) -> Path:
    """A small model of the family's shape: random projections of a small picture of the face."""
    graph = GraphBuilder("embedding")
    value = "pixels"
    if normalised:
        value = graph.node("Sub", value, graph.constant(np.array(127.5, np.float32)))
        value = graph.node("Mul", value, graph.constant(np.array(1 / 127.5, np.float32)))
    value = graph.node("AveragePool", value, kernel_shape=[16, 16], strides=[16, 16])
    value = graph.node("Flatten", value)
    matrix = np.random.default_rng(0).normal(size=(3 * (side // 16) ** 2, size)).astype(np.float32)
    graph.node("MatMul", value, graph.constant(matrix), output="embedding")
    path.write_bytes(
        graph.model(
            [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [batch, 3, side, side])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [batch, size])],
        )
    )
    return path


def test_another_model_makes_the_encodings(tmp_path: Path, six_people: Image) -> None:
    engine = AcceleratedEngine(embedding=write_model(tmp_path / "tiny.onnx"))
    assert engine.info.model.startswith("tiny-")
    assert engine.info.encoding_size == 512
    assert "tiny.onnx" in [model.name for model in engine.info.models]
    (faces,) = find_faces(engine, [six_people], upsample=0)
    assert len(faces) == 6
    for face in faces:
        assert face.encoding.shape == (512,)
        assert np.linalg.norm(face.encoding) == pytest.approx(1, abs=1e-5)
    with pytest.raises(ImageError, match=r"not uint8 \(n, 112, 112, 3\)"):
        engine.encode(np.zeros((1, 150, 150, 3), np.uint8))
    assert engine.encode(np.empty((0, 112, 112, 3), np.uint8)).shape == (0, 512)
    engine.close()


def test_chips_are_upright_with_the_eyes_in_their_places(tmp_path: Path, six_people: Image) -> None:
    engine = AcceleratedEngine(embedding=write_model(tmp_path / "tiny.onnx"))
    found = engine.detect([six_people], upsample=0)
    (cut,) = engine.align([six_people], found)
    assert cut.chips.shape == (6, 112, 112, 3)
    for points in cut.landmarks.astype(np.float64):
        eyes = np.array([points[0:2].mean(axis=0), points[2:4].mean(axis=0)])
        transform = similarity(eyes, ARCFACE_EYES)
        nose = transform[:, :2] @ points[4] + transform[:, 2]
        assert 40 < nose[0] < 72, "between the eyes"
        assert 65 < nose[1] < 92, "below them, above the mouth's corners"
    engine.close()


def test_a_model_that_normalises_by_itself_agrees(tmp_path: Path, six_people: Image) -> None:
    plain, normalising = write_model(tmp_path / "a.onnx"), write_model(tmp_path / "b.onnx", normalised=True)
    engines = [AcceleratedEngine(embedding=path) for path in (plain, normalising)]
    first, second = (find_faces(engine, [six_people], upsample=0)[0] for engine in engines)
    for one, other in zip(first, second, strict=True):
        assert np.allclose(one.encoding, other.encoding, atol=1e-4)
    assert engines[0].info.model != engines[1].info.model
    for engine in engines:
        engine.close()


def test_a_model_for_single_faces_is_called_for_each(tmp_path: Path) -> None:
    chips = np.random.default_rng(1).integers(0, 256, (5, 112, 112, 3), dtype=np.uint8)
    answers = []
    for batch in ("n", 1):
        engine = AcceleratedEngine(embedding=write_model(tmp_path / f"{batch}.onnx", batch=batch))
        answers.append(engine.encode(chips))
        engine.close()
    assert np.allclose(answers[0], answers[1], atol=1e-5)


def test_other_models_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("this is no model")
    whole = write_model(tmp_path / "whole.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    write_model(tmp_path / "large.onnx", side=160)
    for name, reason in (
        ("none.onnx", "cannot read the model file"),
        ("text.onnx", "no ONNX model"),
        ("cut.onnx", "no ONNX model, or it is cut short"),
        ("large.onnx", r"takes \(n, 3, 112, 112\), not \[\[0, 3, 160, 160\]\]"),
    ):
        with pytest.raises(ModelError, match=rf"{name}: .*{reason}"):
            AcceleratedEngine(embedding=tmp_path / name)


def test_similarity_of_turned_and_scaled_points() -> None:
    points = np.random.default_rng(2).normal(size=(5, 2))
    angle = 0.7
    matrix = 3 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = similarity(points, points @ matrix.T + [5, -2])
    assert np.allclose(found, np.column_stack([matrix, [5, -2]]))
    assert np.allclose(similarity(np.ones((5, 2)), np.full((5, 2), 4.0)), [[1, 0, 3], [0, 1, 3]])
    mirrored = similarity(points, points * [-1, 1])
    assert np.linalg.det(mirrored[:, :2]) > 0, "a face is turned, never mirrored"
