"""Looking at a stretch of a video: decode, find faces, encode them. A piece of work for a runner's processes.

Pictures never leave the process that decoded them. What is kept for the follower are the faces: encodings, boxes and,
where persons are told from pictures, cut-outs of them; what is told are numbers.
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.errors import AttendanceError
from attendance.face_engine.faces import find_in_pieces
from attendance.face_engine.factory import create_engine
from attendance.face_engine.interface import Face, FaceEngine, Image, ImageError
from attendance.zones import EVERYWHERE, Zones
from camera_client.frames import SourceError
from operations.recordings.decoding import DamagedStretchError, StretchPictures
from operations.recordings.stretches import VideoPlan, VideoStretch, plan_video
from recognition_service.engine.decoding import reduction_for, smallest_searched
from recognition_service.engine.looks import Look, reduced, shows_nothing
from recognition_service.engine.similarity import LastExamined, masked
from recognition_service.engine.work import BuildEngine
from recognition_service.presentation.views import FaceView, views_of


@dataclass(frozen=True, slots=True)
class EngineMaker:
    """Makes an engine in any process; equal where the engine would be."""

    arguments: tuple[tuple[str, object], ...]
    """What `create_engine` takes, by name."""

    def __call__(self) -> FaceEngine:
        """Make it.

        Raises:
            EngineError: as `create_engine`.
        """
        return create_engine(**dict(self.arguments))  # type: ignore[arg-type]


@lru_cache(maxsize=1)
def engine_of(build: BuildEngine) -> FaceEngine:
    """This process's engine: loading models takes seconds, and is done once."""
    return build()


@dataclass(frozen=True, slots=True)
class Lens:
    """How closely pictures are looked at."""

    build: BuildEngine
    rate: float
    """Pictures for each second of the video."""
    upsample: int | None = None
    smallest_face: int | None = None
    zones: Zones = EVERYWHERE
    max_pixels: int = 16_000_000
    skip_unchanged_s: float = 0.0
    """How long pictures that show the same are not looked at again, seconds of the video; 0: they are."""
    views: bool = True
    """Whether the pixels of faces are wanted, to tell persons from pictures."""
    crops: bool = False
    """Whether a liveness model looks at them."""


@dataclass(frozen=True, slots=True)
class PlanJob:
    """A video to be split."""

    path: Path
    stretch_s: float


@dataclass(frozen=True, slots=True)
class LookJob:
    """A stretch to be looked at."""

    path: Path
    stretch: VideoStretch
    started_at: datetime
    """Of the video's first picture, aware."""
    begins_s: float
    ends_s: float
    """Pictures of before and from then on are not wanted, seconds of the video."""
    lens: Lens
    expected: tuple[int, int] = (0, 0)
    """Bytes of the file, and when it was last changed, nanoseconds: what is read must be what was planned."""


@dataclass(frozen=True, slots=True)
class LookedFrame:
    """What a picture showed."""

    at: datetime
    faces: list[Face] | None
    """None: it shows what the one before showed, and was not looked at."""
    look: Look
    views: Sequence[FaceView] = ()


