"""Looking at photos with a runner's processes or machines, some ahead of whoever asks.

Photos go to where they are looked at as the bytes of their files, read here, and verdicts come back with encodings: on
a cluster both by TLS only.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from attendance.face_engine.interface import ImageError
from attendance.settings.families import FamilyNumbers
from index_builder.photos.judging import look_at
from index_builder.photos.sources import read_photo
from index_builder.photos.verdicts import PhotoOutcome, PhotoVerdict
from operations.recordings.looking import engine_of
from operations.runners.interface import NotBegunError, Runner, Task, TaskLostError
from recognition_service.engine.work import BuildEngine

_WAIT_S = 0.5
_DONE_AHEAD = 4
"""Photos looked at and not asked for yet, for each place of the runner."""
_MOST_LOSSES = 3
"""Times that one photo may be lost with its process: reading it may be what ends it."""


@dataclass(frozen=True, slots=True)
class LookSettings:
    """How photos are looked at."""

    build: BuildEngine
    max_pixels: int
    numbers: FamilyNumbers
    accept: Collection[PhotoOutcome]


@dataclass(frozen=True, slots=True)
class PhotoJob:
    """One photo to be looked at."""

    name: str
    data: bytes
    how: LookSettings


def look_at_photo(job: PhotoJob) -> tuple[PhotoVerdict, None]:
    """Judge a photo by itself: a piece of work.

    Raises:
        EngineError: the engine itself fails.
    """
    how = job.how
    engine = engine_of(how.build)
    verdict = look_at(engine, job.name, job.data, max_pixels=how.max_pixels, numbers=how.numbers, accept=how.accept)
    return verdict, None


@dataclass(slots=True)
class _Photo:
    name: str
    path: Path
    verdict: PhotoVerdict | None = None
    losses: int = 0


class RunnerLooks:
    """See `index_builder.photos.looks.Looks`."""

    def __init__(self, runner: Runner, how: LookSettings) -> None:
        self._runner = runner
        self._how = how
        self._coming: Iterator[_Photo] = iter(())
        self._line: deque[_Photo] = deque()
        self._lost: deque[_Photo] = deque()
        self._at_work: dict[Task, _Photo] = {}

    def ahead(self, photos: Iterable[tuple[str, Path]]) -> None:
        """See `Looks.ahead`."""
        self._coming = (_Photo(name, path) for name, path in photos)

    def look_at(self, name: str, path: Path) -> PhotoVerdict:
        """See `Looks.look_at`.

        Raises:
            RunnerError: no process or machine can be used any more.
        """
        photo = self._find(name, path)
        while photo.verdict is None:
            for task in self._runner.ended(_WAIT_S):
                self._take(task)
            self._fill()
        self._line.remove(photo)
        return photo.verdict

    def _find(self, name: str, path: Path) -> _Photo:
        """The photo in line; those before it were passed over, and are forgotten."""
        while True:
            self._fill()
            for place, photo in enumerate(self._line):
                if photo.path == path:
                    for _ in range(place):
                        self._line.popleft()
                    return photo
            following = next(self._coming, None) or _Photo(name, path)
            self._line.append(following)
            self._lost.append(following)

    def _fill(self) -> None:
        slots = self._runner.slots
        while len(self._at_work) < slots:
            photo = self._lost.popleft() if self._lost else None
            if photo is None and len(self._line) < (1 + _DONE_AHEAD) * slots:
                photo = next(self._coming, None)
                if photo is not None:
                    self._line.append(photo)
            if photo is None:
                return
            self._begin(photo)

    def _begin(self, photo: _Photo) -> None:
        try:
            data = read_photo(photo.path)
        except ImageError as error:
            photo.verdict = PhotoVerdict(photo.name, PhotoOutcome.UNREADABLE, str(error))
            return
        task = self._runner.begin(look_at_photo, PhotoJob(photo.name, data, self._how))
        self._at_work[task] = photo

    def _take(self, task: Task) -> None:
        photo = self._at_work.pop(task)
        try:
            photo.verdict = self._runner.told(task)
        except TaskLostError as error:
            photo.losses += not isinstance(error, NotBegunError)
            if photo.losses < _MOST_LOSSES:
                self._lost.append(photo)
            else:
                photo.verdict = PhotoVerdict(photo.name, PhotoOutcome.UNREADABLE, f"looking at it failed: {error}")
        finally:
            self._runner.forget(task)
