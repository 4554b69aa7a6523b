"""The choice of runtime and precision: what the settings say, and where they leave it open, what was measured."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attendance.face_engine.interface import EngineChoiceError, ModelError, Timing
from attendance.face_engine.runtimes.measurement import Trial, timings_for
from attendance.face_engine.runtimes.runtime import PRECISIONS, Runtime, Session, best_installed, processor_key
from attendance.face_engine.runtimes.runtime import start_runtime as start

SEARCH, ENCODING = "search", "encoding"
CPU_RUNTIMES = ("openvino", "onnxruntime")


@dataclass(frozen=True, slots=True)
class Work:
    """One part of a family's work, as it is tried."""

    precisions: tuple[str, ...]
    """In which it may be computed."""
    load: Callable[[Runtime, str], Session]
    """The part's network in a precision of a runtime."""
    sample: Callable[[], Any]
    """Input of the size of a 640 x 480 frame, or of its faces."""
    decisions: Mapping[str, float]
    """Precision: what deciding in float32 costs beside the network, as a share of the network's own time in float32."""


@dataclass(frozen=True, slots=True)
class ArithmeticChoice:
    """What an engine computes with."""

    runtime: Runtime
    search: str
    encoding: str
    timings: tuple[Timing, ...]
    """What it rests on; empty where the settings decided."""


def choose(
    *,
    runtime: str,
    precisions: Mapping[str, str],
    works: Mapping[str, Work],
    threads: int,
    folder: Path,
    models: Sequence[str],
) -> ArithmeticChoice:
    """Choose runtime and precisions.

    Args:
        runtime: one of `runtime.RUNTIMES`; auto: a GPU if there is one, else the faster one on this CPU, unless the
            precision of the search is named: then the one that has it.
        precisions: for `SEARCH` and `ENCODING` one of `runtime.PRECISIONS`; auto: the fastest.
        works: the same two parts.
        threads: of a runtime on a CPU; 0: one a core.
        folder: of the model files, where measurements are kept.
        models: hashes of the models.

    Raises:
        ModelError: a precision is asked for that the runtime has not, or no runtime starts.
        EngineChoiceError: there is no such precision or runtime.
    """
    for wanted in precisions.values():
        if wanted not in PRECISIONS:
            raise EngineChoiceError(f"there is no precision {wanted!r}; there are {', '.join(PRECISIONS)}")
    open_parts = [part for part, wanted in precisions.items() if wanted == "auto" and len(works[part].precisions) > 1]
    if runtime == "auto":
        gpu = best_installed() == "cuda"
        measured = CPU_RUNTIMES if precisions[SEARCH] == "auto" and not gpu else (best_installed(),)
        names = [name for name in measured if importlib.util.find_spec(name) is not None or gpu]
    else:
        names = [runtime]
    started = {name: start(name, threads=threads) for name in names}
    candidates = {
        name: {part: _candidates(one, part, precisions[part], works[part]) for part in works}
        for name, one in started.items()
    }
    candidates = {name: parts for name, parts in candidates.items() if all(parts.values())}
    if not candidates:
        raise _nothing_has(next(iter(started.values())), precisions, works)
    first = next(iter(candidates))
    settled = len(candidates) == 1 and all(len(options) == 1 for options in candidates[first].values())
    if settled or started[first].on_gpu or (runtime != "auto" and not open_parts):
        return ArithmeticChoice(started[first], candidates[first][SEARCH][0], candidates[first][ENCODING][0], ())
    trials = [
        Trial(part, name, precision, _prepare(started[name], works[part], precision))
        for name, parts in candidates.items()
        for part, options in parts.items()
        for precision in options
    ]
    versions = [one.title for one in started.values()]
    timings = timings_for(folder, [*processor_key(), f"{threads} threads", *versions, *models], trials)
    return _fastest(started, timings, works)


def _candidates(runtime: Runtime, part: str, wanted: str, work: Work) -> tuple[str, ...]:
    if wanted == "auto":
        return tuple(precision for precision in runtime.precisions if precision in work.precisions)
    return (wanted,) if wanted in runtime.precisions and (part == ENCODING or wanted in work.precisions) else ()


def _nothing_has(runtime: Runtime, precisions: Mapping[str, str], works: Mapping[str, Work]) -> ModelError:
    for part, wanted in precisions.items():
        if wanted != "auto" and wanted not in runtime.precisions:
            return ModelError(
                f"the precision {wanted} was asked for, but {runtime.title} on {runtime.device} has "
                f"{', '.join(runtime.precisions)}"
            )
        if wanted != "auto" and wanted not in works[part].precisions:
            return ModelError(f"these models have no precision {wanted} for their {part}: choose another, or auto")
    return ModelError(f"{runtime.title} on {runtime.device} has no precision for these models")


def _prepare(runtime: Runtime, work: Work, precision: str) -> Callable[[], Callable[[], object]]:
    def ready() -> Callable[[], object]:
        session, sample = work.load(runtime, precision), work.sample()
        return lambda: session.run(sample)

    return ready


def _fastest(
    started: Mapping[str, Runtime], timings: tuple[Timing, ...], works: Mapping[str, Work]
) -> ArithmeticChoice:
    exact = {(one.part, one.runtime): one.milliseconds for one in timings if one.precision == "fp32"}

    def cost(timing: Timing) -> float:
        share = works[timing.part].decisions.get(timing.precision, 0.0)
        return timing.milliseconds + share * exact.get((timing.part, timing.runtime), 0.0)

    best: dict[str, dict[str, Timing]] = {}
    for timing in timings:
        own = best.setdefault(timing.runtime, {})
        if timing.part not in own or cost(timing) < cost(own[timing.part]):
            own[timing.part] = timing
    whole = {name: parts for name, parts in best.items() if parts.keys() == works.keys()}
    if not whole:
        raise ModelError("no runtime can compute all parts of these models")
    name = min(whole, key=lambda one: sum(cost(timing) for timing in whole[one].values()))
    parts = whole[name]
    return ArithmeticChoice(started[name], parts[SEARCH].precision, parts[ENCODING].precision, timings)