@dataclass(frozen=True, slots=True)
class Looked:
    """What is kept of a stretch, for the follower."""

    number: int
    frames: list[LookedFrame] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of a stretch."""

    pictures: int
    """That were looked at."""
    faces: int
    missing: tuple[tuple[float, float], ...]
    """Without a picture that can be used, seconds of the video."""
    took_s: float
    """Of the processor."""
    refused: str = ""
    """Why pictures could not be used; empty: all could."""


class FileChangedError(AttendanceError):
    """A video was changed while it was read."""


def plan(job: PlanJob) -> tuple[VideoPlan, None]:
    """Split a video: a piece of work.

    Raises:
        SourceError: as `plan_video`.
    """
    return plan_video(job.path, job.stretch_s), None


def look_at(job: LookJob) -> tuple[Told, Looked]:
    """Look at a stretch: a piece of work.

    Raises:
        FileChangedError: the file is not what it was.
        SourceError: it cannot be opened on this machine, or not be read with what is installed; no fault of the file.
        EngineError: the engine itself fails.
    """
    cv2.setNumThreads(1)  # the machine's processors have other stretches to look at
    began = time.thread_time(), time.perf_counter()
    _require_unchanged(job)
    looker = _Looker(job)
    source = StretchPictures(job.path, job.stretch, job.lens.rate)
    missing: list[tuple[float, float]] = []
    try:
        for place, picture in source.pictures(job.begins_s, job.ends_s):
            looker.see(job.started_at + timedelta(seconds=place), picture)
        missing = source.missing
    except DamagedStretchError:
        missing = [(job.stretch.begins_s, job.stretch.ends_s)]
    _require_unchanged(job)
    told = Told(
        pictures=len(looker.frames),
        faces=sum(len(frame.faces or ()) for frame in looker.frames),
        missing=tuple(
            (max(begins, job.begins_s), min(ends, job.ends_s))
            for begins, ends in missing
            if ends > job.begins_s and begins < job.ends_s
        ),
        took_s=max(time.thread_time() - began[0], time.perf_counter() - began[1]),
        refused=looker.refused,
    )
    return told, Looked(job.stretch.number, looker.frames)


def fingerprint(path: Path) -> tuple[int, int]:
    """Bytes of a file, and when it was last changed, nanoseconds.

    Raises:
        SourceError: it is gone, or cannot be read.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
    return found.st_size, found.st_mtime_ns


def _require_unchanged(job: LookJob) -> None:
    if fingerprint(job.path) != job.expected:
        raise FileChangedError(f"{job.path} was changed while it was read; it is left for a later run")


class _Looker:
    """Looks at pictures in their order."""

    def __init__(self, job: LookJob) -> None:
        self._lens = job.lens
        self._engine = engine_of(job.lens.build)
        self._reduction = reduction_for(job.lens.smallest_face)
        self._last = LastExamined(job.lens.skip_unchanged_s)
        self.frames: list[LookedFrame] = []
        self.refused = ""

    def see(self, at: datetime, picture: NDArray[np.uint8]) -> None:
        lens = self._lens
        digest = hashlib.blake2b(np.ascontiguousarray(picture).data, digest_size=16).digest()
        thumbnail = masked(reduced(picture, cv2.COLOR_BGR2GRAY), lens.zones)
        if lens.skip_unchanged_s and self._last.shows(thumbnail, at):
            self.frames.append(LookedFrame(at, None, Look(digest, self._last.blank)))
            return
        image = self._prepared(picture)
        try:
            faces = self._find(image)
        except ImageError as error:
            self.refused = str(error)
            return
        views = views_of(image, faces, crops=lens.crops) if lens.views and faces else ()
        if self._reduction > 1:
            by = self._reduction
            faces = [replace(face, box=face.box * by, landmarks=face.landmarks * by) for face in faces]
        look = Look(digest, shows_nothing(image))
        self._last.examined(thumbnail, at, blank=look.blank)
        self.frames.append(LookedFrame(at, faces, look, views))

    def _prepared(self, picture: NDArray[np.uint8]) -> Image:
        if self._reduction > 1:
            size = picture.shape[1] // self._reduction, picture.shape[0] // self._reduction
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)

    def _find(self, image: Image) -> list[Face]:
        lens = self._lens
        if image.shape[0] * image.shape[1] > lens.max_pixels:
            raise ImageError(f"pictures have {image.shape[0] * image.shape[1]:,} pixels; at most {lens.max_pixels:,}")
        found: list[Face] = []
        for piece in find_in_pieces(
            self._engine,
            [image],
            upsample=lens.upsample,
            smallest_face=smallest_searched(lens.smallest_face),
            zones=lens.zones,
        ):
            for faces in piece.answers.values():
                found += faces
        return found
