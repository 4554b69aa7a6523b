"""What a worker does with an engine, in a thread or in a process: warm it up, and answer each image by itself."""

import time
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from attendance.face_engine.faces import find_in_pieces
from attendance.face_engine.interface import EngineInfo, Face, FaceBoxes, FaceEngine, Image, ImageError
from attendance.zones import EVERYWHERE, Zones

BuildEngine: TypeAlias = Callable[[], FaceEngine]
"""Makes the engine; can be pickled, because it may be called in another process."""

_SIDE = 160
_FACE = (30.0, 30.0, 130.0, 130.0)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one image has no answer."""

    message: str
    """For people when it is the image's fault; a traceback for the log otherwise."""
    fault_of_image: bool


Answer: TypeAlias = list[Face] | Failure


def warm_up(engine: FaceEngine) -> EngineInfo:
    """Run all three steps once on a made-up picture, so that the first frame finds everything loaded.

    Raises:
        EngineError: the engine cannot do its work.
    """
    picture = np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE, 3), dtype=np.uint8)
    engine.detect([picture], upsample=0)
    boxes = FaceBoxes(boxes=np.array([_FACE], np.float32), scores=np.ones(1, np.float32))
    (aligned,) = engine.align([picture], [boxes])
    engine.encode(aligned.chips)
    return engine.info


@dataclass(frozen=True, slots=True)
class Wanted:
    """How closely images are looked at. Images of one size and one of these share a batch."""

    upsample: int | None = None
    """Times each is doubled before detection; None: the engine's setting, then what `smallest_face` asks for."""
    smallest_face: int | None = None
    """Width in pixels of the smallest face wanted; None: the engine's setting."""
    zones: Zones = EVERYWHERE
    """Where faces count."""


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of the work on a batch that is done."""

    spent: Mapping[int, float]
    """Seconds of the engine, for images by their places."""
    answers: Mapping[int, Answer]
    """Of the images that are finished by it."""


Steps: TypeAlias = Generator[Step, None, None]
"""The work on a batch, piece by piece; closing it ends the work between two."""


def find_each(engine: FaceEngine, images: Sequence[Image], wanted: Wanted) -> Steps:
    """The faces of each image, piece by piece; when the batch fails, one at a time, so that a bad one fails alone.

    What images cost is measured in seconds of the engine. It depends on their pixels and faces, but differently by
    family, doubling and machine: to encode a face takes as long as to search 40,000 pixels on one processor, and
    300,000 on another. A piece that is of several images of one size is shared out evenly, one of several faces by
    their number.

    Args:
        engine: the engine, used by this thread only.
        images: as for `find_faces`.
        wanted: how closely they are looked at.
    """
    left = dict(enumerate(images))
    pieces = find_in_pieces(
        engine, images, upsample=wanted.upsample, smallest_face=wanted.smallest_face, zones=wanted.zones
    )
    while True:
        began = time.perf_counter()
        try:
            piece = next(pieces, None)
        except Exception as error:  # whatever a native library raises, one frame's trouble is not its neighbours'
            took = time.perf_counter() - began
            if len(images) == 1:
                yield Step({0: took}, {0: _failure(error)})
                return
            yield Step(dict.fromkeys(left, took / len(left)), {})
            break
        if piece is None:
            return
        took = time.perf_counter() - began
        for place in piece.answers:
            del left[place]
        yield Step({place: share * took for place, share in piece.shares.items()}, piece.answers)
    for place, image in left.items():
        for step in find_each(engine, [image], wanted):
            yield Step({place: sum(step.spent.values())}, dict(zip([place], step.answers.values(), strict=False)))


def answers_of(steps: Iterator[Step]) -> list[Answer]:
    """What all steps answer, by the images' places."""
    answers: dict[int, Answer] = {}
    for step in steps:
        answers |= step.answers
    return [answers[place] for place in sorted(answers)]


def _failure(error: Exception) -> Failure:
    if isinstance(error, ImageError):
        return Failure(str(error), fault_of_image=True)
    return Failure("".join(traceback.format_exception(error)), fault_of_image=False)


class EngineThread:
    """An engine that computes in the calling thread, for those that release Python's global lock."""

    def __init__(self, engine: FaceEngine) -> None:
        self._engine = engine

    def start(self) -> EngineInfo:
        """Warm up.

        Raises:
            EngineError: the engine cannot do its work.
        """
        return warm_up(self._engine)

    def steps(self, images: Sequence[Image], wanted: Wanted) -> Steps:
        """As `find_each`."""
        return find_each(self._engine, images, wanted)

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()
