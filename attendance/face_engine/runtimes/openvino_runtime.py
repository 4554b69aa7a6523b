"""OpenVINO on the CPU."""

import queue
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from attendance.face_engine.interface import ModelError
from attendance.face_engine.runtimes.runtime import MakeInput, Session, describe_processor, fast_precisions

_MOST_AT_ONCE = 8
"""Inputs computed side by side: frames of a batch. Where there are more cores, each input has several."""

_KEPT = 256
"""Layers made ready for a shape of input that a network keeps, of all shapes together: those of the four or five seen
last. OpenVINO's own 5,000 came to 600 MB where pieces of a frame had 230 shapes; with 64, frames of a few sizes in turn
took a tenth longer, with 256 no longer."""


@cache
def _core() -> Any:
    """OpenVINO itself, once in a process and for as long as it lasts.

    On processors with AMX its plug-in gives the thread that loads it a stack for signals, and takes that memory back
    when the last of it goes. If that is in another thread, the first is left with a stack that is gone, and the next
    signal ends the process.
    """
    return openvino.Core()


class OpenVinoRuntime:
    """OpenVINO's CPU plug-in; a `attendance.face_engine.runtimes.runtime.Runtime`."""

    on_gpu = False

    def __init__(self, *, threads: int) -> None:
        """Start it with that many threads."""
        self._core = _core()
        self._threads = threads
        self.title = f"OpenVINO {openvino.__version__.split('-')[0]}"
        self.device = describe_processor(threads)
        fast = fast_precisions()
        self.precisions = (*fast, *(one for one in ("fp32", "bf16", "int8") if one not in fast))
        # What 8-bit layers leave over: the last convolution, and what lies between.
        self._hints = {"fp32": "f32", "bf16": "bf16", "int8": "bf16" if "bf16" in fast else "f32"}

    def load(self, model: bytes, *, precision: str) -> Session:
        """Make an ONNX model ready; see `Runtime.load`."""
        try:
            network = self._core.read_model(model)
            one = self._compiled(network, precision, streams=1)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot run the model: {error}") from error
        at_once = min(self._threads, _MOST_AT_ONCE)
        if at_once == 1:
            return OpenVinoSession(one)
        return SideBySideSession(one, lambda: self._compiled(network, precision, streams=at_once), at_once)

    def _compiled(self, network: Any, precision: str, *, streams: int) -> Any:
        settings = {
            "INFERENCE_PRECISION_HINT": self._hints[precision],
            "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": self._threads,
            # Pinned threads of two engines would sit on the same cores while others idle.
            "ENABLE_CPU_PINNING": False,
            "CPU_RUNTIME_CACHE_CAPACITY": _KEPT,
        }
        return self._core.compile_model(network, "CPU", settings)


class OpenVinoSession:
    """A network compiled by OpenVINO; its calls let other Python threads run."""

    def __init__(self, compiled: Any) -> None:
        """Use a network that was compiled for one input at a time."""
        self._request = compiled.create_infer_request()

    def run(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Compute; see `Session.run`."""
        return _answer(self._request, values)


class SideBySideSession(OpenVinoSession):
    """The same with several inputs at once, each on its own part of the cores; see `runtime.SideBySide`."""

    def __init__(self, compiled: Any, compile_streams: Callable[[], Any], at_once: int) -> None:
        """Use a network.

        Args:
            compiled: for one input at a time.
            compile_streams: compiles it for `at_once` inputs; called when so many come for the first time.
            at_once: how many, two at least.
        """
        super().__init__(compiled)
        self.at_once = at_once
        self._compile_streams = compile_streams
        self._threads: ThreadPoolExecutor | None = None
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def run_side_by_side(self, inputs: Sequence[MakeInput]) -> Generator[NDArray[np.float32], None, None]:
        """Compute; see `SideBySide.run_side_by_side`. Called by one thread at a time, as `run` is."""
        if self._threads is None:
            compiled = self._compile_streams()
            for _ in range(self.at_once):
                self._requests.put(compiled.create_infer_request())
            self._threads = ThreadPoolExecutor(self.at_once, "openvino")
        left = iter(inputs)
        ahead = deque(self._threads.submit(self._run_beside, make) for make in islice(left, 2 * self.at_once))
        try:
            while ahead:
                answer = ahead.popleft().result()
                ahead.extend(self._threads.submit(self._run_beside, make) for make in islice(left, 1))
                yield answer
        finally:
            for work in ahead:
                work.cancel()

    def _run_beside(self, make: MakeInput) -> NDArray[np.float32]:
        values = make()
        request = self._requests.get()
        try:
            return _answer(request, values)
        finally:
            self._requests.put(request)


def _answer(request: Any, values: NDArray[Any]) -> NDArray[np.float32]:
    request.set_input_tensor(openvino.Tensor(values, shared_memory=True))
    request.infer()
    answer: NDArray[np.float32] = request.get_output_tensor().data.copy()
    return answer
