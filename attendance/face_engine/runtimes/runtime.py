"""What runs the networks: one small protocol over OpenVINO and ONNX Runtime, and the choice between them."""

import hashlib
import importlib
import importlib.util
import os
import platform
import re
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.interface import EngineChoiceError, ModelError
from attendance.parts import how_to_install

RUNTIMES = ("auto", "openvino", "onnxruntime", "cuda", "tensorrt")
"""`openvino` and `onnxruntime` compute on the CPU, `cuda` and `tensorrt` through ONNX Runtime on an NVIDIA GPU."""
PRECISIONS = ("auto", "fp32", "bf16", "int8", "fp16")

_CPU_FLAGS = Path("/proc/cpuinfo")
_BFLOAT16_FLAGS = {"amx_bf16", "avx512_bf16"}
_INT8_FLAGS = {"amx_int8", "avx512_vnni", "avx_vnni"}


class Session(Protocol):
    """A network ready to run."""

    def run(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Compute the network's one output for its one input; the answer is the caller's to keep."""


MakeInput: TypeAlias = Callable[[], NDArray[Any]]
"""Makes one input of a network, in whatever thread computes it."""


@runtime_checkable
class SideBySide(Protocol):
    """What a `Session` may have besides: cores that each compute an input of their own, where there are enough.

    One small input seldom keeps all cores busy, and nobody computes while its answer is looked at
    (`python -m benchmarks.side_by_side`).
    """

    @property
    def at_once(self) -> int:
        """How many inputs are computed at once, two at least."""

    def run_side_by_side(self, inputs: Sequence[MakeInput]) -> Generator[NDArray[np.float32], None, None]:
        """As `Session.run` for each, in order, up to float32's rounding; inputs may differ in shape.

        While an answer is looked at, the next ones are computed.
        """


def at_once(session: Session) -> int:
    """How many inputs a session computes at once."""
    return session.at_once if isinstance(session, SideBySide) else 1


def run_each(
    session: Session, inputs: Sequence[MakeInput], *, small: bool = False
) -> Generator[NDArray[np.float32], None, None]:
    """The network's output for each of several inputs: side by side as far as they fill the cores, the rest in turn.

    Args:
        session: any.
        inputs: each is made where it is computed.
        small: whether one input is too little work for several cores, which then wait for each other most of the time:
            all are computed side by side, however few they are.
    """
    if isinstance(session, SideBySide) and (
        whole := len(inputs) if small else len(inputs) // session.at_once * session.at_once
    ):
        yield from session.run_side_by_side(inputs[:whole])
        inputs = inputs[whole:]
    for make in inputs:
        yield session.run(make())


class Runtime(Protocol):
    """A library and a device that run networks."""

    @property
    def title(self) -> str:
        """The library with its version."""

    @property
    def device(self) -> str:
        """What it computes on, in words."""

    @property
    def on_gpu(self) -> bool:
        """Whether that is a GPU."""

    @property
    def precisions(self) -> tuple[str, ...]:
        """What it can compute the detector in, the one it prefers first."""

    def load(self, model: bytes, *, precision: str) -> Session:
        """Make an ONNX model ready.

        Args:
            model: the ONNX file's bytes: float32 for fp32 and bf16, float16 inside for fp16, quantised for int8.
            precision: one of `precisions`.

        Raises:
            ModelError: the runtime cannot run the model.
        """


def start_runtime(name: str, *, threads: int = 0) -> Runtime:
    """Start a runtime.

    Args:
        name: one of `RUNTIMES`; auto takes a GPU if ONNX Runtime has one, else OpenVINO, else ONNX Runtime's CPU.
        threads: on the CPU; 0: as many as this process may use cores.

    Raises:
        ModelError: the runtime is not installed or finds no device; the message says what is missing.
        EngineChoiceError: there is no such runtime.
    """
    if name not in RUNTIMES:
        raise EngineChoiceError(f"there is no runtime {name!r}; there are {', '.join(RUNTIMES)}")
    threads = threads or usable_cores()
    if name == "auto":
        name = best_installed()
    if name == "openvino":
        _require("openvino")
        return _runtime("attendance.face_engine.runtimes.openvino_runtime", "OpenVinoRuntime", threads=threads)
    _require("onnxruntime")
    return _runtime("attendance.face_engine.runtimes.onnx_runtime", "OnnxRuntime", provider=name, threads=threads)


def usable_cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def fast_precisions() -> tuple[str, ...]:
    """What the processor multiplies faster than float32, the best first: bf16 (AVX512-BF16, AMX), int8 (VNNI)."""
    try:
        text = _CPU_FLAGS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    flags = set(next((line for line in text.splitlines() if line.startswith("flags")), "").split())
    known = {"bf16": _BFLOAT16_FLAGS, "int8": _INT8_FLAGS}
    return tuple(precision for precision, names in known.items() if flags & names)


def processor_key() -> tuple[str, str]:
    """What tells this processor from others: its name, and a hash of what it can do."""
    try:
        text = _CPU_FLAGS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor(), platform.machine()
    lines = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in reversed(text.splitlines())}
    flags = " ".join(sorted(lines.get("flags", lines.get("Features", "")).split()))
    return lines.get("model name", platform.machine()), hashlib.sha256(flags.encode()).hexdigest()[:16]


def describe_processor(threads: int) -> str:
    """The CPU in words, as the system names it, and the threads that are used of it."""
    try:
        text = _CPU_FLAGS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    line = next((line for line in text.splitlines() if line.startswith("model name")), "")
    name = re.sub(r"\((R|TM|C)\)", "", line.partition(":")[2], flags=re.IGNORECASE)
    return ", ".join(part for part in ("CPU", " ".join(name.split()), f"{threads} threads") if part)


def best_installed() -> str:
    """What auto is where nothing is measured: a GPU if ONNX Runtime has one, else OpenVINO, else ONNX Runtime's CPU."""
    if importlib.util.find_spec("onnxruntime") is not None:
        available = importlib.import_module("onnxruntime").get_available_providers()
        if "CUDAExecutionProvider" in available and Path("/dev/nvidiactl").exists():
            return "cuda"
    return "openvino" if importlib.util.find_spec("openvino") is not None else "onnxruntime"


def _runtime(module: str, constructor: str, **options: Any) -> Runtime:
    runtime: Runtime = getattr(importlib.import_module(module), constructor)(**options)
    return runtime


def _require(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise ModelError(f"there is no runtime {package}: {how_to_install('service')}")
