"""`python -m benchmarks.side_by_side`: several inputs of a network in turn, with all cores each, or one a core.

Random pictures and chips for the networks of the models opencv. Both sides do the
same inputs in the same rounds, in turn; printed are the medians of the time an input, and the ratios of the time and of
the processor's time. On a machine with one core there is nothing to compare.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.models.cache import default_cache_folder
from attendance.face_engine.models.opencv_export import SFACE_SIDE
from attendance.face_engine.models.opencv_files import load_opencv_graph
from attendance.face_engine.runtimes.runtime import Session, SideBySide, describe_processor, start_runtime, usable_cores

_FRAMES = ((384, 640), (736, 1280), (832, 1440), (1632, 2880))
"""Height and width, as searched: 640 x 360, 1080p two thirds as large, 960 x 540 and 1080p half as large again."""
_ROUNDING = 1e-4
_CHIPS = (1, 2, 4, 8)
"""Faces in one call."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="of both sides (default: 9)")
    rounds = parser.parse_args().rounds
    runtime = start_runtime("openvino")
    print(f"{describe_processor(usable_cores())}; {runtime.title}; search in {runtime.precisions[0]}")
    print("| network | input | in turn, ms | side by side, ms | ratio | processor, ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    random = np.random.default_rng(0)
    for name, shapes in (
        ("detector", [(1, *size, 3) for size in _FRAMES]),
        ("encoder", [(count, SFACE_SIDE, SFACE_SIDE, 3) for count in _CHIPS]),
    ):
        session = runtime.load(load_opencv_graph(default_cache_folder(), name)[0], precision=runtime.precisions[0])
        if not isinstance(session, SideBySide):
            raise SystemExit("with one core nothing is computed side by side")
        for shape in shapes:
            inputs = [random.integers(0, 256, shape, np.uint8) for _ in range(4 * session.at_once)]
            print(f"| {name} | {' x '.join(map(str, shape[:-1]))} | {_compared(session, inputs, rounds)} |", flush=True)


def _compared(session: Any, inputs: list[NDArray[np.uint8]], rounds: int) -> str:
    makers = [partial(_given, one) for one in inputs]
    turns, beside = partial(_in_turn, session, inputs), lambda: list(session.run_side_by_side(makers))
    if not all(np.allclose(one, other, atol=_ROUNDING) for one, other in zip(turns(), beside(), strict=True)):
        raise SystemExit("the answers differ")
    measured = [(_times(turns), _times(beside)) for _ in range(rounds)]
    ratios = [statistics.median(a[kind] / b[kind] for a, b in measured) for kind in (0, 1)]
    in_turn, together = (1e3 * statistics.median(one[side][0] for one in measured) / len(inputs) for side in (0, 1))
    return f"{in_turn:.2f} | {together:.2f} | {ratios[0]:.2f} | {ratios[1]:.2f}"


def _in_turn(session: Session, inputs: list[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
    return [session.run(one) for one in inputs]


def _given(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return values


def _times(work: Callable[[], object]) -> tuple[float, float]:
    began, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - used


if __name__ == "__main__":
    main()
