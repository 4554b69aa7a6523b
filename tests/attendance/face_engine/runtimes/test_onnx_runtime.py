"""What keeps a network on a GPU from planning again and again; here with sessions on the processor."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from attendance.face_engine.runtimes.onnx_runtime import ByShape, Run


class Sessions:
    """Starts sessions of a small network, and knows what shapes each was given."""

    def __init__(self) -> None:
        values, answers = (
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "width"]) for name in ("values", "answers")
        )
        graph = helper.make_graph([helper.make_node("Neg", ["values"], ["answers"])], "small", [values], [answers])
        model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])
        self._model = model.SerializeToString()
        self.shapes: list[list[tuple[int, ...]]] = []

    def start(self) -> Run:
        session = onnxruntime.InferenceSession(self._model, providers=["CPUExecutionProvider"])
        seen: list[tuple[int, ...]] = []
        self.shapes.append(seen)

        def run(values: NDArray[Any]) -> NDArray[np.float32]:
            seen.append(values.shape)
            answer: NDArray[np.float32] = session.run(None, {"values": values})[0]
            return answer

        return run


def batch(count: int, width: int = 3) -> NDArray[np.float32]:
    return np.arange(count * width, dtype=np.float32).reshape(count, width)


@pytest.mark.parametrize("count", [0, 1, 2, 7, 13, 32])
def test_a_batch_of_any_number_is_answered_in_order(count: int) -> None:
    answer = ByShape(Sessions().start).run(batch(count))
    assert np.array_equal(answer, -batch(count))


def test_no_session_ever_sees_a_second_shape() -> None:
    sessions = Sessions()
    network = ByShape(sessions.start)
    assert len(sessions.shapes) == 1, "the first is started at once: what cannot be run is an error then"
    for _ in range(2):
        for count, width in ((7, 3), (1, 5), (8, 3), (3, 5)):
            network.run(batch(count, width))
    assert all(len(set(seen)) == 1 for seen in sessions.shapes)
    assert sorted({seen[0] for seen in sessions.shapes}) == [(1, 3), (1, 5), (2, 3), (2, 5), (4, 3), (8, 3)]
    assert len(sessions.shapes) == 6, "and none is started twice"


def test_of_too_many_shapes_those_used_last_are_kept() -> None:
    sessions = Sessions()
    network = ByShape(sessions.start, kept=2)
    for width in (1, 2, 1, 3, 1):
        network.run(batch(1, width))
    assert len(sessions.shapes) == 3, "the shape that was used again is still there"
    network.run(batch(1, 2))
    assert len(sessions.shapes) == 4


def test_what_cannot_be_started_is_an_error_at_once() -> None:
    def start() -> Callable[[NDArray[Any]], NDArray[np.float32]]:
        raise ValueError("no such model")

    with pytest.raises(ValueError, match="no such model"):
        ByShape(start)
