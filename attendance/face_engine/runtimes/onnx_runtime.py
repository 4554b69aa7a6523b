"""ONNX Runtime: NVIDIA GPUs through CUDA or TensorRT, and the CPU where OpenVINO has no wheel."""

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from attendance.face_engine.interface import ModelError
from attendance.face_engine.runtimes.runtime import describe_processor

_PROVIDERS: dict[str, list[Any]] = {
    "onnxruntime": ["CPUExecutionProvider"],
    # TensorFloat-32 would round what float32 is asked for.
    "cuda": [("CUDAExecutionProvider", {"use_tf32": "0"})],
    "tensorrt": [("TensorrtExecutionProvider", {"trt_fp16_enable": True}), "CUDAExecutionProvider"],
}
_PRECISIONS = {"onnxruntime": ("fp32", "int8"), "cuda": ("fp32",), "tensorrt": ("fp32", "fp16")}
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
        return OnnxSession(session)

    def _first_wanted(self) -> str:
        first = self._wanted[0]
        return str(first if isinstance(first, str) else first[0])


class OnnxSession:
    """A network loaded by ONNX Runtime; its calls let other Python threads run."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name

    def run(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Compute; see `Session.run`."""
        answer: NDArray[np.float32] = self._session.run(None, {self._input: values})[0]
        return answer
