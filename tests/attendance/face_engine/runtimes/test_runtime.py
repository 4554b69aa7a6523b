from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from attendance.face_engine.interface import ModelError
from attendance.face_engine.models.cache import default_cache_folder
from attendance.face_engine.models.opencv_files import load_opencv_graph
from attendance.face_engine.runtimes import runtime as runtimes
from attendance.face_engine.runtimes.runtime import (
    MakeInput,
    SideBySide,
    at_once,
    describe_processor,
    fast_precisions,
    run_each,
    start_runtime,
    usable_cores,
)


def test_auto_takes_openvino_where_there_is_no_gpu() -> None:
    runtime = start_runtime("auto")
    assert runtime.title.startswith("OpenVINO 20")
    assert not runtime.on_gpu
    assert f"{usable_cores()} threads" in runtime.device


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_a_model_that_is_none(name: str) -> None:
    with pytest.raises(ModelError, match="cannot run the model"):
        start_runtime(name).load(b"this is no ONNX model", precision="fp32")


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for name in ("openvino", "onnxruntime", "cuda", "auto"):
        with pytest.raises(ModelError, match="is not installed on this machine"):
            start_runtime(name)


@pytest.mark.parametrize(
    ("flags", "fast"),
    [
        ("fpu avx2", ()),
        ("fpu avx512_vnni", ("int8",)),
        ("avx_vnni avx512_bf16 avx512_vnni", ("bf16", "int8")),
        ("amx_bf16 amx_int8 amx_tile", ("bf16", "int8")),
    ],
)
def test_what_the_processor_is_fast_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str, fast: tuple[str, ...]
) -> None:
    (tmp_path / "cpuinfo").write_text(f"model name\t: Intel(R) Quick(TM)  CPU\nflags\t\t: {flags}\n")
    monkeypatch.setattr(runtimes, "_CPU_FLAGS", tmp_path / "cpuinfo")
    assert fast_precisions() == fast
    assert describe_processor(3) == "CPU, Intel Quick CPU, 3 threads"
    precisions = start_runtime("openvino").precisions
    assert precisions[0] == (fast[0] if fast else "fp32")
    assert set(precisions) == {"fp32", "bf16", "int8"}


def test_a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(runtimes, "_CPU_FLAGS", tmp_path / "none")
    assert fast_precisions() == ()
    assert describe_processor(2) == "CPU, 2 threads"


ROUNDING = 2e-5
"""Of float32, in which layers may be summed up in another order on other numbers of cores."""


class _Beside:
    """Two at once; says how each was computed."""

    at_once = 2

    def run(self, values: NDArray[Any]) -> NDArray[np.float32]:
        return np.array([values.sum(), 0], np.float32)

    def run_side_by_side(self, inputs: Sequence[MakeInput]) -> Generator[NDArray[np.float32], None, None]:
        yield from (np.array([make().sum(), 1], np.float32) for make in inputs)


@pytest.mark.parametrize(
    ("count", "small", "beside"),
    [(0, False, 0), (1, False, 0), (2, False, 2), (5, False, 4), (0, True, 0), (5, True, 5)],
)
def test_inputs_that_fill_the_cores_or_are_small_are_computed_side_by_side(
    count: int, small: bool, beside: int
) -> None:
    inputs = [partial(np.full, number + 1, 2.0) for number in range(count)]
    answers = list(run_each(_Beside(), inputs, small=small))
    assert [answer.tolist() for answer in answers] == [[2.0 * n, float(n <= beside)] for n in range(1, count + 1)]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_openvino_computes_the_same_side_by_side(precision: str) -> None:
    graph, _ = load_opencv_graph(default_cache_folder(), "detector")
    session = start_runtime("openvino", threads=2).load(graph, precision=precision)
    assert isinstance(session, SideBySide)
    random = np.random.default_rng(0)
    frames = [random.integers(0, 256, (1, side, 128, 3), np.uint8) for side in (64, 96, 128, 64, 160)]
    together = list(run_each(session, [partial(np.copy, frame) for frame in frames]))
    for frame, answer in zip(frames, together, strict=True):
        np.testing.assert_allclose(answer, session.run(frame), atol=ROUNDING)
    alone = start_runtime("openvino", threads=1).load(graph, precision=precision)
    assert at_once(alone) == 1
    np.testing.assert_allclose(alone.run(frames[0]), together[0], atol=ROUNDING)


def test_an_error_beside_others_is_raised() -> None:
    graph, _ = load_opencv_graph(default_cache_folder(), "detector")
    session = start_runtime("openvino", threads=2).load(graph, precision="fp32")

    def broken() -> NDArray[Any]:
        raise ValueError("no picture")

    frame = np.zeros((1, 64, 64, 3), np.uint8)
    with pytest.raises(ValueError, match="no picture"):
        list(run_each(session, [broken, partial(np.copy, frame)]))
    assert len(list(run_each(session, [partial(np.copy, frame)] * 9))) == 9, "the next ones are computed"
