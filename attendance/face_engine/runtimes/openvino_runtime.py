"""OpenVINO on the CPU."""

from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from attendance.face_engine.interface import ModelError
from attendance.face_engine.runtimes.runtime import describe_processor, fast_precisions


class OpenVinoRuntime:
    """OpenVINO's CPU plug-in; a `attendance.face_engine.runtimes.runtime.Runtime`."""

    on_gpu = False

    def __init__(self, *, threads: int) -> None:
        """Start it with that many threads."""
        self._core = openvino.Core()
        self._threads = threads
        self.title = f"OpenVINO {openvino.__version__.split('-')[0]}"
        self.device = describe_processor(threads)
        fast = fast_precisions()
        self.precisions = (*fast, *(one for one in ("fp32", "bf16", "int8") if one not in fast))
        # What 8-bit layers leave over: the last convolution, and what lies between.
        self._hints = {"fp32": "f32", "bf16": "bf16", "int8": "bf16" if "bf16" in fast else "f32"}

    def load(self, model: bytes, *, precision: str) -> "OpenVinoSession":
        """Make an ONNX model ready; see `Runtime.load`."""
        settings = {
            "INFERENCE_PRECISION_HINT": self._hints[precision],
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": self._threads,
            # Pinned threads of two engines would sit on the same cores while others idle.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            return OpenVinoSession(self._core.compile_model(self._core.read_model(model), "CPU", settings))
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot run the model: {error}") from error


class OpenVinoSession:
    """A network compiled by OpenVINO; its calls let other Python threads run."""

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()

    def run(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Compute; see `Session.run`."""
        self._request.set_input_tensor(openvino.Tensor(values, shared_memory=True))
        self._request.infer()
        answer: NDArray[np.float32] = self._request.get_output_tensor().data.copy()
        return answer
