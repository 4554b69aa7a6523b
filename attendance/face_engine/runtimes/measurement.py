"""Which runtime and arithmetic is the fastest on this machine: measured once, kept beside the models.

A processor's flags tell what it can multiply, not what is faster: bfloat16 beats 8-bit integers on one processor and
loses on the next. So each candidate is timed for a moment at first use, and the answer is kept under a key of all that
it depends on.
"""

import contextlib
import fcntl
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from attendance.face_engine.interface import ModelError, Timing
from attendance.face_engine.models.cache import publish

ROUNDS = 7
"""Each candidate is timed so often, in turns; the shortest counts, because a load from elsewhere only ever adds."""
_LEAST_ROUNDS = 3
_SHARE_S = 0.25
"""Seconds after which a slow candidate is not timed again."""
_LONGEST_WAIT_S = 60.0
"""How long a process waits for another that measures the same."""
_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class Trial:
    """A candidate."""

    part: str
    """What is computed, in words, such as "search"."""
    runtime: str
    """One of `runtime.RUNTIMES`."""
    precision: str
    prepare: Callable[[], Callable[[], object]]
    """Makes it ready, and gives the work that is timed."""


def timings_for(folder: Path, key: Sequence[str], trials: Sequence[Trial]) -> tuple[Timing, ...]:
    """How long each candidate takes on this machine: as kept, or measured now.

    Of two processes that start at once one measures and the other waits for its answer. A folder that cannot be written
    costs the keeping, not the answer.

    Args:
        folder: of the model files, where the answer is kept.
        key: all that the answer depends on beside the candidates: processor, threads, versions, models.
        trials: the candidates; one that cannot be made ready is left out.

    Returns:
        In the order of `trials`.

    Raises:
        ModelError: no candidate can be made ready.
    """
    named = [*key, *(f"{trial.part} {trial.runtime} {trial.precision}" for trial in trials)]
    path = folder / f"measured-{hashlib.sha256(json.dumps(named).encode()).hexdigest()[:16]}.json"
    kept = _read(path, named)
    if kept is None:
        with _alone(path.with_suffix(".lock")):
            kept = _read(path, named)
            if kept is None:
                kept = measure(trials)
                with contextlib.suppress(OSError):
                    publish(path, _packed(named, kept))
    return kept


def measure(trials: Sequence[Trial]) -> tuple[Timing, ...]:
    """Time the candidates in turns; see `timings_for`."""
    works: dict[int, Callable[[], object]] = {}
    reasons = []
    for place, trial in enumerate(trials):
        try:
            works[place] = trial.prepare()
            works[place]()
        except ModelError as error:
            works.pop(place, None)
            reasons.append(str(error))
    if not works:
        raise ModelError("; ".join(reasons) or "there is nothing to compute with")
    taken: dict[int, list[float]] = {place: [] for place in works}
    for _ in range(ROUNDS):
        for place, work in works.items():
            if len(taken[place]) < _LEAST_ROUNDS or sum(taken[place]) < _SHARE_S:
                start = time.perf_counter()
                work()
                taken[place].append(time.perf_counter() - start)
    return tuple(
        Timing(trial.part, trial.runtime, trial.precision, round(1e3 * min(taken[place]), 3))
        for place, trial in enumerate(trials)
        if place in taken
    )


def _packed(named: list[str], timings: tuple[Timing, ...]) -> bytes:
    return (json.dumps({"key": named, "timings": [asdict(one) for one in timings]}, indent=1) + "\n").encode()


def _read(path: Path, named: list[str]) -> tuple[Timing, ...] | None:
    """What is kept, if it is whole and of this key."""
    try:
        kept: Any = json.loads(path.read_bytes())
        key, timings = kept["key"], tuple(Timing(**one) for one in kept["timings"])
        milliseconds = [one.milliseconds for one in timings]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    numbers = all(isinstance(one, float | int) and 0 < one < float("inf") for one in milliseconds)
    known = all(f"{one.part} {one.runtime} {one.precision}" in named for one in timings)
    return timings if key == named and timings and numbers and known else None


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock file, so that one process measures at a time; where that cannot be, go on without."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError:
        yield
        return
    with file:
        deadline = time.monotonic() + _LONGEST_WAIT_S
        while time.monotonic() < deadline:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                time.sleep(_PAUSE_S)
        yield
        with contextlib.suppress(OSError):
            path.unlink()
