"""One family's engine on a GPU beside the same on the processor: decisions, times and what each part takes."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.faces import find_faces
from attendance.face_engine.interface import Face, FaceEngine, Image
from attendance.face_engine.opencv_engine import OpenCvEngine
from attendance.face_engine.runtimes.onnx_runtime import OnnxSession
from attendance.settings.families import OPENCV, Family
from attendance.settings.matching import MatchingSettings
from benchmarks.gpu.device import memory_mib

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
BATCHES = (1, 8, 32)
FACES = 20
"""In each frame."""
_CHIPS = (1, 8, 64)
_TIMES = 3
_LARGEST = 20_000_000
"""Pixels of the largest image."""
_WORK_PIXELS = 10**9
"""Of pyramids in one call: as many as a batch has."""


@dataclass(frozen=True, slots=True)
class Took:
    """What a piece of work takes, seconds: the shortest of several."""

    wall_s: float
    processor_s: float
    """Of all threads, the waiting for the GPU included where the driver waits busily."""
    network_s: float
    """Within calls of networks: the way to the GPU and back, and its work."""
    network_processor_s: float
    """Processor time within those calls."""

    def a_frame_ms(self, count: int) -> dict[str, float]:
        """The share of one of so many frames, milliseconds."""
        return {
            "wall_ms": 1e3 * self.wall_s / count,
            "processor_ms": 1e3 * self.processor_s / count,
            "network_ms": 1e3 * self.network_s / count,
            "network_processor_ms": 1e3 * self.network_processor_s / count,
        }


def engine_of(family: Family, runtime: str) -> FaceEngine:
    """The family's engine in float32, which decides everywhere.

    Args:
        family: of models.
        runtime: one of `attendance.face_engine.runtimes.runtime.RUNTIMES`.
    """
    if family is Family.OPENCV:
        return OpenCvEngine(
            runtime=runtime, precision="fp32", encoder_precision="fp32", max_pixels=_LARGEST,
            smallest_face=OPENCV.smallest_sought,
        )  # fmt: skip
    return AcceleratedEngine(
        runtime=runtime, precision="fp32", upsample=0, max_pixels=_LARGEST, work_pixels=_WORK_PIXELS
    )


def measure(family: Family, runtime: str, processor: FaceEngine, pictures: Sequence[Image], frame: Image) -> Any:
    """All of a family, as results.json has it.

    Args:
        family: of models.
        runtime: cuda or tensorrt.
        processor: the same family's engine on the processor.
        pictures: on which the decisions of both are compared.
        frame: RGB, with `FACES` faces.
    """
    before = memory_mib()
    began = time.perf_counter()
    engine = engine_of(family, runtime)
    find_faces(engine, [pictures[0]])
    found: dict[str, Any] = {"first_answer_s": time.perf_counter() - began, "precision": engine.info.precision}
    found["agreement"] = agreement(family, engine, processor, pictures)
    found["sizes"] = {
        name: {str(count): _frames(engine, _sized(frame, size), count) for count in BATCHES}
        for name, size in SIZES.items()
    }
    found["on_the_processor"] = {
        name: asdict(took(partial(find_faces, processor, [_sized(frame, size)]))) for name, size in SIZES.items()
    }
    chips = _chips(engine, _sized(frame, SIZES["1080p"]))
    found["encode"] = {str(count): asdict(took(partial(engine.encode, chips[:count]))) for count in _CHIPS}
    found["memory_mib"] = memory_mib() - before
    engine.close()
    return found


def agreement(family: Family, one: FaceEngine, other: FaceEngine, pictures: Sequence[Image]) -> dict[str, Any]:
    """Whether two engines find the same faces and would take the same ones for one person.

    Args:
        family: whose threshold tells which two faces are one person's.
        one: an engine.
        other: another one.
        pictures: that both look at, one after the other.
    """
    pairs: list[tuple[Face, Face]] = []
    differing = 0
    for picture in pictures:
        (ours,), (theirs,) = find_faces(one, [picture]), find_faces(other, [picture])
        partners = [_nearest(face, theirs) for face in ours]
        differing += len(ours) != len(theirs) or None in partners
        pairs += [(face, partner) for face, partner in zip(ours, partners, strict=True) if partner is not None]
    if not pairs:
        raise SystemExit("no face is found in the pictures")
    threshold = MatchingSettings().rules(family).threshold
    ours_of, theirs_of = (np.stack([pair[place].encoding for pair in pairs]) for place in (0, 1))
    same = _distances(ours_of) <= threshold
    return {
        "pictures": len(pictures),
        "faces": len(pairs),
        "pictures_that_differ": int(differing),
        "boxes_apart_px": max(float(np.abs(a.box - b.box).max()) for a, b in pairs),
        "scores_apart": max(abs(float(a.score) - float(b.score)) for a, b in pairs),
        "encodings_apart": float(np.linalg.norm(ours_of - theirs_of, axis=1).max()),
        "pairs": len(pairs) * (len(pairs) - 1) // 2,
        "pairs_decided_otherwise": int((same != (_distances(theirs_of) <= threshold)).sum()) // 2,
    }


def took(work: Callable[[], object], times: int = _TIMES) -> Took:
    """Time work, after a call that does not count."""
    work()
    every = []
    for _ in range(times):
        with _networks() as within:
            wall, processor = time.perf_counter(), time.process_time()
            work()
            every.append(Took(time.perf_counter() - wall, time.process_time() - processor, *within))
    return min(every, key=lambda one: one.wall_s)


def _frames(engine: FaceEngine, frame: Image, count: int) -> dict[str, Any]:
    """A batch of so many frames: a frame's share of each step, milliseconds; and the first such batch, seconds."""
    frames = [frame] * count
    began = time.perf_counter()
    found = engine.detect(frames)
    first_s = time.perf_counter() - began
    steps = {
        "detect": took(lambda: engine.detect(frames)),
        "align": took(lambda: engine.align(frames, found)),
        "whole": took(lambda: find_faces(engine, frames)),
    }
    return {
        "faces": len(found[0].scores),
        "first_s": first_s,
        **{step: one.a_frame_ms(count) for step, one in steps.items()},
    }


