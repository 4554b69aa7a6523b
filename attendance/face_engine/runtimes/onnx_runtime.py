"""ONNX Runtime: NVIDIA GPUs through CUDA or TensorRT, and the CPU where OpenVINO has no wheel."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from attendance.face_engine.interface import ModelError
from attendance.face_engine.runtimes.runtime import describe_processor

Run = Callable[[NDArray[Any]], NDArray[np.float32]]
"""One call of a network."""

_PROVIDERS: dict[str, list[Any]] = {
    "onnxruntime": ["CPUExecutionProvider"],
    # TensorFloat-32 would round what float32 is asked for. Trying every way of each convolution at a new shape, the
    # default, takes seconds, in which all cameras wait.
    "cuda": [("CUDAExecutionProvider", {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"})],
    "tensorrt": [("TensorrtExecutionProvider", {"trt_fp16_enable": True}), "CUDAExecutionProvider"],
}
_PRECISIONS = {"onnxruntime": ("fp32", "int8"), "cuda": ("fp32",), "tensorrt": ("fp32", "fp16")}
_KEPT_SHAPES = 32
"""Of one network on a GPU: frames of four sizes, each searched at two scales, in batches of 1, 2, 4 and 8."""
_WHAT_GPUS_NEED = (
    "a GPU needs the package onnxruntime-gpu in place of onnxruntime, an NVIDIA driver, and the CUDA, cuDNN (and for "
    "tensorrt the TensorRT) libraries of the versions that it names"
)


class OnnxRuntime:
    """ONNX Runtime with one execution provider; a `attendance.face_engine.runtimes.runtime.Runtime`."""

    def __init__(self, *, provider: str, threads: int) -> None:
        """Start it.

        Args:
            provider: "onnxruntime" (CPU), "cuda" or "tensorrt".
            threads: on the CPU.

        Raises:
            ModelError: the provider is not in the installed package.
        """
        self._provider = provider
        self._wanted = _PROVIDERS[provider]
        self._threads = threads
        self.on_gpu = provider != "onnxruntime"
        self.title = f"ONNX Runtime {onnxruntime.__version__}"
        first = self._first_wanted()
        if first not in onnxruntime.get_available_providers():
            raise ModelError(
                f"the runtime {provider} was asked for, but the {self.title} installed has no {first}: "
                f"{_WHAT_GPUS_NEED}"
            )
        self.device = f"GPU, {provider}" if self.on_gpu else describe_processor(threads)
        self.precisions = _PRECISIONS[provider]

    def load(self, model: bytes, *, precision: str) -> "OnnxSession":
        """Make an ONNX model ready; see `Runtime.load`."""
        if self.on_gpu:
            return OnnxSession(ByShape(lambda: self._start(model, precision)).run)
        return OnnxSession(self._start(model, precision))

    def _start(self, model: bytes, precision: str) -> Run:
        """Start a session and give its call."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        # Idle threads that spin would take the cores from decoding and from other engines.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        wanted = self._wanted
        if precision == "fp32" and self._provider == "tensorrt":
            wanted = [("TensorrtExecutionProvider", {"trt_fp16_enable": False}), "CUDAExecutionProvider"]
        try:
            session = onnxruntime.InferenceSession(model, options, providers=wanted)
        except Exception as error:  # ONNX Runtime's errors have no common root
            raise ModelError(f"{self.title} cannot run the model with {self._provider}: {error}") from error
        # ONNX Runtime falls back to the CPU by itself when a GPU's libraries do not load; that must not pass silently.
        if self._first_wanted() not in session.get_providers():
            raise ModelError(
                f"the runtime {self._provider} was asked for, but {self.title} could not start it: {_WHAT_GPUS_NEED}"
            )
        name = session.get_inputs()[0].name
        of_a_run = onnxruntime.RunOptions()
        if self.on_gpu:
            # What a session has taken for a large batch it would keep, and there is one a shape.
            of_a_run.add_run_config_entry("memory.enable_memory_arena_shrinkage", "gpu:0")
        return lambda values: session.run(None, {name: values}, of_a_run)[0]

    def _first_wanted(self) -> str:
        first = self._wanted[0]
        return str(first if isinstance(first, str) else first[0])


class OnnxSession:
    """A network loaded by ONNX Runtime; its calls let other Python threads run."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def run(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Compute; see `Session.run`."""
        return self._run(values)


class ByShape:
    """A network on a GPU: one session for each shape of its input, and batches in parts of 1, 2, 4, 8 and so on.

    A session plans all its convolutions anew whenever the shape of its input changes, also back to one that it has seen
    (ONNX Runtime 1.31, cuDNN 9). A frame is searched at two scales, so on an H100 each took two seconds with one
    session, and takes 5 to 13 ms with one a shape. Parts keep the shapes few; the first input of each still costs its
    planning.
    """

    def __init__(self, start: Callable[[], Run], *, kept: int = _KEPT_SHAPES) -> None:
        """Start the first session, so that a model that cannot be run is an error now.

        Args:
            start: starts a session and gives its call; the first side of its input and output is the batch's.
            kept: shapes whose sessions are kept, those used last.
        """
        self._start = start
        self._kept = kept
        self._spare: Run | None = start()
        self._runs: OrderedDict[tuple[int, ...], Run] = OrderedDict()

    def run(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Compute; see `Session.run`."""
        answers: list[NDArray[np.float32]] = []
        begin = 0
        while begin < len(values) or not answers:
            count = 1 << max(0, (len(values) - begin).bit_length() - 1)
            part = values[begin : begin + count]
            answers.append(self._of(part.shape)(part))
            begin += count
        return answers[0] if len(answers) == 1 else np.concatenate(answers)

    def _of(self, shape: tuple[int, ...]) -> Run:
        run = self._runs.pop(shape, None)
        if run is None:
            while len(self._runs) >= self._kept:
                self._runs.popitem(last=False)
            run, self._spare = self._spare or self._start(), None
        self._runs[shape] = run
        return run
