"""What a worker does with an engine, in a thread or in a process: warm it up, and answer each job by itself.

A job is an image in which faces are to be found, and encoded or not, or faces of an image that are to be encoded.
"""

import time
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from attendance.face_engine.detection.areas import Area
from attendance.face_engine.faces import (
    PieceOfWork,
    encode_in_pieces,
    find_in_pieces,
    search_in_pieces,
    shared_out,
)
from attendance.face_engine.interface import DetectedFace, EngineInfo, Face, FaceBoxes, FaceEngine, Image, ImageError
from attendance.face_engine.pieces import Known, Search
from attendance.zones import EVERYWHERE, Zones

BuildEngine: TypeAlias = Callable[[], FaceEngine]
"""Makes the engine; can be pickled, because it may be called in another process."""

_SIDE = 160
_FACE = (30.0, 30.0, 130.0, 130.0)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one job has no answer."""

    message: str
    """For people when it is the image's fault; a traceback for the log otherwise."""
    fault_of_image: bool


@dataclass(frozen=True, slots=True, eq=False)
class FacesOfImage:
    """Faces that were found in an image, to be encoded."""

    image: Image
    boxes: FaceBoxes
    """At least one, in pixels of the image."""


Job: TypeAlias = Image | FacesOfImage
Found: TypeAlias = list[Face | DetectedFace] | FaceBoxes
"""The faces of a job: first those encoded, then those too narrow for it; or boxes alone where that was wanted."""
Answer: TypeAlias = Found | Failure


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
    encoded: bool = True
    """Whether the faces found are encoded too; else their boxes are the answer."""
    narrowest: float = 0.0
    """Width in pixels of the narrowest face that is encoded then."""
    areas: tuple[Area, ...] | None = None
    """What of an image is searched, where its faces are not encoded too; None: all that the zones leave."""

    @property
    def usual(self) -> "Wanted":
        """The same of whole images."""
        return self if self.areas is None else replace(self, areas=None)

    def pixels(self, height: int, width: int) -> int:
        """How many pixels of an image are searched."""
        if self.areas is None:
            return height * width
        return sum((area.right - area.left) * (area.bottom - area.top) for area in self.areas)


@dataclass(frozen=True, slots=True)
class Encoding:
    """That faces found before are encoded: the jobs are `FacesOfImage`, whatever images they are of."""


Task: TypeAlias = Wanted | Encoding
"""What is done with the jobs of one batch."""


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of the work on a batch that is done."""

    spent: Mapping[int, float]
    """Seconds of the engine, for jobs by their places."""
    answers: Mapping[int, Answer]
    """Of the jobs that are finished by it."""


Steps: TypeAlias = Generator[Step, None, None]
"""The work on a batch, piece by piece; closing it ends the work between two."""

_Piece: TypeAlias = tuple[Mapping[int, float], Mapping[int, Found]]
"""Which part of a piece was for which job, by its place, and the answers of those that it finished."""


def find_each(engine: FaceEngine, jobs: Sequence[Job], task: Task) -> Steps:
    """The answer to each job, piece by piece; when the batch fails, one at a time, so that a bad one fails alone.

    What jobs cost is measured in seconds of the engine. It depends on their pixels and faces, but differently by
    family, doubling and machine: to encode a face takes as long as to search 40,000 pixels on one processor, and
    300,000 on another. A piece that is of several images of one size is shared out evenly, one of several faces by
    their number.

    Args:
        engine: the engine, used by this thread only.
        jobs: images as for `find_faces`, or faces that were found, as the task says.
        task: what is done with all of them.
    """
    left = dict(enumerate(jobs))
    pieces = _in_pieces(engine, jobs, task)
    while True:
        began = time.perf_counter()
        try:
            piece = next(pieces, None)
        except Exception as error:  # whatever a native library raises, one frame's trouble is not its neighbours'
            took = time.perf_counter() - began
            if len(jobs) == 1:
                yield Step({0: took}, {0: _failure(error)})
                return
            yield Step(dict.fromkeys(left, took / max(1, len(left))), {})
            break
        if piece is None:
            return
        shares, answers = piece
        took = time.perf_counter() - began
        for place in answers:
            del left[place]
        yield Step({place: share * took for place, share in shares.items()}, answers)
    for place, job in left.items():
        for step in find_each(engine, [job], task):
            yield Step({place: sum(step.spent.values())}, dict(zip([place], step.answers.values(), strict=False)))


def _in_pieces(engine: FaceEngine, jobs: Sequence[Job], task: Task) -> Iterator[_Piece]:
    if isinstance(task, Encoding):
        faces = [job for job in jobs if isinstance(job, FacesOfImage)]
        work = encode_in_pieces(engine, [job.image for job in faces], [job.boxes for job in faces])
        return map(_shares_and_answers, work)
    images = [job for job in jobs if not isinstance(job, FacesOfImage)]
    how: dict[str, Any] = {"upsample": task.upsample, "smallest_face": task.smallest_face, "zones": task.zones}
    if task.encoded:
        return map(_shares_and_answers, find_in_pieces(engine, images, **how, narrowest=task.narrowest))
    known: Known = {}
    return _searched(search_in_pieces(engine, images, **how, areas=task.areas, known=known), known)


def _shares_and_answers(piece: PieceOfWork) -> _Piece:
    return piece.shares, {place: [*faces, *piece.narrow.get(place, ())] for place, faces in piece.answers.items()}


def _searched(search: Search, known: Known) -> Iterator[_Piece]:
    """A search whose boxes are the answer; what comes after its last call of a network is a piece of its own.

    Whose faces are `known` before the end is answered then: its encoding, and its camera, need not wait for others.
    """
    shares: Mapping[int, float] = {}
    answered: set[int] = set()
    while True:
        try:
            places = next(search)
        except StopIteration as over:
            found: list[FaceBoxes] = over.value
            yield shares, {place: boxes for place, boxes in enumerate(found) if place not in answered}
            return
        shares = shared_out(places)
        new = {place: boxes for place, boxes in known.items() if place not in answered}
        answered |= new.keys()
        yield shares, new


def answers_of(steps: Iterator[Step]) -> list[Answer]:
    """What all steps answer, by the jobs' places."""
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

    def steps(self, jobs: Sequence[Job], task: Task) -> Steps:
        """As `find_each`."""
        return find_each(self._engine, jobs, task)

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()
