from pathlib import Path

import pytest

from attendance.face_engine.interface import ModelError
from attendance.face_engine.runtimes import runtime as runtimes
from attendance.face_engine.runtimes.runtime import describe_processor, fast_precisions, start_runtime, usable_cores


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
