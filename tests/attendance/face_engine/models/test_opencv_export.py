from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from attendance.face_engine.interface import ModelError
from attendance.face_engine.models import opencv_files
from attendance.face_engine.models.catalogue import files_of
from attendance.face_engine.models.onnx_reading import dequantise, read_graph
from attendance.face_engine.models.opencv_export import export_sface, export_yunet
from attendance.face_engine.models.opencv_files import load_opencv_graph


def run(graph: bytes, values: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(graph)
    return np.asarray(session.run(None, {session.get_inputs()[0].name: values})[0])


def original(path: Path, values: np.ndarray) -> list[np.ndarray]:
    """What ONNX's own reference implementation of operators gives for the file as it is, block-quantised."""
    session = ReferenceEvaluator(onnx.load(path))
    return [np.asarray(one) for one in session.run(None, {session.input_names[0]: values})]


def test_block_quantisation_is_undone_by_blocks() -> None:
    quantised = np.arange(12, dtype=np.uint8).reshape(2, 6)
    scales = np.array([[1, 2], [3, 4]], np.float32)
    zeros = np.array([[1, 2], [3, 4]], np.uint8)
    expected = [[-1, 0, 1, 2, 4, 6], [9, 12, 15, 18, 24, 28]]
    assert dequantise(quantised, scales, zeros, axis=1, block=4).tolist() == expected
    assert dequantise(quantised[0], np.array(2, np.float32), np.array(1, np.uint8), axis=0, block=0).tolist() == [
        -2,
        0,
        2,
        4,
        6,
        8,
    ]


def test_yunet_gives_what_its_file_gives(opencv_models: Path) -> None:
    path = opencv_models / files_of("detector")[0].name
    frame = cv2.resize(np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8), (640, 640))
    answers = original(path, to_bgr(frame))
    heads = [np.concatenate(answers[start : start + 3], axis=1) for start in range(0, 12, 3)]
    ours = run(export_yunet(path.name, path.read_bytes()), frame[None])
    assert ours.shape == (1, 16, 8400)
    expected = np.concatenate(heads, axis=2).transpose(0, 2, 1)
    assert np.abs(ours - expected).max() < 1e-3


def to_bgr(frame: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(frame[None, :, :, ::-1].transpose(0, 3, 1, 2), np.float32)


def test_yunet_takes_any_size_and_number(opencv_models: Path) -> None:
    path = opencv_models / files_of("detector")[0].name
    graph = export_yunet(path.name, path.read_bytes())
    frames = np.random.default_rng(2).integers(0, 256, (3, 96, 160, 3), dtype=np.uint8)
    together = run(graph, frames)
    assert together.shape == (3, 16, 96 * 160 * (1 / 64 + 1 / 256 + 1 / 1024))
    for one, alone in zip(frames, together, strict=True):
        assert np.allclose(run(graph, one[None])[0], alone, atol=1e-4)


def test_sface_gives_what_its_file_gives(opencv_models: Path) -> None:
    path = opencv_models / files_of("encoder")[0].name
    chips = np.random.default_rng(3).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    ours = run(export_sface(path.name, path.read_bytes()), chips)
    for chip, encoding in zip(chips, ours, strict=True):
        (expected,) = original(path, np.ascontiguousarray(chip[None].transpose(0, 3, 1, 2), np.float32))
        assert np.abs(encoding - expected[0]).max() < 1e-3


@pytest.mark.parametrize(("part", "export"), [("detector", export_yunet), ("encoder", export_sface)])
def test_the_float32_form_gives_the_same_graph(opencv_models: Path, part: str, export: object) -> None:
    path = opencv_models / files_of(part)[0].name
    plain = in_float32(path)
    assert callable(export)
    assert export("plain", plain) == export(path.name, path.read_bytes())


def in_float32(path: Path) -> bytes:
    """The file as it was before its weights were quantised in blocks: weights as constants, an older operator set."""
    model = onnx.load(path)
    graph = read_graph(path.name, path.read_bytes())
    nodes = [node for node in model.graph.node if node.output[0] not in graph.constants]
    used = {name for node in nodes for name in node.input}
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    for name in used & graph.constants.keys():
        model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(graph.constants[name]), name))
    model.opset_import[0].version = 11
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(("part", "export"), [("detector", export_yunet), ("encoder", export_sface)])
def test_other_files_are_named(opencv_models: Path, part: str, export: object) -> None:
    assert callable(export)
    contents = (opencv_models / files_of(part)[0].name).read_bytes()
    other = (opencv_models / files_of("encoder" if part == "detector" else "detector")[0].name).read_bytes()
    for wrong, reason in (
        (b"this is no model", "no ONNX model"),
        (contents[: len(contents) // 2], "cut short"),
        (other, "where its architecture differs|this is not"),
        (tiny_model(), "where its architecture differs|this is not"),
    ):
        with pytest.raises(ModelError, match=rf"given\.onnx: .*({reason})"):
            export("given.onnx", wrong)


def tiny_model() -> bytes:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    return bytes(helper.make_model(graph, ir_version=8).SerializeToString())


@pytest.mark.parametrize("part", ["detector", "encoder"])
def test_the_graph_is_kept_and_bound_to_what_the_code_knows(
    opencv_models: Path, tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = files_of(part)[0].name
    (tmp_path / file).write_bytes((opencv_models / file).read_bytes())
    graph, known = load_opencv_graph(tmp_path, part)
    assert known.name == file
    (kept,) = tmp_path.glob("*.bin")
    monkeypatch.setitem(opencv_files._EXPORTS, part, lambda *_: pytest.fail("made again"))
    assert load_opencv_graph(tmp_path, part)[0] == graph
    monkeypatch.undo()
    swapped = bytearray(kept.read_bytes())
    swapped[-5] ^= 1
    for spoiled in (bytes(swapped), kept.read_bytes()[:1000], b""):
        kept.write_bytes(spoiled)
        assert load_opencv_graph(tmp_path, part)[0] == graph
    (tmp_path / file).write_bytes(b"swapped")
    with pytest.raises(
        ModelError, match=rf"the {part} of the models opencv is not in .* or is damaged: `attendance models"
    ):
        load_opencv_graph(tmp_path, part)
    tmp_path.chmod(0o777)
    with pytest.raises(ModelError, match="others may write"):
        load_opencv_graph(tmp_path, part)