@contextmanager
def _networks() -> Iterator[list[float]]:
    """Two sums of what passes within networks' calls meanwhile: seconds, and seconds of the processor."""
    spent = [0.0, 0.0]
    run = OnnxSession.run

    def timed(session: OnnxSession, values: NDArray[Any]) -> NDArray[np.float32]:
        wall, processor = time.perf_counter(), time.process_time()
        answer = run(session, values)
        spent[0] += time.perf_counter() - wall
        spent[1] += time.process_time() - processor
        return answer

    OnnxSession.run = timed  # type: ignore[method-assign]
    try:
        yield spent
    finally:
        OnnxSession.run = run  # type: ignore[method-assign]


def _sized(frame: Image, size: tuple[int, int]) -> Image:
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _chips(engine: FaceEngine, frame: Image) -> NDArray[np.uint8]:
    """As many chips as are encoded together, of the frame's faces."""
    (cut,) = engine.align([frame], engine.detect([frame]))
    chips: NDArray[np.uint8] = np.resize(cut.chips, (max(_CHIPS), *cut.chips.shape[1:]))
    return chips


def _nearest(face: Face, others: Sequence[Face]) -> Face | None:
    """The face at the same place, if one is within a quarter of its width."""
    width = float(face.box[2] - face.box[0])
    near = [(float(np.abs(face.box - other.box).max()), place) for place, other in enumerate(others)]
    distance, place = min(near, default=(float("inf"), -1))
    return others[place] if distance <= width / 4 else None


def _distances(encodings: NDArray[np.float32]) -> NDArray[np.float32]:
    apart: NDArray[np.float32] = np.linalg.norm(encodings[:, None] - encodings[None], axis=2)
    return apart
